//! TLS certificates for a fleet of servers.

pub mod config;
pub mod settings;
