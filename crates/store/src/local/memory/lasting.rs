//! The seams of a [`Memory`] whose other implementation, [`FileStore`](super::super::FileStore),
//! keeps them on disk.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{
    CertificateId, Timestamp, Wanted, ari::Suggestion, retry::Attempt, seal::Sealed,
};

use super::{Memory, Message};
use crate::{
    AccountVault, Budget, CommitError, Lease, Revocations, Schedule, StoreError, Suggestions,
    WantedList,
    budget::{Balance, Debit, Taken},
    lease::Resource,
    revocation::Revocation,
};

#[async_trait]
impl Schedule for Memory {
    async fn enter(&self, entries: &[(CertificateId, Timestamp)]) -> Result<(), StoreError> {
        let mut state = self.state("enter")?;
        for (id, at) in entries {
            state.ledger.agenda.enter(id, *at);
        }
        Ok(())
    }

    async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<CertificateId>, StoreError> {
        Ok(self.state("due")?.ledger.agenda.due(now, most))
    }

    async fn due_at(&self, id: &CertificateId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state("due_at")?.ledger.agenda.due_at(id))
    }

    async fn advance(&self, id: &CertificateId, at: Timestamp) -> Result<(), StoreError> {
        self.state("advance")?.ledger.agenda.advance(id, at);
        Ok(())
    }

    async fn hasten(&self, id: &CertificateId) -> Result<(), StoreError> {
        let now = self.now();
        self.state("hasten")?.ledger.agenda.hasten(id, now);
        self.announce(Message::Due(id.clone()));
        Ok(())
    }

    async fn postpone(
        &self,
        lease: &Lease,
        id: &CertificateId,
        attempt: &Attempt,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut state = self.state("postpone")?;
        state.check_live(lease, Resource::Certificate(id.clone()), now)?;
        state.ledger.agenda.postpone(id, attempt);
        Ok(())
    }

    async fn settle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut state = self.state("settle")?;
        state.check_live(lease, Resource::Certificate(id.clone()), now)?;
        state.ledger.agenda.settle(id, at);
        Ok(())
    }

    async fn attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError> {
        Ok(self.state("attempt")?.ledger.agenda.attempt(id))
    }
}

#[async_trait]
impl WantedList for Memory {
    async fn wanted(&self) -> Result<Vec<Result<Wanted, StoreError>>, StoreError> {
        let state = self.state("wanted")?;
        Ok(state.ledger.agenda.wanted().cloned().map(Ok).collect())
    }

    async fn wanted_one(&self, id: &CertificateId) -> Result<Option<Wanted>, StoreError> {
        Ok(self.state("wanted_one")?.ledger.agenda.wanted_one(id))
    }

    async fn want(&self, wanted: &Wanted) -> Result<(), StoreError> {
        let now = self.now();
        self.state("want")?.ledger.agenda.want(wanted, now);
        self.announce(Message::Wanted(wanted.names.id()));
        Ok(())
    }
}

#[async_trait]
impl Suggestions for Memory {
    async fn claim_questions(
        &self,
        now: Timestamp,
        most: usize,
        hold: Duration,
    ) -> Result<Vec<CertificateId>, StoreError> {
        let mut state = self.state("claim_questions")?;
        Ok(state.ledger.agenda.claim_questions(now, most, hold))
    }

    async fn suggestion(&self, id: &CertificateId) -> Result<Option<Suggestion>, StoreError> {
        Ok(self.state("suggestion")?.ledger.agenda.suggestion(id))
    }

    async fn suggest(
        &self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut state = self.state("suggest")?;
        Ok(state.ledger.suggest(id, suggestion, again, now))
    }

    async fn ask_again(
        &self,
        id: &CertificateId,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.state("ask_again")?.ledger.ask_again(id, again);
        Ok(())
    }
}

#[async_trait]
impl Budget for Memory {
    async fn take(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let ours = self.now();
        let mut state = self.state("take")?;
        Ok(state.ledger.agenda.budget.take(issuer, debits, now, ours))
    }

    async fn look(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let state = self.state("look")?;
        Ok(state.ledger.agenda.budget.look(issuer, debits, now))
    }

    async fn give_back(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ours = self.now();
        let mut state = self.state("give_back")?;
        state
            .ledger
            .agenda
            .budget
            .give_back(issuer, debits, now, ours);
        Ok(())
    }

    async fn pause(&self, issuer: &str, until: Timestamp) -> Result<(), StoreError> {
        let ours = self.now();
        let mut state = self.state("pause")?;
        state.ledger.agenda.budget.pause(issuer, until, ours);
        Ok(())
    }

    async fn balances(&self, now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        Ok(self.state("balances")?.ledger.agenda.budget.balances(now))
    }

    async fn pauses(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        Ok(self.state("pauses")?.ledger.agenda.budget.pauses(now))
    }
}

#[async_trait]
impl Revocations for Memory {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let now = self.now();
        self.state("revoke")?.ledger.agenda.revoke(revocation, now);
        self.announce(Message::Due(revocation.record.id()));
        Ok(())
    }

    async fn revocations(&self, id: &CertificateId) -> Result<Vec<Revocation>, StoreError> {
        Ok(self.state("revocations")?.ledger.agenda.revocations.of(id))
    }

    async fn revoked(&self, lease: &Lease, revocation: &Revocation) -> Result<(), CommitError> {
        let now = self.now();
        let mut state = self.state("revoked")?;
        state.check_live(lease, Resource::Certificate(revocation.record.id()), now)?;
        state.ledger.agenda.revocations.remove(revocation);
        Ok(())
    }
}

#[async_trait]
impl AccountVault for Memory {
    async fn account(&self, issuer: &str) -> Result<Option<Sealed>, StoreError> {
        Ok(self.state("account")?.accounts.get(issuer).cloned())
    }

    async fn keep_account(
        &self,
        lease: &Lease,
        issuer: &str,
        account: &Sealed,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut state = self.state("keep_account")?;
        state.check_live(lease, Resource::Account(issuer.to_owned()), now)?;
        state.accounts.insert(issuer.to_owned(), account.clone());
        Ok(())
    }
}
