//! What a DNS provider does, and how one is made from configuration.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    ConfigError, DnsError, Lookup, Secret, TxtRecord,
    kind::{self, Kind},
    options::Options,
};

/// Sets and removes single TXT values at a DNS provider.
///
/// A call takes bounded time and tries once. Calls for one name wait for each other within this
/// process, because most providers read a whole record set, change it and write it back; between
/// processes nothing orders them, so a value may be lost there, which
/// [`Lookup::await_published`] finds out.
#[async_trait]
pub trait DnsProvider: Send + Sync + fmt::Debug {
    /// The provider's kind, such as `cloudflare`.
    fn name(&self) -> &str;

    /// Adds `record` to what stands at its name. A value that stands already is no error.
    ///
    /// # Errors
    /// If the provider does not take it. It may yet have done: call [`Self::remove`] all the same.
    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError>;

    /// Takes exactly this value away. A value that does not stand there is no error.
    ///
    /// # Errors
    /// If the provider does not do it.
    async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError>;
}

/// A provider's kind and options, checked by name.
#[derive(Clone)]
pub struct ProviderConfig {
    options: Options,
}

impl ProviderConfig {
    /// Checks that `kind` exists and that `options` are those it takes.
    ///
    /// # Errors
    /// Names the unknown kind with the most similar one, or the unknown or missing option with
    /// those the kind has.
    pub fn new(kind: &str, options: BTreeMap<String, Secret>) -> Result<Self, ConfigError> {
        Ok(Self {
            options: Options::new(kind::find(kind)?, options)?,
        })
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.options.kind()
    }

    /// Makes the provider; it asks nobody yet. Zones are found through `lookup`.
    ///
    /// # Errors
    /// Names an option whose value does not do.
    pub fn build(&self, lookup: &Lookup) -> Result<Arc<dyn DnsProvider>, ConfigError> {
        self.options.kind().build(&self.options, lookup)
    }
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("kind", &self.options.kind().name)
            .finish_non_exhaustive()
    }
}
