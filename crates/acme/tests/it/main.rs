//! The issuers against real and false CAs; one program, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get fails the test"
)]

mod builtin;
mod fake_ca;
mod lost_answers;
mod pebble;
mod refusals;
mod world;
