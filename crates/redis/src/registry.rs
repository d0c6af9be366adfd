//! The node registry in Redis: a hash for each node, which goes by itself, and an index of them.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Epoch, NodeId};
use certfleet_store::{NodeRegistry, StoreError, registry::Heartbeat};
use redis::cmd;

use crate::{
    Redis,
    hash::Hash,
    scripts::{self, millis},
};

#[async_trait]
impl NodeRegistry for Redis {
    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<(), StoreError> {
        let at = self.keys().node(&heartbeat.node);
        let mut script = scripts::BEAT.key(&at);
        script
            .key(&self.keys().nodes)
            .arg(heartbeat.node.as_str())
            .arg(millis(ttl))
            .arg("node")
            .arg(heartbeat.node.as_str())
            .arg("version")
            .arg(&heartbeat.version)
            .arg("started_at")
            .arg(heartbeat.started_at.to_string())
            .arg("at")
            .arg(heartbeat.at.to_string())
            .arg("epoch")
            .arg(heartbeat.epoch.value())
            .arg("certificates")
            .arg(heartbeat.certificates)
            .arg("ready")
            .arg(heartbeat.ready.to_string());
        self.call("beat", &at, &script).await
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        let at = self.keys().node(node);
        let mut script = scripts::LEAVE.key(&at);
        script.key(&self.keys().nodes).arg(node.as_str());
        self.call("leave", &at, &script).await
    }

    async fn nodes(&self) -> Result<Vec<Heartbeat>, StoreError> {
        let index = &self.keys().nodes;
        let mut names: Vec<String> = self
            .run("nodes", index, cmd("ZRANGE").arg(index).arg(0).arg(-1))
            .await?;
        names.sort();
        let keys = names.iter().map(|name| self.keys().node_named(name));
        let hashes = self.hashes("nodes", keys.collect()).await?;
        // A node that is gone may still be in the index.
        let present = hashes.into_iter().filter_map(Result::transpose);
        present.map(|hash| heartbeat(&hash?)).collect()
    }
}

fn heartbeat(hash: &Hash) -> Result<Heartbeat, StoreError> {
    Ok(Heartbeat {
        node: hash.field("node")?,
        version: hash.field("version")?,
        started_at: hash.field("started_at")?,
        at: hash.field("at")?,
        epoch: Epoch::new(hash.field("epoch")?),
        certificates: hash.field("certificates")?,
        ready: hash.field("ready")?,
    })
}
