//! TLS certificates for a fleet of servers, with nobody ever thinking about them again.
//!
//! An axum program becomes a node of a fleet in one line:
//!
//! ```no_run
//! # async fn main_() -> Result<(), certfleet::FleetError> {
//! let app = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
//! certfleet::Fleet::from_env()?.serve(app).await
//! # }
//! ```
//!
//! Run it on any number of machines behind a TCP balancer, with the same `CERTFLEET_*` variables
//! ([`settings`] lists them). One node gets each certificate when it is due; all serve it.
//!
//! In code instead of the environment: [`Fleet::builder`]. With a server of your own:
//! [`Fleet::start`] gives a [`Running`] node with a [`listener`](Running::listener) for
//! `axum::serve` and a [`server_config`](Running::server_config) for everything else that takes a
//! rustls configuration.
//!
//! # The life of a certificate
//! The modules, in the order a certificate meets them: `wanted` knows it, from the configuration,
//! from an [`operator`], or from `on_demand`; `renewer` finds it due; `issuance` takes the lease and
//! walks it to the commit, with `issuers` and `account` for the CA, `budget` for the CA's limits and
//! `challenge` for the answers; `follower` hears of the commit on every node; `installer` verifies
//! and publishes it; `heartbeat` tells the fleet what is served; `suggestions` asks the CA when the
//! next one is to come.
//!
//! Certificates come and go while a node runs: [`Handle::operator`] adds, removes, renews and
//! revokes them.

mod account;
pub mod accounts;
mod assembly;
pub mod backend;
mod budget;
mod builder;
mod challenge;
pub mod config;
mod error;
mod fleet;
mod follower;
mod handle;
mod health;
mod heartbeat;
mod installer;
mod issuance;
mod issuers;
mod journal;
mod metrics;
mod node;
mod on_demand;
pub mod operator;
mod progress;
mod redirect;
mod renewer;
mod running;
#[cfg(test)]
mod sample;
mod serve;
pub mod settings;
pub mod shutdown;
mod status;
mod suggestions;
mod tasks;
mod wanted;

pub use account::AccountError;
pub use builder::Builder;
pub use config::Config;
pub use error::FleetError;
pub use fleet::Fleet;
pub use handle::Handle;
pub use operator::{Operator, OperatorError};
pub use running::Running;
pub use serve::{ClientAddr, HttpsListener, Port};
pub use status::{Certificate, Status};
