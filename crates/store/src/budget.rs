//! The budget: what the CA's rate limits still allow, counted by the whole fleet.
//!
//! Buckets are kept by issuer, kind and subject, each as the time it will be full again, see
//! [`Limit`]; a full bucket is not kept. An order takes all of its tokens or none. A pause that the
//! CA asked for with Retry-After stands before all buckets of that issuer.

use async_trait::async_trait;
use certfleet_core::{
    Timestamp,
    budget::{Charge, Limit, LimitKind},
};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// What is taken: a token, and the limit of its bucket.
pub type Debit = (Charge, Limit);

/// Whether the tokens were there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// They were, and are taken.
    All,
    /// One was not; none is taken.
    Short {
        /// The first bucket that had too little.
        charge: Charge,
        /// When it will have enough.
        until: Timestamp,
    },
    /// The CA has asked to be left alone; none is taken.
    Paused {
        /// When the pause ends.
        until: Timestamp,
    },
}

/// A bucket that is not full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The issuer, by its name.
    pub issuer: String,
    /// The kind of bucket.
    pub kind: LimitKind,
    /// Whose bucket.
    pub subject: String,
    /// When it will be full.
    pub full: Timestamp,
}

/// The fleet's budget at each issuer.
#[async_trait]
pub trait Budget: Send + Sync {
    /// Takes every token at `now`, or none; with no token at all it only looks for a pause.
    async fn take(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError>;

    /// Looks whether the tokens are there, and takes none.
    async fn look(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError>;

    /// Puts tokens back that were taken and not used.
    async fn give_back(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Has the whole fleet leave the issuer alone until then; a later end that stands already stays.
    async fn pause(&self, issuer: &str, until: Timestamp) -> Result<(), StoreError>;

    /// The buckets that are not full at `now`, in order of issuer, kind and subject.
    async fn balances(&self, now: Timestamp) -> Result<Vec<Balance>, StoreError>;

    /// The pauses that stand at `now`, by issuer.
    async fn pauses(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError>;
}
