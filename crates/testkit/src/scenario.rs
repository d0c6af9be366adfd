//! What certfleet promises, each shown on a fleet of its own made of real parts.
//!
//! The tests run them one by one, `cargo xtask demo --check` runs all. A scenario fails with what
//! it saw, and gives its figures when it holds.

pub mod cold_start;
pub mod first_issuance;
pub mod killed_holder;
pub mod no_key_leaks;
pub mod paused_holder;
pub mod readable_redis;
pub mod redis_outage;
pub mod renewal_under_load;

use std::{pin::Pin, time::Duration};

use anyhow::{Context, Result, ensure};
use certfleet_store::event::{Event, EventKind};
use tokio::time::{Instant, sleep, timeout};

use crate::fleet::LocalFleet;

/// How long any scenario may take.
const LIMIT: Duration = Duration::from_secs(180);
/// How long a step may take that is not timed by what the scenario promises.
const STEP: Duration = Duration::from_secs(30);

/// How long a lease may outlive the work it was for; shorter than any lease's time to live, so that
/// one that was not given back is seen.
const RELEASE: Duration = Duration::from_secs(2);

/// Runs a scenario and gives its figures.
type Run = fn() -> Pin<Box<dyn Future<Output = Result<String>> + Send>>;

/// One promise and the way to show it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// A short name.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    run: Run,
}

/// All there are, in the order a reader would ask for them.
pub const ALL: [Scenario; 8] = [
    Scenario {
        name: "cold start",
        shows: "three nodes started at once with an empty Redis: one account, one order",
        run: || Box::pin(cold_start::run()),
    },
    Scenario {
        name: "first issuance",
        shows: "a certificate for two names, verified through HAProxy, the same on all nodes",
        run: || Box::pin(first_issuance::run()),
    },
    Scenario {
        name: "renewal under load",
        shows: "forced renewals under load fail no connection and reach every node",
        run: || Box::pin(renewal_under_load::run()),
    },
    Scenario {
        name: "killed holder",
        shows: "kill -9 of the lease holder in mid-order: another node finishes, once",
        run: || Box::pin(killed_holder::run()),
    },
    Scenario {
        name: "paused holder",
        shows: "a paused holder cannot overwrite the newer certificate",
        run: || Box::pin(paused_holder::run()),
    },
    Scenario {
        name: "Redis outage",
        shows: "Redis stopped for 20 s: HTTPS never fails, and the fleet heals by itself",
        run: || Box::pin(redis_outage::run()),
    },
    Scenario {
        name: "no key leaks",
        shows: "no private key bytes in an RDB dump, in Redis's files or in any log",
        run: || Box::pin(no_key_leaks::run()),
    },
    Scenario {
        name: "readable Redis",
        shows: "redis-cli and openssl x509 show a certificate",
        run: || Box::pin(readable_redis::run()),
    },
];

impl Scenario {
    /// Runs it within a time limit and gives its figures.
    ///
    /// # Errors
    /// What it saw that must not be.
    pub async fn run(&self) -> Result<String> {
        let run = timeout(LIMIT, (self.run)()).await;
        run.with_context(|| format!("not over within {LIMIT:?}"))
            .flatten()
            .context(self.name)
    }
}

/// What holds after whatever has happened: no lease is left, no task has died, nothing that was
/// written has a secret in it. Gives how much was searched.
async fn orderly(fleet: &LocalFleet) -> Result<String> {
    let end = Instant::now() + RELEASE;
    while let [lease, ..] = fleet.leases().await?.as_slice() {
        ensure!(Instant::now() < end, "a lease is left behind: {lease}");
        sleep(Duration::from_millis(100)).await;
    }
    for node in &fleet.nodes {
        let deaths = node.metrics().await?.sum("certfleet_task_deaths_total");
        ensure!(
            deaths == Some(0.0),
            "task deaths on {}: {deaths:?}",
            node.id()
        );
    }
    let (files, bytes) = fleet.search(&fleet.secrets().await?)?;
    Ok(format!("no secret in {files} files ({} KiB)", bytes / 1024))
}

/// Whether an event is this step of an order, told by a word of it.
fn is_step(event: &Event, word: &str) -> bool {
    event.kind == EventKind::OrderStep && event.detail.contains(word)
}
