//! The issuers against real and false CAs; one program, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get fails the test"
)]

mod accounts;
mod board;
mod builtin;
mod certificates;
mod challenges;
mod fake_ca;
mod hostile;
mod leeway;
mod lost_answers;
mod pebble;
mod refusals;
mod renewal;
mod revocation;
mod world;
