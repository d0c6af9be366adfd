//! Why a fleet's node does not start or does not go on.

use std::{io, net::SocketAddr};

use certfleet_acme::{BuiltInCaError, ConfigError};
use certfleet_redis::ConfigError as RedisUrlError;
use certfleet_store::StoreError;

use crate::settings::SettingsError;

/// Why a node does not start or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The issuer cannot be set up from its settings.
    #[error(transparent)]
    Issuer(#[from] ConfigError),
    /// A DNS provider cannot be set up from its settings.
    #[error(transparent)]
    Dns(#[from] certfleet_dns::ConfigError),
    /// The built-in CA cannot be opened.
    #[error(transparent)]
    BuiltInCa(#[from] BuiltInCaError),
    /// The Redis URL cannot be used.
    #[error(transparent)]
    Redis(#[from] RedisUrlError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is away, and this node has no local copy to serve from.
    #[error("{source}; and there is no local copy of a certificate to start with")]
    NothingToServe {
        /// What the store said.
        source: StoreError,
    },
    /// A port cannot be listened on.
    #[error("cannot listen on {address} ({setting}): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
        /// The system's own words.
        source: io::Error,
    },
    /// Serving ended with an error.
    #[error("serving ended: {0}")]
    Serve(#[source] io::Error),
    /// A task died, which is a fault in certfleet.
    #[error("the task {0:?} died; this is a fault in certfleet")]
    TaskDied(&'static str),
}

impl FleetError {
    /// Whether it is the configuration that must be changed.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Settings(_) | Self::Issuer(_) | Self::Dns(_) | Self::Redis(_)
        )
    }
}
