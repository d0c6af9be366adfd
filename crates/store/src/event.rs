//! The event log: what happened in the fleet, for people; nothing acts on it.

use std::fmt;

use async_trait::async_trait;
use certfleet_core::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// How many events are kept; older ones go.
pub const KEPT: usize = 1000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// On which node.
    pub node: NodeId,
    /// What.
    pub kind: EventKind,
    /// To what: a certificate id, an issuer, or nothing.
    pub subject: String,
    /// Further words.
    pub detail: String,
}

/// What an [`Event`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A node started.
    NodeStarted,
    /// A node stopped in order.
    NodeStopped,
    /// A lease was taken.
    LeaseAcquired,
    /// A lease was given back.
    LeaseReleased,
    /// A lease was lost while its holder worked.
    LeaseLost,
    /// An account was created at a CA.
    AccountCreated,
    /// A step of an order was done.
    OrderStep,
    /// A certificate was committed.
    Committed,
    /// A commit was refused.
    CommitRefused,
    /// A node began to serve a certificate.
    Installed,
    /// An attempt failed.
    AttemptFailed,
    /// A run of attempts failed: an operator must look.
    Alarm,
    /// An order waits: for the budget, or because the CA asked to be left alone.
    Waiting,
    /// A certificate was added at run time.
    Added,
    /// A certificate was removed.
    Removed,
    /// A certificate was revoked.
    Revoked,
    /// The CA suggested another time to renew.
    Suggested,
    /// An account's contact or key was changed at the CA.
    AccountChanged,
    /// What a dead node had left behind was cleared away.
    Cleared,
    /// This node's clock and the CA's differ.
    ClockSkew,
    /// A sealed value did not open.
    SealRefused,
    /// A certificate was put back into a store that had lost it.
    Restored,
}

/// The kind as it is stored, such as `lease_acquired`.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The newest [`KEPT`] events of the fleet.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Adds one.
    async fn append(&self, event: &Event) -> Result<(), StoreError>;

    /// The newest `most`, oldest first.
    async fn events(&self, most: usize) -> Result<Vec<Event>, StoreError>;
}
