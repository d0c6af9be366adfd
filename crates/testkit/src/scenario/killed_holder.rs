//! kill -9 of the lease holder in mid-order: another node finishes within the lease's time to
//! live and two seconds, by one certificate, and no lease is left behind.
//!
//! The CA is stopped as soon as it has taken the order, so that the order is surely open when its
//! owner dies.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use super::{STEP, is_step, orderly};
use crate::fleet::{LocalFleet, Options};

/// What the fleet has, beside the lease's time to live.
const GRACE: Duration = Duration::from_secs(2);

/// Runs it.
///
/// # Errors
/// How long it took instead, or what was issued.
pub async fn run() -> Result<String> {
    let options = Options::default();
    let limit = options.lease_ttl + GRACE;
    let mut fleet = LocalFleet::serving(options).await?;
    let old = fleet.converged(0, "", STEP).await?;
    let (issued, generation) = (fleet.pebble.issued(), fleet.record(0).await?.generation);

    let mut watch = fleet.watch_from_now().await?;
    fleet.renew(0).await?;
    let ordered = watch.until(&fleet.redis, "an order", STEP, |event| {
        is_step(event, "ordered")
    });
    let holder = ordered.await?.node;
    fleet.pebble.pause()?;
    ensure!(
        fleet.pebble.issued() == issued,
        "the order was over before the CA was stopped"
    );
    let holder = fleet.nodes.remove(fleet.position(holder.as_str())?);
    let killed_id = holder.id().to_owned();
    let killed = Instant::now();
    drop(holder);
    fleet.pebble.resume()?;

    let new = fleet.converged(0, &old, STEP).await?;
    let took = killed.elapsed();
    ensure!(
        took <= limit,
        "{} was served {took:?} after the kill; wanted: {limit:?}",
        new
    );
    let record = fleet.record(0).await?;
    ensure!(
        record.generation == generation.next(),
        "generation {}",
        record.generation
    );
    ensure!(
        record.issued_by.as_str() != killed_id,
        "{killed_id} is dead and issued it"
    );
    orderly(&fleet).await?;
    let used = fleet.pebble.issued() - issued;
    ensure!(
        used == 1,
        "the CA has issued {used} certificates for one renewal"
    );
    Ok(format!(
        "{} finished for {killed_id} in {:.1} s (wanted: at most {limit:?}); 1 certificate issued, no lease left",
        record.issued_by,
        took.as_secs_f64()
    ))
}
