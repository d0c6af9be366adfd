//! DNS-01 against real servers and documented protocols; one program, so that it is linked once.

mod bind;
mod configuration;
mod exec;
mod server;
mod services;
mod through_proxy;

use std::{collections::BTreeMap, sync::Arc};

use certfleet_dns::{ConfigError, DnsProvider, Lookup, LookupConfig, ProviderConfig, Secret};

/// The options of a provider, from pairs.
fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect()
}

/// Makes a provider that is told its zone, so that nobody is asked for it.
fn provider(kind: &str, pairs: &[(&str, &str)]) -> Result<Arc<dyn DnsProvider>, ConfigError> {
    ProviderConfig::new(kind, options(pairs))?.build(&unasked())
}

/// A lookup that nothing answers.
fn unasked() -> Lookup {
    let config = LookupConfig {
        nameservers: vec![([127, 0, 0, 1], 9).into()],
        ..LookupConfig::default()
    };
    Lookup::new(config).expect("nameservers are given")
}
