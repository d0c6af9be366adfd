//! Certificates that are to be revoked, until they are.
//!
//! A request holds the whole sealed record, because the certificate's own key may be what the
//! revocation must be signed with, and the record that stands is soon a newer one.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Record, RevocationReason, Timestamp};

use crate::{CommitError, Lease, StoreError};

/// A request to revoke one generation of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The record of the generation that is to be revoked.
    pub record: Record,
    /// Why.
    pub reason: RevocationReason,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

/// Requests by certificate and generation.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Asks for a revocation, makes the certificate due at once, and wakes the fleet. Asked for
    /// again it is the same request, as it was asked for first.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError>;

    /// What is to be revoked of a certificate, the oldest generation first.
    async fn revocations(&self, id: &CertificateId) -> Result<Vec<Revocation>, StoreError>;

    /// Forgets a request that was carried out; only for who holds the lease on the certificate.
    ///
    /// # Errors
    /// [`CommitError::LeaseLost`] if the lease is not this owner's any more.
    async fn revoked(&self, lease: &Lease, revocation: &Revocation) -> Result<(), CommitError>;
}
