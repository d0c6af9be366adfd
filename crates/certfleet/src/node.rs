//! What all tasks of one node share: who it is, the fleet's backend, the keys, the time.
//!
//! It holds no task and decides nothing; each task is a module of its own.

use std::sync::Arc;

use certfleet_core::{FleetName, KeyRing, NodeId};
use certfleet_store::{Backend, Clock, event::EventKind};

use crate::{installer::Installer, journal::Journal, metrics::Metrics, wanted::WantedSet};

/// One node's identity and its ways to everything else.
pub(crate) struct Node {
    /// The fleet it belongs to.
    pub(crate) fleet: FleetName,
    /// Its own name.
    pub(crate) id: NodeId,
    /// The master keys.
    pub(crate) keys: Arc<KeyRing>,
    /// What the fleet shares.
    pub(crate) backend: Arc<dyn Backend>,
    /// The certificates it is to serve.
    pub(crate) wanted: WantedSet,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What Prometheus is told.
    pub(crate) metrics: Metrics,
    /// What people are told.
    pub(crate) journal: Journal,
    /// The way into service.
    pub(crate) installer: Installer,
}

impl Node {
    /// How many certificates are wanted that this node does not serve.
    pub(crate) fn missing(&self) -> u32 {
        let missing = self
            .wanted
            .count()
            .saturating_sub(self.installer.publisher().count());
        u32::try_from(missing).unwrap_or(u32::MAX)
    }

    /// Writes an event of this node to the journal.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers pass ids, texts and errors alike"
    )]
    pub(crate) fn note(&self, kind: EventKind, subject: impl ToString, detail: impl ToString) {
        self.journal.note(
            self.clock.now(),
            kind,
            subject.to_string(),
            detail.to_string(),
        );
    }
}
