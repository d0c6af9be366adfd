//! Three nodes started at once with an empty Redis: exactly one account and one order.
//!
//! The CA's own count decides, and it is read again after every node has looked at its schedule
//! several times.

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use super::orderly;
use crate::fleet::{LocalFleet, Options};

/// Runs it.
///
/// # Errors
/// What the CA counted instead.
pub async fn run() -> Result<String> {
    let start = Instant::now();
    let options = Options::default();
    let rest = options.renew_check * 4;
    let fleet = LocalFleet::serving(options).await?;
    let took = start.elapsed();
    sleep(rest).await;
    let pebble = &fleet.pebble;
    let counted = (pebble.accounts(), pebble.orders(), pebble.issued());
    ensure!(
        counted == (1, 1, 1),
        "accounts, orders, certificates at the CA: {counted:?}"
    );
    orderly(&fleet).await?;
    Ok(format!(
        "1 account, 1 order, 1 certificate; all serving after {:.1} s",
        took.as_secs_f64()
    ))
}
