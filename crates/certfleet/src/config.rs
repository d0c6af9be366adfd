//! What a fleet's node is told before it starts, as plain data.
//!
//! A [`Config`] is complete and every part of it is valid by itself. Reading it from environment
//! and file is the business of [`settings`](crate::settings); nothing here touches either. What is
//! secret (the Redis URL, the master keys) shows itself neither in `Debug` nor in `Display`.

mod redis_url;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use certfleet_acme::AcmeConfig;
use certfleet_core::{FleetName, KeyRing, NameSet, NodeId};
use certfleet_tls::Networks;

pub use self::redis_url::{RedisUrl, RedisUrlError};

/// Everything a node of a fleet needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The fleet this node belongs to.
    pub fleet: FleetName,
    /// This node, unique in its fleet.
    pub node: NodeId,
    /// Where the fleet's state is kept.
    pub backend: BackendConfig,
    /// The certificates the fleet wants: at least one, and one for each set of names. The first is
    /// for clients that ask for no name or an unknown one.
    pub certificates: Vec<NameSet>,
    /// Who issues them.
    pub issuer: IssuerConfig,
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
    /// How long before its end a certificate is renewed, where its lifetime allows it.
    pub renew_before: Duration,
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

/// Who issues certificates.
#[derive(Clone, Debug)]
pub enum IssuerConfig {
    /// A CA that speaks ACME (RFC 8555).
    Acme(AcmeConfig),
    /// The CA within certfleet, for development: no browser trusts it unless told to.
    BuiltIn {
        /// The folder its root is in.
        dir: PathBuf,
    },
}
