//! The seams of a [`FileStore`] that are in memory alone.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Answer, CertificateId, ChallengeKind, DomainName, NodeId};

use super::FileStore;
use crate::{
    ChallengeBoard, ChangeFeed, EventLog, NodeRegistry, Permissions, StoreError,
    event::Event,
    feed::{Changes, Position, Subscription},
    permission::Permission,
    registry::Heartbeat,
};

#[async_trait]
impl ChangeFeed for FileStore {
    async fn changes(&self, from: Option<&Position>) -> Result<Changes, StoreError> {
        self.inner.memory.changes(from).await
    }

    async fn subscribe(&self) -> Box<dyn Subscription> {
        self.inner.memory.subscribe().await
    }
}

#[async_trait]
impl ChallengeBoard for FileStore {
    async fn post(
        &self,
        id: &CertificateId,
        answer: &Answer,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.inner.memory.post(id, answer, ttl).await
    }

    async fn answer(&self, kind: ChallengeKind, key: &str) -> Result<Option<Answer>, StoreError> {
        self.inner.memory.answer(kind, key).await
    }

    async fn withdraw(
        &self,
        id: &CertificateId,
        answer: &Answer,
        linger: Duration,
    ) -> Result<(), StoreError> {
        self.inner.memory.withdraw(id, answer, linger).await
    }

    async fn posted(&self, id: &CertificateId) -> Result<Vec<Answer>, StoreError> {
        self.inner.memory.posted(id).await
    }
}

#[async_trait]
impl Permissions for FileStore {
    async fn permission(
        &self,
        name: &DomainName,
        asking: Duration,
    ) -> Result<Permission, StoreError> {
        self.inner.memory.permission(name, asking).await
    }

    async fn answer_permission(
        &self,
        name: &DomainName,
        allowed: bool,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.inner
            .memory
            .answer_permission(name, allowed, ttl)
            .await
    }
}

#[async_trait]
impl NodeRegistry for FileStore {
    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<(), StoreError> {
        self.inner.memory.beat(heartbeat, ttl).await
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        self.inner.memory.leave(node).await
    }

    async fn nodes(&self) -> Result<Vec<Heartbeat>, StoreError> {
        self.inner.memory.nodes().await
    }
}

#[async_trait]
impl EventLog for FileStore {
    async fn append(&self, event: &Event) -> Result<(), StoreError> {
        self.inner.memory.append(event).await
    }

    async fn events(&self, most: usize) -> Result<Vec<Event>, StoreError> {
        self.inner.memory.events(most).await
    }
}
