//! Issue and renewal: who orders, when, at whom, and what becomes of failures.

use std::{collections::BTreeSet, time::Duration};

use certfleet_core::{
    CertificateId, ChallengeKind, Generation, OwnTerms, RevocationReason, Wanted,
    budget::{Limit, Limits},
    retry::Advice,
};
use certfleet_store::{
    Budget, CertificateStore, ChallengeBoard, Leases, Revocations, Schedule, Suggestions,
    event::EventKind,
};

use crate::{
    ca::{Plan, Point},
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn wanted(names: &str) -> Wanted {
    Wanted::new(names.parse().unwrap())
}

fn several(count: usize) -> Vec<Wanted> {
    (0..count)
        .map(|number| wanted(&format!("n{number}.example")))
        .collect()
}

fn generation(number: u64) -> Generation {
    Generation::new(number)
}

/// A node dies at each arrow of a certificate's life: its peer finishes, and nothing is left behind.
#[tokio::test(start_paused = true)]
async fn a_node_that_dies_at_any_point_leaves_nothing_behind() {
    for point in Point::ALL {
        let world = World::new();
        world.issuer.plan(Plan::HangAt(point));
        let first = world.node("a").await;
        world.until(|| world.issuer.reached(point)).await;
        drop(first);
        let second = world.node("b").await;
        world.until(|| second.serves(generation(1))).await;

        let books = world.issuer.books();
        let ordered = if point == Point::Leased { 1 } else { 2 };
        assert_eq!(books.orders, ordered, "{point:?}");
        assert_eq!(books.doubles, [""; 0], "{point:?}");
        world.settle().await;
        let backend = &world.backend;
        assert!(backend.holders().await.unwrap().is_empty(), "{point:?}");
        assert_eq!(backend.posted(&world.id()).await.unwrap(), [], "{point:?}");
        assert_eq!(backend.attempt(&world.id()).await.unwrap(), None);
        let cleared = (Point::Presented..=Point::Issued).contains(&point);
        let events = world.count(EventKind::Cleared).await;
        assert_eq!(events, usize::from(cleared), "{point:?}");
    }
}

/// What the CA asks for with Retry-After holds for every certificate of every node.
#[tokio::test(start_paused = true)]
async fn a_short_retry_after_holds_for_the_whole_fleet() {
    let world = World::new();
    let first = world.node_for("a", several(1), &[]).await;
    world.until(|| first.serves(generation(1))).await;
    world.issuer.plan(Plan::Fail {
        kind: "rateLimited",
        retry_after: Some(120 * SECOND),
    });
    let operator = first.operator();
    operator.add(&wanted("late.example")).await.unwrap();
    world.until(|| world.issuer.books().refused == 1).await;
    let refused_at = world.now();
    world.issuer.plan(Plan::Issue);

    let nodes = [
        world.node_for("b", several(5), &[]).await,
        world.node_for("c", several(5), &[]).await,
    ];
    world.until(|| world.issuer.orders() > 2).await;
    let waited = world.issuer.books().last_order_at.unwrap();
    assert!(
        waited.since(refused_at) >= 119 * SECOND,
        "someone asked after {:?}",
        waited.since(refused_at)
    );
    world
        .until(|| {
            nodes
                .iter()
                .all(|node| node.status().certificates.len() == 6)
        })
        .await;
    assert!(world.count(EventKind::Waiting).await >= 1);
}

/// When a way of validation fails the next one is tried at once, and the failure is remembered.
#[tokio::test(start_paused = true)]
async fn another_challenge_is_tried_when_one_fails() {
    let world = World::new();
    world
        .issuer
        .plan(Plan::FailChallenge(ChallengeKind::Http01));
    let started = world.now();
    let node = world.node("a").await;
    world.until(|| node.serves(generation(1))).await;
    let books = world.issuer.books();
    assert_eq!(books.orders, 2);
    assert_eq!(books.last_challenge, Some(ChallengeKind::TlsAlpn01));
    assert!(world.now().since(started) < MINUTE, "the next way at once");
    assert_eq!(world.count(EventKind::AttemptFailed).await, 1);

    world.issuer.plan(Plan::Fail {
        kind: "unauthorized",
        retry_after: None,
    });
    world.backend.hasten(&world.id()).await.unwrap();
    world.until(|| world.issuer.orders() == 3).await;
    world.settle().await;
    let attempt = world.backend.attempt(&world.id()).await.unwrap().unwrap();
    assert_eq!(attempt.kind, "unauthorized");
    assert!(attempt.error.contains("as planned"), "{}", attempt.error);
}

/// What only a person can change raises the alarm with the first failure.
#[tokio::test(start_paused = true)]
async fn what_needs_a_person_raises_the_alarm_at_once() {
    let world = World::new();
    world.issuer.plan(Plan::Fail {
        kind: "rejectedIdentifier",
        retry_after: None,
    });
    let node = world.node("a").await;
    world.until(|| world.issuer.orders() == 1).await;
    assert_eq!(world.count(EventKind::Alarm).await, 1);
    let attempt = world.backend.attempt(&world.id()).await.unwrap().unwrap();
    assert_eq!(attempt.advice, Advice::NeedsPerson);
    assert!(node.metrics().contains("certificate_update_alarm{"));
    world.issuer.plan(Plan::Issue);
    world.backend.hasten(&world.id()).await.unwrap();
    world.until(|| node.serves(generation(1))).await;
    world.settle().await;
    assert!(!node.metrics().contains("certificate_update_alarm{"));
}

/// A CA that fails again and again is given up for the next one, and is the first to be asked again
/// when the certificate is due the next time.
#[tokio::test(start_paused = true)]
async fn the_next_issuer_steps_in() {
    let world = World::new();
    world.issuer.plan(Plan::Fail {
        kind: "serverInternal",
        retry_after: None,
    });
    let certificate = Wanted {
        terms: OwnTerms {
            issuers: Some(vec!["main".parse().unwrap(), "second".parse().unwrap()]),
            ..OwnTerms::default()
        },
        ..wanted("a.example")
    };
    let node = world.node_for("a", vec![certificate], &[]).await;
    world.until(|| node.serves(generation(1))).await;
    assert_eq!(world.issuer.orders(), 3);
    assert_eq!(world.second.issued(), 1);
    let id: CertificateId = "a.example".parse().unwrap();
    let stored = world.backend.load(&id).await.unwrap().unwrap();
    assert_eq!(stored.record.ca, "second");

    world.issuer.plan(Plan::Issue);
    world.backend.hasten(&id).await.unwrap();
    world.until(|| node.serves(generation(2))).await;
    let stored = world.backend.load(&id).await.unwrap().unwrap();
    assert_eq!(stored.record.ca, "simulated");
}

/// The CA's suggestion is drawn once for the whole fleet, kept, and followed with `replaces`.
#[tokio::test(start_paused = true)]
async fn the_cas_suggestion_is_drawn_once_and_followed() {
    let world = World::new();
    let start = world.now().after(10 * DAY);
    world
        .issuer
        .suggest(world.id(), start, start.after(2 * DAY));
    let nodes = [world.node("a").await, world.node("b").await];
    world.until(|| nodes[1].serves(generation(1))).await;
    tokio::time::sleep(3 * MINUTE).await;
    let drawn = world
        .backend
        .suggestion(&world.id())
        .await
        .unwrap()
        .unwrap();
    assert!(drawn.selected >= start && drawn.selected <= start.after(2 * DAY));
    assert_eq!(
        world.backend.due_at(&world.id()).await.unwrap(),
        Some(drawn.selected)
    );
    tokio::time::advance(DAY).await;
    tokio::time::sleep(3 * MINUTE).await;
    let again = world
        .backend
        .suggestion(&world.id())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.selected, drawn.selected, "drawn anew");
    assert!(
        again.asked_at > drawn.asked_at,
        "asked at least twice a day"
    );

    let wait = drawn.selected.since(world.now());
    tokio::time::advance(wait.saturating_sub(MINUTE)).await;
    world.settle().await;
    assert_eq!(world.issuer.orders(), 1, "renewed too early");
    for node in &nodes {
        world.until(|| node.serves(generation(2))).await;
    }
    assert_eq!(world.issuer.books().replaced, 1);
}

/// A window in the past says that the certificate is revoked: it is replaced at once, and once.
#[tokio::test(start_paused = true)]
async fn a_revoked_certificate_is_replaced_at_once_and_once() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await];
    world.until(|| nodes[0].serves(generation(1))).await;
    let past = world.now().before(2 * HOUR);
    world.issuer.suggest(world.id(), past, past.after(HOUR));
    tokio::time::advance(13 * HOUR).await;
    world.until(|| nodes[1].serves(generation(2))).await;
    world.issuer.suggest(
        world.id(),
        world.now().after(60 * DAY),
        world.now().after(61 * DAY),
    );
    tokio::time::sleep(20 * HOUR).await;
    assert_eq!(world.issuer.orders(), 2);
}

/// A CA that suggests times gone by for whatever it issues is not asked for certificate after
/// certificate.
#[tokio::test(start_paused = true)]
async fn a_window_that_is_always_over_is_no_endless_loop() {
    let world = World::new();
    let past = world.now().before(2 * HOUR);
    world.issuer.suggest(world.id(), past, past.after(HOUR));
    let node = world.node("a").await;
    world.until(|| node.serves(generation(1))).await;
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(world.issuer.orders(), 1);
    tokio::time::sleep(5 * HOUR).await;
    assert!((2..=6).contains(&world.issuer.orders()));
}

/// A certificate whose key is in other hands: one order for the whole fleet, a new key, and only
/// then the revocation, once.
#[tokio::test(start_paused = true)]
async fn a_compromised_certificate_is_replaced_and_then_revoked() {
    let world = World::new();
    let reused = Wanted {
        terms: OwnTerms {
            reuse_key: Some(true),
            ..OwnTerms::default()
        },
        ..wanted("a.example")
    };
    let nodes = [
        world.node_for("a", vec![reused.clone()], &[]).await,
        world.node_for("b", vec![reused.clone()], &[]).await,
        world.node_for("c", vec![reused], &[]).await,
    ];
    for node in &nodes {
        world.until(|| node.serves(generation(1))).await;
    }
    let id: CertificateId = "a.example".parse().unwrap();
    let serial = nodes[0].serial();
    let operator = nodes[2].operator();
    for _ in 0..2 {
        let reason = RevocationReason::KeyCompromise;
        operator.revoke(&id, reason).await.unwrap();
    }
    for node in &nodes {
        world.until(|| node.serves(generation(2))).await;
    }
    world.settle().await;
    let books = world.issuer.books();
    assert_eq!(books.orders, 2);
    assert_eq!(books.reused_keys, 0, "the compromised key was used again");
    assert_eq!(books.revoked, [format!("{serial} keyCompromise")]);
    assert_eq!(world.backend.revocations(&id).await.unwrap(), []);

    world.backend.hasten(&id).await.unwrap();
    world.until(|| nodes[0].serves(generation(3))).await;
    assert_eq!(world.issuer.books().reused_keys, 1, "as its terms say");
}

/// An order that the CA's limits do not allow waits, says until when, and is then made.
#[tokio::test(start_paused = true)]
async fn an_order_beyond_the_budget_waits() {
    let world = World::new();
    let limits = Limits {
        new_orders: Some(Limit {
            capacity: 3,
            refill: HOUR,
        }),
        ..Limits::default()
    };
    world.issuer.limit(limits);
    let more = [("rate_limits", "new_orders=3/3h")];
    let nodes = [
        world.node_for("a", several(5), &more).await,
        world.node_for("b", several(5), &more).await,
    ];
    world.until(|| world.issuer.issued() == 3).await;
    world.settle().await;
    assert_eq!(world.issuer.orders(), 3);
    assert!(world.count(EventKind::Waiting).await >= 2);
    let balances = world.backend.balances(world.now()).await.unwrap();
    assert_eq!(balances.len(), 1);
    assert!(
        nodes[0].metrics().contains("certfleet_budget_left{"),
        "{}",
        nodes[0].metrics()
    );
    world.until(|| world.issuer.issued() == 5).await;
    assert_eq!(world.issuer.books().over_limit, [""; 0]);
    assert_eq!(world.count(EventKind::AttemptFailed).await, 0);
}

/// Certificates come and go while nodes run, and those that start later know of it.
#[tokio::test(start_paused = true)]
async fn certificates_are_added_and_removed_while_nodes_run() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await];
    world.until(|| nodes[1].serves(generation(1))).await;
    let operator = nodes[0].operator();
    operator.add(&wanted("late.example")).await.unwrap();
    for node in &nodes {
        world.until(|| node.status().certificates.len() == 2).await;
    }
    let third = world.node("c").await;
    assert_eq!(third.status().certificates.len(), 2);
    assert_eq!(world.issuer.orders(), 2);

    let id: CertificateId = "late.example".parse().unwrap();
    operator.remove(&id).await.unwrap();
    for node in nodes.iter().chain([&third]) {
        world.until(|| node.status().certificates.len() == 1).await;
    }
    assert!(operator.remove(&id).await.is_err(), "it is gone");
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(
        world.issuer.orders(),
        2,
        "a removed certificate was ordered"
    );
    assert!(world.backend.holders().await.unwrap().is_empty());
}

/// The message that a certificate was added is lost: the schedule tells.
#[tokio::test(start_paused = true)]
async fn a_lost_message_of_an_added_certificate_costs_time_alone() {
    let world = World::new();
    let node = world.node("a").await;
    world.until(|| node.serves(generation(1))).await;
    world.backend.set_available(false);
    let elsewhere = world.backend.link();
    let added = wanted("late.example");
    certfleet_store::WantedList::want(&elsewhere, &added)
        .await
        .unwrap();
    world.backend.set_available(true);
    world.until(|| node.status().certificates.len() == 2).await;
}

/// A machine whose clock is far off orders nothing, and says so.
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_orders_nothing() {
    let world = World::new();
    world.issuer.skew(-7200);
    let node = world.node("a").await;
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(world.issuer.orders(), 0);
    assert_eq!(world.count(EventKind::ClockSkew).await, 1);
    assert!(
        node.metrics().contains("certfleet_clock_skew_seconds{"),
        "{}",
        node.metrics()
    );
    world.issuer.skew(30);
    world.until(|| node.serves(generation(1))).await;
}

/// A change of issuer renews everything within a day, and not at once.
#[tokio::test(start_paused = true)]
async fn a_change_of_issuer_is_calm() {
    let world = World::new();
    let node = world.node_for("a", several(24), &[]).await;
    world.until(|| world.issuer.issued() == 24).await;
    world.settle().await;
    node.stop().await;
    let changed = world
        .node_for("a", several(24), &[("issuers", "second")])
        .await;
    let mut hours = BTreeSet::new();
    let begin = world.now();
    for _ in 0..48 {
        tokio::time::sleep(HOUR / 2).await;
        hours.insert(world.second.issued());
    }
    world.until(|| world.second.issued() == 24).await;
    assert!(world.now().since(begin) <= DAY + HOUR);
    assert!(hours.len() >= 8, "in {} steps only", hours.len());
    assert!(
        changed
            .status()
            .certificates
            .iter()
            .all(|c| c.generation == generation(2))
    );
    assert_eq!(world.issuer.orders(), 24);
}

/// The fleet works on no more certificates at a time than it may.
#[tokio::test(start_paused = true)]
async fn the_fleet_keeps_to_its_bound_on_orders() {
    let world = World::new();
    let more = [("orders_per_fleet", "3"), ("orders_per_node", "2")];
    let _nodes = [
        world.node_for("a", several(12), &more).await,
        world.node_for("b", several(12), &more).await,
        world.node_for("c", several(12), &more).await,
    ];
    let mut most = 0;
    while world.issuer.issued() < 12 {
        most = most.max(world.issuer.books().open.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(most, 3);
    assert_eq!(world.issuer.orders(), 12);
}
