//! Health: what this node serves, and whether traffic should come to it.
//!
//! A node is ready when it serves a certificate, or is to serve none yet, and is not stopping. It is
//! ready without one, too, where the CA is to validate by tls-alpn-01 first: a balancer that asks for
//! readiness would keep the CA away for ever. A store that is away does not make it unready: it goes
//! on serving what it holds, and says so (P8).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use certfleet_core::ChallengeKind;

use crate::{
    node::Node,
    progress::Progress,
    status::{Certificate, Status},
};

/// How many missing certificates are told by name.
const TOLD: usize = 10;

/// Judges a node's health.
pub(crate) struct Health {
    node: Arc<Node>,
    progress: Arc<Progress>,
    stopping: AtomicBool,
}

impl Health {
    /// The health of a node that is to serve `wanted`.
    pub(crate) fn new(node: Arc<Node>, progress: Arc<Progress>) -> Self {
        Self {
            node,
            progress,
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on the node is not ready.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.progress.changed.notify_one();
    }

    /// Whether traffic should come here; the same as in [`Self::status`], and cheaper.
    pub(crate) fn is_ready(&self) -> bool {
        let node = &*self.node;
        let serves = || node.installer.publisher().count() > 0;
        // The CA comes by the same way as clients do, and must get through.
        let is_validated_by_tls = || node.wanted.any_begins_with(ChallengeKind::TlsAlpn01);
        !self.is_stopping() && (serves() || node.wanted.is_empty() || is_validated_by_tls())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The node's status now: a list of all it serves.
    pub(crate) fn status(&self) -> Status {
        let mut certificates: Vec<_> = self
            .node
            .installer
            .publisher()
            .served()
            .into_iter()
            .map(|served| Certificate {
                id: served.id,
                names: served.names,
                serial: served.leaf.serial.clone(),
                not_after: served.leaf.not_after,
                generation: served.generation,
            })
            .collect();
        certificates.sort_by(|a, b| a.id.cmp(&b.id));
        let stopping = self.is_stopping();
        let store_up = self.progress.connected();
        let mut reasons = Vec::new();
        if stopping {
            reasons.push("the node is stopping".to_owned());
        }
        if !store_up {
            reasons.push("the store is away; what is served comes from memory".to_owned());
        }
        let mut missing = self.node.wanted.ids();
        missing.retain(|id| {
            let found = certificates.binary_search_by(|served| served.id.cmp(id));
            found.is_err()
        });
        for id in missing.iter().take(TOLD) {
            reasons.push(format!("no certificate yet for {id}"));
        }
        if missing.len() > TOLD {
            reasons.push(format!("nor for {} others", missing.len() - TOLD));
        }
        Status {
            node: self.node.id.clone(),
            ready: self.is_ready(),
            reasons,
            store_up,
            epoch: self.progress.epoch(),
            certificates,
        }
    }
}
