//! The challenge board: answers to the CA's HTTP-01 challenges (RFC 8555 section 8.3), readable
//! by every node, because the CA's requests land on any of them.

use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;

/// Key authorizations by token. Each goes by itself after its time to live.
#[async_trait]
pub trait ChallengeBoard: Send + Sync {
    /// Puts an answer up. When this returns, every node can read it.
    async fn post(
        &self,
        token: &str,
        key_authorization: &str,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// The answer for a token.
    async fn answer(&self, token: &str) -> Result<Option<String>, StoreError>;

    /// Takes an answer down.
    async fn withdraw(&self, token: &str) -> Result<(), StoreError>;
}
