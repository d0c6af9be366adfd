//! Trying again, within one attempt, what failed for a passing reason.
//!
//! This is the only module that names the crate `backoff` (unmaintained, RUSTSEC-2025-0012). What
//! the CA refused is never tried again here, and neither is anything it put a Retry-After on: that
//! is for the fleet to wait for, with the lease given back. A request that ran into its time limit
//! has had its time.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};

use crate::IssueError;

const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// No try begins later than this after the first.
const LONGEST: Duration = Duration::from_secs(30);

/// What a second run of a step would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The same as the first.
    Safe,
    /// Perhaps a second order or account, if the CA had acted on the first.
    Doubles,
}

/// The tries of one step.
///
/// ```text
/// let mut tries = Tries::new(Repeat::Safe);
/// let value = loop {
///     match step().await {
///         Ok(value) => break value,
///         Err(error) => tries.pause(error).await?,
///     }
/// };
/// ```
pub(crate) struct Tries {
    repeat: Repeat,
    failed: u32,
    waits: ExponentialBackoff,
}

impl Tries {
    pub(crate) fn new(repeat: Repeat) -> Self {
        Self {
            repeat,
            failed: 0,
            waits: waits(),
        }
    }

    /// Waits until the next try is due.
    ///
    /// # Errors
    /// `error` itself, if another try would not help or is not left.
    pub(crate) async fn pause(&mut self, error: IssueError) -> Result<(), IssueError> {
        self.failed += 1;
        if self.failed == TRIES || !is_transient(&error, self.repeat) {
            return Err(error);
        }
        let Some(wait) = self.waits.next_backoff() else {
            return Err(error);
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Whether this is not the first try.
    pub(crate) fn again(&self) -> bool {
        self.failed > 0
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(FIRST_WAIT)
        .with_multiplier(2.0)
        .with_randomization_factor(0.5)
        .with_max_interval(LONGEST_WAIT)
        .with_max_elapsed_time(Some(LONGEST))
        .build()
}

fn is_transient(error: &IssueError, repeat: Repeat) -> bool {
    let (passing, doubtful) = match error {
        IssueError::Connection { doubtful, .. } => (true, *doubtful),
        IssueError::Refused {
            status,
            problem,
            retry_after: None,
            doubtful,
            ..
        } => {
            let broken = status.is_some_and(|status| status >= 500);
            let passing = match problem.label() {
                "rateLimited" => false,
                "badNonce" => true,
                _ => broken,
            };
            (passing, *doubtful)
        }
        _ => (false, false),
    };
    passing && !(doubtful && repeat == Repeat::Doubles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Problem;

    fn refused(status: u16, kind: &str, retry_after: Option<u64>) -> IssueError {
        IssueError::Refused {
            ca: "ca.example".into(),
            operation: "test",
            status: Some(status),
            problem: Box::new(Problem {
                kind: kind.into(),
                ..Problem::default()
            }),
            retry_after: retry_after.map(Duration::from_secs),
            doubtful: status >= 500,
        }
    }

    fn connection(doubtful: bool) -> IssueError {
        IssueError::Connection {
            ca: "ca.example".into(),
            operation: "test",
            problem: String::new(),
            doubtful,
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for (error, safe, doubles) in [
            (connection(false), true, true),
            (connection(true), true, false),
            (refused(500, "serverInternal", None), true, false),
            (refused(503, "", None), true, false),
            (refused(503, "", Some(5)), false, false),
            (refused(503, "rateLimited", None), false, false),
            (refused(429, "rateLimited", Some(60)), false, false),
            (refused(400, "badNonce", None), true, true),
            (refused(400, "malformed", None), false, false),
            (refused(403, "unauthorized", None), false, false),
            (refused(404, "", None), false, false),
        ] {
            assert_eq!(is_transient(&error, Repeat::Safe), safe, "{error}");
            assert_eq!(is_transient(&error, Repeat::Doubles), doubles, "{error}");
        }
    }

    #[tokio::test]
    async fn tries_are_few_and_the_last_error_is_told() {
        let mut tries = Tries::new(Repeat::Safe);
        assert!(!tries.again());
        for _ in 1..TRIES {
            tries.pause(connection(true)).await.unwrap();
            assert!(tries.again());
        }
        let error = tries.pause(connection(true)).await.unwrap_err();
        assert_eq!(error.kind(), "connection");
    }

    #[test]
    fn waits_grow_with_jitter_up_to_a_bound() {
        let mut waits = waits();
        for base in [200, 400, 800, 1600, 3200, 5000, 5000] {
            let wait = waits.next_backoff().unwrap().as_millis();
            assert!(
                (base / 2..=base * 3 / 2).contains(&wait),
                "{wait} of {base}"
            );
        }
    }
}
