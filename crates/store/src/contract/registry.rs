//! The node registry.

use certfleet_core::{Epoch, Timestamp};

use super::{BRIEF, LONG, eventually, sample::node};
use crate::{Backend, registry::Heartbeat};

fn heartbeat(name: &str, epoch: u64) -> Heartbeat {
    Heartbeat {
        node: node(name),
        version: "1.2.3".to_owned(),
        started_at: Timestamp::from_millis(1_900_000_000_123),
        at: Timestamp::from_millis(1_900_000_001_456),
        epoch: Epoch::new(epoch),
        certificates: 2,
        ready: true,
    }
}

/// Living nodes are listed by name, each with its last heart-beat.
pub async fn lists_nodes_by_name_with_their_last_words(backend: &dyn Backend) {
    assert_eq!(backend.nodes().await.unwrap(), []);
    for (name, epoch) in [("node-b", 1), ("node-a", 2), ("node-b", 3)] {
        backend.beat(&heartbeat(name, epoch), LONG).await.unwrap();
    }
    let wanted = [heartbeat("node-a", 2), heartbeat("node-b", 3)];
    assert_eq!(backend.nodes().await.unwrap(), wanted);
}

/// A node that says nothing any more goes by itself.
pub async fn forgets_a_silent_node(backend: &dyn Backend) {
    backend.beat(&heartbeat("node-a", 1), BRIEF).await.unwrap();
    backend.beat(&heartbeat("node-b", 1), LONG).await.unwrap();
    eventually("node-a is forgotten", async || {
        let nodes = backend.nodes().await.unwrap();
        (nodes == [heartbeat("node-b", 1)]).then_some(())
    })
    .await;
}

/// A node that stops in order is gone at once.
pub async fn forgets_a_leaving_node(backend: &dyn Backend) {
    backend.beat(&heartbeat("node-a", 1), LONG).await.unwrap();
    backend.leave(&node("node-a")).await.unwrap();
    backend.leave(&node("node-c")).await.unwrap();
    assert_eq!(backend.nodes().await.unwrap(), []);
}
