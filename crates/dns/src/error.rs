//! What can go wrong with a record, by who must act.
//!
//! No message shows an option's value: text from a provider is cleared of them first.

use std::{fmt, time::Duration};

/// Where at a provider something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The provider's kind, such as `cloudflare`.
    pub provider: String,
    /// The record's name.
    pub record: String,
    /// The zone it was sought in, once known.
    pub zone: Option<String>,
}

impl Place {
    /// The same, its zone known.
    pub(crate) fn within(mut self, zone: String) -> Self {
        self.zone = Some(zone);
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNS provider {}, record {}", self.provider, self.record)?;
        match &self.zone {
            Some(zone) => write!(f, ", zone {zone}"),
            None => Ok(()),
        }
    }
}

/// An authoritative server that does not show a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lagging {
    /// The server's name.
    pub server: String,
    /// What it shows instead, or why it does not answer.
    pub shows: String,
}

/// Why a record could not be set, removed, located or seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The provider does not accept the credentials, or not for this record: a person must act.
    #[error("{place}: the credentials are refused: {problem}; check the options {options}")]
    Credentials {
        /// Where.
        place: Place,
        /// The provider's words.
        problem: String,
        /// The options that hold the credentials.
        options: String,
    },
    /// The provider does not have the zone: a person must act.
    #[error(
        "{place}: no such zone: {problem}; set the provider's option zone, or have the zone there"
    )]
    NoZone {
        /// Where.
        place: Place,
        /// The provider's words.
        problem: String,
    },
    /// The provider understood and said no: a person must act.
    #[error("{place}: rejected: {problem}")]
    Rejected {
        /// Where.
        place: Place,
        /// The provider's words.
        problem: String,
    },
    /// The provider did not answer, or says that it cannot now: a later try may succeed.
    #[error("{place}: not available, try again later: {problem}")]
    Unavailable {
        /// Where.
        place: Place,
        /// What happened.
        problem: String,
    },
    /// A name could not be looked up: a later try may succeed.
    #[error("cannot look up {what} of {name}: {problem}; check the resolvers, or try again later")]
    Lookup {
        /// The name.
        name: String,
        /// What was sought, such as `NS`.
        what: &'static str,
        /// The resolver's words.
        problem: String,
    },
    /// A delegated name leads nowhere: a person must act.
    #[error("the CNAMEs from {name} {problem}: {}; correct them", chain.join(" -> "))]
    Delegation {
        /// Where the chain begins.
        name: String,
        /// What is wrong with the chain.
        problem: &'static str,
        /// The names in the order they were met.
        chain: Vec<String>,
    },
    /// Some authoritative servers do not show the record in time: a later try may succeed.
    #[error(
        "{name} is not published after {} s; of zone {zone} {}; check that its servers follow \
         their primary, or allow more time",
        waited.as_secs(),
        servers.iter().map(|s| format!("{} shows {}", s.server, s.shows)).collect::<Vec<_>>().join(", ")
    )]
    Unpublished {
        /// The record's name.
        name: String,
        /// The zone whose servers were asked.
        zone: String,
        /// For how long they were asked.
        waited: Duration,
        /// The servers that do not show it.
        servers: Vec<Lagging>,
    },
}

impl DnsError {
    /// Whether the same call may succeed later with nobody acting.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Lookup { .. } | Self::Unpublished { .. }
        )
    }
}

/// Why a provider or a resolver cannot be made from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No provider is called so.
    #[error("no DNS provider is called {kind:?}{}; known are {known}", nearest(closest.as_deref()))]
    UnknownKind {
        /// The name given.
        kind: String,
        /// The most similar name there is.
        closest: Option<String>,
        /// All names.
        known: String,
    },
    /// The provider has no such option.
    #[error(
        "DNS provider {kind} has no option {option:?}{}; its options are {wanted}",
        nearest(closest.as_deref())
    )]
    UnknownOption {
        /// The provider's kind.
        kind: &'static str,
        /// The name given.
        option: String,
        /// The most similar option it has.
        closest: Option<String>,
        /// Its options.
        wanted: String,
    },
    /// The provider needs an option that is not given, or is empty.
    #[error("DNS provider {kind} needs the option {option}; its options are {wanted}")]
    MissingOption {
        /// The provider's kind.
        kind: &'static str,
        /// The option.
        option: String,
        /// Its options.
        wanted: String,
    },
    /// An option's value does not do.
    #[error("DNS provider {kind}: {problem}; its options are {wanted}")]
    Invalid {
        /// The provider's kind.
        kind: &'static str,
        /// What is wrong.
        problem: String,
        /// Its options.
        wanted: String,
    },
    /// The system's resolvers are not known.
    #[error("cannot read the system's resolvers: {problem}; configure nameservers")]
    Resolvers {
        /// What happened.
        problem: String,
    },
}

fn nearest(name: Option<&str>) -> String {
    name.map(|name| format!(" (is it {name:?}?)"))
        .unwrap_or_default()
}
