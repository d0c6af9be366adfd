//! What an operator does to a fleet while it runs: add, remove, renew and revoke certificates.
//!
//! Each is one change in the fleet's store, which every node hears of; none of them waits for a CA.
//! The command line, the admin port and programs that embed a node all come through here.

use std::{sync::Arc, time::Duration};

use certfleet_core::{CertificateId, FleetName, NodeId, RevocationReason, Wanted};
use certfleet_store::{
    Backend, Clock, CommitError, StoreError,
    event::{Event, EventKind},
    lease::Resource,
    revocation::Revocation,
};
use tokio::time::{Instant, sleep};

/// How long a node that works on a certificate is waited for before it is removed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the lease it holds is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long the lease of a removal lasts.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// An operator of one fleet.
#[derive(Clone)]
pub struct Operator {
    fleet: FleetName,
    /// Whose name stands in leases and events.
    node: NodeId,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
}

/// Why an operator's wish was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no such certificate.
    #[error("the fleet {fleet} has no certificate {id}; certfleet list shows those it has")]
    NoCertificate {
        /// The fleet.
        fleet: FleetName,
        /// The certificate.
        id: CertificateId,
    },
    /// A node works on the certificate for too long.
    #[error("a node works on {0}; it was not removed, try again later")]
    Busy(CertificateId),
    /// The lease was lost meanwhile.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operator {
    /// An operator of `fleet` who goes by the name of `node`.
    #[must_use]
    pub fn new(
        fleet: FleetName,
        node: NodeId,
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            fleet,
            node,
            backend,
            clock,
        }
    }

    /// Has the fleet get and serve a certificate from now on; said again, it changes its terms.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add(&self, wanted: &Wanted) -> Result<(), OperatorError> {
        self.backend.want(wanted).await?;
        let names = wanted.names.to_string();
        self.note(EventKind::Added, &wanted.names.id(), names).await;
        Ok(())
    }

    /// Has the fleet serve and renew a certificate no longer. It is not revoked. One that the
    /// configuration names comes back when its nodes start.
    ///
    /// # Errors
    /// [`OperatorError::NoCertificate`], [`OperatorError::Busy`], or if the store fails.
    pub async fn remove(&self, id: &CertificateId) -> Result<(), OperatorError> {
        let known = self.backend.load(id).await?.is_some()
            || self.backend.wanted_one(id).await?.is_some()
            || self.backend.due_at(id).await?.is_some();
        if !known {
            return Err(self.no_certificate(id));
        }
        let resource = Resource::Certificate(id.clone());
        let end = Instant::now() + PATIENCE;
        let lease = loop {
            match self
                .backend
                .acquire(&resource, &self.node, LEASE_TTL)
                .await?
            {
                Some(lease) => break lease,
                None if Instant::now() > end => return Err(OperatorError::Busy(id.clone())),
                None => sleep(ASK_AGAIN).await,
            }
        };
        let removed = self.backend.remove(&lease, id).await;
        if let Err(error) = self.backend.release(&lease).await {
            tracing::warn!(%error, "the lease was not given back; it will expire");
        }
        removed?;
        self.note(EventKind::Removed, id, String::new()).await;
        Ok(())
    }

    /// Makes a certificate due at once, whatever has failed before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn renew(&self, id: &CertificateId) -> Result<(), OperatorError> {
        Ok(self.backend.hasten(id).await?)
    }

    /// Has the generation that stands replaced with a new key, and then revoked.
    ///
    /// # Errors
    /// [`OperatorError::NoCertificate`], or if the store fails.
    pub async fn revoke(
        &self,
        id: &CertificateId,
        reason: RevocationReason,
    ) -> Result<Revocation, OperatorError> {
        let stored = self.backend.load(id).await?;
        let stored = stored.ok_or_else(|| self.no_certificate(id))?;
        let revocation = Revocation {
            record: stored.record,
            reason,
            asked_at: self.clock.now(),
        };
        self.backend.revoke(&revocation).await?;
        Ok(revocation)
    }

    fn no_certificate(&self, id: &CertificateId) -> OperatorError {
        OperatorError::NoCertificate {
            fleet: self.fleet.clone(),
            id: id.clone(),
        }
    }

    /// Events are for people: what is done is done, also where it cannot be written down.
    async fn note(&self, kind: EventKind, id: &CertificateId, detail: String) {
        let event = Event {
            at: self.clock.now(),
            node: self.node.clone(),
            kind,
            subject: id.to_string(),
            detail,
        };
        if let Err(error) = self.backend.append(&event).await {
            tracing::warn!(%error, "what was done is not in the event log");
        }
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("fleet", &self.fleet)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
