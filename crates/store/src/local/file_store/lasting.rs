//! The seams of a [`FileStore`] that `state.json` holds. Everything is read from memory.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{CertificateId, Timestamp, Wanted, ari::Suggestion, retry::Attempt};

use super::FileStore;
use crate::{
    Budget, CommitError, Lease, Revocations, Schedule, StoreError, Suggestions, WantedList,
    budget::{Balance, Debit, Taken},
    lease::Resource,
    local::subscription::Message,
    revocation::Revocation,
};

#[async_trait]
impl Schedule for FileStore {
    async fn enter(&self, entries: &[(CertificateId, Timestamp)]) -> Result<(), StoreError> {
        self.inner.memory.enter(entries).await
    }

    async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<CertificateId>, StoreError> {
        self.inner.memory.due(now, most).await
    }

    async fn due_at(&self, id: &CertificateId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.memory.due_at(id).await
    }

    async fn advance(&self, id: &CertificateId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.durably("advance", move |memory, disk| {
            if memory.state("advance")?.ledger.agenda.advance(&id, at) {
                disk.save_of(memory)?;
            }
            Ok(())
        })
        .await
    }

    async fn hasten(&self, id: &CertificateId) -> Result<(), StoreError> {
        let hastened = id.clone();
        self.amend("hasten", move |state, now| {
            state.ledger.agenda.hasten(&hastened, now);
            Ok::<_, StoreError>(())
        })
        .await?;
        self.inner.memory.announce(Message::Due(id.clone()));
        Ok(())
    }

    async fn postpone(
        &self,
        lease: &Lease,
        id: &CertificateId,
        attempt: &Attempt,
    ) -> Result<(), CommitError> {
        let (lease, id, attempt) = (lease.clone(), id.clone(), attempt.clone());
        self.amend("postpone", move |state, now| {
            state.check_live(&lease, Resource::Certificate(id.clone()), now)?;
            state.ledger.agenda.postpone(&id, &attempt);
            Ok(())
        })
        .await
    }

    async fn settle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let (lease, id) = (lease.clone(), id.clone());
        self.amend("settle", move |state, now| {
            state.check_live(&lease, Resource::Certificate(id.clone()), now)?;
            state.ledger.agenda.settle(&id, at);
            Ok(())
        })
        .await
    }

    async fn attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError> {
        self.inner.memory.attempt(id).await
    }
}

#[async_trait]
impl WantedList for FileStore {
    async fn wanted(&self) -> Result<Vec<Result<Wanted, StoreError>>, StoreError> {
        self.inner.memory.wanted().await
    }

    async fn wanted_one(&self, id: &CertificateId) -> Result<Option<Wanted>, StoreError> {
        self.inner.memory.wanted_one(id).await
    }

    async fn want(&self, wanted: &Wanted) -> Result<(), StoreError> {
        let id = wanted.names.id();
        let wanted = wanted.clone();
        self.amend("want", move |state, now| {
            state.ledger.agenda.want(&wanted, now);
            Ok::<_, StoreError>(())
        })
        .await?;
        self.inner.memory.announce(Message::Wanted(id));
        Ok(())
    }
}

#[async_trait]
impl Suggestions for FileStore {
    async fn claim_questions(
        &self,
        now: Timestamp,
        most: usize,
        hold: Duration,
    ) -> Result<Vec<CertificateId>, StoreError> {
        self.inner.memory.claim_questions(now, most, hold).await
    }

    async fn suggestion(&self, id: &CertificateId) -> Result<Option<Suggestion>, StoreError> {
        self.inner.memory.suggestion(id).await
    }

    async fn suggest(
        &self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, suggestion) = (id.clone(), suggestion.clone());
        self.amend("suggest", move |state, now| {
            Ok(state.ledger.suggest(&id, &suggestion, again, now))
        })
        .await
    }

    async fn ask_again(
        &self,
        id: &CertificateId,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let id = id.clone();
        self.amend("ask_again", move |state, _| {
            state.ledger.ask_again(&id, again);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Budget for FileStore {
    async fn take(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        if debits.is_empty() {
            return self.look(issuer, debits, now).await;
        }
        let (issuer, debits) = (issuer.to_owned(), debits.to_vec());
        self.durably("take", move |memory, disk| {
            let ours = memory.now();
            let taken = {
                let mut state = memory.state("take")?;
                state.ledger.agenda.budget.take(&issuer, &debits, now, ours)
            };
            if taken == Taken::All {
                disk.save_of(memory)?;
            }
            Ok(taken)
        })
        .await
    }

    async fn look(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        self.inner.memory.look(issuer, debits, now).await
    }

    async fn give_back(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (issuer, debits) = (issuer.to_owned(), debits.to_vec());
        self.amend("give_back", move |state, ours| {
            let budget = &mut state.ledger.agenda.budget;
            budget.give_back(&issuer, &debits, now, ours);
            Ok(())
        })
        .await
    }

    async fn pause(&self, issuer: &str, until: Timestamp) -> Result<(), StoreError> {
        let issuer = issuer.to_owned();
        self.amend("pause", move |state, ours| {
            state.ledger.agenda.budget.pause(&issuer, until, ours);
            Ok(())
        })
        .await
    }

    async fn balances(&self, now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        self.inner.memory.balances(now).await
    }

    async fn pauses(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.inner.memory.pauses(now).await
    }
}

#[async_trait]
impl Revocations for FileStore {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let id = revocation.record.id();
        let revocation = revocation.clone();
        self.amend("revoke", move |state, now| {
            state.ledger.agenda.revoke(&revocation, now);
            Ok::<_, StoreError>(())
        })
        .await?;
        self.inner.memory.announce(Message::Due(id));
        Ok(())
    }

    async fn revocations(&self, id: &CertificateId) -> Result<Vec<Revocation>, StoreError> {
        self.inner.memory.revocations(id).await
    }

    async fn revoked(&self, lease: &Lease, revocation: &Revocation) -> Result<(), CommitError> {
        let (lease, revocation) = (lease.clone(), revocation.clone());
        self.amend("revoked", move |state, now| {
            let resource = Resource::Certificate(revocation.record.id());
            state.check_live(&lease, resource, now)?;
            state.ledger.agenda.revocations.remove(&revocation);
            Ok(())
        })
        .await
    }
}
