//! The time, asked for in one place so that tests can own it.

use std::{fmt, time::UNIX_EPOCH};

use certfleet_core::Timestamp;

/// Tells the wall-clock time. Waiting is tokio's business, which tests can pause as well.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one home of the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::UNIX_EPOCH.after(since)
    }
}
