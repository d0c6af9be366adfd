//! A Docker engine: the one that runs, or one started here and stopped again.
//!
//! The engine and its command line are Debian's `docker.io`, where nothing else is installed. A
//! missing compose plugin is put under `target/`, not into the system.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    cargo::{Run, program},
    packages,
};

/// How long an engine may take until it answers.
const START: Duration = Duration::from_secs(60);

/// How to reach the engine, and the engine itself if it was started here.
pub(super) struct Engine {
    daemon: Option<Child>,
    /// A folder of configuration with plugins, if the system has no compose plugin.
    config: Option<PathBuf>,
}

impl Engine {
    /// The running engine, or a new one.
    pub(super) fn ensure() -> Result<Self> {
        let mut engine = Self {
            daemon: None,
            config: None,
        };
        if engine.docker(["info"]).succeeds() {
            return Ok(engine);
        }
        packages::ensure(&[
            ("dockerd", "docker.io"),
            ("docker", "docker.io"),
            ("iptables", "iptables"),
        ])?;
        let log = std::env::temp_dir().join("certfleet-dockerd.log");
        eprintln!(
            "xtask: no Docker engine answers; starting dockerd (log: {})",
            log.display()
        );
        let file = File::create(&log)?;
        let daemon = Command::new("dockerd")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run dockerd; it needs to be root")?;
        engine.daemon = Some(daemon);
        let start = Instant::now();
        while !engine.docker(["info"]).succeeds() {
            let status = engine
                .daemon
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten();
            ensure!(
                status.is_none() && start.elapsed() < START,
                "dockerd does not answer; see {}",
                log.display()
            );
            sleep(Duration::from_millis(200));
        }
        Ok(engine)
    }

    /// A run of the docker command.
    pub(super) fn docker(
        &self,
        args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Run {
        self.beside("docker").args(args)
    }

    /// A run of a program that runs docker itself.
    pub(super) fn beside(&self, name: &str) -> Run {
        let run = program(name);
        match &self.config {
            Some(config) => run.env("DOCKER_CONFIG", &config.to_string_lossy()),
            None => run,
        }
    }

    /// Whether `docker compose` of the right generation is there.
    pub(super) fn has_compose(&self) -> bool {
        self.docker(["compose", "version"]).succeeds()
    }

    /// Takes the compose and buildx plugins out of an image, into `dir`.
    pub(super) fn take_plugins(&mut self, image: &str, folder: &str, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)?;
        let container = self.docker(["create", image, "true"]).output()?;
        let from = format!("{}:{folder}", container.trim());
        let to = dir.join("cli-plugins");
        self.docker(["cp", &from, &to.to_string_lossy()]).run()?;
        self.docker(["rm", container.trim()]).output()?;
        self.config = Some(dir.to_owned());
        if !self.has_compose() {
            bail!("the compose plugin in {} does not run", to.display());
        }
        Ok(())
    }

    /// Uses the plugins that an earlier run took.
    pub(super) fn use_plugins(&mut self, dir: &Path) -> bool {
        self.config = Some(dir.to_owned());
        let there = self.has_compose();
        if !there {
            self.config = None;
        }
        there
    }
}

/// Stops what was started here.
impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let stopped = program("kill").args([daemon.id().to_string()]).succeeds();
            if !stopped || daemon.wait().is_err() {
                eprintln!(
                    "xtask: WARNING: dockerd (process {}) was not stopped",
                    daemon.id()
                );
            }
        }
    }
}
