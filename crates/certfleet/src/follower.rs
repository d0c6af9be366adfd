//! The follower: keeps what this node serves in step with the fleet.
//!
//! Announcements make it fast; the position makes it right. It catches up whenever the
//! subscription stands (again), whenever an epoch was skipped, and on a timer, so a lost message
//! costs time but never a certificate (P3).

use std::{sync::Arc, time::Duration};

use certfleet_core::{CertificateId, Epoch};
use certfleet_store::{
    StoreError, Stored,
    event::EventKind,
    feed::{Position, Signal, Subscription},
};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{installer::InstallError, node::Node, progress::Progress};

/// How long a message may take after the timer has found what it tells.
const GRACE: Duration = Duration::from_secs(2);

/// Follows the feed.
pub(crate) struct Follower {
    node: Arc<Node>,
    progress: Arc<Progress>,
    position: Option<Position>,
    /// An epoch found by the timer, whose message is still to come.
    untold: Option<Epoch>,
}

impl Follower {
    /// A follower that has seen nothing yet.
    pub(crate) fn new(node: Arc<Node>, progress: Arc<Progress>) -> Self {
        Self {
            node,
            progress,
            position: None,
            untold: None,
        }
    }

    /// Takes everything there is, once: what a node does before it says it is ready.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub(crate) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let answer = self.node.backend.changes(self.position.as_ref()).await;
        self.set_connected(answer.is_ok());
        let changes = answer?;
        for stored in changes.changed {
            match stored {
                Ok(stored) => self.install(&stored, false).await,
                Err(error) => self.refuse(&InstallError::Store(error)),
            }
        }
        for id in &changes.removed {
            self.retract(id).await;
        }
        if changes.complete {
            self.progress.refilled();
            self.progress.due.notify_one();
        }
        self.advance(changes.position);
        Ok(())
    }

    /// Follows until told to stop; looks by itself every `check`.
    pub(crate) async fn run(mut self, check: Duration, stop: CancellationToken) {
        let mut subscription = self.node.backend.subscribe().await;
        let mut timer = interval(check);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer.reset();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                signal = subscription.next() => self.hear(signal).await,
                _ = timer.tick() => self.look(&mut subscription, &mut timer).await,
            }
        }
    }

    async fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Connected => {
                self.untold = None;
                self.try_catch_up().await;
                self.progress.due.notify_one();
            }
            Signal::Committed(stored) => {
                self.untold.take_if(|untold| *untold <= stored.epoch);
                let expected = self.position.as_ref().map(|position| position.epoch.next());
                self.install(&stored, true).await;
                match &self.position {
                    Some(position) if expected == Some(stored.epoch) => {
                        let incarnation = position.incarnation.clone();
                        self.advance(Position {
                            incarnation,
                            epoch: stored.epoch,
                        });
                    }
                    // Already seen by a catch-up that was faster than the message.
                    Some(position) if stored.epoch <= position.epoch => {}
                    _ => self.try_catch_up().await,
                }
            }
            Signal::Due(_) => self.progress.due.notify_one(),
            Signal::Wanted(id) => self.learn(&id).await,
            Signal::Removed(id) => {
                self.retract(&id).await;
                self.try_catch_up().await;
            }
            Signal::Unreadable(error) => {
                self.refuse(&InstallError::Store(error));
                self.try_catch_up().await;
            }
            Signal::Disconnected(error) => {
                self.set_connected(false);
                tracing::warn!(%error, "the store is away; serving goes on with what is held");
            }
        }
    }

    /// Compares with the store, and judges the subscription by it: a change that the timer found
    /// first must be told by a message within [`GRACE`], or the subscription is deaf and made anew.
    async fn look(&mut self, subscription: &mut Box<dyn Subscription>, timer: &mut Interval) {
        if self.untold.take().is_some() {
            self.node.metrics.feed_missed.inc();
            tracing::warn!("the feed is deaf: a change came by the timer alone; subscribing anew");
            *subscription = self.node.backend.subscribe().await;
            return;
        }
        let before = self.position.clone();
        self.try_catch_up().await;
        if before.is_some() && self.position != before && self.progress.connected() {
            self.untold = Some(self.progress.epoch());
            timer.reset_after(GRACE);
        }
    }

    async fn try_catch_up(&mut self) {
        if let Err(error) = self.catch_up().await {
            tracing::warn!(%error, "cannot catch up; will try again");
        }
    }

    async fn install(&self, stored: &Stored, announced: bool) {
        let node = &self.node;
        match node.installer.install(stored).await {
            Ok(None) => {}
            Ok(Some(live_at)) => {
                let after = live_at.since(stored.committed_at);
                if announced {
                    node.metrics.propagation.observe(after.as_secs_f64());
                }
                let record = &stored.record;
                node.metrics.settled(&record.id());
                node.note(
                    EventKind::Installed,
                    record.id(),
                    format!(
                        "generation {} serial {} epoch {} live {} ms after commit",
                        record.generation,
                        record.serial,
                        stored.epoch,
                        after.as_millis()
                    ),
                );
                self.progress.changed.notify_one();
            }
            Err(error) => self.refuse(&error),
        }
    }

    /// A certificate is wanted, or on other terms.
    async fn learn(&self, id: &CertificateId) {
        match self.node.backend.wanted_one(id).await {
            Ok(Some(wanted)) => self.node.wanted.add(wanted),
            // Removed meanwhile.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "what is wanted cannot be read; the schedule tells")
            }
        }
        self.progress.due.notify_one();
    }

    async fn retract(&self, id: &CertificateId) {
        let node = &self.node;
        node.wanted.remove(id);
        node.metrics.forget(id);
        if node.installer.retract(id).await {
            tracing::info!(%id, "served no longer: it was removed");
            self.progress.changed.notify_one();
        }
    }

    fn refuse(&self, error: &InstallError) {
        let subject = match error {
            InstallError::Open { id, .. } | InstallError::Rejected { id, .. } => id.to_string(),
            InstallError::Store(_) => String::new(),
        };
        self.node.metrics.refused.inc();
        self.node.note(
            EventKind::SealRefused,
            subject,
            format!("{error}; what is served stays"),
        );
    }

    fn advance(&mut self, position: Position) {
        self.progress.advance(position.epoch);
        self.position = Some(position);
    }

    fn set_connected(&self, connected: bool) {
        if self.progress.set_connected(connected) && connected {
            tracing::info!("the store is there");
        }
    }
}
