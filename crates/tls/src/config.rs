//! How this server speaks TLS, whatever it serves.
//!
//! One configuration lasts as long as the process: certificates change behind the [`Resolver`],
//! so nothing here is rebuilt on a reload and sessions outlive it.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::ServerSessionMemoryCache,
};

use crate::resolver::Resolver;

/// How many sessions can be resumed; the oldest go first. A session takes a few hundred bytes,
/// and a TLS 1.3 client is given two.
const SESSIONS: usize = 4096;

/// A server for TLS 1.2 and 1.3 that takes its certificates from `resolver`.
///
/// - Key exchange, in order: X25519MLKEM768 (hybrid post-quantum; TLS 1.3 alone), X25519, P-256.
/// - ALPN (RFC 7301): `h2`, then `http/1.1`. A client that offers neither is refused; one that
///   offers nothing is served.
/// - No client certificates, no early data (0-RTT), because a request in it can be replayed.
/// - Resumption: sessions are kept in this process's memory (rustls's cache, a short critical
///   section of its own), so a client resumes only at the node that it met before; elsewhere it
///   makes a full handshake. There are no session tickets that other nodes could open: set
///   `ticketer` on the configuration for that.
///
/// It answers no challenge of a CA (TLS-ALPN-01) and waits for no certificate on demand: both are
/// decided before a configuration is, and only the [`Listener`](crate::Listener) does that.
///
/// The configuration is shared by all listeners of a process; build it once.
#[must_use]
pub fn server_config(resolver: Resolver) -> Arc<ServerConfig> {
    let provider = CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
        ],
        ..aws_lc_rs::default_provider()
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Arc::new(config)
}
