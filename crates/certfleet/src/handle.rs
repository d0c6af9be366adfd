//! A handle on a node: its status and metrics, readable from anywhere and as often as liked.

use std::{fmt, sync::Arc};

use certfleet_core::NodeId;
use certfleet_store::{Backend, event::EventKind};
use certfleet_tls::Stats;

use crate::{health::Health, node::Node, operator::Operator, status::Status};

/// Reads a running node. Cloning it is cheap.
#[derive(Clone)]
pub struct Handle {
    node: Arc<Node>,
    health: Arc<Health>,
    https: Arc<Stats>,
    http: Arc<Stats>,
}

impl Handle {
    pub(crate) fn new(node: Arc<Node>, health: Arc<Health>) -> Self {
        Self {
            node,
            health,
            https: Arc::default(),
            http: Arc::default(),
        }
    }

    /// What the node serves, and whether it takes traffic.
    #[must_use]
    pub fn status(&self) -> Status {
        self.health.status()
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node.id
    }

    /// Whether traffic should come to the node. It takes no list of what is served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.health.is_ready()
    }

    /// The node's metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let now = self.node.clock.now();
        self.node
            .metrics
            .text(&self.status(), &self.https, &self.http, now)
    }

    /// Adds, removes, renews and revokes certificates of the fleet.
    #[must_use]
    pub fn operator(&self) -> Operator {
        let node = &self.node;
        Operator::new(
            node.fleet.clone(),
            node.id.clone(),
            Arc::clone(&node.backend),
            Arc::clone(&node.clock),
        )
    }

    /// The fleet's store, as this node has it open.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.node.backend)
    }

    /// The counters of the HTTPS port.
    pub(crate) fn https(&self) -> Arc<Stats> {
        Arc::clone(&self.https)
    }

    /// The counters of the HTTP port.
    pub(crate) fn http(&self) -> Arc<Stats> {
        Arc::clone(&self.http)
    }

    pub(crate) fn stopping(&self) {
        self.health.stop();
    }

    pub(crate) fn note(&self, kind: EventKind) {
        self.node.note(kind, "", "");
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("node", &self.node.id)
            .finish_non_exhaustive()
    }
}
