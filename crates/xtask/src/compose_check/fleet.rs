//! The compose file's services, up and healthy; gone again, with their volumes, when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::engine::Engine;
use crate::cargo::Run;

/// The project's name: not the one a user's own fleet has.
const PROJECT: &str = "certfleet-check";

/// How long containers may take to be as wanted, once the image is built.
const LIMIT: Duration = Duration::from_secs(120);

/// A running fleet.
pub(super) struct Fleet<'a> {
    engine: &'a Engine,
    root: PathBuf,
    file: String,
    /// From a bare machine to a healthy fleet, building included.
    pub(super) took: Duration,
}

impl<'a> Fleet<'a> {
    /// `docker compose --profile local up --build --scale node=3`, until all is healthy.
    pub(super) fn up(engine: &'a Engine, root: &Path) -> Result<Self> {
        let mut fleet = Self {
            engine,
            root: root.to_owned(),
            file: root
                .join("docker-compose.yml")
                .to_string_lossy()
                .into_owned(),
            took: Duration::ZERO,
        };
        fleet
            .compose(["down", "--volumes", "--remove-orphans"])
            .output()?;
        let start = Instant::now();
        fleet
            .compose(["up", "--build", "--detach", "--scale", "node=3"])
            .run()?;
        if let Err(error) = fleet.settle(3) {
            fleet.keep_logs(root)?;
            return Err(error);
        }
        fleet.took = start.elapsed();
        Ok(fleet)
    }

    /// A run of `docker compose` for this fleet.
    pub(super) fn compose(
        &self,
        args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Run {
        self.docker(["compose"]).args(self.options()).args(args)
    }

    /// Replaces the nodes by the script that users have for it.
    pub(super) fn roll(&self) -> Result<String> {
        let script = self.root.join("deploy/docker/roll.sh");
        let run = self.engine.beside(&script.to_string_lossy());
        run.args(self.options()).output()
    }

    fn options(&self) -> [&str; 6] {
        [
            "--file",
            &self.file,
            "--project-name",
            PROJECT,
            "--profile",
            "local",
        ]
    }

    /// A run of `docker`.
    pub(super) fn docker(
        &self,
        args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Run {
        self.engine.docker(args)
    }

    /// A shell command inside a service's container; what it printed.
    pub(super) fn inside(&self, service: &str, command: &str) -> Result<String> {
        self.compose(["exec", "-T", service, "sh", "-c", command])
            .output()
    }

    /// Scales the nodes and waits until as many are healthy.
    pub(super) fn scale(&self, count: usize) -> Result<()> {
        let scale = format!("node={count}");
        self.compose(["up", "--detach", "--no-recreate", "--scale", &scale])
            .output()?;
        self.settle(count)
    }

    /// The ids of a service's running containers, short as a container's host name is.
    pub(super) fn containers(&self, service: &str) -> Result<Vec<String>> {
        let ids = self.compose(["ps", "--quiet", service]).output()?;
        Ok(ids
            .lines()
            .map(|id| id.chars().take(12).collect())
            .collect())
    }

    /// One thing of a container, by a Go template.
    pub(super) fn inspect(&self, container: &str, format: &str) -> Result<String> {
        let found = self
            .docker(["inspect", "--format", format, container])
            .output()?;
        Ok(found.trim().to_owned())
    }

    /// Waits until there are `count` nodes and all that has a health is healthy.
    pub(super) fn settle(&self, count: usize) -> Result<()> {
        let health = "{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}";
        let mut states = String::new();
        wait_until(LIMIT, || {
            let ids = self.compose(["ps", "--quiet"]).output()?;
            states = self
                .docker(["inspect", "--format", health])
                .args(ids.lines())
                .output()?;
            let good = states
                .lines()
                .all(|line| line.ends_with(" running healthy"));
            Ok(good && self.containers("node")?.len() == count)
        })
        .with_context(|| format!("not all is healthy, or there are not {count} nodes:\n{states}"))
    }

    /// Leaves the logs of all services in `target/compose-check/compose.log`.
    pub(super) fn keep_logs(&self, root: &Path) -> Result<()> {
        let path = root.join("target/compose-check/compose.log");
        let logs = self
            .compose(["logs", "--no-color", "--timestamps"])
            .output()?;
        fs::write(&path, logs)?;
        eprintln!("xtask: the containers' logs are in {}", path.display());
        Ok(())
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        if let Err(error) = self
            .compose(["down", "--volumes", "--remove-orphans"])
            .output()
        {
            eprintln!("xtask: WARNING: the project {PROJECT} is still there: {error:#}");
        }
    }
}

/// Asks again until the answer is yes.
pub(super) fn wait_until(limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !done()? {
        ensure!(start.elapsed() < limit, "not within {limit:?}");
        sleep(Duration::from_millis(100));
    }
    Ok(())
}
