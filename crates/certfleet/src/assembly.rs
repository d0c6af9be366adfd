//! The parts of a node that its configuration describes: issuers, DNS providers, the gate of
//! on-demand names.
//!
//! Nothing is asked of anyone yet: what cannot work is told before the node starts.

use std::{collections::BTreeMap, sync::Arc};

use certfleet_acme::{Acme, BuiltInCa, Issuer};
use certfleet_core::{
    IssuerName,
    budget::{Limit, Limits},
};
use certfleet_dns::Lookup;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use crate::{
    challenge::Dns,
    config::{Config, IssuerConfig, IssuerKind, OnDemandConfig},
    error::FleetError,
    issuers::{Entry, Source},
    node::Node,
    on_demand::{Gate, Memories, PermissionUrl},
};

/// The issuers of the configuration, with those the caller has `given` in their places.
pub(crate) fn issuers(
    config: &Config,
    given: BTreeMap<IssuerName, Arc<dyn Issuer>>,
) -> Result<BTreeMap<IssuerName, Entry>, FleetError> {
    let mut entries = BTreeMap::new();
    for (name, issuer) in &config.issuers {
        if !given.contains_key(name) {
            let entry = Entry::new(source(issuer)?, issuer.limits.clone());
            entries.insert(name.clone(), entry);
        }
    }
    for (name, issuer) in given {
        let configured = config.issuers.get(&name);
        let limits = configured.map_or_else(Limits::default, |issuer| issuer.limits.clone());
        entries.insert(name, Entry::new(Source::Direct(issuer), limits));
    }
    Ok(entries)
}

/// An issuer as configuration describes it.
pub(crate) fn source(config: &IssuerConfig) -> Result<Source, FleetError> {
    Ok(match &config.kind {
        IssuerKind::Acme(acme) => Source::Acme(Arc::new(Acme::new(acme.clone())?)),
        IssuerKind::BuiltIn { dir } => Source::Direct(Arc::new(BuiltInCa::open(dir)?)),
    })
}

/// The DNS providers.
pub(crate) fn dns(config: &Config) -> Result<Dns, FleetError> {
    let lookup = Lookup::new(config.dns_lookup.clone())?;
    let mut providers = BTreeMap::new();
    for (name, provider) in &config.dns {
        providers.insert(name.clone(), provider.build(&lookup)?);
    }
    let limit = config.dns_propagation_timeout;
    Ok(Dns::new(providers, lookup, limit))
}

/// The gate of names that clients ask for.
pub(crate) fn gate(node: &Arc<Node>, config: &OnDemandConfig) -> Gate {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let service = PermissionUrl::new(
        config.permission_url.clone(),
        config.permission_timeout,
        tls,
    );
    Gate::new(
        Arc::clone(node),
        service,
        Memories {
            allowed_for: config.allowed_for,
            denied_for: config.denied_for,
        },
        Limit {
            capacity: config.names.get(),
            refill: config.per / config.names.get(),
        },
    )
}
