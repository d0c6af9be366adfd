//! The schedule: which certificate is due when, and what has failed so far.
//!
//! It is the fleet's, not a node's: any node carries on where another has failed or died.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Timestamp, retry::Attempt};

use crate::{CommitError, Lease, StoreError};

/// When to act on each certificate. A commit sets the entry to the record's renewal time.
#[async_trait]
pub trait Schedule: Send + Sync {
    /// Enters each certificate at its time, but for those that are entered already.
    async fn enter(&self, entries: &[(CertificateId, Timestamp)]) -> Result<(), StoreError>;

    /// The certificates whose time is not after `now`, the most overdue first.
    async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<CertificateId>, StoreError>;

    /// When the certificate is due, if it is entered.
    async fn due_at(&self, id: &CertificateId) -> Result<Option<Timestamp>, StoreError>;

    /// Moves its entry, if there is one, to `at`, if that is earlier and no failed attempt is written
    /// down.
    async fn advance(&self, id: &CertificateId, at: Timestamp) -> Result<(), StoreError>;

    /// Makes it due at once, forgets failed attempts, and wakes the fleet by
    /// [`Signal::Due`](crate::feed::Signal::Due): what an operator asks for with `renew`.
    async fn hasten(&self, id: &CertificateId) -> Result<(), StoreError>;

    /// Writes down a failed or a waiting attempt and moves the entry to its `next`; only for who
    /// holds the lease.
    ///
    /// # Errors
    /// [`CommitError::LeaseLost`] if the lease is not this owner's any more.
    async fn postpone(
        &self,
        lease: &Lease,
        id: &CertificateId,
        attempt: &Attempt,
    ) -> Result<(), CommitError>;

    /// Forgets failed attempts and moves the entry to `at`; only for who holds the lease.
    ///
    /// # Errors
    /// [`CommitError::LeaseLost`] if the lease is not this owner's any more.
    async fn settle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        at: Timestamp,
    ) -> Result<(), CommitError>;

    /// What has failed since the last success.
    async fn attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError>;
}
