//! Real servers as fixtures for certfleet's tests and its demonstration.
//!
//! Each fixture starts a server from a Debian package on free loopback ports, waits until it
//! answers, and stops its own process by pid when dropped. A package that is not installed is a
//! failure that names it, never a test passed over.

pub mod bind;
pub mod client;
pub mod fleet;
pub mod haproxy;
pub mod http;
pub mod latency;
pub mod load;
pub mod metrics;
pub mod nginx;
pub mod node;
pub mod pebble;
pub mod plain_client;
pub mod process;
pub mod pubsub;
pub mod redis;
pub mod relay;
pub mod scenario;
pub mod secrets;
pub mod tools;
pub mod watch;
