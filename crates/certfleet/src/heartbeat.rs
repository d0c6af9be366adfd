//! The heart-beat: tells the fleet that this node lives and which epoch it serves.
//!
//! It beats on a timer and right after what is served has changed, so that operators see each
//! node acknowledge a new certificate.

use std::{sync::Arc, time::Duration};

use certfleet_core::Timestamp;
use certfleet_store::registry::Heartbeat;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{health::Health, node::Node, progress::Progress};

/// How often a node beats.
const EVERY: Duration = Duration::from_secs(5);
/// How long one beat is good for: two may be lost.
const GOOD_FOR: Duration = Duration::from_secs(16);
/// The least time between two beats, however much changes.
const REST: Duration = Duration::from_millis(100);

/// Beats.
pub(crate) struct Heart {
    node: Arc<Node>,
    progress: Arc<Progress>,
    health: Arc<Health>,
    started_at: Timestamp,
}

impl Heart {
    /// The heart of a node that starts now.
    pub(crate) fn new(node: Arc<Node>, progress: Arc<Progress>, health: Arc<Health>) -> Self {
        let started_at = node.clock.now();
        Self {
            node,
            progress,
            health,
            started_at,
        }
    }

    /// Beats until told to stop, then takes the node off the fleet's list.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut timer = interval(EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = timer.tick() => {}
                () = self.progress.changed.notified() => {}
            }
            let backend = &self.node.backend;
            if let Err(error) = backend.beat(&self.heartbeat(), GOOD_FOR).await {
                tracing::debug!(%error, "the heart-beat was not heard");
            }
            tokio::time::sleep(REST).await;
        }
        if let Err(error) = self.node.backend.leave(&self.node.id).await {
            tracing::debug!(%error, "the node stays on the list until its last beat expires");
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            node: self.node.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            at: self.node.clock.now(),
            epoch: self.progress.epoch(),
            certificates: self.node.installer.publisher().count() as u64,
            ready: self.health.is_ready(),
        }
    }
}
