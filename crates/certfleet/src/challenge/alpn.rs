//! TLS-ALPN-01 (RFC 8737): the answers for the TLS listener of any node.

use std::sync::Arc;

use async_trait::async_trait;
use certfleet_core::{Answer, ChallengeKind};
use certfleet_tls::ChallengeResponder;

use super::Answers;

/// Finds the answer for a server name that a CA asks for.
pub(crate) struct Responder(pub(crate) Arc<Answers>);

#[async_trait]
impl ChallengeResponder for Responder {
    async fn answer(&self, server_name: &str) -> Option<Answer> {
        match self.0.find(ChallengeKind::TlsAlpn01, server_name).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "a challenge was not answered");
                None
            }
        }
    }
}
