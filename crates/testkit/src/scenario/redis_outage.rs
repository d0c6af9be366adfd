//! Redis is stopped for 20 seconds and started again, with nobody subscribed: HTTPS never fails
//! meanwhile, and a certificate committed right after is live everywhere.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use super::{STEP, orderly};
use crate::{
    fleet::{LocalFleet, Options},
    load::Load,
};

/// How long Redis is away.
const OUTAGE: Duration = Duration::from_secs(20);
/// How long a client rests between connections.
const PAUSE: Duration = Duration::from_millis(50);
/// More connections than the outage has time for.
const MOST: usize = 20_000;
/// How many connections there must be at least.
const LEAST: usize = 200;

/// Runs it.
///
/// # Errors
/// Failed connections with their reasons, or a node that did not come back.
pub async fn run() -> Result<String> {
    let mut fleet = LocalFleet::serving(Options::default()).await?;
    let old = fleet.converged(0, "", STEP).await?;
    let load = Load::start(fleet.client.clone(), fleet.plan(4, PAUSE, MOST));
    fleet.redis.stop()?;
    sleep(OUTAGE).await;
    for node in &mut fleet.nodes {
        node.ready().await?;
        let up = node.metrics().await?.sum("certfleet_store_up");
        ensure!(up == Some(0.0), "{} says of Redis: {up:?}", node.id());
    }
    fleet.redis.start_again().await?;
    let back = Instant::now();
    fleet.renew(0).await?;
    fleet.converged(0, &old, STEP).await?;
    let took = back.elapsed();
    let outcome = load.stop().await?;
    outcome.check(LEAST)?;
    orderly(&fleet).await?;
    Ok(format!(
        "{outcome}; a renewal asked for right after was live everywhere in {:.1} s",
        took.as_secs_f64()
    ))
}
