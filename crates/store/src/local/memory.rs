//! All seams in memory, for tests and simulations, and as the working half of
//! [`FileStore`](super::FileStore).
//!
//! Everything stands behind one lock that is never held across an await, and whether something
//! has expired is judged by the clock given: on tokio's paused time it is deterministic.
//!
//! For simulations a store has any number of links ([`Memory::link`]), each of which can be cut
//! and mended ([`Memory::set_available`]) as a network would be. Nothing is ever written to disk.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use certfleet_core::{CertificateId, NodeId, Record, Timestamp};
use tokio::sync::{broadcast, watch};

use super::{
    agenda::Agenda,
    ledger::{Ledger, Verdict},
    state::State,
    subscription::{LocalSubscription, Message},
};
use crate::{
    CertificateStore, ChangeFeed, Clock, CommitError, Lease, Leases, StoreError, Stored,
    feed::{Changes, Position, Subscription},
    lease::{Grant, Holder, Resource},
};

mod lasting;
mod volatile;

/// How many messages a subscription may fall behind before it is told to catch up instead.
const BACKLOG: usize = 256;

/// One link to a store in memory; it ends with its last link.
#[derive(Debug)]
pub struct Memory {
    shared: Arc<Shared>,
    /// Whether this link is whole. Shared with its subscriptions, which outlive it.
    available: Arc<watch::Sender<bool>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    messages: broadcast::Sender<Message>,
    clock: Arc<dyn Clock>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_ledger(Ledger::new(Agenda::new()), clock)
    }

    pub(super) fn with_ledger(ledger: Ledger, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::new(ledger)),
                messages: broadcast::Sender::new(BACKLOG),
                clock,
            }),
            available: Arc::new(watch::Sender::new(true)),
        }
    }

    /// Simulation: another link to the same store, such as a second node has.
    #[must_use]
    pub fn link(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            available: Arc::new(watch::Sender::new(true)),
        }
    }

    /// Simulation: cuts this link or mends it. While it is cut every operation through it fails
    /// with [`StoreError::Unavailable`], and its subscriptions hear nothing.
    pub fn set_available(&self, available: bool) {
        self.available.send_replace(available);
    }

    /// Simulation: the store loses everything, as a Redis that is flushed.
    pub fn lose_data(&self) {
        let mut state = self
            .shared
            .state
            .lock()
            .expect("nothing panics while it holds the state");
        *state = State::new(Ledger::new(Agenda::new()));
    }

    /// The state, unless the link is cut.
    pub(super) fn state(
        &self,
        operation: &'static str,
    ) -> Result<MutexGuard<'_, State>, StoreError> {
        if *self.available.borrow() {
            Ok(self
                .shared
                .state
                .lock()
                .expect("nothing panics while it holds the state"))
        } else {
            Err(unavailable(operation))
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Makes a commit that was allowed stand, and announces it while the state is still held, so
    /// that messages come in the order of epochs.
    pub(super) fn apply(&self, state: &mut State, stored: &Stored) {
        state.ledger.apply(stored.clone());
        self.announce(Message::Committed(Arc::new(stored.clone())));
    }

    /// Takes a certificate out and announces it, while the state is still held as well.
    pub(super) fn take_out(&self, state: &mut State, id: &CertificateId) {
        state.ledger.remove(id, self.now());
        self.announce(Message::Removed(id.clone()));
    }

    pub(super) fn announce(&self, message: Message) {
        // An error says that nobody listens, which is fine.
        let _ = self.shared.messages.send(message);
    }
}

/// What every operation through a cut link says.
pub(super) fn unavailable(operation: &'static str) -> StoreError {
    StoreError::Unavailable {
        store: "the store in memory".to_owned(),
        operation,
        source: "its link is cut".into(),
    }
}

#[async_trait]
impl CertificateStore for Memory {
    async fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError> {
        self.state("load")?.ledger.load(id)
    }

    async fn ids(&self) -> Result<Vec<CertificateId>, StoreError> {
        Ok(self.state("ids")?.ledger.ids())
    }

    async fn commit(&self, lease: &Lease, record: &Record) -> Result<Stored, CommitError> {
        let now = self.now();
        let mut state = self.state("commit")?;
        match state.judge(lease, record, now)? {
            Verdict::Stands(stored) => Ok(stored),
            Verdict::New(stored) => {
                self.apply(&mut state, &stored);
                Ok(stored)
            }
        }
    }

    async fn remove(&self, lease: &Lease, id: &CertificateId) -> Result<(), CommitError> {
        let now = self.now();
        let mut state = self.state("remove")?;
        state.check_live(lease, Resource::Certificate(id.clone()), now)?;
        self.take_out(&mut state, id);
        Ok(())
    }
}

#[async_trait]
impl Leases for Memory {
    async fn acquire_within(
        &self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        most: u32,
    ) -> Result<Grant, StoreError> {
        let now = self.now();
        Ok(self
            .state("acquire")?
            .acquire(resource, node, ttl, most, now))
    }

    async fn extend(&self, lease: &Lease) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(self.state("extend")?.extend(lease, now))
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(self.state("release")?.release(lease, now))
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        let now = self.now();
        Ok(self.state("holders")?.holders(now))
    }
}

#[async_trait]
impl ChangeFeed for Memory {
    async fn changes(&self, from: Option<&Position>) -> Result<Changes, StoreError> {
        Ok(self.state("changes")?.ledger.changes(from))
    }

    async fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(LocalSubscription::new(
            &self.shared.messages,
            &self.available,
        ))
    }
}

#[cfg(test)]
mod tests;
