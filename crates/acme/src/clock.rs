//! The wall clock, read when a certificate is made or has arrived.
//!
//! Everything that decides by the time takes it as an argument; this is called at the edge only.

use std::time::UNIX_EPOCH;

use certfleet_core::Timestamp;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate knows no store, and a certificate's validity is a matter of the wall clock"
)]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::UNIX_EPOCH.after(since)
}
