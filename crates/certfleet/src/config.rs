//! What a fleet's node is told before it starts, as plain data.
//!
//! A [`Config`] is complete and every part of it is valid by itself. Reading it from environment
//! and file is the business of [`settings`](crate::settings); nothing here touches either. What is
//! secret (the Redis URL, the master keys) shows itself neither in `Debug` nor in `Display`.

mod redis_url;
mod wanted;

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc,
    time::Duration,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use certfleet_acme::AcmeConfig;
use certfleet_core::{
    FleetName, IssuerName, KeyRing, NodeId, ProviderName, Terms, Wanted, budget::Limits,
    retry::RetrySchedule,
};
use certfleet_dns::{LookupConfig, ProviderConfig};
use certfleet_tls::Networks;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use self::wanted::Choices;
pub use self::{
    redis_url::{RedisUrl, RedisUrlError},
    wanted::{MOST_NAMES, WantedError},
};

/// Everything a node of a fleet needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The fleet this node belongs to.
    pub fleet: FleetName,
    /// This node, unique in its fleet.
    pub node: NodeId,
    /// Where the fleet's state is kept.
    pub backend: BackendConfig,
    /// The certificates the fleet wants from the start, one for each set of names; others may be
    /// added at run time. The first is for clients that ask for no name or an unknown one.
    pub certificates: Vec<Wanted>,
    /// The terms they are got on, where they have none of their own.
    pub terms: Terms,
    /// Who issues them; every issuer that terms name is here.
    pub issuers: BTreeMap<IssuerName, IssuerConfig>,
    /// The accounts at DNS providers; every one that terms name is here.
    pub dns: BTreeMap<ProviderName, ProviderConfig>,
    /// How the DNS is asked.
    pub dns_lookup: LookupConfig,
    /// How long a DNS record may take to be at all of its zone's name servers.
    pub dns_propagation_timeout: Duration,
    /// Certificates for names that clients ask for, if the operator wants that.
    pub on_demand: Option<OnDemandConfig>,
    /// How failed attempts are spaced.
    pub retry: RetrySchedule,
    /// How many certificates one node works on at a time.
    pub orders_per_node: NonZeroU32,
    /// How many certificates the whole fleet works on at a time.
    pub orders_per_fleet: NonZeroU32,
    /// The keys that seal what leaves the process.
    pub keys: Arc<KeyRing>,
    /// Where ACME challenges are answered and everything else is redirected to HTTPS.
    pub http_addr: SocketAddr,
    /// Where HTTPS is served.
    pub https_addr: SocketAddr,
    /// The port that clients reach HTTPS on, for redirects: a balancer's, perhaps not this node's.
    pub public_https_port: u16,
    /// The balancers that begin each connection with a header of the PROXY protocol.
    pub proxy_protocol_from: Networks,
    /// Who may ask for challenge answers.
    pub challenge_allow: Networks,
    /// How often a second a client may ask for challenge answers that are not there.
    pub challenge_rate: NonZeroU32,
    /// How often it may do so at once.
    pub challenge_burst: NonZeroU32,
    /// Where metrics and health are served, in plain HTTP.
    pub admin_addr: SocketAddr,
    /// What a client of the admin port must show to change anything. Without it only clients on
    /// loopback may.
    pub admin_token: Option<Secret>,
    /// A folder of this node's own: with Redis for its sealed snapshot, else for the store too.
    pub data_dir: Option<PathBuf>,
    /// How long a lease lasts that is not extended.
    pub lease_ttl: Duration,
    /// How often the node looks for certificates that are due.
    pub renew_check_interval: Duration,
    /// How long a stopping node still accepts connections, so that balancers see that it is not
    /// ready and send no more.
    pub drain_pause: Duration,
    /// How long a node that has started orders nothing: a balancer that has not found it yet does
    /// not bring it the CA's challenges.
    pub start_pause: Duration,
    /// How long open connections may go on once the node stops.
    pub drain_timeout: Duration,
}

/// Where the fleet's state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendConfig {
    /// In Redis, shared by all nodes.
    Redis {
        /// Where Redis is, and how to log in there.
        url: RedisUrl,
    },
    /// In files of this node: a fleet of one.
    Local {
        /// The folder they are in.
        data_dir: PathBuf,
    },
}

/// An issuer of certificates.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What it is.
    pub kind: IssuerKind,
    /// Its rate limits.
    pub limits: Limits,
}

/// What issues certificates.
#[derive(Clone, Debug)]
pub enum IssuerKind {
    /// A CA that speaks ACME (RFC 8555).
    Acme(AcmeConfig),
    /// The CA within certfleet, for development: no browser trusts it unless told to.
    BuiltIn {
        /// The folder its root is in.
        dir: PathBuf,
    },
}

/// Certificates for names that clients ask for.
#[derive(Clone, Debug)]
pub struct OnDemandConfig {
    /// Who says which names may have one: asked by `GET URL?domain=NAME`, it answers 200 for yes
    /// and 403 or 404 for no.
    pub permission_url: Url,
    /// How long it may take to answer.
    pub permission_timeout: Duration,
    /// How long a yes is remembered.
    pub allowed_for: Duration,
    /// How long a no is remembered.
    pub denied_for: Duration,
    /// How long a handshake waits for its certificate.
    pub wait: Duration,
    /// How many handshakes may wait at a time.
    pub waiting: NonZeroU32,
    /// How many new names may be asked for in [`Self::per`], by one node.
    pub names: NonZeroU32,
    /// See [`Self::names`].
    pub per: Duration,
}

/// A text that shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Whether it is this text; how long that takes tells nothing of how alike they are.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), text.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
