//! Hot-reloaded TLS serving: certificates are swapped while handshakes go on.
//!
//! [`watch`] gives a [`Publisher`], which takes what was [`Verified`], and a [`Resolver`], which
//! rustls asks in each handshake. Between them stands one immutable table that is replaced whole:
//! a handshake sees the table from before a change or from after it, never a mixture, and neither
//! waits nor takes a lock. [`Listener`] runs the handshakes, and does the same for plain ports.
//!
//! | module | holds |
//! |---|---|
//! | [`verified`] | [`Verified`]: a bundle found fit to serve, or why it was [`Rejected`] |
//! | [`publisher`] | [`Publisher`]: the only way to change what is served |
//! | [`resolver`] | [`Resolver`]: which certificate a server name gets |
//! | [`config`] | [`server_config`]: protocol versions, key exchange, ALPN, sessions |
//! | [`listener`] | [`Listener`]: TCP accepted, handshakes run within [`Limits`] |
//! | [`protocol`] | [`Tls`] or [`Plain`]: what a listener's connections begin with |
//! | [`challenge`] | [`ChallengeResponder`]: what a CA is answered in a handshake (TLS-ALPN-01) |
//! | [`on_demand`] | [`OnDemand`]: certificates obtained while the first client waits |
//! | [`networks`] | [`Networks`]: who is trusted to say whose connection it passes on |
//! | [`stats`] | [`Stats`]: what the listener counted |
//!
//! Where certificates come from is not known here: no store, no CA, no HTTP.

pub mod challenge;
pub mod config;
pub mod listener;
pub mod networks;
pub mod on_demand;
pub mod protocol;
pub mod publisher;
pub mod resolver;
pub mod stats;
pub mod verified;

mod proxy_protocol;
mod sharded;
mod table;

pub use challenge::ChallengeResponder;
pub use config::server_config;
pub use listener::{Limits, Listener};
pub use networks::{Networks, NetworksError};
pub use on_demand::{OnDemand, OnDemandLimits};
pub use protocol::{Plain, Protocol, Tls};
pub use publisher::{Publisher, Served, Stale, watch};
pub use resolver::Resolver;
pub use stats::{Demand, Failure, Stats};
pub use verified::{Rejected, Verified};
