//! The crate against real Redis servers, one for each test.

mod fixture;

mod changes;
mod commit;
mod contract;
mod feed;
mod outage;
mod readable;
mod rights;
mod tls;
