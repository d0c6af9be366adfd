//! `cargo xtask compose-check`: `docker-compose.yml` and the Dockerfile, run as a user runs them.
//!
//! Both are used unchanged, on a real engine. Where no image registry answers, stand-ins made of
//! Debian's packages take the base images' names, and every run says so. The project has a name of
//! its own, so its volumes are not those of a fleet that somebody runs from the same folder; its
//! ports are the same, so such a fleet must not be running.

mod checks;
mod engine;
mod fleet;
mod load;
mod stand_in;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use self::{engine::Engine, fleet::Fleet};

/// Builds the image, starts the fleet and makes every check; one line each, with its figures.
#[expect(clippy::print_stdout, reason = "this is a command-line program")]
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let root = root()?;
    let _alone = alone()?;
    let mut engine = Engine::ensure()?;
    stand_in::ensure(&mut engine, &root)?;
    load::build()?;
    let fleet = Fleet::up(&engine, &root)?;
    let mut failed = Vec::new();
    for (name, check) in checks::ALL {
        if only.is_some_and(|only| only != *name) {
            continue;
        }
        let start = Instant::now();
        match check(&fleet) {
            Ok(figures) => println!("ok    {name} ({:.0?}): {figures}", start.elapsed()),
            Err(error) => {
                println!("FAIL  {name} ({:.0?}): {error:#}", start.elapsed());
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    fleet.keep_logs(&root)?;
    bail!("{} failed: {}", failed.len(), failed.join(", "))
}

/// Waits until no other compose-check runs on this machine; none begins while the file is open.
fn alone() -> Result<File> {
    let path = std::env::temp_dir().join("certfleet-compose-check.lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    if file.try_lock().is_err() {
        eprintln!("xtask: another compose-check is running; waiting for its end");
        file.lock()?;
    }
    Ok(file)
}

/// The repository's root folder.
fn root() -> Result<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    crates.canonicalize().context("the repository's root")
}
