//! The CA's suggestions of when to renew (RFC 9773), shared by the fleet: what was drawn for each
//! certificate, and when the CA is to be asked again.
//!
//! A commit makes its certificate's next question due at once. A node that claims a question has it
//! for itself for a while, so that the fleet asks once; a claim that is not answered (the node died)
//! becomes due again by itself.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{CertificateId, Timestamp, ari::Suggestion};

use crate::StoreError;

/// Suggestions by certificate.
#[async_trait]
pub trait Suggestions: Send + Sync {
    /// Claims up to `most` certificates whose question is due at `now`, the most overdue first, for
    /// `hold`.
    async fn claim_questions(
        &self,
        now: Timestamp,
        most: usize,
        hold: Duration,
    ) -> Result<Vec<CertificateId>, StoreError>;

    /// What was made of the CA's last answer.
    async fn suggestion(&self, id: &CertificateId) -> Result<Option<Suggestion>, StoreError>;

    /// Keeps what was made of an answer, asks again at `again`, and moves the certificate's entry on
    /// the schedule to the drawn time; but only if the record that stands is of the suggestion's
    /// generation. The entry is left alone if it is due already (someone may have hastened it), and
    /// while a failed attempt is written down. `false` if the generation is another.
    async fn suggest(
        &self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Asks again at `again`; never, with `None`. What was suggested stays. Nothing happens if there
    /// is no record of the certificate.
    async fn ask_again(
        &self,
        id: &CertificateId,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError>;
}
