//! A node described in code: each method is one setting, checked when it is built.

use std::{fmt, sync::Arc};

use certfleet_acme::Issuer;
use certfleet_store::{Backend, Clock};

use crate::{
    error::FleetError,
    fleet::{Fleet, Parts},
    settings::Settings,
};

/// Builds a [`Fleet`]. What is not said has the default of its setting.
#[derive(Default)]
pub struct Builder {
    settings: Settings,
    certificates: Vec<String>,
    parts: Parts,
}

macro_rules! setting {
    ($(#[$doc:meta])* $method:ident, $name:literal) => {
        $(#[$doc])*
        #[must_use]
        pub fn $method(mut self, value: impl Into<String>) -> Self {
            self.settings.set($name, value, concat!("Fleet::builder().", stringify!($method)));
            self
        }
    };
}

impl Builder {
    setting! {
        /// The name all nodes of the fleet share.
        fleet, "fleet"
    }
    setting! {
        /// This node's name; the host's name unless it is said.
        node_id, "node_id"
    }
    setting! {
        /// The fleet's Redis, such as `redis://user:password@host:6379`.
        redis_url, "redis_url"
    }
    setting! {
        /// The folder of this node's sealed copy, or without Redis of the store itself.
        data_dir, "data_dir"
    }
    setting! {
        /// The CA: `letsencrypt`, `letsencrypt-staging`, `built-in`, or a directory URL.
        acme_directory, "acme_directory"
    }
    setting! {
        /// A PEM file with a root to trust for the CA's own HTTPS.
        acme_ca_file, "acme_ca_file"
    }
    setting! {
        /// Where the CA may write to.
        email, "email"
    }
    setting! {
        /// 32 bytes in base64, as `certfleet key generate` prints them.
        master_key, "master_key"
    }
    setting! {
        /// Where HTTP is listened on, such as `0.0.0.0:80`.
        http_addr, "http_addr"
    }
    setting! {
        /// Where HTTPS is listened on, such as `0.0.0.0:443`.
        https_addr, "https_addr"
    }

    /// A certificate to have, its names joined by `+`; the first one said is the default
    /// certificate, for clients that ask for no name or an unknown one.
    #[must_use]
    pub fn certificate(mut self, names: impl Into<String>) -> Self {
        self.certificates.push(names.into());
        self
    }

    /// Any other setting, by the name it has in the configuration file.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.set(name, value, "Fleet::builder().setting");
        self
    }

    /// An issuer of one's own, instead of an ACME CA.
    #[must_use]
    pub fn issuer(mut self, issuer: Arc<dyn Issuer>) -> Self {
        self.parts.issuer = Some(issuer);
        self
    }

    /// A backend of one's own, instead of Redis or files.
    #[must_use]
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.parts.backend = Some(backend);
        self
    }

    /// A clock of one's own, as simulations need it.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.parts.clock = Some(clock);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`FleetError::Settings`], which names the method whose value is wrong.
    pub fn build(mut self) -> Result<Fleet, FleetError> {
        if !self.certificates.is_empty() {
            self.settings.set(
                "domains",
                self.certificates.join(","),
                "Fleet::builder().certificate",
            );
        }
        Ok(Fleet {
            config: self.settings.config()?,
            parts: self.parts,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
