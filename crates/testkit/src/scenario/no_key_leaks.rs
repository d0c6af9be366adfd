//! No private key is in an RDB dump, in Redis's other files, in the nodes' local copies or in any
//! log of the run. The real keys are searched for: this test opens the records by the fleet's
//! master key, before and after a renewal.

use std::fs;

use anyhow::{Result, ensure};

use super::STEP;
use crate::{
    fleet::{LocalFleet, Options},
    secrets,
};

/// Runs it.
///
/// # Errors
/// Which secret is in which file.
pub async fn run() -> Result<String> {
    let fleet = LocalFleet::serving(Options::default()).await?;
    let first = fleet.secrets().await?;
    let old = fleet.converged(0, "", STEP).await?;
    fleet.renew(0).await?;
    fleet.converged(0, &old, STEP).await?;
    let second = fleet.secrets().await?;

    fleet.redis.cli(&["SAVE"]).await?;
    // A search that could not find anything would prove nothing: what is public must be there.
    let dump = fs::read(fleet.redis.dir().join("dump.rdb"))?;
    let record = fleet.record(0).await?;
    for public in [record.serial.as_str(), record.sealed.as_str()] {
        let there = secrets::contains(&dump, public.as_bytes());
        ensure!(
            there,
            "the dump does not hold the record, or is compressed: no {public}"
        );
    }
    fleet.search(&first)?;
    let (files, bytes) = fleet.search(&second)?;
    Ok(format!(
        "2 keys, the master key and markers in none of {files} files ({} KiB)",
        bytes / 1024
    ))
}
