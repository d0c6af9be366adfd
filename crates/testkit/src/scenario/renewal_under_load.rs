//! Forced renewals while clients make new TLS connections without a pause: none of them fails,
//! every node goes over to each new certificate, and how long that takes is set beside a bare
//! Redis PUBLISH round trip measured at the same time.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{STEP, orderly};
use crate::{
    fleet::{LocalFleet, Options},
    latency::Latencies,
    load::Load,
    pubsub,
    watch::live_after,
};

/// How many connections there must be at least.
const CONNECTIONS: usize = 2_000;
/// How many connections there may be at the most.
const MOST: usize = 200_000;
/// How many times the certificate is renewed.
const RENEWALS: usize = 10;
/// How many bare round trips are measured.
const ROUND_TRIPS: usize = 200;

/// Runs it.
///
/// # Errors
/// Failed connections with their reasons, or a node that did not go over.
pub async fn run() -> Result<String> {
    let fleet = LocalFleet::serving(Options::default()).await?;
    let mut watch = fleet.watch_from_now().await?;
    let first = fleet.converged(0, "", STEP).await?;
    let load = Load::start(fleet.client.clone(), fleet.plan(8, Duration::ZERO, MOST));
    load.reach(CONNECTIONS / 4, STEP).await?;
    let mut serial = first.clone();
    for _ in 0..RENEWALS {
        fleet.renew(0).await?;
        serial = fleet.converged(0, &serial, STEP).await?;
    }
    let bare = pubsub::round_trips(fleet.redis.address(), ROUND_TRIPS).await?;
    load.reach(CONNECTIONS, STEP).await?;
    let outcome = load.stop().await?;
    outcome.check(CONNECTIONS)?;
    for serial in [&first, &serial] {
        ensure!(
            outcome.serials.contains_key(serial),
            "{serial} is in none of {outcome}"
        );
    }

    // The node that commits serves at once; each of the others is told.
    let wanted = RENEWALS * (fleet.nodes.len() - 1);
    let mut propagation = Latencies::default();
    while propagation.count() < wanted {
        let event = watch.until(&fleet.redis, "a node went over", STEP, |e| {
            live_after(e).is_some()
        });
        propagation.add(live_after(&event.await?).unwrap_or_default());
    }
    orderly(&fleet).await?;
    Ok(format!(
        "{outcome}; {RENEWALS} renewals, commit to served {propagation}; bare PUBLISH {bare}"
    ))
}
