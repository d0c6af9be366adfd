//! A holder that is paused when its certificate is about to arrive, and goes on after another
//! node has committed a newer one. It cannot overwrite it, whichever way it finds out:
//!
//! - paused past its lease: it wakes up, sees that the lease is over, and drops the work;
//! - its lease taken away while it believes in it (what a fail-over of Redis can do): its commit
//!   reaches Redis, which refuses it.
//!
//! Both are logged, and the record keeps the newer generation.

use std::time::Duration;

use anyhow::{Result, ensure};
use certfleet_store::event::{Event, EventKind};
use tokio::time::sleep;

use super::{STEP, is_step, orderly};
use crate::{
    fleet::{LocalFleet, Options},
    watch::Watch,
};

/// A lease that outlives the scenario, so that its holder does not ask whether it still has it.
const LONG: Duration = Duration::from_secs(90);

/// Runs it.
///
/// # Errors
/// What the paused holder could do.
pub async fn run() -> Result<String> {
    let lost = paused(Options::default(), false).await?;
    ensure!(
        lost.kind == EventKind::LeaseLost,
        "{}: {}",
        lost.kind,
        lost.detail
    );
    let options = Options {
        lease_ttl: LONG,
        ..Options::default()
    };
    let refused = paused(options, true).await?;
    ensure!(
        refused.kind == EventKind::CommitRefused,
        "{}: {}",
        refused.kind,
        refused.detail
    );
    Ok(format!(
        "past its lease, work dropped: {}; lease taken away, commit refused: {}",
        lost.detail, refused.detail
    ))
}

/// Pauses a holder until another has committed; gives what it said when it went on.
async fn paused(options: Options, rob: bool) -> Result<Event> {
    let mut fleet = LocalFleet::serving(options).await?;
    let old = fleet.converged(0, "", STEP).await?;
    let mut watch = fleet.watch_from_now().await?;
    fleet.renew(0).await?;
    let holder = pause_holder(&mut fleet, &mut watch).await?;
    // Or the balancer would send the CA's requests to a node that cannot answer them.
    fleet.left_out(holder.as_str()).await?;
    let lease = fleet.key(&format!("lease:certificate:{}", fleet.id(0)));
    if rob {
        fleet.redis.cli(&["DEL", &lease]).await?;
    } else {
        while fleet.redis.cli(&["EXISTS", &lease]).await? != "0" {
            sleep(Duration::from_millis(50)).await;
        }
    }
    let other = |event: &Event| event.kind == EventKind::Committed && event.node != holder;
    watch
        .until(&fleet.redis, "a commit by another node", STEP, other)
        .await?;
    let newer = fleet.record(0).await?;
    ensure!(newer.serial != old, "the commit changed nothing");

    let at = fleet.position(holder.as_str())?;
    fleet.nodes[at].process().signal("CONT")?;
    let gave_up = |event: &Event| {
        event.node == holder
            && matches!(
                event.kind,
                EventKind::LeaseLost | EventKind::CommitRefused | EventKind::Committed
            )
    };
    let said = watch
        .until(&fleet.redis, "the holder went on", STEP, gave_up)
        .await?;
    let log = fleet.nodes[at].log()?;
    ensure!(
        log.contains(&said.detail),
        "it is not in the log of {holder}: {}",
        said.detail
    );
    let served = fleet.converged(0, &old, STEP).await?;
    let record = fleet.record(0).await?;
    ensure!(
        record == newer && served == newer.serial,
        "overwritten by {}",
        record.issued_by
    );
    orderly(&fleet).await?;
    Ok(said)
}

/// Pauses the node that has just asked for its certificate; gives its name.
async fn pause_holder(fleet: &mut LocalFleet, watch: &mut Watch) -> Result<certfleet_core::NodeId> {
    let step = watch.until(&fleet.redis, "a request", STEP, |event| {
        is_step(event, "requested")
    });
    let holder = step.await?.node;
    let at = fleet.position(holder.as_str())?;
    fleet.nodes[at].process().signal("STOP")?;
    let generation = fleet.record(0).await?.generation.value();
    ensure!(
        generation == 1,
        "{holder} had committed before it was paused"
    );
    Ok(holder)
}
