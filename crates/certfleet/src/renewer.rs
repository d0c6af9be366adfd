//! The renewer: finds what is due in the fleet's schedule and works on it, a few at a time.
//!
//! Every node runs one; the lease decides which of them works. It looks on a timer and whenever
//! it is woken, and while a peer holds the lease on something due it asks again often, so that a
//! peer's death costs little more than the rest of its lease. With the store away it does nothing
//! at all: no lease, no order.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use certfleet_core::{CertificateId, NameSet};
use certfleet_store::StoreError;
use tokio::{
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    issuance::{Issuance, Outcome},
    node::Node,
    progress::Progress,
};

/// How many certificates one node works on at a time.
const AT_ONCE: usize = 8;
/// How many due certificates are looked at in one go.
const LOOK_AHEAD: usize = 256;
/// How often a lease that a peer holds is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Works on what is due.
pub(crate) struct Renewer {
    node: Arc<Node>,
    issuance: Arc<Issuance>,
    progress: Arc<Progress>,
    wanted: HashMap<CertificateId, NameSet>,
}

impl Renewer {
    /// A renewer for the `wanted` certificates.
    pub(crate) fn new(
        node: Arc<Node>,
        issuance: Issuance,
        progress: Arc<Progress>,
        wanted: &[NameSet],
    ) -> Self {
        let wanted = wanted
            .iter()
            .map(|names| (names.id(), names.clone()))
            .collect();
        Self {
            node,
            issuance: Arc::new(issuance),
            progress,
            wanted,
        }
    }

    /// After a `pause`, works until told to stop, then finishes what is in hand: an order dropped here would be a
    /// second order elsewhere. On `abort` that is dropped too, and its leases are given back.
    pub(crate) async fn run(
        self,
        pause: Duration,
        check: Duration,
        stop: CancellationToken,
        abort: CancellationToken,
    ) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        let mut working = JoinSet::new();
        let mut in_hand = HashSet::new();
        let mut timer = interval(check);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = timer.tick() => {}
                () = self.progress.due.notified() => {}
                Some(done) = working.join_next() => match self.finished(done) {
                    Some((id, Outcome::HeldByPeer)) => {
                        in_hand.remove(&id);
                        timer.reset_after(ASK_AGAIN.min(check));
                        continue;
                    }
                    Some((id, _)) => {
                        in_hand.remove(&id);
                    }
                    None => in_hand.clear(),
                },
            }
            let due = match self.due().await {
                Ok(due) => due,
                Err(error) => {
                    tracing::debug!(%error, "cannot look what is due");
                    continue;
                }
            };
            for id in due {
                if working.len() >= AT_ONCE {
                    break;
                }
                let Some(names) = self.wanted.get(&id) else {
                    continue;
                };
                if in_hand.insert(id.clone()) {
                    self.start(&mut working, id, names.clone(), &abort);
                }
            }
        }
        while working.join_next().await.is_some() {}
    }

    fn start(
        &self,
        working: &mut JoinSet<(CertificateId, Outcome)>,
        id: CertificateId,
        names: NameSet,
        abort: &CancellationToken,
    ) {
        let (issuance, abort) = (Arc::clone(&self.issuance), abort.clone());
        let span = tracing::info_span!("renewal", certificate = %id);
        let work = async move {
            let outcome = issuance.attempt(&id, &names, &abort).await;
            (id, outcome)
        };
        working.spawn(work.instrument(span));
    }

    fn finished(
        &self,
        done: Result<(CertificateId, Outcome), JoinError>,
    ) -> Option<(CertificateId, Outcome)> {
        done.inspect_err(|error| {
            tracing::error!(%error, "an attempt to renew has died; its lease will expire");
            self.node.metrics.task_deaths.inc();
        })
        .ok()
    }

    /// What is due, once all that is wanted is on the schedule: at the first look, and after the
    /// store has lost its data.
    async fn due(&self) -> Result<Vec<CertificateId>, StoreError> {
        let backend = &*self.node.backend;
        if self.progress.take_refilled() {
            for id in self.wanted.keys() {
                let served = self.node.installer.served(id);
                let at =
                    served.map_or_else(|| self.node.clock.now(), |stored| stored.record.renew_at);
                if let Err(error) = backend.enter(id, at).await {
                    self.progress.refilled();
                    return Err(error);
                }
            }
        }
        backend.due(self.node.clock.now(), LOOK_AHEAD).await
    }
}
