//! The renewer: finds what is due in the fleet's schedule and works on it, a few at a time.
//!
//! Every node runs one; the lease decides which of them works. It looks on a timer and whenever it
//! is woken, and while a peer holds the lease on something due it asks again often, so that a peer's
//! death costs little more than the rest of its lease. With the store away it does nothing at all:
//! no lease, no order.

mod queue;

use std::{sync::Arc, time::Duration};

use certfleet_core::{CertificateId, Generation, policy};
use certfleet_store::StoreError;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::queue::Queue;
use crate::{
    issuance::{Issuance, Outcome},
    issuers::Issuers,
    node::Node,
    progress::Progress,
    wanted::Goal,
};

/// How many due certificates are looked at in one go: far more than the fleet works on at a time,
/// so that nodes that take from the same batch seldom meet.
const BATCH: usize = 256;
/// How many unknown certificates among them are looked up on the list of those wanted.
const STRANGERS: usize = 16;
/// How often a lease that a peer holds is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Works on what is due.
pub(crate) struct Renewer {
    node: Arc<Node>,
    issuers: Arc<Issuers>,
    issuance: Arc<Issuance>,
    progress: Arc<Progress>,
    pace: Pace,
}

/// How a renewer goes about its work.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// How long it rests after the start.
    pub(crate) pause: Duration,
    /// How often it looks by itself.
    pub(crate) check: Duration,
    /// How many certificates it works on at a time.
    pub(crate) at_once: usize,
}

type Working = JoinSet<(CertificateId, Outcome)>;

impl Renewer {
    /// A renewer of what `node` wants.
    pub(crate) fn new(
        node: Arc<Node>,
        issuers: Arc<Issuers>,
        issuance: Issuance,
        progress: Arc<Progress>,
        pace: Pace,
    ) -> Self {
        Self {
            node,
            issuers,
            issuance: Arc::new(issuance),
            progress,
            pace,
        }
    }

    /// Works until told to stop, then finishes what is in hand: an order dropped here would be a
    /// second order elsewhere. On `abort` that is dropped too, and its leases are given back.
    pub(crate) async fn run(self, stop: CancellationToken, abort: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(self.pace.pause) => {}
        }
        let mut working = Working::new();
        let mut queue = Queue::default();
        let mut timer = interval(self.pace.check);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = timer.tick() => queue.forget_look(),
                () = self.progress.due.notified() => queue.forget_look(),
                Some(done) = working.join_next() => self.finished(done, &mut queue),
            }
            self.begin(&mut working, &mut queue, &abort).await;
            if let Some(end) = queue.next_rest_ends() {
                let soon = end.saturating_duration_since(Instant::now());
                timer.reset_after(soon.min(self.pace.check));
            }
        }
        while working.join_next().await.is_some() {}
    }

    /// Begins as much as may be done at a time.
    async fn begin(&self, working: &mut Working, queue: &mut Queue, abort: &CancellationToken) {
        while working.len() < self.pace.at_once {
            if queue.wants_look(Instant::now())
                && let Err(error) = self.look(queue).await
            {
                tracing::debug!(%error, "cannot look what is due");
                return;
            }
            let Some((id, served)) = queue.take() else {
                return;
            };
            // A peer that has renewed it meanwhile was heard of by the feed.
            let goal = self
                .node
                .wanted
                .get(&id)
                .filter(|_| self.serves(&id) == served);
            match goal {
                Some(goal) => self.start(working, id, goal, abort.clone()),
                None => queue.put_back(&id, None),
            }
        }
    }

    /// The generation that this node serves; zero if none.
    fn serves(&self, id: &CertificateId) -> Generation {
        let served = self.node.installer.publisher().generation(id);
        served.unwrap_or(Generation::ZERO)
    }

    fn start(
        &self,
        working: &mut Working,
        id: CertificateId,
        goal: Goal,
        abort: CancellationToken,
    ) {
        let issuance = Arc::clone(&self.issuance);
        let span = tracing::info_span!("renewal", certificate = %id);
        let work = async move {
            let outcome = issuance.attempt(&id, &goal, &abort).await;
            (id, outcome)
        };
        working.spawn(work.instrument(span));
    }

    fn finished(&self, done: Result<(CertificateId, Outcome), JoinError>, queue: &mut Queue) {
        let now = Instant::now();
        match done {
            Ok((id, outcome)) => {
                let rest = match outcome {
                    Outcome::HeldByPeer => Some(now + ASK_AGAIN),
                    Outcome::Full => {
                        queue.pause(now + ASK_AGAIN);
                        None
                    }
                    Outcome::Dropped => Some(now + self.pace.check),
                    // Another way of validation may be due at once.
                    Outcome::Failed => {
                        queue.forget_look();
                        None
                    }
                    _ => None,
                };
                queue.put_back(&id, rest);
            }
            Err(error) => {
                tracing::error!(%error, "an attempt to renew has died; its lease will expire");
                self.node.metrics.task_deaths.inc();
                queue.forget_in_hand();
            }
        }
    }

    /// Looks what is due, once all that is wanted is on the schedule.
    async fn look(&self, queue: &mut Queue) -> Result<(), StoreError> {
        let node = &*self.node;
        if self.progress.take_refilled()
            && let Err(error) = self.enter_all().await
        {
            self.progress.refilled();
            return Err(error);
        }
        let now = Instant::now();
        let most = BATCH + queue.foreign(now);
        let due = node.backend.due(node.clock.now(), most).await?;
        let full = due.len() == most;
        let mut strangers = 0;
        let mut ready = Vec::with_capacity(due.len());
        for id in due {
            if queue.is_taken(&id, now) {
                continue;
            }
            if !node.wanted.contains(&id) {
                strangers += 1;
                if strangers > STRANGERS {
                    continue;
                }
                // The message that it was added may have been lost.
                let Some(wanted) = node.backend.wanted_one(&id).await? else {
                    queue.refuse(id, now + self.pace.check);
                    continue;
                };
                node.wanted.add(wanted);
            }
            let served = self.serves(&id);
            ready.push((id, served));
        }
        queue.fill(ready, full, now);
        Ok(())
    }

    /// Puts all that is wanted on the schedule: at the first look, and after the store has lost its
    /// data.
    async fn enter_all(&self) -> Result<(), StoreError> {
        let node = &*self.node;
        for wanted in node.backend.wanted().await? {
            match wanted {
                Ok(wanted) => node.wanted.add(wanted),
                Err(error) => tracing::warn!(%error, "a wanted certificate cannot be read"),
            }
        }
        for served in node.installer.publisher().served() {
            // A snapshot may hold what was removed while this node was down.
            if !node.wanted.contains(&served.id) && node.backend.load(&served.id).await?.is_none() {
                node.installer.retract(&served.id).await;
            }
        }
        let now = node.clock.now();
        let (mut entries, mut switching) = (Vec::new(), Vec::new());
        for id in node.wanted.ids() {
            let served = node.installer.served(&id);
            let at = served.as_ref().map_or(now, |stored| stored.record.renew_at);
            if let Some(served) = served
                && self.is_of_another_issuer(&id, &served.record.ca)
            {
                switching.push(id.clone());
            }
            entries.push((id, at));
        }
        node.backend.enter(&entries).await?;
        for id in switching {
            let at = policy::switch_at(&id, now);
            node.backend.advance(&id, at).await?;
        }
        Ok(())
    }

    /// Whether a certificate of `ca` is of none of the issuers that its terms name now.
    fn is_of_another_issuer(&self, id: &CertificateId, ca: &str) -> bool {
        let Some(goal) = self.node.wanted.get(id) else {
            return false;
        };
        if ca.is_empty() {
            return false;
        }
        let known = |name| {
            self.issuers
                .entry(name)
                .is_ok_and(|e| e.source.name() == ca)
        };
        !goal.terms.issuers.iter().any(known)
    }
}
