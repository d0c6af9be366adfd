//! Steady load on the balancer, by the testkit's example `load`, which has a TLS client.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::cargo;

const EXAMPLE: [&str; 4] = ["--package", "certfleet-testkit", "--example", "load"];

/// Builds the load, so that starting it takes no time.
pub(super) fn build() -> Result<()> {
    cargo(["build"]).args(EXAMPLE).run()
}

/// Load that goes on until it is stopped.
pub(super) struct Load(Child);

/// What came of it.
pub(super) struct Outcome {
    /// Requests that were answered as they should be.
    pub(super) succeeded: u64,
    /// Requests that were not, beside those that were under way while something was killed.
    pub(super) failed: u64,
    /// All that was printed: rate, latencies, reasons.
    pub(super) text: String,
}

impl Load {
    /// Makes `rate` requests a second, of each name in turn, ten over each TLS connection.
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells by CARGO which cargo it is"
    )]
    pub(super) fn start(roots: &Path, rate: u32) -> Result<Self> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let child = Command::new(cargo)
            .args(["run", "--quiet"])
            .args(EXAMPLE)
            .args(["--", "127.0.0.1:443", &rate.to_string()])
            .arg(roots)
            .args(super::checks::NAMES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the load")?;
        Ok(Self(child))
    }

    /// Does something that may cost the requests that are under way meanwhile; they are counted apart.
    pub(super) fn while_killing<T>(&mut self, kill: impl FnOnce() -> Result<T>) -> Result<T> {
        self.say("open\n")?;
        let result = kill();
        self.say("close\n")?;
        result
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.0.stdin.as_mut().context("the load's input is piped")?;
        stdin.write_all(line.as_bytes()).context("the load is gone")
    }

    /// Ends it and gives what came of it.
    pub(super) fn stop(mut self) -> Result<Outcome> {
        drop(self.0.stdin.take());
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().context("the load's output is piped")?;
        stdout.read_to_string(&mut text)?;
        ensure!(self.0.wait()?.success(), "the load failed: {text}");
        let number = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            let line = line.with_context(|| format!("the load did not print {key}: {text}"))?;
            line.trim()
                .parse::<u64>()
                .with_context(|| format!("{key} {line}"))
        };
        let (succeeded, failed) = (number("succeeded")?, number("failed")?);
        Ok(Outcome {
            succeeded,
            failed,
            text,
        })
    }
}

/// A check that ends early leaves no load behind.
impl Drop for Load {
    fn drop(&mut self) {
        if self.0.stdin.take().is_some() && self.0.wait().is_err() {
            eprintln!(
                "xtask: WARNING: the load (process {}) did not end",
                self.0.id()
            );
        }
    }
}

impl Outcome {
    /// Fails unless nothing failed and at least `least` succeeded; gives the figures in a line.
    pub(super) fn check(&self, least: u64) -> Result<String> {
        let line = self.text.lines().take(7).collect::<Vec<_>>().join(", ");
        if self.failed > 0 || self.succeeded < least {
            bail!(
                "wanted {least} or more requests, none failed:\n{}",
                self.text
            );
        }
        Ok(line)
    }
}
