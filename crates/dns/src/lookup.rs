//! Questions to the DNS: where a challenge is delegated to, and which zone a name is in.
//!
//! Nothing is cached but zones, for a minute: the answers sought here are those that just changed.
//! The system's resolvers are read once, when a [`Lookup`] is made.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, Record, RecordType},
    system_conf::read_system_conf,
};
use tokio::time::Instant;

use crate::{ConfigError, DnsError, record::normal};

/// How many CNAMEs are followed.
const DEEPEST: usize = 8;

/// How long a zone once found is taken to be the right one.
const ZONE_LIFETIME: Duration = Duration::from_secs(60);

/// How many zones are remembered.
const MOST_ZONES: usize = 1024;

/// How long one server may take to answer one question; it is asked twice.
const ANSWER: Duration = Duration::from_secs(3);

/// How names are looked up, and whether publication is checked.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// The recursive resolvers to ask; the system's if empty.
    pub nameservers: Vec<SocketAddr>,
    /// The port that authoritative servers are asked on; 53 but in tests.
    pub authoritative_port: u16,
    /// Whether CNAMEs from a challenge's name are followed; a CA always follows them.
    pub follow_delegation: bool,
    /// How a record's publication is made sure of.
    pub propagation: Propagation,
}

impl Default for LookupConfig {
    fn default() -> Self {
        Self {
            nameservers: Vec::new(),
            authoritative_port: 53,
            follow_delegation: true,
            propagation: Propagation::Authoritative,
        }
    }
}

/// How a record's publication is made sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Every authoritative server of the zone is asked until it shows the record.
    Authoritative,
    /// Nobody is asked; so much time is let pass. For hosts that cannot reach port 53 outside.
    Wait(Duration),
}

/// Looks up what DNS-01 needs to know. Clones share one resolver and one cache of zones.
#[derive(Clone)]
pub struct Lookup(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: LookupConfig,
    resolver: TokioResolver,
    zones: Mutex<HashMap<String, (String, Instant)>>,
}

impl Lookup {
    /// Makes one; no question is asked yet.
    ///
    /// # Errors
    /// If no nameserver is configured and the system's cannot be read.
    pub fn new(config: LookupConfig) -> Result<Self, ConfigError> {
        let servers = if config.nameservers.is_empty() {
            system().map_err(|error| ConfigError::Resolvers {
                problem: error.to_string(),
            })?
        } else {
            config.nameservers.iter().map(|at| server(*at)).collect()
        };
        let resolver =
            resolver(servers, Recursion::Desired).map_err(|error| ConfigError::Resolvers {
                problem: error.to_string(),
            })?;
        Ok(Self(Arc::new(Inner {
            config,
            resolver,
            zones: Mutex::default(),
        })))
    }

    /// Where the record that a CA looks for at `name` must be set: the end of the CNAMEs there, or
    /// `name` itself.
    ///
    /// # Errors
    /// If the CNAMEs lead in a circle or are more than eight, or no resolver answers.
    pub async fn delegate(&self, name: &str) -> Result<String, DnsError> {
        let mut chain = vec![normal(name)];
        if !self.0.config.follow_delegation {
            return Ok(chain.remove(0));
        }
        loop {
            let here = chain.last().expect("it begins with a name and only grows");
            let Some(next) = self.cname(here).await? else {
                return Ok(here.clone());
            };
            let circle = chain.contains(&next);
            chain.push(next);
            if circle || chain.len() > DEEPEST + 1 {
                return Err(DnsError::Delegation {
                    name: normal(name),
                    problem: if circle {
                        "lead in a circle"
                    } else {
                        "are too many"
                    },
                    chain,
                });
            }
        }
    }

    /// The zone `name` is in: the nearest name at or above it that has an SOA record.
    ///
    /// # Errors
    /// If there is none up to the top, or no resolver answers.
    pub async fn zone(&self, name: &str) -> Result<String, DnsError> {
        let name = normal(name);
        if let Some(zone) = self.remembered(&name) {
            return Ok(zone);
        }
        let mut candidate = name.as_str();
        loop {
            let records = self.records(candidate, RecordType::SOA, "SOA").await?;
            if records.iter().any(|record| owner(record) == candidate) {
                self.remember(&name, candidate);
                return Ok(candidate.to_owned());
            }
            candidate = match candidate.split_once('.') {
                Some((_, parent)) => parent,
                None => {
                    return Err(DnsError::Lookup {
                        name,
                        what: "the zone",
                        problem: "no SOA at it or above".to_owned(),
                    });
                }
            };
        }
    }

    /// The TXT values that the resolvers give for `name`.
    pub(crate) async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let records = self.records(name, RecordType::TXT, "TXT").await?;
        Ok(texts(&records, None))
    }

    /// The names of the servers of `zone`.
    pub(crate) async fn servers(&self, zone: &str) -> Result<Vec<String>, DnsError> {
        let records = self.records(zone, RecordType::NS, "NS").await?;
        let mut names: Vec<_> = records
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(server) => Some(normal(&server.0.to_ascii())),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(DnsError::Lookup {
                name: zone.to_owned(),
                what: "NS",
                problem: "the zone names no server".to_owned(),
            });
        }
        Ok(names)
    }

    /// The addresses of `server`, IPv4 first, at the port where authoritative servers are asked.
    pub(crate) async fn addresses(&self, server: &str) -> Result<Vec<SocketAddr>, DnsError> {
        let (four, six) = tokio::join!(
            self.records(server, RecordType::A, "A"),
            self.records(server, RecordType::AAAA, "AAAA"),
        );
        // A resolver that fails on one family is no reason to go without the other.
        let records = match (four, six) {
            (Ok(mut four), Ok(six)) => {
                four.extend(six);
                four
            }
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => some,
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let port = self.0.config.authoritative_port;
        Ok(records
            .iter()
            .filter_map(|record| match &record.data {
                RData::A(address) => Some((address.0, port).into()),
                RData::AAAA(address) => Some((address.0, port).into()),
                _ => None,
            })
            .collect())
    }

    async fn cname(&self, name: &str) -> Result<Option<String>, DnsError> {
        let records = self.records(name, RecordType::CNAME, "CNAME").await?;
        Ok(records.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if owner(record) == name => Some(normal(&target.0.to_ascii())),
            _ => None,
        }))
    }

    /// The answer's records, none if the name or the type does not exist.
    async fn records(
        &self,
        name: &str,
        kind: RecordType,
        what: &'static str,
    ) -> Result<Vec<Record>, DnsError> {
        let failed = |problem: String| DnsError::Lookup {
            name: name.to_owned(),
            what,
            problem,
        };
        let absolute = Name::from_ascii(format!("{name}."))
            .map_err(|error| failed(format!("not a name: {error}")))?;
        match self.0.resolver.lookup(absolute, kind).await {
            Ok(answer) => Ok(answer.answers().to_vec()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn remembered(&self, name: &str) -> Option<String> {
        let zones = self.0.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let (zone, found) = zones.get(name)?;
        (found.elapsed() < ZONE_LIFETIME).then(|| zone.clone())
    }

    fn remember(&self, name: &str, zone: &str) {
        let mut zones = self.0.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.len() >= MOST_ZONES {
            zones.retain(|_, (_, found)| found.elapsed() < ZONE_LIFETIME);
        }
        if zones.len() < MOST_ZONES {
            zones.insert(name.to_owned(), (zone.to_owned(), Instant::now()));
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lookup").field(&self.0.config).finish()
    }
}

/// Whether a server is to ask others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recursion {
    Desired,
    Off,
}

/// A resolver that asks `servers` and caches nothing.
pub(crate) fn resolver(
    servers: Vec<NameServerConfig>,
    recursion: Recursion,
) -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_name_servers(servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = ANSWER;
    options.attempts = 1;
    options.try_tcp_on_error = true;
    options.use_hosts_file = ResolveHosts::Never;
    options.recursion_desired = recursion == Recursion::Desired;
    builder.build()
}

/// A server to ask at `address`, by UDP and where that does not do by TCP.
pub(crate) fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// The text of the TXT records, of those at `name` alone if given.
pub(crate) fn texts(records: &[Record], name: Option<&str>) -> Vec<String> {
    records
        .iter()
        .filter(|record| name.is_none_or(|name| owner(record) == name))
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        })
        .collect()
}

fn owner(record: &Record) -> String {
    normal(&record.name.to_ascii())
}

fn system() -> Result<Vec<NameServerConfig>, NetError> {
    let (config, _) = read_system_conf()?;
    Ok(config.name_servers().to_vec())
}
