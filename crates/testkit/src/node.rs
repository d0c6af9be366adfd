//! A node: the program `certfleet run` as its own process, configured by its environment.
//!
//! It is the real binary, found beside the test's own executable; a node that is not built is a
//! failure that says how to build it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    client::{Answer, Client},
    haproxy::Server,
    http,
    metrics::Metrics,
    process::{Process, START_LIMIT, free_address},
};

/// How long a command of the program may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub id: String,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it answers HTTPS.
    pub https: SocketAddr,
    /// Where it answers `/metrics`, `/healthz` and `/readyz`.
    pub admin: SocketAddr,
    /// The folder for its local copy and its log; it must exist.
    pub dir: PathBuf,
    /// The rest of its environment: `CERTFLEET_FLEET` and so on.
    pub environment: BTreeMap<&'static str, String>,
}

impl Config {
    /// A node called `id` on free ports, with its files in `dir` and the given settings.
    ///
    /// # Errors
    /// If there is no free port, or the folder cannot be made.
    pub fn new(id: &str, dir: &Path, environment: BTreeMap<&'static str, String>) -> Result<Self> {
        let dir = dir.join(id);
        fs::create_dir_all(&dir)?;
        Ok(Self {
            id: id.to_owned(),
            http: free_address()?,
            https: free_address()?,
            admin: free_address()?,
            dir,
            environment,
        })
    }

    /// The node as the balancer sees it.
    #[must_use]
    pub fn server(&self) -> Server {
        Server {
            name: self.id.clone(),
            http: self.http,
            https: self.https,
            admin: self.admin,
        }
    }

    /// The program with this configuration, and no other setting from outside.
    ///
    /// # Errors
    /// If the program was not built.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(program()?);
        command
            .env_clear()
            .env("CERTFLEET_NODE_ID", &self.id)
            .env("CERTFLEET_HTTP_ADDR", self.http.to_string())
            .env("CERTFLEET_HTTPS_ADDR", self.https.to_string())
            .env("CERTFLEET_ADMIN_ADDR", self.admin.to_string())
            .env("CERTFLEET_DATA_DIR", self.dir.join("data"))
            .env("CERTFLEET_LOG", "info")
            .env("CERTFLEET_LOG_FORMAT", "json")
            .envs(&self.environment);
        Ok(command)
    }
}

/// A running node; killed when dropped.
#[derive(Debug)]
pub struct Node {
    config: Config,
    process: Process,
}

impl Node {
    /// Starts it; it need not be ready yet.
    ///
    /// # Errors
    /// If the program was not built or cannot be run.
    pub fn start(config: Config) -> Result<Self> {
        let mut command = config.command()?;
        command.arg("run");
        let log = config.dir.join("node.log");
        let process = Process::start("certfleet", "", command, &log)?;
        Ok(Self { config, process })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// What it was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its process, to signal and to wait for.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its log so far, one JSON object a line.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(self.process.log()).context("read the node's log")
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// If it ends first or is not ready in time; what it last said is in the error.
    pub async fn ready(&mut self) -> Result<()> {
        self.process.listening(self.config.admin).await?;
        let end = Instant::now() + START_LIMIT;
        loop {
            let said = match http::get(self.config.admin, "/readyz").await {
                Ok((200, _)) => return Ok(()),
                Ok((status, body)) => format!("{status} {body}"),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > end {
                bail!(
                    "{} is not ready: {said}\n{}",
                    self.id(),
                    self.process.last_words()
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its metrics now.
    ///
    /// # Errors
    /// If it does not answer with metrics.
    pub async fn metrics(&self) -> Result<Metrics> {
        let (status, text) = http::get(self.config.admin, "/metrics").await?;
        ensure!(status == 200, "{} answers {status} to /metrics", self.id());
        text.parse()
    }

    /// Sends a request with a body of JSON to its admin port; gives status and body.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn admin(&self, method: &str, path: &str, json: &str) -> Result<(u16, String)> {
        http::send(self.config.admin, method.parse()?, path, json).await
    }

    /// Asks it, and no other node, for its page by HTTPS.
    ///
    /// # Errors
    /// If the handshake or the request fails.
    pub async fn get(&self, client: &Client, name: &str) -> Result<Answer> {
        let answer = client.get(self.config.https, name).await;
        answer.with_context(|| format!("{} at {}", self.id(), self.config.https))
    }

    /// What the program prints for a command such as `list`, run with this node's configuration.
    ///
    /// # Errors
    /// If the command fails; what it said is in the error.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::from(self.config.command()?);
        command
            .args(args)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = timeout(COMMAND_LIMIT, command.output())
            .await
            .with_context(|| format!("certfleet {args:?} goes on after {COMMAND_LIMIT:?}"))??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            bail!("certfleet {args:?}: {}: {text}{problem}", output.status);
        }
        Ok(text)
    }
}

/// The program, built into the folder of the test's own executable or the one above it.
///
/// # Errors
/// If it is not there.
pub fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let built = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("certfleet"));
    let mut built = built.filter(|program| program.is_file());
    built.next().with_context(|| {
        format!(
            "the program is not beside {}: run cargo build -p certfleet-node",
            own.display()
        )
    })
}
