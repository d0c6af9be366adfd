//! Getting certificates from a CA: the seam [`Issuer`], and what stands behind it.
//!
//! An issuer turns names into a [`Bundle`](certfleet_core::Bundle) that was checked to be theirs.
//! It keeps no state of its own: the account, the challenge answers and the result are the
//! caller's to store. When to order, how often, and who in the fleet may are not decided here.
//!
//! | module | holds |
//! |---|---|
//! | [`issuer`] | [`Issuer`] and what an order carries |
//! | [`progress`] | [`Step`]: how far an order has come |
//! | [`acme`] | [`Acme`] and [`AcmeIssuer`]: any CA that speaks ACME (RFC 8555) |
//! | [`directory`] | [`Directory`]: where such a CA is found |
//! | [`account`] | [`Credentials`] of an ACME account |
//! | [`builtin`] | [`BuiltInCa`]: a CA of one's own, for localhost and closed networks |
//! | [`error`], [`problem`] | why no certificate came, in the CA's words |
//!
//! Private: `attempt` (one order from names to bundle), `answers` (those to the CA's challenges),
//! `certificate` (the fresh key, and the check of what came back), `transport` (HTTP within
//! bounds), `retry_after`, `retry`, `clock`.

pub mod account;
pub mod acme;
mod answers;
mod attempt;
pub mod builtin;
mod certificate;
mod clock;
pub mod directory;
pub mod error;
pub mod issuer;
pub mod problem;
pub mod progress;
mod retry;
mod retry_after;
mod transport;

pub use account::Credentials;
pub use acme::{Acme, AcmeConfig, AcmeIssuer, Limits};
pub use builtin::{BuiltInCa, BuiltInCaError};
pub use directory::Directory;
pub use error::{ConfigError, FailedName, IssueError};
pub use issuer::{BoxError, ChallengeAnswers, Issuer, Key, Order, RenewalInfo, Revocation};
pub use problem::Problem;
pub use progress::{Progress, Step};
