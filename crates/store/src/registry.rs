//! The node registry: which nodes live, and what each serves.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Epoch, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// What a node says of itself with each heart-beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The node.
    pub node: NodeId,
    /// The version of certfleet it runs.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it said this.
    pub at: Timestamp,
    /// The epoch up to which it serves every certificate.
    pub epoch: Epoch,
    /// How many certificates it serves.
    pub certificates: u64,
    /// Whether it takes traffic.
    pub ready: bool,
}

/// Heart-beats of nodes. Each goes by itself after its time to live.
#[async_trait]
pub trait NodeRegistry: Send + Sync {
    /// Takes a heart-beat, good for `ttl`.
    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<(), StoreError>;

    /// Takes a node off the list at once, as it stops.
    async fn leave(&self, node: &NodeId) -> Result<(), StoreError>;

    /// The nodes alive, by name.
    async fn nodes(&self) -> Result<Vec<Heartbeat>, StoreError>;
}
