//! The seams of a [`Memory`] that outlive no process in any local store.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Answer, CertificateId, ChallengeKind, DomainName, NodeId};

use super::Memory;
use crate::{
    ChallengeBoard, EventLog, NodeRegistry, Permissions, StoreError, event::Event,
    permission::Permission, registry::Heartbeat,
};

#[async_trait]
impl ChallengeBoard for Memory {
    async fn post(
        &self,
        id: &CertificateId,
        answer: &Answer,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let now = self.now();
        self.state("post")?.board.post(id, answer, ttl, now);
        Ok(())
    }

    async fn answer(&self, kind: ChallengeKind, key: &str) -> Result<Option<Answer>, StoreError> {
        let now = self.now();
        Ok(self.state("answer")?.board.answer(kind, key, now))
    }

    async fn withdraw(
        &self,
        id: &CertificateId,
        answer: &Answer,
        linger: Duration,
    ) -> Result<(), StoreError> {
        let now = self.now();
        self.state("withdraw")?
            .board
            .withdraw(id, answer, linger, now);
        Ok(())
    }

    async fn posted(&self, id: &CertificateId) -> Result<Vec<Answer>, StoreError> {
        let now = self.now();
        Ok(self.state("posted")?.board.posted(id, now))
    }
}

#[async_trait]
impl Permissions for Memory {
    async fn permission(
        &self,
        name: &DomainName,
        asking: Duration,
    ) -> Result<Permission, StoreError> {
        let now = self.now();
        Ok(self.state("permission")?.permission(name, asking, now))
    }

    async fn answer_permission(
        &self,
        name: &DomainName,
        allowed: bool,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let now = self.now();
        self.state("answer_permission")?
            .answer_permission(name, allowed, ttl, now);
        Ok(())
    }
}

#[async_trait]
impl NodeRegistry for Memory {
    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<(), StoreError> {
        let now = self.now();
        self.state("beat")?.nodes.insert(
            heartbeat.node.clone(),
            heartbeat.clone(),
            now.after(ttl),
            now,
        );
        Ok(())
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        self.state("leave")?.nodes.remove(node);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<Heartbeat>, StoreError> {
        let now = self.now();
        let state = self.state("nodes")?;
        Ok(state
            .nodes
            .iter(now)
            .map(|(_, beat, _)| beat.clone())
            .collect())
    }
}

#[async_trait]
impl EventLog for Memory {
    async fn append(&self, event: &Event) -> Result<(), StoreError> {
        self.state("append")?.append(event.clone());
        Ok(())
    }

    async fn events(&self, most: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.state("events")?.events(most))
    }
}
