//! A whole fleet on loopback: Redis, Pebble as its CA, HAProxy, and nodes behind it.
//!
//! HAProxy's HTTP frontend is the port 80 that the CA asks, its HTTPS frontend the port 443 that
//! clients come to. All of it ends with the value; nothing outlives it.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use certfleet_core::{Bundle, CertificateId, FleetName, KeyRing, NameSet, Record, seal::MasterKey};
use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    haproxy::{self, HaProxy},
    load::Plan,
    node::{Config, Node},
    pebble::{Pebble, PebbleOptions},
    process::TestDir,
    redis::{self, RedisServer},
    relay::Relay,
    secrets::Secrets,
    watch::Watch,
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

/// How long the balancer may take to see what has become of a node.
const BALANCER_LIMIT: Duration = Duration::from_secs(10);

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

    /// A key of the fleet in Redis, such as `cert:ID`.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("certfleet:{{{NAME}}}:{name}")
    }

    /// A reader of the fleet's events, at their beginning.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(NAME)
    }

    /// A reader of the events that are still to come.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn watch_from_now(&self) -> Result<Watch> {
        let mut watch = self.watch();
        watch.skip(&self.redis).await?;
        Ok(watch)
    }

    /// Has a certificate renewed, by the command an operator would type.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn renew(&self, certificate: usize) -> Result<()> {
        let id = self.id(certificate);
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&["renew", id.as_str()]).await.map(drop)
    }

    /// Has the fleet get a certificate for `names`, joined by `+`, by the command an operator would
    /// type, with further arguments such as `--challenge`; gives its place among the others.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add(&mut self, names: &str, terms: &[&str]) -> Result<usize> {
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&[&["add", names], terms].concat()).await?;
        self.expect(names)
    }

    /// Knows the certificate for `names`, joined by `+`, that the fleet gets by another way; gives
    /// its place among the others.
    ///
    /// # Errors
    /// If these are no names.
    pub fn expect(&mut self, names: &str) -> Result<usize> {
        self.certificates.push(names.parse()?);
        Ok(self.certificates.len() - 1)
    }

    /// Starts a further node, which the balancer does not know, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not get so.
    pub async fn join(&mut self, id: &str) -> Result<()> {
        let environment = self.nodes.first().context("a fleet has a node")?;
        let environment = environment.config().environment.clone();
        let mut node = Node::start(Config::new(id, self.dir.path(), environment)?)?;
        node.ready().await?;
        self.nodes.push(node);
        Ok(())
    }

    /// Waits until no node serves a certificate any more.
    ///
    /// # Errors
    /// If one still does after `limit`.
    pub async fn gone(&self, certificate: usize, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let name = self.certificates[certificate].primary().as_str();
        for node in &self.nodes {
            while let Ok(answer) = node.get(&self.client, name).await {
                ensure!(
                    Instant::now() < end,
                    "{} serves {} for {name}",
                    node.id(),
                    answer.serial
                );
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// What `certfleet show` prints of a certificate.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn show(&self, certificate: usize) -> Result<String> {
        let id = self.id(certificate);
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&["show", id.as_str()]).await
    }

    /// Kills a node (SIGKILL) and loses all that nodes and CA have under way, so that nothing of
    /// what it was saying arrives; gives what it was started with.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self, id: &str) -> Result<Config> {
        let node = self.nodes.remove(self.position(id)?);
        let config = node.config().clone();
        drop(node);
        if let Some(relay) = &self.relay {
            relay.cut();
        }
        Ok(config)
    }

    /// The serial number each running node serves for a certificate.
    ///
    /// # Errors
    /// If one does not serve it.
    pub async fn serials(&self, certificate: usize) -> Result<Vec<String>> {
        let primary = self.certificates[certificate].primary().as_str();
        let name = primary.replace('*', "any");
        let mut serials = Vec::new();
        for node in &self.nodes {
            serials.push(node.get(&self.client, &name).await?.serial);
        }
        Ok(serials)
    }

    /// Waits until all nodes serve one and the same serial number other than `old`, and gives it.
    ///
    /// # Errors
    /// If they do not within `limit`; what each serves is in the error.
    pub async fn converged(
        &self,
        certificate: usize,
        old: &str,
        limit: Duration,
    ) -> Result<String> {
        let end = Instant::now() + limit;
        loop {
            let serials = self.serials(certificate).await;
            if let Ok(serials) = &serials
                && let Some(first) = serials.first()
                && first != old
                && serials.iter().all(|serial| serial == first)
            {
                return Ok(first.clone());
            }
            if Instant::now() > end {
                bail!("no new serial on all nodes within {limit:?} (old: {old}): {serials:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A certificate's record in Redis, as `redis-cli HGETALL` gives it.
    ///
    /// # Errors
    /// If there is none.
    pub async fn record(&self, certificate: usize) -> Result<Record> {
        let key = self.key(&format!("cert:{}", self.id(certificate)));
        let fields = self.redis.cli(&["--json", "HGETALL", &key]).await?;
        let fields = serde_json::from_str(&fields).context("read the hash")?;
        Record::from_fields(&fields).with_context(|| key)
    }

    /// A certificate's chain and key, opened with the fleet's master key.
    ///
    /// # Errors
    /// If there is no record, or it does not open.
    pub async fn bundle(&self, certificate: usize) -> Result<Bundle> {
        let fleet: FleetName = NAME.parse()?;
        let ring = KeyRing::new(MasterKey::from_base64(&self.master_key)?, vec![]);
        Ok(self.record(certificate).await?.open(&fleet, &ring)?)
    }

    /// The leases that are held, by their keys.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn leases(&self) -> Result<Vec<String>> {
        self.keys("lease:").await
    }

    /// Waits until nothing is left of any work: no lease, no answer on the challenge board nor a
    /// note of one, no failed attempt.
    ///
    /// # Errors
    /// What is left after `limit`.
    pub async fn cleared(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let mut left = Vec::new();
            for kind in ["lease:", "challenge:", "answers:", "attempt:"] {
                left.extend(self.keys(kind).await?);
            }
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "left after {limit:?}: {left:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The fleet's keys in Redis whose names begin so.
    async fn keys(&self, begin: &str) -> Result<Vec<String>> {
        let pattern = self.key(&format!("{begin}*")).replace(['{', '}'], "?");
        let keys = self.redis.cli(&["KEYS", &pattern]).await?;
        Ok(keys
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// Load through the balancer on the names of all certificates.
    #[must_use]
    pub fn plan(&self, workers: usize, pause: Duration, most: usize) -> Plan {
        let names = self.certificates.iter().flatten().map(ToString::to_string);
        Plan {
            address: self.haproxy.https(),
            names: names.collect(),
            workers,
            pause,
            most,
        }
    }

    /// What must be in no log and no dump: the keys of the certificates that stand now, the
    /// master key, and the markers of private keys.
    ///
    /// # Errors
    /// If a record does not open.
    pub async fn secrets(&self) -> Result<Secrets> {
        let mut secrets = Secrets::markers();
        secrets.add_text("the master key", self.master_key.trim_end_matches('='));
        for certificate in 0..self.certificates.len() {
            let bundle = self.bundle(certificate).await?;
            let name = format!("the key of {}", self.id(certificate));
            secrets.add_key(&name, bundle.key().secret_der())?;
        }
        Ok(secrets)
    }

    /// Searches all that the run has written (logs, local copies, Redis's files) for `secrets`;
    /// gives how many files and bytes that was.
    ///
    /// # Errors
    /// The first secret found, by name, with its file.
    pub fn search(&self, secrets: &Secrets) -> Result<(usize, u64)> {
        // Pebble's folder has the key of its own endpoint in it, so its logs alone are searched.
        let mut paths = vec![
            self.dir.path(),
            self.haproxy.dir(),
            self.redis.dir(),
            self.pebble.log_path(),
        ];
        paths.extend(self.pebble.dns_log_path());
        secrets.search(&paths)
    }

    /// The running node of this name, by its place in [`Self::nodes`].
    ///
    /// # Errors
    /// If there is none.
    pub fn position(&self, id: &str) -> Result<usize> {
        let found = self.nodes.iter().position(|node| node.id() == id);
        found.with_context(|| format!("{id} is no running node"))
    }

    /// Waits until the balancer no longer sends requests to a node that hangs or is gone.
    ///
    /// # Errors
    /// If it goes on doing so.
    pub async fn left_out(&self, name: &str) -> Result<()> {
        let end = Instant::now() + BALANCER_LIMIT;
        while self.haproxy.http_up(name).await? || self.haproxy.https_up(name).await? {
            ensure!(
                Instant::now() < end,
                "HAProxy goes on sending requests to {name}"
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits until the balancer sends HTTPS to every node.
    ///
    /// # Errors
    /// If it leaves one out.
    pub async fn balanced(&self) -> Result<()> {
        let end = Instant::now() + BALANCER_LIMIT;
        for node in &self.nodes {
            while !self.haproxy.https_up(node.id()).await? {
                ensure!(
                    Instant::now() < end,
                    "HAProxy sends nothing to {}",
                    node.id()
                );
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
