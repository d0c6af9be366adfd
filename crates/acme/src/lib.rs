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
//! | [`acme`] | [`Acme`]: any CA that speaks ACME (RFC 8555), and accounts there |
//! | [`config`] | [`AcmeConfig`]: how it is reached, and who asks |
//! | [`acme_issuer`] | [`AcmeIssuer`]: an account, ready for orders |
//! | [`directory`] | [`Directory`]: where such a CA is found |
//! | [`account`] | [`Credentials`] of an ACME account |
//! | [`external_account`] | [`ExternalAccount`], which some CAs want an account bound to |
//! | [`builtin`] | [`BuiltInCa`]: a CA of one's own, for localhost and closed networks |
//! | [`error`], [`problem`] | why no certificate came, in the CA's words |
//!
//! Private: `registration` (the requests about accounts), `attempt` (one order from names to bundle), `answers` (those to the CA's challenges),
//! `renewal_info` (RFC 9773), `certificate` (the key, and the check of what came back), `advice`
//! (what is to be done about an error), `transport` (HTTP within bounds), `clock_skew`,
//! `retry_after`, `retry`, `clock`. The engine is instant-acme; `wire`, `jws` and `resources` are
//! for the requests that it cannot make.

pub mod account;
pub mod acme;
pub mod acme_issuer;
mod advice;
mod answers;
mod attempt;
pub mod builtin;
mod certificate;
mod clock;
mod clock_skew;
pub mod config;
pub mod directory;
pub mod error;
pub mod external_account;
pub mod issuer;
mod jws;
pub mod problem;
pub mod progress;
mod registration;
mod renewal_info;
mod resources;
mod retry;
mod retry_after;
mod transport;
mod wire;

pub use account::Credentials;
pub use acme::Acme;
pub use acme_issuer::AcmeIssuer;
pub use builtin::{BuiltInCa, BuiltInCaError};
pub use config::{AcmeConfig, Limits};
pub use directory::Directory;
pub use error::{ConfigError, FailedName, IssueError};
pub use external_account::{ExternalAccount, MacAlgorithm};
pub use issuer::{BoxError, ChallengeAnswers, Issuer, Key, Order, RenewalInfo, Revocation};
pub use problem::Problem;
pub use progress::{Progress, Step};
