//! Pebble, the ACME test CA, with challtestsrv as its DNS.
//!
//! Every name resolves to 127.0.0.1 unless a test says otherwise, so the port given as
//! [`PebbleOptions::http_port`] is the fleet's port 80. What the CA has done is counted in its own
//! log, never in the client's. Its memory, roots and accounts included, is gone with the process.
//!
//! It is version 2.6 or later, which `cargo xtask setup` brings.

mod log;
mod management;
mod options;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use hyper::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use self::management::Http;
pub use self::{
    log::Endpoint,
    management::CertificateStatus,
    options::{PebbleOptions, RetryAfter},
};
use crate::{
    process::{Process, TestDir, free_address},
    tools::{self, Tool},
};

const PACKAGE: &str = "pebble";
/// Its name in the fixture's folder.
const ENDPOINT_ROOT: &str = "endpoint-root.pem";
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running Pebble.
#[derive(Debug)]
pub struct Pebble {
    options: PebbleOptions,
    tool: Tool,
    process: Process,
    dns: Option<Process>,
    addresses: Addresses,
    http: Http,
    dir: TestDir,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    acme: SocketAddr,
    management: SocketAddr,
    /// Reserved; nobody listens.
    nowhere: SocketAddr,
    dns: SocketAddr,
    dns_management: SocketAddr,
}

impl Pebble {
    /// Starts it and its DNS, and waits until both answer.
    ///
    /// # Errors
    /// If there is no Pebble 2.6 or later, or a server does not come up.
    pub async fn start(options: PebbleOptions) -> Result<Self> {
        let tool = tools::pebble()?;
        let dir = TestDir::new("pebble")?;
        let addresses = Addresses {
            acme: free_address()?,
            management: free_address()?,
            nowhere: free_address()?,
            dns: free_address()?,
            dns_management: free_address()?,
        };
        write_files(dir.path(), &options, &addresses)?;
        let dns = match options.dns_server {
            Some(_) => None,
            None => Some(start_dns(dir.path(), &addresses).await?),
        };
        let process = start_ca(&tool, dir.path(), &options, &addresses).await?;
        Ok(Self {
            options,
            tool,
            process,
            dns,
            addresses,
            http: Http::trusting(&dir.path().join(ENDPOINT_ROOT))?,
            dir,
        })
    }

    /// What it says its version is; the builds of distributions say `dev`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.tool.version
    }

    /// Where its ACME directory is.
    #[must_use]
    pub fn directory_url(&self) -> String {
        format!("https://{}/dir", self.addresses.acme)
    }

    /// Where it listens for ACME clients.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addresses.acme
    }

    /// A PEM file with the root to trust for its HTTPS endpoints; not the root it issues under.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join(ENDPOINT_ROOT)
    }

    /// Where its log is.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.process.log()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops it in its tracks (SIGSTOP): it takes connections and answers none of them.
    ///
    /// # Errors
    /// If it is gone.
    pub fn pause(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`Self::pause`].
    ///
    /// # Errors
    /// If it is gone.
    pub fn resume(&self) -> Result<()> {
        self.process.signal("CONT")
    }

    /// Stops it; its address refuses connections from then on.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.terminate(STOP_LIMIT).map(drop)
    }

    /// Starts it again at the same address after [`Self::stop`]; it remembers nothing.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process =
            start_ca(&self.tool, self.dir.path(), &self.options, &self.addresses).await?;
        Ok(())
    }

    /// Makes `name` resolve to `address` instead of 127.0.0.1.
    ///
    /// # Errors
    /// If challtestsrv does not take it, or another DNS server is asked in its place.
    pub async fn resolve(&self, name: &str, address: IpAddr) -> Result<()> {
        let body = json!({"host": format!("{name}."), "addresses": [address]});
        self.tell_dns("add-a", body).await
    }

    /// Adds a TXT record for `name` to those it has.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn add_txt(&self, name: &str, value: &str) -> Result<()> {
        let body = json!({"host": format!("{name}."), "value": value});
        self.tell_dns("set-txt", body).await
    }

    /// Takes away all TXT records of `name`.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn clear_txt(&self, name: &str) -> Result<()> {
        let body = json!({"host": format!("{name}.")});
        self.tell_dns("clear-txt", body).await
    }

    async fn tell_dns(&self, what: &str, body: Value) -> Result<()> {
        let dns = self.dns.as_ref();
        dns.context("this Pebble asks a DNS server of the test's own")?;
        let url = format!("http://{}/{what}", self.addresses.dns_management);
        let body = body.to_string();
        self.http.request(Method::POST, &url, body).await.map(drop)
    }

    /// What stands in its DNS server's log, if it has one of its own.
    #[must_use]
    pub fn dns_log_path(&self) -> Option<&Path> {
        self.dns.as_ref().map(Process::log)
    }
}

fn write_files(dir: &Path, options: &PebbleOptions, addresses: &Addresses) -> Result<()> {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
    let names = [Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
    let mut endpoint = CertificateParams::new(names)?;
    endpoint.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let endpoint = endpoint.signed_by(&key, &root)?;
    let config = options.config(addresses, dir);
    for (name, text) in [
        (ENDPOINT_ROOT, root.pem()),
        ("endpoint.pem", endpoint.pem()),
        ("endpoint-key.pem", key.serialize_pem()),
        ("config.json", config.to_string()),
    ] {
        fs::write(dir.join(name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

async fn start_ca(
    tool: &Tool,
    dir: &Path,
    options: &PebbleOptions,
    addresses: &Addresses,
) -> Result<Process> {
    let dns = options.dns_server.unwrap_or(addresses.dns);
    let mut command = Command::new(&tool.program);
    if options.strict {
        command.arg("-strict");
    }
    command
        .arg("-config")
        .arg(dir.join("config.json"))
        .args(["-dnsserver", &dns.to_string()])
        .env_remove("PEBBLE_VA_NOSLEEP")
        .envs(options.environment());
    let mut process = Process::start("pebble", PACKAGE, command, &dir.join("pebble.log"))?;
    process.listening(addresses.acme).await?;
    process.listening(addresses.management).await?;
    Ok(process)
}

async fn start_dns(dir: &Path, addresses: &Addresses) -> Result<Process> {
    let program = tools::find(PACKAGE, "pebble-challtestsrv")?;
    let flags = Command::new(&program).arg("-h").output()?.stderr;
    // Where it answers DNS is told by another flag in later versions.
    let older = String::from_utf8_lossy(&flags).contains(" -dns01 ");
    let listen = if older { "-dns01" } else { "-dnsserver" };
    let mut command = Command::new(program);
    command
        .args([listen, &addresses.dns.to_string()])
        .args(["-management", &addresses.dns_management.to_string()])
        .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
        .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
    let log = dir.join("challtestsrv.log");
    let mut process = Process::start("pebble-challtestsrv", PACKAGE, command, &log)?;
    process.listening(addresses.dns).await?;
    process.listening(addresses.dns_management).await?;
    Ok(process)
}
