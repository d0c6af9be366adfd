//! Pebble, the ACME test CA, with challtestsrv as its DNS.
//!
//! Every name resolves to 127.0.0.1 unless a test says otherwise, so the port given as
//! [`PebbleOptions::http_port`] is the fleet's port 80. What the CA has done is counted in its own
//! log, never in the client's. Its memory, roots and accounts included, is gone with the process.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::json;

use crate::process::{Process, START_LIMIT, TestDir, free_address};

const PACKAGE: &str = "pebble";
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LARGEST_BODY: usize = 64 * 1024;

/// How a test wants Pebble to be.
#[derive(Clone, Debug)]
pub struct PebbleOptions {
    /// Where it asks for HTTP-01 answers; a fleet's port 80.
    pub http_port: u16,
    /// How many per cent of good nonces it refuses.
    pub nonce_reject: u8,
    /// For how many per cent of names it reuses an earlier authorization.
    pub authz_reuse: u8,
    /// How long its certificates are valid.
    pub validity: Duration,
}

impl PebbleOptions {
    /// Pebble's own refusals and reuse (5 % and 50 %), with certificates for 90 days.
    #[must_use]
    pub fn new(http_port: u16) -> Self {
        Self {
            http_port,
            nonce_reject: 5,
            authz_reuse: 50,
            validity: Duration::from_secs(90 * 86_400),
        }
    }
}

/// A running Pebble.
#[derive(Debug)]
pub struct Pebble {
    options: PebbleOptions,
    process: Process,
    dns: Process,
    addresses: Addresses,
    dir: TestDir,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    acme: SocketAddr,
    management: SocketAddr,
    tls: SocketAddr,
    dns: SocketAddr,
    dns_management: SocketAddr,
}

impl Pebble {
    /// Starts it and its DNS, and waits until both answer.
    ///
    /// # Errors
    /// If the Debian package `pebble` is not installed, or a server does not come up.
    pub async fn start(options: PebbleOptions) -> Result<Self> {
        let dir = TestDir::new("pebble")?;
        let addresses = Addresses {
            acme: free_address()?,
            management: free_address()?,
            tls: free_address()?,
            dns: free_address()?,
            dns_management: free_address()?,
        };
        write_files(dir.path(), &options, &addresses)?;
        let dns = start_dns(dir.path(), &addresses).await?;
        let process = start_ca(dir.path(), &options, &addresses).await?;
        Ok(Self {
            options,
            process,
            dns,
            addresses,
            dir,
        })
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
        self.dir.path().join("endpoint-root.pem")
    }

    /// The root under which it issues, as PEM.
    ///
    /// # Errors
    /// If its management interface does not answer.
    pub async fn issuing_root_pem(&self) -> Result<String> {
        let url = format!("https://{}/roots/0", self.addresses.management);
        https_get(&url, &self.ca_file()).await
    }

    /// How many certificates it has issued.
    #[must_use]
    pub fn issued(&self) -> usize {
        self.count("Issued certificate serial ")
    }

    /// How many orders it has accepted.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.count("Added order ")
    }

    /// How many accounts it has made.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.count(" accounts in memory")
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
        self.process = start_ca(self.dir.path(), &self.options, &self.addresses).await?;
        Ok(())
    }

    /// Makes `name` resolve to `address` instead of 127.0.0.1.
    ///
    /// # Errors
    /// If challtestsrv does not take it.
    pub async fn resolve(&self, name: &str, address: IpAddr) -> Result<()> {
        let url = format!("http://{}/add-a", self.addresses.dns_management);
        let body = json!({"host": format!("{name}."), "addresses": [address]});
        request(Method::POST, &url, RootCertStore::empty(), body.to_string())
            .await
            .map(drop)
    }

    /// What stands in its DNS server's log.
    #[must_use]
    pub fn dns_log_path(&self) -> &Path {
        self.dns.log()
    }

    fn count(&self, words: &str) -> usize {
        let log = fs::read_to_string(self.process.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains(words)).count()
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
    let config = json!({"pebble": {
        "listenAddress": addresses.acme,
        "managementListenAddress": addresses.management,
        "certificate": dir.join("endpoint.pem"),
        "privateKey": dir.join("endpoint-key.pem"),
        "httpPort": options.http_port,
        "tlsPort": addresses.tls.port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "certificateValidityPeriod": options.validity.as_secs(),
    }});
    for (name, text) in [
        ("endpoint-root.pem", root.pem()),
        ("endpoint.pem", endpoint.pem()),
        ("endpoint-key.pem", key.serialize_pem()),
        ("config.json", config.to_string()),
    ] {
        fs::write(dir.join(name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

async fn start_ca(dir: &Path, options: &PebbleOptions, addresses: &Addresses) -> Result<Process> {
    let mut command = Command::new("pebble");
    command
        .arg("-strict")
        .arg("-config")
        .arg(dir.join("config.json"))
        .args(["-dnsserver", &addresses.dns.to_string()])
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", options.nonce_reject.to_string())
        .env("PEBBLE_AUTHZREUSE", options.authz_reuse.to_string());
    let mut process = Process::start("pebble", PACKAGE, command, &dir.join("pebble.log"))?;
    process.listening(addresses.acme).await?;
    process.listening(addresses.management).await?;
    Ok(process)
}

async fn start_dns(dir: &Path, addresses: &Addresses) -> Result<Process> {
    let mut command = Command::new("pebble-challtestsrv");
    command
        .args(["-dns01", &addresses.dns.to_string()])
        .args(["-management", &addresses.dns_management.to_string()])
        .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
        .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
    let log = dir.join("challtestsrv.log");
    let mut process = Process::start("pebble-challtestsrv", PACKAGE, command, &log)?;
    process.listening(addresses.dns).await?;
    process.listening(addresses.dns_management).await?;
    Ok(process)
}

/// Gets `url`, trusting the roots in the PEM file `roots` and no others.
///
/// # Errors
/// If there is no good answer within [`START_LIMIT`].
pub async fn https_get(url: &str, roots: &Path) -> Result<String> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots)? {
        store.add(root?)?;
    }
    request(Method::GET, url, store, String::new()).await
}

async fn request(method: Method, url: &str, roots: RootCertStore, body: String) -> Result<String> {
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::builder()
        .method(method)
        .uri(url)
        .body(Full::new(Bytes::from(body)))?;
    let exchange = async {
        let response = client.request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_BODY)
            .collect()
            .await
            .map_err(anyhow::Error::from_boxed)?;
        let text = String::from_utf8(body.to_bytes().into())?;
        ensure!(status.is_success(), "HTTP {status}: {text}");
        Ok(text)
    };
    tokio::time::timeout(START_LIMIT, exchange)
        .await
        .context("no answer in time")
        .flatten()
        .with_context(|| format!("ask {url}"))
}
