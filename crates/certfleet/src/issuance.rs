//! One attempt at one certificate, from lease to lease: the middle of a certificate's life.
//!
//! lease → read again → clear what a dead node left → (restore | budget → order → challenges →
//! validation → bundle) → verify → seal → commit → install → revoke what was to be → release.
//! Losing the lease drops the work at once (P2). A failure at any arrow leaves what is served alone,
//! is written down for the whole fleet, and frees the lease.

mod dossier;
mod failure;
mod ordering;
mod revoking;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use certfleet_core::{
    Bundle, CertificateId, Generation, Record, record::Draft, retry::RetrySchedule,
};
use certfleet_store::{
    CommitError, Lease, Stored,
    event::EventKind,
    lease::{self, Grant, Lost, Resource},
};
use certfleet_tls::Verified;
use tokio_util::sync::CancellationToken;

pub(crate) use self::failure::jitter;
use self::{dossier::Dossier, failure::AttemptError, ordering::Issued};
use crate::{
    challenge::Answers, installer::InstallError, issuers::Issuers, node::Node, on_demand::Gate,
    wanted::Goal,
};

/// How long to wait before a commit whose reply did not come is sent again.
const COMMIT_AGAIN: Duration = Duration::from_millis(250);

/// Makes attempts.
pub(crate) struct Issuance {
    node: Arc<Node>,
    issuers: Arc<Issuers>,
    answers: Arc<Answers>,
    /// Who says whether a name that a client asked for may still have a certificate.
    gate: Option<Arc<Gate>>,
    rules: Rules,
    /// Bundles the CA has issued but the store could not take: committed by the next attempt
    /// instead of a second order. Keyed with the generation they were meant to follow.
    unsettled: Mutex<HashMap<CertificateId, (Generation, Issued)>>,
}

/// The rules that hold for every attempt.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How failed attempts are spaced.
    pub(crate) retry: RetrySchedule,
    /// How long a lease lasts without being extended.
    pub(crate) lease_ttl: Duration,
    /// How many certificates the whole fleet works on at a time.
    pub(crate) per_fleet: u32,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A new generation is committed and served here, or what stood was put back.
    Renewed,
    /// Nothing was to do: a peer had done it.
    NotDue,
    /// A peer works on it.
    HeldByPeer,
    /// The fleet works on as many as it may.
    Full,
    /// It waits, for the budget or because the CA asked for it.
    Waiting,
    /// It failed; the schedule says when it is tried again.
    Failed,
    /// It is not wanted any more.
    Removed,
    /// The store is away, this node is not fit, or it is stopping; nothing was written down.
    Dropped,
}

impl Issuance {
    /// Attempts with the given issuers, answers and rules.
    pub(crate) fn new(
        node: Arc<Node>,
        issuers: Arc<Issuers>,
        answers: Arc<Answers>,
        gate: Option<Arc<Gate>>,
        rules: Rules,
    ) -> Self {
        Self {
            node,
            issuers,
            answers,
            gate,
            rules,
            unsettled: Mutex::default(),
        }
    }

    /// Makes one attempt, if no peer is at it; `abort` drops it.
    pub(crate) async fn attempt(
        &self,
        id: &CertificateId,
        goal: &Goal,
        abort: &CancellationToken,
    ) -> Outcome {
        let node = &*self.node;
        let resource = Resource::Certificate(id.clone());
        let Rules {
            lease_ttl,
            per_fleet,
            ..
        } = self.rules;
        let granted = node
            .backend
            .acquire_within(&resource, &node.id, lease_ttl, per_fleet);
        let lease = match granted.await {
            Ok(Grant::Granted(lease)) => lease,
            Ok(Grant::Held) => return Outcome::HeldByPeer,
            Ok(Grant::Full) => return Outcome::Full,
            Err(error) => {
                tracing::warn!(%error, "no lease, so no order");
                return Outcome::Dropped;
            }
        };
        let held = node.metrics.hold_lease();
        node.note(
            EventKind::LeaseAcquired,
            id,
            format!("fencing {}", lease.fencing),
        );
        let work = lease::hold(&*node.backend, &lease, self.work(&lease, id, goal));
        let outcome = tokio::select! {
            () = abort.cancelled() => Outcome::Dropped,
            done = work => self.settle(id, done),
        };
        drop(held);
        match node.backend.release(&lease).await {
            Ok(true) => node.note(EventKind::LeaseReleased, id, format!("{outcome:?}")),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the lease was not given back; it will expire"),
        }
        outcome
    }

    /// All there is to do under the lease; what fails is written down under it as well.
    async fn work(
        &self,
        lease: &Lease,
        id: &CertificateId,
        goal: &Goal,
    ) -> Result<Outcome, AttemptError> {
        // A peer may have renewed between our look at the schedule and the lease.
        let dossier = Dossier::read(&*self.node.backend, id).await?;
        match self.steps(lease, id, goal, &dossier).await {
            Err(error) if self.is_the_fleets(&error) => {
                Ok(self.write_down(lease, id, goal, &dossier, &error).await)
            }
            other => other,
        }
    }

    async fn steps(
        &self,
        lease: &Lease,
        id: &CertificateId,
        goal: &Goal,
        dossier: &Dossier,
    ) -> Result<Outcome, AttemptError> {
        let node = &*self.node;
        if let Some(stored) = &dossier.stored
            && let Err(error) = node.installer.install(stored).await
        {
            // Under a key we do not have, it may be in good use by our peers: the misfit is here.
            if error.is_unknown_key() && stored.record.not_after > node.clock.now() {
                return Err(AttemptError::Unfit(error));
            }
            tracing::warn!(%error, "the record that stands is not served here");
        }
        if !dossier.posted.is_empty() {
            let provider = goal.terms.dns.as_ref();
            self.answers.clear(id, provider, &dossier.posted).await;
            let count = dossier.posted.len();
            node.note(
                EventKind::Cleared,
                id,
                format!("{count} answers of an attempt that died"),
            );
        }
        if !dossier.is_due(node.clock.now()) {
            return Ok(Outcome::NotDue);
        }
        let standing = dossier.standing();
        if !dossier.wants_certificate() {
            self.revoke(lease, &dossier.revocations, standing).await?;
            let next = dossier.renew_at().unwrap_or_else(|| node.clock.now());
            node.backend.settle(lease, id, next).await?;
            node.metrics.settled(id);
            return Ok(Outcome::Renewed);
        }
        if let Some(served) = node.installer.served(id)
            && served.record.generation > standing
        {
            return self.restore(lease, &served).await;
        }
        if goal.on_demand && !self.still_allowed(goal).await {
            node.backend.remove(lease, id).await?;
            node.note(EventKind::Removed, id, "it is not permitted any more");
            return Ok(Outcome::Removed);
        }
        let issued = match self.take_unsettled(id, standing) {
            Some(issued) => issued,
            None => self.order(id, goal, dossier).await?,
        };
        let generation = self
            .commit_bundle(lease, id, goal, standing, issued)
            .await?;
        self.revoke(lease, &dossier.revocations, generation).await?;
        Ok(Outcome::Renewed)
    }

    /// Whether an on-demand name may have a certificate still; in doubt it may.
    async fn still_allowed(&self, goal: &Goal) -> bool {
        let Some(gate) = &self.gate else { return true };
        gate.still_allows(&goal.names).await
    }

    /// Puts what is served here back into a store that has lost it, instead of ordering again.
    async fn restore(&self, lease: &Lease, served: &Stored) -> Result<Outcome, AttemptError> {
        let record = Record {
            fencing: lease.fencing,
            ..served.record.clone()
        };
        let stored = self.commit(lease, &record).await?;
        self.node.note(
            EventKind::Restored,
            record.id(),
            format!("generation {} epoch {}", record.generation, stored.epoch),
        );
        Ok(Outcome::Renewed)
    }

    async fn commit_bundle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        goal: &Goal,
        standing: Generation,
        issued: Issued,
    ) -> Result<Generation, AttemptError> {
        let node = &*self.node;
        let verified = Verified::check(&issued.bundle, &goal.names, node.clock.now())?;
        let leaf = verified.leaf().clone();
        let rule = goal.terms.renew_before;
        let draft = Draft {
            names: goal.names.clone(),
            generation: standing.next(),
            fencing: lease.fencing,
            issued_by: node.id.clone(),
            renew_at: rule.renew_at(id, leaf.not_before, leaf.not_after),
            ca: issued.ca.clone(),
        };
        let record = Record::seal(draft, &issued.bundle, leaf, &node.fleet, &node.keys);
        // Kept until the store has taken it: the lease may be lost while we wait for the store.
        self.unsettled().insert(id.clone(), (standing, issued));
        let stored = self.commit(lease, &record).await?;
        self.unsettled().remove(id);
        node.metrics.settled(id);
        node.note(
            EventKind::Committed,
            id,
            format!(
                "generation {} serial {} epoch {}",
                record.generation, record.serial, stored.epoch
            ),
        );
        if let Err(error) = node.installer.install(&stored).await {
            tracing::error!(%error, "committed, but not served here");
        }
        Ok(record.generation)
    }

    /// Commits, and asks again as long as the store does not say whether it did: the same commit
    /// twice is one commit. The lease bounds how long.
    async fn commit(&self, lease: &Lease, record: &Record) -> Result<Stored, CommitError> {
        loop {
            match self.node.backend.commit(lease, record).await {
                Err(CommitError::Store(error)) if error.is_unavailable() => {
                    tracing::warn!(%error, "the commit was not answered; asking again");
                    tokio::time::sleep(COMMIT_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    /// Whether an error is the certificate's, to be written down for the fleet; others are this
    /// node's or the store's, and leave the certificate to whoever can do better.
    fn is_the_fleets(&self, error: &AttemptError) -> bool {
        match error {
            AttemptError::Unfit(_) => false,
            AttemptError::Issuer(error) => !error.is_this_nodes(),
            AttemptError::Store(error) | AttemptError::Commit(CommitError::Store(error)) => {
                !error.is_unavailable()
            }
            AttemptError::Commit(_) => false,
            _ => true,
        }
    }

    /// What came of the work, where nothing is to be written down for the fleet.
    fn settle(
        &self,
        id: &CertificateId,
        done: Result<Result<Outcome, AttemptError>, Lost>,
    ) -> Outcome {
        let node = &*self.node;
        match done {
            Ok(Ok(outcome)) => return outcome,
            Err(lost) => node.note(
                EventKind::LeaseLost,
                id,
                format!("{lost}; the work was dropped, nothing is committed"),
            ),
            Ok(Err(AttemptError::Commit(
                error @ (CommitError::LeaseLost { .. }
                | CommitError::Fenced { .. }
                | CommitError::Stale { .. }),
            ))) => node.note(EventKind::CommitRefused, id, error),
            Ok(Err(AttemptError::Unfit(error))) => node.note(
                EventKind::SealRefused,
                id,
                format!("{error}; this node leaves its renewal to others"),
            ),
            Ok(Err(error)) => tracing::warn!(%error, "the attempt was dropped"),
        }
        Outcome::Dropped
    }

    async fn write_down(
        &self,
        lease: &Lease,
        id: &CertificateId,
        goal: &Goal,
        dossier: &Dossier,
        error: &AttemptError,
    ) -> Outcome {
        let node = &*self.node;
        let attempt = failure::attempt(node, &self.rules.retry, goal, dossier, error);
        let outcome = if let AttemptError::Waits(waits) = error {
            node.note(EventKind::Waiting, id, waits);
            Outcome::Waiting
        } else {
            node.metrics.failed(id);
            let detail = format!(
                "try {} failed: {error}; next at {}",
                attempt.failures, attempt.next
            );
            node.note(EventKind::AttemptFailed, id, &detail);
            if self
                .rules
                .retry
                .run_failed(attempt.failures, attempt.advice)
            {
                node.metrics.alarm(id);
                node.note(EventKind::Alarm, id, &detail);
            }
            Outcome::Failed
        };
        if let Err(error) = node.backend.postpone(lease, id, &attempt).await {
            tracing::warn!(%error, "the failed attempt was not written down");
        }
        outcome
    }

    fn open(&self, record: &Record) -> Result<Bundle, AttemptError> {
        let opened = record.open(&self.node.fleet, &self.node.keys);
        opened.map_err(|source| {
            AttemptError::Sealed(InstallError::Open {
                id: record.id(),
                generation: record.generation,
                source,
            })
        })
    }

    fn unsettled(&self) -> MutexGuard<'_, HashMap<CertificateId, (Generation, Issued)>> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A bundle from an attempt that could not commit, if nobody has committed since.
    fn take_unsettled(&self, id: &CertificateId, standing: Generation) -> Option<Issued> {
        let (followed, issued) = self.unsettled().remove(id)?;
        (followed == standing).then_some(issued)
    }
}
