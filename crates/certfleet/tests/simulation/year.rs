//! A year of a fleet of two nodes with certificates of three lifetimes, at a CA that limits rates as
//! Let's Encrypt does and fails now and then.
//!
//! Time jumps from one event to the next: nothing is skipped, and nothing is waited for. There are
//! 200 certificates, half a minute's work; `SIMULATED_CERTIFICATES=10000` makes it 10,000.

use std::{collections::BTreeMap, time::Duration};

use certfleet_core::{OwnTerms, Wanted, budget::Limits, policy::RenewBefore};
use certfleet_store::{CertificateStore, Leases};

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How many certificates of two hundred have each lifetime, and the rule that is set for them.
const KINDS: [(usize, Duration, RenewBefore); 3] = [
    (
        180,
        DAY.saturating_mul(90),
        RenewBefore::Time(DAY.saturating_mul(30)),
    ),
    (19, DAY.saturating_mul(45), RenewBefore::Percent(33)),
    (
        1,
        HOUR.saturating_mul(160),
        RenewBefore::Time(DAY.saturating_mul(30)),
    ),
];

/// One order in so many fails.
const FAILS_ONE_IN: u64 = 20;

/// No certificate expires, no limit is exceeded, no order is doubled.
#[tokio::test(start_paused = true)]
async fn certificates_live_through_a_year() {
    let times = times();
    let world = World::new();
    world.issuer.limit(Limits::lets_encrypt());
    world.issuer.fail_one_in(FAILS_ONE_IN);
    world.issuer.skip_challenges();
    let mut certificates = Vec::new();
    for (kind, (count, lifetime, renew_before)) in KINDS.into_iter().enumerate() {
        for number in 0..count * times {
            // Five certificates for each registered domain.
            let names = format!("n{number}.k{kind}d{}.example", number / 5);
            let wanted = Wanted {
                terms: OwnTerms {
                    renew_before: Some(renew_before),
                    ..OwnTerms::default()
                },
                ..Wanted::new(names.parse().unwrap())
            };
            world.issuer.lifetime(wanted.names.id(), lifetime);
            certificates.push(wanted);
        }
    }
    let total = certificates.len();
    let more = [
        ("rate_limits", "letsencrypt"),
        ("renew_check_interval", "1h"),
    ];
    let first = world.node_for("a", certificates.clone(), &more).await;
    let second = world.node_for("b", certificates, &more).await;

    let end = world.now().after(365 * DAY);
    let mut complete_at = None;
    while world.now() < end {
        world.let_happen().await;
        if complete_at.is_none() && world.issuer.issued() >= total {
            complete_at = Some(world.now());
        }
        assert_eq!(world.issuer.counts().wrong, [""; 0]);
        world.pass_to_next_event(end).await;
    }
    for id in world.backend.ids().await.unwrap() {
        let stored = world.backend.load(&id).await.unwrap().unwrap();
        assert!(stored.record.not_after > end, "{id} has expired");
    }
    for node in [&first, &second] {
        assert_eq!(node.status().certificates.len(), total);
    }
    assert!(world.backend.holders().await.unwrap().is_empty());

    let counts = world.issuer.counts();
    let mut generations = BTreeMap::new();
    for served in first.status().certificates {
        *generations.entry(served.generation).or_insert(0) += 1;
    }
    let complete_at = complete_at.expect("every certificate was issued");
    println!(
        "year: {total} certificates, {} orders, {} issued, {} refused by the CA, all there after \
         {:.1} days; certificates by generation: {generations:?}",
        counts.orders,
        counts.issued,
        counts.refused,
        complete_at.since(end.before(365 * DAY)).as_secs_f64() / 86_400.0
    );
    // Failed orders are made again, once each.
    assert_eq!(counts.orders, counts.issued + counts.refused);
}

/// How many times two hundred certificates there are.
#[expect(
    clippy::disallowed_methods,
    reason = "the size of a simulation is set for one run of it"
)]
fn times() -> usize {
    let count = std::env::var("SIMULATED_CERTIFICATES");
    count.map_or(1, |count| count.parse::<usize>().unwrap() / 200)
}
