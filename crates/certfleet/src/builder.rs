//! A node described in code: each method is one setting, checked when it is built.

use std::{fmt, sync::Arc};

use certfleet_acme::Issuer;
use certfleet_core::Wanted;
use certfleet_store::{Backend, Clock};

use crate::{
    config::Config,
    error::FleetError,
    fleet::{Fleet, Parts},
    settings::{MAIN, Origin, Settings, SettingsError, known::DOMAINS},
};

/// Builds a [`Fleet`]. What is not said has the default of its setting.
#[derive(Default)]
pub struct Builder {
    settings: Settings,
    certificates: Vec<String>,
    wanted: Vec<Wanted>,
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

    /// A certificate to have with terms of its own, after those of [`Self::certificate`].
    #[must_use]
    pub fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted.push(wanted);
        self
    }

    /// Any other setting, by the name it has in the configuration file; a value in one of its
    /// tables by its path, such as `issuer.le.directory`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.set(name, value, "Fleet::builder().setting");
        self
    }

    /// An issuer of one's own, in the place of the issuer called `main`, which the settings
    /// describe.
    #[must_use]
    pub fn issuer(mut self, issuer: Arc<dyn Issuer>) -> Self {
        let main = MAIN.parse().expect("it has 1 to 63 of the characters a-z");
        self.parts.issuers.insert(main, issuer);
        self
    }

    /// A further issuer of one's own, or one in the place of that name; terms name it.
    ///
    /// # Panics
    /// If the name is no issuer's name.
    #[must_use]
    pub fn issuer_named(mut self, name: &str, issuer: Arc<dyn Issuer>) -> Self {
        let name = name
            .parse()
            .expect("an issuer's name has the characters a-z 0-9 -");
        self.parts.issuers.insert(name, issuer);
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
                DOMAINS.key,
                self.certificates.join(","),
                "Fleet::builder().certificate",
            );
        } else if !self.wanted.is_empty() && self.settings.place(&DOMAINS).is_none() {
            self.settings
                .set(DOMAINS.key, "none", "Fleet::builder().wanted");
        }
        let mut config = self.settings.config()?;
        for wanted in self.wanted {
            add(&mut config, wanted)?;
        }
        Ok(Fleet {
            config,
            parts: self.parts,
        })
    }
}

/// Adds a certificate to those that are wanted.
fn add(config: &mut Config, wanted: Wanted) -> Result<(), SettingsError> {
    let twice = config
        .certificates
        .iter()
        .any(|one| one.names == wanted.names);
    let found = match config.check(&wanted) {
        Err(error) => error.to_string(),
        Ok(()) if twice => format!("{} is wanted already", wanted.names),
        Ok(()) => {
            config.certificates.push(wanted);
            return Ok(());
        }
    };
    Err(SettingsError::Invalid {
        place: Origin::Code("Fleet::builder().wanted").place(""),
        found,
        wanted: "a certificate that can be had, and is not wanted yet".to_owned(),
    })
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        Fleet::builder()
            .acme_directory("letsencrypt-staging")
            .data_dir("/nowhere")
            .master_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    }

    fn wanted(names: &str) -> Wanted {
        Wanted::new(names.parse().unwrap())
    }

    #[test]
    fn certificates_have_terms_of_their_own() {
        let mut own = wanted("*.b.example");
        own.terms.dns = Some("cf".parse().unwrap());
        let fleet = builder()
            .setting("dns.cf.provider", "cloudflare")
            .setting("dns.cf.token", "x")
            .certificate("a.example")
            .wanted(own.clone())
            .build()
            .unwrap();
        assert_eq!(fleet.config.certificates, [wanted("a.example"), own]);
        let alone = builder().wanted(wanted("a.example")).build().unwrap();
        assert_eq!(alone.config.certificates, [wanted("a.example")]);
    }

    #[test]
    fn what_cannot_be_had_is_told_by_its_method() {
        let error = |builder: Builder| builder.build().unwrap_err().to_string();
        let line = error(builder().wanted(wanted("*.a.example")));
        let start = "Fleet::builder().wanted: *.a.example is a wildcard, which ";
        assert!(line.starts_with(start), "{line}");
        let twice = builder()
            .certificate("a.example")
            .wanted(wanted("a.example"));
        let start = "Fleet::builder().wanted: a.example is wanted already";
        assert!(error(twice).starts_with(start));
    }
}
