//! The crate against real Redis servers, one for each test.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests: whatever fails in them fails them"
)]

mod fixture;

mod changes;
mod commands;
mod commit;
mod contract;
mod feed;
mod outage;
mod readable;
mod rights;
mod tls;
