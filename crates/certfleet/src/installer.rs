//! The way into service: a stored record is opened, verified, published, and kept on disk.
//!
//! A record that does not open, does not verify or is not newer leaves what is served alone (P4).
//! Everything a node serves came through here, whoever issued it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use certfleet_core::{
    CertificateId, FleetName, Generation, KeyRing, Timestamp, record::OpenError, seal::SealError,
};
use certfleet_store::{Clock, Stored, snapshot::Snapshot};
use certfleet_tls::{Publisher, Rejected, Verified};
use tokio::sync::watch;

/// Puts records into service.
pub(crate) struct Installer {
    fleet: FleetName,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    publisher: Publisher,
    snapshot: Option<Snapshot>,
    /// The sealed records behind what is served: what a store that lost its data is refilled from.
    served: Mutex<HashMap<CertificateId, Arc<Stored>>>,
    /// Rises with each change of what is served.
    changes: watch::Sender<u64>,
}

impl Installer {
    /// An installer that publishes by `publisher` and keeps copies in `snapshot`.
    pub(crate) fn new(
        fleet: FleetName,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        publisher: Publisher,
        snapshot: Option<Snapshot>,
    ) -> Self {
        Self {
            fleet,
            keys,
            clock,
            publisher,
            snapshot,
            served: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Serves `stored` from now on, and gives the moment from which it is served; `None` if a
    /// generation not older is served already.
    pub(crate) async fn install(&self, stored: &Stored) -> Result<Option<Timestamp>, InstallError> {
        if !self.publish(stored)? {
            return Ok(None);
        }
        let live_at = self.clock.now();
        if let Some(snapshot) = &self.snapshot
            && let Err(error) = snapshot.save(stored).await
        {
            tracing::warn!(%error, "the local copy was not written; a restart without the store would miss it");
        }
        Ok(Some(live_at))
    }

    /// Serves what the local copy holds; gives the errors of what it could not serve.
    pub(crate) async fn install_snapshot(&self) -> Vec<InstallError> {
        let Some(snapshot) = &self.snapshot else {
            return Vec::new();
        };
        let mut errors = Vec::new();
        for stored in snapshot.load_all().await {
            let outcome = stored
                .map_err(InstallError::from)
                .and_then(|stored| self.publish(&stored));
            errors.extend(outcome.err());
        }
        errors
    }

    fn publish(&self, stored: &Stored) -> Result<bool, InstallError> {
        let record = &stored.record;
        let id = record.id();
        if self
            .publisher
            .generation(&id)
            .is_some_and(|served| served >= record.generation)
        {
            return Ok(false);
        }
        let bundle = record
            .open(&self.fleet, &self.keys)
            .map_err(|source| InstallError::Open {
                id: id.clone(),
                generation: record.generation,
                source,
            })?;
        let verified =
            Verified::check(&bundle, &record.names, self.clock.now()).map_err(|source| {
                InstallError::Rejected {
                    id: id.clone(),
                    generation: record.generation,
                    source,
                }
            })?;
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if self
            .publisher
            .publish(
                id.clone(),
                record.names.clone(),
                record.generation,
                verified,
            )
            .is_err()
        {
            return Ok(false);
        }
        served.insert(id, Arc::new(stored.clone()));
        self.changes.send_modify(|changes| *changes += 1);
        Ok(true)
    }

    /// Serves `id` no longer, and keeps no copy; `false` if it was not served.
    pub(crate) async fn retract(&self, id: &CertificateId) -> bool {
        let retracted = {
            let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
            served.remove(id);
            self.publisher.retract(id)
        };
        if let Some(snapshot) = &self.snapshot
            && let Err(error) = snapshot.remove(id).await
        {
            tracing::warn!(%error, "the local copy of a removed certificate is left behind");
        }
        self.changes.send_modify(|changes| *changes += 1);
        retracted
    }

    /// Tells of each change of what is served.
    pub(crate) fn installed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The sealed record behind what is served for `id`.
    pub(crate) fn served(&self, id: &CertificateId) -> Option<Arc<Stored>> {
        self.served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// What is served, for status and metrics.
    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }
}

impl InstallError {
    /// Whether the key ring lacks the key it is sealed under.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::Open {
                source: OpenError::Seal(SealError::UnknownKey(_)),
                ..
            }
        )
    }
}

/// Why a record was not put into service. What was served before goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// The seal does not open.
    #[error("{id} generation {generation} does not open: {source}")]
    Open {
        /// The certificate.
        id: CertificateId,
        /// The generation.
        generation: Generation,
        /// Why.
        source: OpenError,
    },
    /// It opened, but is not fit to serve.
    #[error("{id} generation {generation} is not fit to serve: {source}")]
    Rejected {
        /// The certificate.
        id: CertificateId,
        /// The generation.
        generation: Generation,
        /// Why.
        source: Rejected,
    },
    /// It could not be read at all.
    #[error(transparent)]
    Store(#[from] certfleet_store::StoreError),
}
