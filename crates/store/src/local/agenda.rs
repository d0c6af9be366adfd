//! The agenda: all that a store must find again after a restart but the records and the accounts,
//! small enough to be written whole at each change.
//!
//! Plain data: it reads no clock, takes no lock and does no I/O. What is done for one certificate
//! takes time in the logarithm of how many there are.

use std::{collections::BTreeMap, time::Duration};

use certfleet_core::{
    CertificateId, Epoch, FencingToken, Timestamp, Wanted, ari::Suggestion, retry::Attempt,
};
use serde::{Deserialize, Serialize};

use super::{purse::Purse, ranked::Ranked, requests::Requests};
use crate::{Stored, revocation::Revocation};

/// How long followers hear of a removal.
const REMOVED_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Counters, schedule, and what was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Agenda {
    pub(super) incarnation: String,
    pub(super) epoch: Epoch,
    pub(super) fencing: FencingToken,
    schedule: Ranked<Timestamp>,
    attempts: BTreeMap<CertificateId, Attempt>,
    /// When the CA is to be asked for its suggestion.
    #[serde(default)]
    questions: Ranked<Timestamp>,
    #[serde(default)]
    suggestions: BTreeMap<CertificateId, Suggestion>,
    #[serde(default)]
    wanted: BTreeMap<CertificateId, Wanted>,
    /// Of what was removed and has not come back, which epoch that made, and when.
    #[serde(default)]
    removed: Ranked<(Epoch, Timestamp)>,
    #[serde(default)]
    pub(super) budget: Purse,
    #[serde(default)]
    pub(super) revocations: Requests,
}

impl Agenda {
    /// The beginning of a new incarnation.
    pub(super) fn new() -> Self {
        let nonce = getrandom::u64().expect("the operating system gives randomness");
        Self {
            incarnation: format!("{nonce:016x}"),
            epoch: Epoch::ZERO,
            fencing: FencingToken::ZERO,
            schedule: Ranked::new(),
            attempts: BTreeMap::new(),
            questions: Ranked::new(),
            suggestions: BTreeMap::new(),
            wanted: BTreeMap::new(),
            removed: Ranked::new(),
            budget: Purse::new(),
            revocations: Requests::new(),
        }
    }

    pub(super) fn next_token(&mut self) -> FencingToken {
        self.fencing = self.fencing.next();
        self.fencing
    }

    /// Takes in that `stored` was committed.
    pub(super) fn committed(&mut self, stored: &Stored) {
        let id = stored.record.id();
        self.schedule.put(&id, stored.record.renew_at);
        self.questions.put(&id, stored.committed_at);
        self.attempts.remove(&id);
        self.suggestions.remove(&id);
        self.removed.remove(&id);
    }

    /// Takes in that a restart found `stored`. What was lost with the state is as after a commit.
    pub(super) fn found(&mut self, stored: &Stored) {
        let id = stored.record.id();
        self.schedule.enter(&id, stored.record.renew_at);
        self.questions.enter(&id, stored.committed_at);
    }

    /// Takes in that the certificate was removed, and raises the epoch.
    pub(super) fn removed(&mut self, id: &CertificateId, now: Timestamp) {
        self.schedule.remove(id);
        self.questions.remove(id);
        self.attempts.remove(id);
        self.suggestions.remove(id);
        self.wanted.remove(id);
        self.epoch = self.epoch.next();
        let old = now.before(REMOVED_KEPT);
        while let Some(id) = self.oldest_removal(old) {
            self.removed.remove(&id);
        }
        self.removed.put(id, (self.epoch, now));
    }

    fn oldest_removal(&self, before: Timestamp) -> Option<CertificateId> {
        let ((_, at), id) = self.removed.iter().next()?;
        (at < before).then(|| id.clone())
    }

    /// What was removed after an epoch, the first removed first.
    pub(super) fn removed_after(&self, epoch: Epoch) -> Vec<CertificateId> {
        let newest_first = self
            .removed
            .iter()
            .rev()
            .take_while(|((of, _), _)| *of > epoch);
        let mut removed: Vec<_> = newest_first.map(|(_, id)| id.clone()).collect();
        removed.reverse();
        removed
    }

    pub(super) fn enter(&mut self, id: &CertificateId, at: Timestamp) {
        self.schedule.enter(id, at);
    }

    /// Makes it due at once.
    pub(super) fn make_due(&mut self, id: &CertificateId, now: Timestamp) {
        self.schedule.put(id, now);
    }

    pub(super) fn hasten(&mut self, id: &CertificateId, now: Timestamp) {
        self.make_due(id, now);
        self.attempts.remove(id);
    }

    /// Forgets what has failed, and moves the entry to `at`.
    pub(super) fn settle(&mut self, id: &CertificateId, at: Timestamp) {
        self.make_due(id, at);
        self.attempts.remove(id);
    }

    pub(super) fn revoke(&mut self, revocation: &Revocation, now: Timestamp) {
        self.revocations.add(revocation);
        self.make_due(&revocation.record.id(), now);
    }

    /// Moves the entry to an earlier time; `false` if it stays as it is.
    pub(super) fn advance(&mut self, id: &CertificateId, at: Timestamp) -> bool {
        let earlier = self.schedule.get(id).is_some_and(|entry| at < entry);
        let moves = earlier && !self.attempts.contains_key(id);
        if moves {
            self.schedule.put(id, at);
        }
        moves
    }

    pub(super) fn postpone(&mut self, id: &CertificateId, attempt: &Attempt) {
        self.schedule.put(id, attempt.next);
        self.attempts.insert(id.clone(), attempt.clone());
    }

    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<CertificateId> {
        self.schedule.up_to(now, most)
    }

    pub(super) fn due_at(&self, id: &CertificateId) -> Option<Timestamp> {
        self.schedule.get(id)
    }

    pub(super) fn attempt(&self, id: &CertificateId) -> Option<Attempt> {
        self.attempts.get(id).cloned()
    }

    pub(super) fn want(&mut self, wanted: &Wanted, now: Timestamp) {
        let id = wanted.names.id();
        self.schedule.enter(&id, now);
        self.wanted.insert(id, wanted.clone());
    }

    pub(super) fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.wanted.values()
    }

    pub(super) fn wanted_one(&self, id: &CertificateId) -> Option<Wanted> {
        self.wanted.get(id).cloned()
    }

    pub(super) fn claim_questions(
        &mut self,
        now: Timestamp,
        most: usize,
        hold: Duration,
    ) -> Vec<CertificateId> {
        let claimed = self.questions.up_to(now, most);
        for id in &claimed {
            self.questions.put(id, now.after(hold));
        }
        claimed
    }

    pub(super) fn ask_again(&mut self, id: &CertificateId, again: Option<Timestamp>) {
        match again {
            Some(again) => self.questions.put(id, again),
            None => self.questions.remove(id),
        }
    }

    pub(super) fn suggestion(&self, id: &CertificateId) -> Option<Suggestion> {
        self.suggestions.get(id).cloned()
    }

    /// Keeps a suggestion, and moves the entry to its time unless that is due already or something
    /// has failed.
    pub(super) fn suggest(
        &mut self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
        now: Timestamp,
    ) {
        self.suggestions.insert(id.clone(), suggestion.clone());
        self.questions.put(id, again);
        let is_due = self.schedule.get(id).is_some_and(|entry| entry <= now);
        if !is_due && !self.attempts.contains_key(id) {
            self.schedule.put(id, suggestion.selected);
        }
    }
}
