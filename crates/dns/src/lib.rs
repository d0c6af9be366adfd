//! Placeholder until the crate lands.
#![allow(missing_docs, missing_debug_implementations, clippy::all)]
use std::sync::Arc;
#[derive(Debug, Clone)] pub struct LookupConfig;
#[derive(Debug, Clone)] pub struct ProviderConfig;
#[derive(Debug)] pub struct Lookup;
#[derive(Debug, thiserror::Error)] #[error("x")] pub struct DnsError;
#[derive(Debug, thiserror::Error)] #[error("x")] pub struct ConfigError;
pub struct TxtRecord { pub name: String, pub value: String }
#[async_trait::async_trait] pub trait DnsProvider: Send + Sync + std::fmt::Debug { async fn set(&self, record: &TxtRecord) -> Result<(), DnsError>; async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError>; }
pub fn challenge_name(d: &str) -> String { format!("_acme-challenge.{d}") }
impl Lookup { pub fn new(_: LookupConfig) -> Result<Self, ConfigError> { Ok(Lookup) } pub async fn delegate(&self, n: &str) -> Result<String, DnsError> { Ok(n.into()) } pub async fn await_published(&self, _: &TxtRecord) -> Result<(), DnsError> { Ok(()) } }
impl ProviderConfig { pub fn build(&self, _: &Lookup) -> Result<Arc<dyn DnsProvider>, ConfigError> { Err(ConfigError) } }
