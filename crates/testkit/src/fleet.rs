//! A whole fleet on loopback: Redis, Pebble as its CA, HAProxy, and nodes behind it.
//!
//! HAProxy's HTTP frontend is the port 80 that the CA asks, its HTTPS frontend the port 443 that
//! clients come to. All of it ends with the value; nothing outlives it.

mod operating;
mod records;
mod serving;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use certfleet_core::{CertificateId, NameSet, seal::MasterKey};

use crate::{
    client::Client,
    haproxy::{self, HaProxy},
    node::{Config, Node},
    pebble::{Pebble, PebbleOptions},
    process::TestDir,
    redis::{self, RedisServer},
    relay::Relay,
};

/// How a fleet is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes it has.
    pub nodes: usize,
    /// Its certificates, the names of each joined by `+`.
    pub certificates: Vec<&'static str>,
    /// How long a lease lasts without being extended.
    pub lease_ttl: Duration,
    /// How often a node looks by itself what is due.
    pub renew_check: Duration,
    /// Whether the balancer tells the nodes by the PROXY protocol whose connections it passes on.
    pub proxy_protocol: bool,
    /// The CA. It asks for HTTP-01 answers at HAProxy's HTTP frontend, unless the port is set, and
    /// for TLS-ALPN-01 answers at its HTTPS frontend.
    pub ca: PebbleOptions,
    /// How late everything arrives that the nodes and the CA say to each other.
    pub ca_delay: Option<Duration>,
    /// Further settings of every node.
    pub environment: BTreeMap<&'static str, String>,
}

impl Default for Options {
    /// Three nodes and one certificate for two names.
    fn default() -> Self {
        Self {
            nodes: 3,
            certificates: vec!["a.certfleet.test+b.certfleet.test"],
            lease_ttl: Duration::from_secs(5),
            renew_check: Duration::from_millis(500),
            proxy_protocol: false,
            ca: PebbleOptions::new(0),
            ca_delay: None,
            environment: BTreeMap::new(),
        }
    }
}

/// A running fleet.
#[derive(Debug)]
pub struct LocalFleet {
    /// The nodes that run, in order of their names.
    pub nodes: Vec<Node>,
    /// The load balancer.
    pub haproxy: HaProxy,
    /// The CA.
    pub pebble: Pebble,
    /// The store.
    pub redis: RedisServer,
    /// Trusts the CA's root and nothing else.
    pub client: Client,
    relay: Option<Relay>,
    certificates: Vec<NameSet>,
    master_key: String,
    dir: TestDir,
}

/// The name of every local fleet; each has a Redis of its own.
pub const NAME: &str = "demo";

impl LocalFleet {
    /// Starts everything, the nodes last and at the same moment; they need not be ready yet.
    ///
    /// # Errors
    /// If a part does not start.
    pub async fn start(options: Options) -> Result<Self> {
        let dir = TestDir::new("fleet")?;
        // A dump that is compressed could hide what a search looks for.
        let config = vec!["rdbcompression no".to_owned()];
        let redis = RedisServer::start_with(redis::Options {
            config,
            ..Default::default()
        })
        .await?;
        let ids = (1..=options.nodes).map(|number| format!("node-{number}"));
        let configs = ids.map(|id| Config::new(&id, dir.path(), BTreeMap::new()));
        let mut configs: Vec<_> = configs.collect::<Result<_>>()?;
        let servers: Vec<_> = configs.iter().map(Config::server).collect();
        let haproxy = if options.proxy_protocol {
            HaProxy::start_with_proxy_protocol(&servers).await?
        } else {
            HaProxy::start(&servers).await?
        };
        let mut ca = options.ca;
        if ca.http_port == 0 {
            ca.http_port = haproxy.http().port();
        }
        ca.tls_port = Some(haproxy.https().port());
        let pebble = Pebble::start(ca).await?;
        let relay = match options.ca_delay {
            Some(delay) => Some(Relay::start(pebble.address(), delay).await?),
            None => None,
        };
        let directory = relay.as_ref().map_or_else(
            || pebble.directory_url(),
            |relay| format!("https://{}/dir", relay.address()),
        );
        let root = pebble.issuing_root_pem().await?;
        fs::write(dir.path().join("root.pem"), &root)?;

        let master_key = MasterKey::generate_base64().to_string();
        let domains = match options.certificates.join(",") {
            none if none.is_empty() => "none".to_owned(),
            some => some,
        };
        let mut environment = BTreeMap::from([
            ("CERTFLEET_FLEET", NAME.to_owned()),
            ("CERTFLEET_REDIS_URL", redis.url()),
            ("CERTFLEET_DOMAINS", domains),
            ("CERTFLEET_EMAIL", "ops@certfleet.test".to_owned()),
            ("CERTFLEET_ACME_DIRECTORY", directory),
            (
                "CERTFLEET_ACME_CA_FILE",
                pebble.ca_file().display().to_string(),
            ),
            ("CERTFLEET_MASTER_KEY", master_key.clone()),
            ("CERTFLEET_LEASE_TTL", millis(options.lease_ttl)),
            (
                "CERTFLEET_RENEW_CHECK_INTERVAL",
                millis(options.renew_check),
            ),
        ]);
        if options.proxy_protocol {
            environment.insert("CERTFLEET_PROXY_PROTOCOL_FROM", haproxy::PROXY.to_string());
        }
        environment.extend(options.environment);
        for config in &mut configs {
            config.environment.clone_from(&environment);
        }
        let certificates = options.certificates.iter().map(|names| names.parse());
        Ok(Self {
            nodes: configs
                .into_iter()
                .map(Node::start)
                .collect::<Result<_>>()?,
            haproxy,
            pebble,
            redis,
            client: Client::trusting(&root)?,
            relay,
            certificates: certificates.collect::<Result<_, _>>()?,
            master_key,
            dir,
        })
    }

    /// Starts everything and waits until each node and the balancer serve the first certificates.
    ///
    /// # Errors
    /// If that does not come about.
    pub async fn serving(options: Options) -> Result<Self> {
        let mut fleet = Self::start(options).await?;
        fleet.ready().await?;
        for certificate in 0..fleet.certificates.len() {
            fleet
                .converged(certificate, "", Duration::from_secs(30))
                .await?;
        }
        fleet.balanced().await?;
        Ok(fleet)
    }

    /// Waits until every node is ready.
    ///
    /// # Errors
    /// The first one that does not get so.
    pub async fn ready(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    /// The root that the CA issues under, as a PEM file.
    #[must_use]
    pub fn root_file(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }

    /// The id of a certificate, by its place in [`Options::certificates`].
    #[must_use]
    pub fn id(&self, certificate: usize) -> CertificateId {
        self.certificates[certificate].id()
    }

    /// The names of a certificate.
    #[must_use]
    pub fn names(&self, certificate: usize) -> Vec<String> {
        self.certificates[certificate]
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// The running node of this name, by its place in [`Self::nodes`].
    ///
    /// # Errors
    /// If there is none.
    pub fn position(&self, id: &str) -> Result<usize> {
        let found = self.nodes.iter().position(|node| node.id() == id);
        found.with_context(|| format!("{id} is no running node"))
    }
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
