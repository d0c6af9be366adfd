//! DNS-01 (RFC 8555 section 8.4): TXT records at DNS providers, and their propagation.
//!
//! A [`DnsProvider`] adds one TXT value at a name and takes it away again; values of others at the
//! same name stay. [`ProviderConfig`] makes one from its kind and options; [`kinds`] lists them
//! all. [`Lookup`] follows a delegated `_acme-challenge` name, finds zones, and waits until every
//! authoritative server shows a record. Each call is one bounded try: when to try again is the
//! caller's business, and so is [`DnsProvider::remove`] after whatever went wrong.
//!
//! This crate knows nothing of ACME, of Redis or of serving TLS. It sets no process-wide TLS
//! provider and needs none: where the process has installed one, HTTPS uses that, else aws-lc-rs.

mod acme_dns;
mod call;
mod error;
mod exec;
mod http;
mod httpreq;
mod kind;
mod lookup;
mod options;
mod provider;
mod published;
mod record;
mod rfc2136;
mod secret;
mod updater;
mod zone;

pub use error::{ConfigError, DnsError, Lagging, Place};
pub use kind::{Kind, OptionSpec, kinds};
pub use lookup::{Lookup, LookupConfig, Propagation};
pub use provider::{DnsProvider, ProviderConfig};
pub use record::{TxtRecord, challenge_name};
pub use secret::Secret;
