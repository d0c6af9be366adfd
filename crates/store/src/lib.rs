//! The seams of certfleet: what a fleet keeps and agrees on, as small traits.
//!
//! Whoever implements all of them is a [`Backend`]. There are three: [`local::Memory`] and
//! [`local::FileStore`] here, for one node alone and for tests, and Redis in a crate of its own.
//! All pass the one suite in `contract` (feature `contract`).
//!
//! | module | seam |
//! |---|---|
//! | [`certificate`] | [`CertificateStore`]: records, and the one way to change them |
//! | [`lease`] | [`Leases`]: who may work on what, with fencing; [`lease::hold`] works under one |
//! | [`schedule`] | [`Schedule`]: what is due when, and what has failed |
//! | [`wanted`] | [`WantedList`]: certificates added at run time |
//! | [`suggestion`] | [`Suggestions`]: when the CA suggests to renew |
//! | [`budget`] | [`Budget`]: what the CA's rate limits still allow |
//! | [`revocation`] | [`Revocations`]: what is to be revoked |
//! | [`permission`] | [`Permissions`]: which names may have a certificate on demand |
//! | [`feed`] | [`ChangeFeed`]: what has changed since, and being told when it does |
//! | [`challenge`] | [`ChallengeBoard`]: answers to the CA's challenges, seen by every node |
//! | [`account`] | [`AccountVault`]: sealed ACME accounts |
//! | [`registry`] | [`NodeRegistry`]: which nodes live, and what each serves |
//! | [`event`] | [`EventLog`]: what happened, for people |
//! | [`clock`] | [`Clock`]: the only way to ask for the time |
//! | [`snapshot`] | [`Snapshot`](snapshot::Snapshot): a node's own sealed copy on disk |
//!
//! Nothing here knows of Redis, ACME or TLS, and nothing here ever sees a private key: bundles
//! and accounts arrive sealed and leave sealed.

pub mod account;
pub mod budget;
pub mod certificate;
pub mod challenge;
pub mod clock;
pub mod error;
pub mod event;
pub mod feed;
pub mod lease;
pub mod local;
pub mod permission;
pub mod registry;
pub mod revocation;
pub mod schedule;
pub mod snapshot;
pub mod suggestion;
pub mod wanted;

#[cfg(feature = "contract")]
pub mod contract;

pub use account::AccountVault;
pub use budget::Budget;
pub use certificate::{CertificateStore, CommitError, Stored};
pub use challenge::ChallengeBoard;
pub use clock::{Clock, SystemClock};
pub use error::StoreError;
pub use event::EventLog;
pub use feed::ChangeFeed;
pub use lease::{Lease, Leases};
pub use permission::Permissions;
pub use registry::NodeRegistry;
pub use revocation::Revocations;
pub use schedule::Schedule;
pub use suggestion::Suggestions;
pub use wanted::WantedList;

/// All the seams in one: what a fleet needs to run.
pub trait Backend:
    CertificateStore
    + Leases
    + Schedule
    + WantedList
    + Suggestions
    + Budget
    + Revocations
    + Permissions
    + ChangeFeed
    + ChallengeBoard
    + AccountVault
    + NodeRegistry
    + EventLog
{
}

impl<T> Backend for T where
    T: CertificateStore
        + Leases
        + Schedule
        + WantedList
        + Suggestions
        + Budget
        + Revocations
        + Permissions
        + ChangeFeed
        + ChallengeBoard
        + AccountVault
        + NodeRegistry
        + EventLog
{
}
