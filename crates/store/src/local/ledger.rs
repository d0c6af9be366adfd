//! The ledger: every committed record, with the agenda beside them. It decides whether a commit
//! stands.
//!
//! It is the part of a store that outlives a restart, as plain data: it reads no clock, takes no
//! lock and does no I/O. Invariant: no two records share an epoch, and none is above the agenda's.

use std::collections::BTreeMap;

use certfleet_core::{CertificateId, Epoch, Record, Timestamp, ari::Suggestion};

use super::agenda::Agenda;
use crate::{
    CommitError, Lease, StoreError, Stored,
    feed::{Changes, Position},
};

/// Records and agenda.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) agenda: Agenda,
    records: BTreeMap<CertificateId, Stored>,
    /// Which record each epoch made, for as long as it stands.
    changed: BTreeMap<Epoch, CertificateId>,
    /// Records that were there but could not be read.
    unreadable: BTreeMap<CertificateId, Unreadable>,
}

/// Where a record that cannot be read lies, and why it cannot.
#[derive(Debug)]
pub(super) struct Unreadable {
    at: String,
    problem: String,
}

/// What a permitted commit comes to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It has happened before; this stands.
    Stands(Stored),
    /// It is to happen, and to be applied as this.
    New(Stored),
}

impl Ledger {
    pub(super) const fn new(agenda: Agenda) -> Self {
        Self {
            agenda,
            records: BTreeMap::new(),
            changed: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        }
    }

    pub(super) fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError> {
        match self.unreadable.get(id) {
            Some(unreadable) => Err(unreadable.error()),
            None => Ok(self.records.get(id).cloned()),
        }
    }

    pub(super) fn ids(&self) -> Vec<CertificateId> {
        let mut ids: Vec<_> = self.records.keys().chain(self.unreadable.keys()).collect();
        ids.sort_unstable();
        ids.into_iter().cloned().collect()
    }

    /// Whether the commit of `record` under `lease`, which is `live` or not, stands.
    ///
    /// A record that cannot be read is in nobody's way: a good one replaces it.
    pub(super) fn judge(
        &self,
        lease: &Lease,
        live: bool,
        record: &Record,
        now: Timestamp,
    ) -> Result<Verdict, CommitError> {
        lease.covers(record)?;
        let standing = self.records.get(&record.id());
        if let Some(standing) = standing.filter(|standing| standing.record == *record) {
            return Ok(Verdict::Stands(standing.clone()));
        }
        if !live {
            return Err(CommitError::LeaseLost {
                resource: lease.resource.clone(),
            });
        }
        if let Some(Stored { record: newest, .. }) = standing {
            if record.fencing < newest.fencing {
                return Err(CommitError::Fenced {
                    id: record.id(),
                    held: record.fencing,
                    newest: newest.fencing,
                });
            }
            if record.generation <= newest.generation {
                return Err(CommitError::Stale {
                    id: record.id(),
                    offered: record.generation,
                    newest: newest.generation,
                });
            }
        }
        Ok(Verdict::New(Stored {
            epoch: self.agenda.epoch.next(),
            committed_at: now,
            record: record.clone(),
        }))
    }

    /// Takes in what [`Self::judge`] allowed.
    pub(super) fn apply(&mut self, stored: Stored) {
        self.agenda.committed(&stored);
        self.unreadable.remove(&stored.record.id());
        self.put(stored);
    }

    /// Takes a certificate out.
    pub(super) fn remove(&mut self, id: &CertificateId, now: Timestamp) {
        self.unreadable.remove(id);
        if let Some(before) = self.records.remove(id) {
            self.changed.remove(&before.epoch);
        }
        self.agenda.removed(id, now);
    }

    /// Keeps what was made of the CA's answer, if it is about the record that stands.
    pub(super) fn suggest(
        &mut self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
        now: Timestamp,
    ) -> bool {
        let standing = self.records.get(id);
        let is_of_it = standing.is_some_and(|s| s.record.generation == suggestion.generation);
        if is_of_it {
            self.agenda.suggest(id, suggestion, again, now);
        }
        is_of_it
    }

    /// Changes when the CA is asked again, if there is something to ask about.
    pub(super) fn ask_again(&mut self, id: &CertificateId, again: Option<Timestamp>) {
        if self.records.contains_key(id) {
            self.agenda.ask_again(id, again);
        }
    }

    /// Takes in the records that a restart found. One above the agenda's epoch is a commit whose
    /// second half was cut off, and is completed; so is one whose epoch is another's, which
    /// someone put there by hand.
    pub(super) fn restore(&mut self, mut found: Vec<Stored>) {
        found.sort_by_key(|stored| stored.epoch);
        for mut stored in found {
            if self.changed.contains_key(&stored.epoch) {
                stored.epoch = self.agenda.epoch.next();
            }
            if stored.epoch > self.agenda.epoch {
                self.apply(stored);
            } else {
                self.agenda.found(&stored);
                self.put(stored);
            }
        }
    }

    pub(super) fn restore_unreadable(&mut self, id: CertificateId, unreadable: Unreadable) {
        self.unreadable.insert(id, unreadable);
    }

    fn put(&mut self, stored: Stored) {
        let id = stored.record.id();
        self.agenda.epoch = self.agenda.epoch.max(stored.epoch);
        self.agenda.fencing = self.agenda.fencing.max(stored.record.fencing);
        self.changed.insert(stored.epoch, id.clone());
        if let Some(before) = self.records.insert(id, stored) {
            self.changed.remove(&before.epoch);
        }
    }

    pub(super) fn changes(&self, from: Option<&Position>) -> Changes {
        let from = from.filter(|from| {
            from.incarnation == self.agenda.incarnation && from.epoch <= self.agenda.epoch
        });
        let after = from.map_or(Epoch::ZERO, |from| from.epoch);
        let unreadable = self.unreadable.values().filter(|_| from.is_none());
        let readable = self
            .changed
            .range(after.next()..)
            .filter_map(|(_, id)| self.records.get(id));
        Changes {
            position: Position {
                incarnation: self.agenda.incarnation.clone(),
                epoch: self.agenda.epoch,
            },
            complete: from.is_none(),
            changed: unreadable
                .map(|unreadable| Err(unreadable.error()))
                .chain(readable.cloned().map(Ok))
                .collect(),
            removed: self.agenda.removed_after(after),
        }
    }
}

impl Unreadable {
    /// `error` is what reading the record at `at` gave.
    pub(super) fn new(at: String, error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { at, problem } => Self { at, problem },
            other => Self {
                at,
                problem: other.to_string(),
            },
        }
    }

    fn error(&self) -> StoreError {
        StoreError::corrupt(self.at.clone(), &self.problem)
    }
}
