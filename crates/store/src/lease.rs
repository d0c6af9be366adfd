//! Leases: who may work on what, one at a time, and for how long.
//!
//! A lease is held for one attempt and extended while the work goes on; losing it cancels the
//! work. The lease alone is no proof (its holder may have been paused past its end), so what
//! matters is checked once more inside the store, against owner and fencing token, in
//! [`CertificateStore::commit`](crate::CertificateStore::commit).

use std::{fmt, time::Duration};

use async_trait::async_trait;
use certfleet_core::{CertificateId, FencingToken, NodeId, Record};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{CommitError, StoreError};

/// What a lease is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Getting one certificate.
    Certificate(CertificateId),
    /// Creating the account at one issuer, named by [`AccountVault`](crate::AccountVault)'s key.
    Account(String),
}

/// `certificate:ID` or `account:ISSUER`, as it stands in keys and logs.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(id) => write!(f, "certificate:{id}"),
            Self::Account(issuer) => write!(f, "account:{issuer}"),
        }
    }
}

/// The right to work on a resource, until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is on.
    pub resource: Resource,
    /// Who holds it: unique to this one grant, the node's name at its head.
    pub owner: String,
    /// Rises with every grant in the fleet.
    pub fencing: FencingToken,
    /// How long it lasts after it was granted or extended.
    pub ttl: Duration,
}

impl Lease {
    /// A new owner for a grant to `node`: its name, a slash, and 64 random bits.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn new_owner(node: &NodeId) -> String {
        let nonce = getrandom::u64().expect("the operating system gives randomness");
        format!("{node}/{nonce:016x}")
    }

    /// Checks that `record` is of the certificate this lease is on, and carries its token. Every
    /// commit begins with this: a token that was never granted would fence off the whole fleet.
    ///
    /// # Errors
    /// [`CommitError::Mismatched`] if it is not so.
    pub fn covers(&self, record: &Record) -> Result<(), CommitError> {
        let id = record.id();
        let resource = Resource::Certificate(id.clone());
        if self.resource == resource && self.fencing == record.fencing {
            Ok(())
        } else {
            Err(CommitError::Mismatched {
                id,
                token: record.fencing,
                lease: format!("{} with token {}", self.resource, self.fencing),
            })
        }
    }
}

/// Who holds a lease, for people to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What the lease is on, as [`Resource`] is displayed.
    pub resource: String,
    /// The node that holds it.
    pub node: NodeId,
    /// Its token.
    pub fencing: FencingToken,
    /// What is left of it.
    pub remaining: Duration,
}

/// What became of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It was granted.
    Granted(Lease),
    /// Someone holds it.
    Held,
    /// As many leases on certificates are held as there may be.
    Full,
}

/// Grants leases. Each lease ends by itself after its time to live.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease, unless someone holds it or, for a certificate's, `most` leases on
    /// certificates are held.
    async fn acquire_within(
        &self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        most: u32,
    ) -> Result<Grant, StoreError>;

    /// Takes the lease, or `None` if someone holds it.
    async fn acquire(
        &self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        match self.acquire_within(resource, node, ttl, u32::MAX).await? {
            Grant::Granted(lease) => Ok(Some(lease)),
            Grant::Held | Grant::Full => Ok(None),
        }
    }

    /// Gives it its whole time to live again; `false` if it is no longer this owner's.
    async fn extend(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// Gives it back; `false` if it was no longer this owner's.
    async fn release(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// All leases held now, in order of resource.
    async fn holders(&self) -> Result<Vec<Holder>, StoreError>;
}

/// The lease ended while work went on under it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease on {0} was lost")]
pub struct Lost(pub Resource);

/// Does `work` while keeping `lease` alive; drops the work as soon as the lease is lost.
///
/// The lease is extended after each third of its time, and each try has a third to be answered.
/// It counts as lost when the store says so, or when it could not be extended for its whole time
/// less a tenth, which is left for clocks that differ and for the grant's way here: call this as
/// soon as the lease is granted. The lease is not released: the caller does that, whatever came
/// of the work.
///
/// # Errors
/// [`Lost`], and then the work was dropped at its last await.
pub async fn hold<T>(
    leases: &(impl Leases + ?Sized),
    lease: &Lease,
    work: impl Future<Output = T>,
) -> Result<T, Lost> {
    // The lease comes first: after a pause of the whole process the work must not take another
    // step under a lease that has run out meanwhile.
    tokio::select! {
        biased;
        lost = keep(leases, lease) => Err(lost),
        done = work => Ok(done),
    }
}

async fn keep(leases: &(impl Leases + ?Sized), lease: &Lease) -> Lost {
    let third = lease.ttl / 3;
    let sure_for = lease.ttl - lease.ttl / 10;
    let mut sure_until = Instant::now() + sure_for;
    let mut next_try = Instant::now() + third;
    loop {
        sleep_until(next_try.min(sure_until)).await;
        let asked = Instant::now();
        next_try = asked + third;
        match timeout_at(next_try.min(sure_until), leases.extend(lease)).await {
            Ok(Ok(true)) => sure_until = asked + sure_for,
            Ok(Ok(false)) => return Lost(lease.resource.clone()),
            Ok(Err(error)) => {
                tracing::warn!(resource = %lease.resource, %error, "cannot extend the lease");
            }
            Err(_) => {
                tracing::warn!(resource = %lease.resource, "no answer to extending the lease");
            }
        }
        if Instant::now() >= sure_until {
            return Lost(lease.resource.clone());
        }
    }
}

#[cfg(test)]
mod tests;
