//! Whole nodes on the in-memory backend and on paused time: races, failures and outages as
//! deterministic tests. Only the two ports of each node are real, on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ca;
mod issuance;
mod world;
mod year;

use std::time::Duration;

use certfleet_core::Generation;
use certfleet_store::{
    AccountVault, CertificateStore, Leases, Schedule, event::EventKind, lease::Resource,
};

use crate::{
    ca::{Plan, Point},
    world::World,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Three nodes and nothing in the store: one order, and all three serve what came of it.
#[tokio::test(start_paused = true)]
async fn three_nodes_place_one_order() {
    let world = World::new();
    let nodes = [
        world.node("a").await,
        world.node("b").await,
        world.node("c").await,
    ];
    for node in &nodes {
        world.until(|| node.serves(Generation::new(1))).await;
    }
    assert_eq!(world.issuer.orders(), 1);
    let serials: Vec<_> = nodes.iter().map(|node| node.serial()).collect();
    assert_eq!(serials[0], serials[1]);
    assert_eq!(serials[1], serials[2]);
    assert!(
        world.backend.holders().await.unwrap().is_empty(),
        "a lease is left behind"
    );
}

/// A node that has just started orders nothing until the balancer has had time to find it.
#[tokio::test(start_paused = true)]
async fn nothing_is_ordered_in_the_pause_after_the_start() {
    let world = World::new();
    let node = world.node_with("a", &[("start_pause", "10s")]).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(world.issuer.orders(), 0);
    world.until(|| node.serves(Generation::new(1))).await;
}

/// A node without a certificate takes no traffic, unless the CA is to come that way.
#[tokio::test(start_paused = true)]
async fn a_node_is_ready_without_a_certificate_for_tls_alpn_01_alone() {
    for (challenges, ready) in [("http-01,tls-alpn-01", false), ("tls-alpn-01", true)] {
        let world = World::new();
        world.issuer.plan(Plan::HangAt(Point::Ordered));
        let node = world.node_with("a", &[("challenges", challenges)]).await;
        world.until(|| world.issuer.orders() == 1).await;
        assert_eq!(node.status().ready, ready, "{challenges}");
    }
}

/// A certificate is renewed when it is due and not before, over a year of its life.
#[tokio::test(start_paused = true)]
async fn a_year_of_renewals_happens_when_due() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await];
    let end = world.now().after(365 * DAY);
    while world.now() < end {
        tokio::time::advance(6 * 60 * MINUTE).await;
        world.settle().await;
        let left = nodes[1].not_after().since(world.now());
        assert!(left > 28 * DAY, "only {left:?} left");
    }
    // 90-day certificates with 30 days left at renewal: one in 60 days or a little less.
    let orders = world.issuer.orders();
    assert!((6..=8).contains(&orders), "{orders} orders in a year");
}

/// A node that dies in mid-order: its peer finishes within the rest of the lease and two seconds.
#[tokio::test(start_paused = true)]
async fn a_peer_finishes_what_a_dead_node_began() {
    let world = World::new();
    world.issuer.plan(Plan::HangAt(Point::Ordered));
    let first = world.node("a").await;
    world.until(|| world.issuer.orders() == 1).await;
    let second = world.node("b").await;
    world.settle().await;
    let died = world.now();
    drop(first);
    world.until(|| second.serves(Generation::new(1))).await;
    let took = world.now().since(died);
    assert!(
        took <= world::LEASE_TTL + Duration::from_secs(2),
        "took {took:?}"
    );
    assert_eq!(
        world.issuer.orders(),
        2,
        "the first order died with its node"
    );
}

/// With the store away nobody orders, everybody serves; when it is back all are in step again.
#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_stops_orders_and_nothing_else() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await];
    for node in &nodes {
        world.until(|| node.serves(Generation::new(1))).await;
    }
    world.backend.set_available(false);
    tokio::time::advance(80 * DAY).await;
    world.settle().await;
    assert_eq!(
        world.issuer.orders(),
        1,
        "an order was placed without the store"
    );
    for node in &nodes {
        assert!(node.serves(Generation::new(1)));
        assert!(!node.status().store_up);
        assert!(node.status().ready);
    }
    world.backend.set_available(true);
    for node in &nodes {
        world.until(|| node.serves(Generation::new(2))).await;
    }
    assert_eq!(world.issuer.orders(), 2);
}

/// The store goes away between the order and the commit, for longer than the lease: what the CA
/// has issued is committed when the store is back. There is no second order.
#[tokio::test(start_paused = true)]
async fn what_was_issued_while_the_store_was_away_is_not_ordered_again() {
    let world = World::new();
    let node = world.node("a").await;
    world.until(|| world.issuer.orders() == 1).await;
    world.backend.set_available(false);
    tokio::time::sleep(4 * world::LEASE_TTL).await;
    assert!(!node.status().ready, "nothing is committed yet");
    world.backend.set_available(true);
    world.until(|| node.serves(Generation::new(1))).await;
    assert_eq!(world.issuer.orders(), 1);
}

/// A CA that fails: tries grow apart, the fifth raises the alarm, any node goes on, and a success
/// clears the record. What was served is served all along.
#[tokio::test(start_paused = true)]
async fn failures_are_spaced_and_raise_the_alarm_once_the_run_has_failed() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await];
    world.until(|| nodes[1].serves(Generation::new(1))).await;
    world.issuer.plan(Plan::Fail {
        kind: "serverInternal",
        retry_after: None,
    });
    world.backend.hasten(&world.id()).await.unwrap();
    world.until(|| world.issuer.orders() == 6).await;
    world.settle().await;
    let attempt = world
        .backend
        .attempt(&world.id())
        .await
        .unwrap()
        .expect("failures are kept");
    assert_eq!(attempt.failures, 5);
    assert!(
        attempt.next.since(attempt.failed_at) >= 12 * 60 * MINUTE,
        "slow after the run"
    );
    assert_eq!(world.count(EventKind::Alarm).await, 1);
    assert!(nodes.iter().all(|node| node.serves(Generation::new(1))));

    world.issuer.plan(Plan::Issue);
    for node in &nodes {
        world.until(|| node.serves(Generation::new(2))).await;
    }
    assert_eq!(world.backend.attempt(&world.id()).await.unwrap(), None);
}

/// What the CA asks for with Retry-After holds for every node.
#[tokio::test(start_paused = true)]
async fn nobody_asks_before_retry_after_is_over() {
    let world = World::new();
    world.issuer.plan(Plan::Fail {
        kind: "rateLimited",
        retry_after: Some(3 * 60 * MINUTE),
    });
    let _nodes = [
        world.node("a").await,
        world.node("b").await,
        world.node("c").await,
    ];
    world.until(|| world.issuer.orders() == 1).await;
    world.settle().await;
    world.issuer.plan(Plan::Issue);
    tokio::time::advance(179 * MINUTE).await;
    world.settle().await;
    assert_eq!(world.issuer.orders(), 1, "someone asked too early");
    world.until(|| world.issuer.orders() == 2).await;
}

/// A store that lost everything is filled again from what nodes serve, without an order.
#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_data_is_filled_again_without_an_order() {
    let world = World::new();
    let node = world.node("a").await;
    world.until(|| node.serves(Generation::new(1))).await;
    let serial = node.serial();
    world.backend.lose_data();
    world.backend.hasten(&world.id()).await.unwrap();
    let restored = async {
        loop {
            if let Some(stored) = world.backend.load(&world.id()).await.unwrap() {
                return stored;
            }
            tokio::time::sleep(MINUTE).await;
        }
    };
    let stored = restored.await;
    assert_eq!(stored.record.serial, serial);
    assert_eq!(world.issuer.orders(), 1);
    assert_eq!(world.count(EventKind::Restored).await, 1);
}

/// A value in the store that does not open never replaces what is served, and is counted.
#[tokio::test(start_paused = true)]
async fn a_tampered_record_changes_nothing() {
    let world = World::new();
    let node = world.node("a").await;
    world.until(|| node.serves(Generation::new(1))).await;
    let stored = world.backend.load(&world.id()).await.unwrap().unwrap();
    let lease = world.lease().await;
    let mut record = stored.record;
    record.generation = record.generation.next();
    record.fencing = lease.fencing;
    world.backend.commit(&lease, &record).await.unwrap();
    world.settle().await;
    assert!(node.serves(Generation::new(1)));
    assert!(
        node.metrics().contains("certfleet_records_refused_total 1"),
        "{}",
        node.metrics()
    );
    assert!(world.count(EventKind::SealRefused).await >= 1);
}

/// A node that stops in order gives its lease back and leaves the list.
#[tokio::test(start_paused = true)]
async fn stopping_gives_the_lease_back() {
    let world = World::new();
    world.issuer.plan(Plan::HangAt(Point::Ordered));
    let node = world.node("a").await;
    world.until(|| world.issuer.orders() == 1).await;
    node.stop().await;
    assert!(world.backend.holders().await.unwrap().is_empty());
    assert_eq!(world.count(EventKind::NodeStopped).await, 1);
    let resource = Resource::Certificate(world.id());
    assert!(
        world
            .backend
            .acquire(&resource, &"b".parse().unwrap(), MINUTE)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(world.backend.account("built-in").await.unwrap(), None);
}
