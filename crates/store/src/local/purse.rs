//! The purse: the buckets that are not full, and the pauses, of all issuers.
//!
//! Two times are handed in: the caller's, by which tokens are counted, and the store's own. Nothing
//! is forgotten before it is over by both, so that a node whose clock is ahead cannot empty it.

use std::collections::BTreeMap;

use certfleet_core::{
    Timestamp,
    budget::{Charge, LimitKind},
};
use serde::{Deserialize, Serialize};

use super::expiring::Expiring;
use crate::budget::{Balance, Debit, Taken};

/// When each bucket is full and each pause ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub(super) struct Purse {
    buckets: Expiring<Bucket, ()>,
    pauses: Expiring<String, ()>,
}

type Bucket = (String, LimitKind, String);

/// The purse as it is written.
#[derive(Serialize, Deserialize)]
struct Form {
    buckets: Vec<Balance>,
    pauses: BTreeMap<String, Timestamp>,
}

impl Purse {
    pub(super) const fn new() -> Self {
        Self {
            buckets: Expiring::new(),
            pauses: Expiring::new(),
        }
    }

    /// Takes every token, or none.
    pub(super) fn take(
        &mut self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
        ours: Timestamp,
    ) -> Taken {
        match self.after(issuer, debits, now) {
            Ok(after) => {
                for (bucket, full) in after {
                    self.buckets.insert(bucket, (), full, now.min(ours));
                }
                Taken::All
            }
            Err(why_not) => why_not,
        }
    }

    pub(super) fn look(&self, issuer: &str, debits: &[Debit], now: Timestamp) -> Taken {
        self.after(issuer, debits, now)
            .map_or_else(|why_not| why_not, |_| Taken::All)
    }

    /// When each bucket would be full with the tokens taken, or why they cannot be.
    fn after(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<BTreeMap<Bucket, Timestamp>, Taken> {
        if let Some(until) = self.pauses.end(issuer).filter(|until| *until > now) {
            return Err(Taken::Paused { until });
        }
        let mut after = BTreeMap::new();
        for (charge, limit) in debits {
            let bucket = bucket(issuer, charge);
            let full = after.get(&bucket).copied();
            let full = full.or_else(|| self.buckets.end(&bucket));
            match limit.take(full, charge.reserve, now) {
                Ok(full) => after.insert(bucket, full),
                Err(until) => {
                    let charge = charge.clone();
                    return Err(Taken::Short { charge, until });
                }
            };
        }
        Ok(after)
    }

    /// Puts tokens back.
    pub(super) fn give_back(
        &mut self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
        ours: Timestamp,
    ) {
        for (charge, limit) in debits {
            let bucket = bucket(issuer, charge);
            match limit.give_back(self.buckets.end(&bucket), now) {
                Some(full) => self.buckets.insert(bucket, (), full, now.min(ours)),
                None => self.buckets.remove(&bucket),
            }
        }
    }

    pub(super) fn pause(&mut self, issuer: &str, until: Timestamp, ours: Timestamp) {
        let until = self
            .pauses
            .end(issuer)
            .map_or(until, |stands| stands.max(until));
        self.pauses.insert(issuer.to_owned(), (), until, ours);
    }

    pub(super) fn balances(&self, now: Timestamp) -> Vec<Balance> {
        let balance = |((issuer, kind, subject), _, full): (&Bucket, _, _)| Balance {
            issuer: issuer.clone(),
            kind: *kind,
            subject: subject.clone(),
            full,
        };
        self.buckets.iter(now).map(balance).collect()
    }

    pub(super) fn pauses(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let pauses = self.pauses.iter(now);
        pauses
            .map(|(issuer, (), until)| (issuer.clone(), until))
            .collect()
    }
}

fn bucket(issuer: &str, charge: &Charge) -> Bucket {
    (issuer.to_owned(), charge.kind, charge.subject.clone())
}

impl Default for Purse {
    fn default() -> Self {
        Self::new()
    }
}

const BEGINNING: Timestamp = Timestamp::from_millis(i64::MIN);

impl From<Form> for Purse {
    fn from(form: Form) -> Self {
        let mut purse = Self::new();
        for Balance {
            issuer,
            kind,
            subject,
            full,
        } in form.buckets
        {
            let bucket = (issuer, kind, subject);
            purse.buckets.insert(bucket, (), full, BEGINNING);
        }
        for (issuer, until) in form.pauses {
            purse.pauses.insert(issuer, (), until, BEGINNING);
        }
        purse
    }
}

impl From<Purse> for Form {
    fn from(purse: Purse) -> Self {
        Self {
            buckets: purse.balances(BEGINNING),
            pauses: purse.pauses(BEGINNING).into_iter().collect(),
        }
    }
}
