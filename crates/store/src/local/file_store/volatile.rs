//! The seams of a [`FileStore`] that are in memory alone.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::NodeId;

use super::FileStore;
use crate::{
    ChallengeBoard, ChangeFeed, EventLog, NodeRegistry, StoreError,
    event::Event,
    feed::{Changes, Position, Subscription},
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
        token: &str,
        key_authorization: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.inner.memory.post(token, key_authorization, ttl).await
    }

    async fn answer(&self, token: &str) -> Result<Option<String>, StoreError> {
        self.inner.memory.answer(token).await
    }

    async fn withdraw(&self, token: &str) -> Result<(), StoreError> {
        self.inner.memory.withdraw(token).await
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
