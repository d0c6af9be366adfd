//! The challenge board: what the CA's challenges are answered with (RFC 8555 section 8), readable by
//! every node, because the CA's requests land on any of them.
//!
//! Answers are noted under the certificate they are for, so that whoever takes up a dead node's work
//! finds what it left behind, DNS records among it, and clears it away.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Answer, CertificateId, ChallengeKind};

use crate::StoreError;

/// Answers by kind and key. Each goes by itself after its time to live.
#[async_trait]
pub trait ChallengeBoard: Send + Sync {
    /// Puts an answer up for the certificate `id`. When this returns, every node can read it.
    async fn post(
        &self,
        id: &CertificateId,
        answer: &Answer,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// The answer of a kind with this [`Answer::key`].
    async fn answer(&self, kind: ChallengeKind, key: &str) -> Result<Option<Answer>, StoreError>;

    /// Takes an answer down after `linger`, at once if that is zero; it never stays up longer than it
    /// was to when it was posted. It is no longer among those [`posted`](Self::posted) from now on.
    /// One that another has replaced is not there any more, and that other one stays.
    async fn withdraw(
        &self,
        id: &CertificateId,
        answer: &Answer,
        linger: Duration,
    ) -> Result<(), StoreError>;

    /// The answers that are up for a certificate, in order of kind and key.
    async fn posted(&self, id: &CertificateId) -> Result<Vec<Answer>, StoreError>;
}
