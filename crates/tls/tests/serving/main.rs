//! The crate as its users meet it: real handshakes over loopback TCP.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod challenge;
mod fixture;
mod handshake;
mod listener;
mod on_demand;
mod proxy_protocol;
