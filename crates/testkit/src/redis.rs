//! A Redis server of a test's own, from the Debian package `redis-server`.
//!
//! It listens on a free loopback port and keeps its append-only file in a folder of its own, so
//! that it can be stopped, started again with its data, and made to hang. It writes no snapshots
//! unless a configuration line asks for them.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Process, START_LIMIT, TestDir, free_address};

const PACKAGE: &str = "redis-server";

/// How long it may take to end after SIGTERM, and `redis-cli` to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What a [`RedisServer`] is started with beside the defaults.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The password of the default user, if it is to have one.
    pub password: Option<String>,
    /// Further lines of `redis.conf`; they come last and so override the fixture's own.
    pub config: Vec<String>,
}

/// A running Redis server; killed and its folder removed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    // Before the folder, so that it is gone when the folder is removed.
    process: Process,
    address: SocketAddr,
    password: Option<String>,
    dir: TestDir,
}

impl RedisServer {
    /// Starts a server without a password and waits until it answers.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts a server with `options` and waits until it answers.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn start_with(options: Options) -> Result<Self> {
        let dir = TestDir::new("redis")?;
        let address = free_address()?;
        let mut lines = vec![
            format!("bind {}", address.ip()),
            format!("port {}", address.port()),
            format!("dir {}", dir.path().display()),
            "appendonly yes".to_owned(),
            "save \"\"".to_owned(),
        ];
        lines.extend(options.password.iter().map(|p| format!("requirepass {p}")));
        lines.extend(options.config);
        fs::write(dir.path().join("redis.conf"), lines.join("\n") + "\n")?;
        let mut server = Self {
            process: spawn(dir.path())?,
            address,
            password: options.password,
            dir,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Its URL, with the password if it has one.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@{}/", self.address),
            None => format!("redis://{}/", self.address),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder with its configuration, data and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends it in order (SIGTERM); its data stays.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.terminate(LIMIT).map(drop)
    }

    /// Ends it at once (SIGKILL); what it had not yet written is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it once more after [`Self::stop`] or [`Self::kill`], on the same port and data.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.dir.path())?;
        self.ready().await
    }

    /// Makes it hang (SIGSTOP): connections stand and nothing answers.
    ///
    /// # Errors
    /// If it is gone.
    pub fn pause(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`Self::pause`] (SIGCONT).
    ///
    /// # Errors
    /// If it is gone.
    pub fn resume(&self) -> Result<()> {
        self.process.signal("CONT")
    }

    /// What `redis-cli` prints for a command, less the last line end.
    ///
    /// # Errors
    /// If the server refuses the command or does not answer.
    pub async fn cli(&self, args: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new("redis-cli");
        command
            .arg("-e")
            .args(["-h", &self.address.ip().to_string()]);
        command.args(["-p", &self.address.port().to_string()]);
        if let Some(password) = &self.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        command
            .args(args)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = timeout(LIMIT, command.output())
            .await
            .context("redis-cli does not answer")?
            .context("cannot run redis-cli: install the Debian package \"redis-tools\"")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            bail!("redis-cli {args:?}: {text}{problem}");
        }
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Waits until it has loaded its data and answers.
    async fn ready(&mut self) -> Result<()> {
        self.process.listening(self.address).await?;
        let end = Instant::now() + START_LIMIT;
        loop {
            let problem = match self.cli(&["PING"]).await {
                Ok(answer) if answer == "PONG" => return Ok(()),
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            if Instant::now() > end {
                bail!("redis-server is not ready: {problem}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn spawn(dir: &Path) -> Result<Process> {
    let mut command = Command::new("redis-server");
    command.arg(dir.join("redis.conf"));
    Process::start("redis-server", PACKAGE, command, &dir.join("redis.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_its_data_over_a_restart_and_asks_for_its_password() {
        let options = Options {
            password: Some("sesame".into()),
            ..Options::default()
        };
        let mut server = RedisServer::start_with(options).await.unwrap();
        assert_eq!(server.cli(&["SET", "k", "v"]).await.unwrap(), "OK");
        server.stop().unwrap();
        server.start_again().await.unwrap();
        assert_eq!(server.cli(&["GET", "k"]).await.unwrap(), "v");
        assert!(server.url().contains(":sesame@"));
        let error = server.cli(&["NOSUCH"]).await.unwrap_err().to_string();
        assert!(error.contains("unknown command"), "{error}");
    }
}
