//! One attempt to renew one certificate, from lease to lease: the middle of a certificate's life.
//!
//! lease → read again → (restore | order → challenges → validation → bundle) → verify → seal →
//! commit → install → release. Losing the lease drops the work at once (P2). A failure at any
//! arrow leaves what is served alone, is written down for the whole fleet, and frees the lease.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use certfleet_acme::{IssueError, Order, Progress as OrderProgress, Step};
use certfleet_core::{
    Bundle, CertificateId, Generation, NameSet, Record,
    policy::RenewalPolicy,
    record::Draft,
    retry::{Attempt, RetrySchedule},
};
use certfleet_store::{
    CommitError, Lease, StoreError, Stored,
    event::EventKind,
    lease::{self, Lost, Resource},
};
use certfleet_tls::{Rejected, Verified};
use tokio_util::sync::CancellationToken;

use crate::{account::Accounts, challenge::Answers, installer::InstallError, node::Node};

/// How long to wait before a commit whose reply did not come is sent again.
const COMMIT_AGAIN: Duration = Duration::from_millis(250);

/// Makes attempts.
pub(crate) struct Issuance {
    node: Arc<Node>,
    accounts: Accounts,
    answers: Arc<Answers>,
    policy: RenewalPolicy,
    retry: RetrySchedule,
    lease_ttl: Duration,
    /// Bundles the CA has issued but the store could not take: committed by the next attempt
    /// instead of a second order. Keyed with the generation they were meant to follow.
    unsettled: Mutex<HashMap<CertificateId, (Generation, Bundle)>>,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A new generation is committed and served here.
    Renewed,
    /// Nothing was to do: a peer had done it.
    NotDue,
    /// A peer works on it.
    HeldByPeer,
    /// It failed; the schedule says when it is tried again.
    Failed,
    /// The store is away, or this node is stopping; nothing was written down.
    Dropped,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("what the CA issued is not fit to serve: {0}")]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Account(#[from] crate::account::AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this node must not renew what it cannot open: {0}")]
    Unfit(InstallError),
}

impl Issuance {
    /// Attempts with the given accounts, answers and rules.
    pub(crate) fn new(
        node: Arc<Node>,
        accounts: Accounts,
        answers: Arc<Answers>,
        policy: RenewalPolicy,
        retry: RetrySchedule,
        lease_ttl: Duration,
    ) -> Self {
        Self {
            node,
            accounts,
            answers,
            policy,
            retry,
            lease_ttl,
            unsettled: Mutex::default(),
        }
    }

    /// Makes one attempt, if no peer is at it; `abort` drops it.
    pub(crate) async fn attempt(
        &self,
        id: &CertificateId,
        names: &NameSet,
        abort: &CancellationToken,
    ) -> Outcome {
        let node = &*self.node;
        let resource = Resource::Certificate(id.clone());
        let lease = match node
            .backend
            .acquire(&resource, &node.id, self.lease_ttl)
            .await
        {
            Ok(Some(lease)) => lease,
            Ok(None) => return Outcome::HeldByPeer,
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
        let work = lease::hold(&*node.backend, &lease, self.work(&lease, id, names));
        let outcome = tokio::select! {
            () = abort.cancelled() => Outcome::Dropped,
            done = work => self.settle(&lease, id, done).await,
        };
        drop(held);
        match node.backend.release(&lease).await {
            Ok(true) => node.note(EventKind::LeaseReleased, id, format!("{outcome:?}")),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the lease was not given back; it will expire"),
        }
        outcome
    }

    async fn work(
        &self,
        lease: &Lease,
        id: &CertificateId,
        names: &NameSet,
    ) -> Result<Outcome, AttemptError> {
        let node = &*self.node;
        // A peer may have renewed between our look at the schedule and the lease.
        let stored = node.backend.load(id).await?;
        if let Some(stored) = &stored
            && let Err(error) = node.installer.install(stored).await
        {
            // Under a key we do not have, it may be in good use by our peers: the misfit is here.
            if error.is_unknown_key() && stored.record.not_after > node.clock.now() {
                return Err(AttemptError::Unfit(error));
            }
            tracing::warn!(%error, "the record that stands is not served here");
        }
        let due = node.backend.due_at(id).await?;
        if due.is_some_and(|due| due > node.clock.now()) {
            return Ok(Outcome::NotDue);
        }
        let standing = stored.map_or(Generation::ZERO, |stored| stored.record.generation);
        if let Some(served) = node.installer.served(id)
            && served.record.generation > standing
        {
            return self.restore(lease, &served).await;
        }
        let bundle = match self.take_unsettled(id, standing) {
            Some(bundle) => bundle,
            None => self.order(id, names).await?,
        };
        self.commit_bundle(lease, id, names, standing, bundle).await
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

    async fn order(&self, id: &CertificateId, names: &NameSet) -> Result<Bundle, AttemptError> {
        let issuer = self.accounts.issuer().await?;
        let steps = Steps {
            node: &self.node,
            id,
        };
        let order = Order {
            names,
            answers: &*self.answers,
            progress: &steps,
        };
        let result = issuer.issue(order).await;
        let label = result.as_ref().map_or_else(IssueError::kind, |_| "issued");
        self.node.metrics.orders.with_label_values(&[label]).inc();
        Ok(result?)
    }

    async fn commit_bundle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        names: &NameSet,
        standing: Generation,
        bundle: Bundle,
    ) -> Result<Outcome, AttemptError> {
        let node = &*self.node;
        let verified = Verified::check(&bundle, names, node.clock.now())?;
        let leaf = verified.leaf().clone();
        let draft = Draft {
            names: names.clone(),
            generation: standing.next(),
            fencing: lease.fencing,
            issued_by: node.id.clone(),
            renew_at: self.policy.renew_at(id, leaf.not_before, leaf.not_after),
        };
        let record = Record::seal(draft, &bundle, leaf, &node.fleet, &node.keys);
        // Kept until the store has taken it: the lease may be lost while we wait for the store.
        self.keep_unsettled(id, standing, bundle);
        let stored = self.commit(lease, &record).await?;
        self.unsettled().remove(id);
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
        Ok(Outcome::Renewed)
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

    async fn settle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        done: Result<Result<Outcome, AttemptError>, Lost>,
    ) -> Outcome {
        let node = &*self.node;
        let error = match done {
            Ok(Ok(outcome)) => return outcome,
            Err(lost) => {
                node.note(
                    EventKind::LeaseLost,
                    id,
                    format!("{lost}; the work was dropped, nothing is committed"),
                );
                return Outcome::Dropped;
            }
            Ok(Err(AttemptError::Commit(
                error @ (CommitError::LeaseLost { .. }
                | CommitError::Fenced { .. }
                | CommitError::Stale { .. }),
            ))) => {
                node.note(EventKind::CommitRefused, id, error);
                return Outcome::Dropped;
            }
            Ok(Err(
                AttemptError::Store(error) | AttemptError::Commit(CommitError::Store(error)),
            )) if error.is_unavailable() => {
                tracing::warn!(%error, "the store is away; the attempt was dropped");
                return Outcome::Dropped;
            }
            Ok(Err(AttemptError::Unfit(error))) => {
                node.note(
                    EventKind::SealRefused,
                    id,
                    format!("{error}; this node leaves its renewal to others"),
                );
                return Outcome::Dropped;
            }
            Ok(Err(error)) => error,
        };
        self.write_down(lease, id, &error).await;
        Outcome::Failed
    }

    async fn write_down(&self, lease: &Lease, id: &CertificateId, error: &AttemptError) {
        let node = &*self.node;
        node.metrics
            .update_failures
            .with_label_values(&[id.as_str()])
            .inc();
        let before = node.backend.attempt(id).await.ok().flatten();
        let now = node.clock.now();
        let failures = before.map_or(1, |attempt| attempt.failures.saturating_add(1));
        let not_earlier = match error {
            AttemptError::Issue(error) => error.retry_after().map(|wait| now.after(wait)),
            _ => None,
        };
        let attempt = Attempt {
            failures,
            failed_at: now,
            node: node.id.clone(),
            error: error.to_string(),
            next: self.retry.next(failures, not_earlier, jitter(), now),
        };
        let detail = format!("try {failures} failed: {error}; next at {}", attempt.next);
        node.note(EventKind::AttemptFailed, id, &detail);
        if self.retry.run_failed(failures) {
            node.note(EventKind::Alarm, id, &detail);
        }
        if let Err(error) = node.backend.postpone(lease, id, &attempt).await {
            tracing::warn!(%error, "the failed attempt was not written down");
        }
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, HashMap<CertificateId, (Generation, Bundle)>> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_unsettled(&self, id: &CertificateId, standing: Generation, bundle: Bundle) {
        self.unsettled().insert(id.clone(), (standing, bundle));
    }

    /// A bundle from an attempt that could not commit, if nobody has committed since.
    fn take_unsettled(&self, id: &CertificateId, standing: Generation) -> Option<Bundle> {
        let (followed, bundle) = self.unsettled().remove(id)?;
        (followed == standing).then_some(bundle)
    }
}

fn jitter() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

/// Tells the journal of an order's steps.
struct Steps<'a> {
    node: &'a Node,
    id: &'a CertificateId,
}

impl OrderProgress for Steps<'_> {
    fn step(&self, step: Step) {
        self.node.note(EventKind::OrderStep, self.id, step);
    }
}
