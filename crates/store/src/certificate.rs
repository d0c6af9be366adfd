//! The certificate store: sealed records, and the one way to change them.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Epoch, FencingToken, Generation, Record, Timestamp};

use crate::{Lease, StoreError, lease::Resource};

/// A record as the store gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The fleet-wide epoch its commit made.
    pub epoch: Epoch,
    /// When it was committed, by the store's clock.
    pub committed_at: Timestamp,
    /// The record.
    pub record: Record,
}

/// Sealed certificates, one record for each id: the newest generation.
#[async_trait]
pub trait CertificateStore: Send + Sync {
    /// The record of one certificate.
    async fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError>;

    /// The ids of all certificates there are, in order.
    async fn ids(&self) -> Result<Vec<CertificateId>, StoreError>;

    /// Makes `record` the newest generation, in one atomic step: checks that `lease` is alive and
    /// its owner's, that no later token or generation was committed; then writes the record,
    /// raises the epoch, sets the schedule to the record's `renew_at`, forgets failed attempts and
    /// the suggestion, has the CA asked for a new one, and announces the record to the feed.
    ///
    /// A repeat of a commit that already happened (its reply was lost) succeeds and changes
    /// nothing, even after the lease is gone. It is known by the record being the very one that
    /// stands.
    ///
    /// # Errors
    /// In the order they are looked for: [`CommitError::Mismatched`] by [`Lease::covers`], then
    /// [`CommitError::LeaseLost`], [`CommitError::Fenced`], [`CommitError::Stale`].
    async fn commit(&self, lease: &Lease, record: &Record) -> Result<Stored, CommitError>;

    /// Takes a certificate out of the fleet, in one atomic step: its record, its entry on the
    /// schedule, its failed attempts, its suggestion, its place on the
    /// [`WantedList`](crate::WantedList); raises the epoch, and announces it by
    /// [`Signal::Removed`](crate::feed::Signal::Removed). Followers hear of it from
    /// [`Changes::removed`](crate::feed::Changes::removed) for a week. What is not there is removed
    /// without complaint. Requests to revoke it stay.
    ///
    /// # Errors
    /// [`CommitError::LeaseLost`] if the lease on the certificate is not this owner's any more.
    async fn remove(&self, lease: &Lease, id: &CertificateId) -> Result<(), CommitError>;
}

/// Why a commit changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The record was not made under this lease: a fault of the caller.
    #[error("the record of {id} under fencing token {token} was not made under the lease {lease}")]
    Mismatched {
        /// The certificate.
        id: CertificateId,
        /// The token the record carries.
        token: FencingToken,
        /// The lease: its resource and its token.
        lease: String,
    },
    /// The lease has expired or belongs to someone else by now.
    #[error("the lease on {resource} is lost; what was done under it is refused")]
    LeaseLost {
        /// What the lease was on.
        resource: Resource,
    },
    /// Someone has committed under a later lease.
    #[error("{id} was committed under fencing token {newest}, later than {held}; refused")]
    Fenced {
        /// The certificate.
        id: CertificateId,
        /// The token of the refused commit.
        held: FencingToken,
        /// The token of the record that stands.
        newest: FencingToken,
    },
    /// The record is not newer than the one that stands.
    #[error("{id} is at generation {newest}; generation {offered} is refused")]
    Stale {
        /// The certificate.
        id: CertificateId,
        /// The generation that was to be committed.
        offered: Generation,
        /// The generation that stands.
        newest: Generation,
    },
    /// The store failed; whether the commit happened is not known. Commit the same record again.
    #[error(transparent)]
    Store(#[from] StoreError),
}
