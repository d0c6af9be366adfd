//! cargo-deny: licences, bans and sources always; advisories where the database can be had.
//!
//! The advisory database is a git repository. Where it cannot be reached, that is said aloud and
//! the rest still counts: a check that was not made never looks like one that passed.

use anyhow::Result;

use crate::cargo::cargo;

/// The version that CI and this task agree on.
const VERSION: &str = "0.20.2";

/// Checks `deny.toml`, installing cargo-deny if it is not there.
pub(crate) fn check() -> Result<()> {
    if !cargo(["deny", "--version"]).succeeds() {
        cargo(["install", "cargo-deny", "--locked", "--version", VERSION]).run()?;
    }
    let quiet = "--hide-inclusion-graph";
    cargo([
        "deny",
        "--log-level",
        "error",
        "check",
        quiet,
        "bans",
        "licenses",
        "sources",
    ])
    .run()?;
    if let Err(error) = cargo(["deny", "fetch", "db"]).run() {
        eprintln!(
            "xtask: WARNING: ADVISORIES WERE NOT CHECKED: the RustSec database could not be \
             fetched ({error}). Run `cargo deny check advisories` where it can be."
        );
        return Ok(());
    }
    cargo(["deny", "check", "--disable-fetch", quiet, "advisories"]).run()
}
