//! When a failed attempt to get a certificate is made again.
//!
//! The schedule is exponential with jitter up to a number of tries, then slow and endless: a
//! certificate that still serves is never given up on before it expires. What a CA asks for with
//! Retry-After (RFC 8555 section 6.6) always holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{NodeId, Timestamp};

/// What the fleet remembers of failed tries for one certificate; gone after a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How many tries have failed in a row.
    pub failures: u32,
    /// When the last one failed.
    pub failed_at: Timestamp,
    /// Which node made it.
    pub node: NodeId,
    /// What went wrong, with the CA's words if it had any.
    pub error: String,
    /// When the next one is due.
    pub next: Timestamp,
}

/// How failed attempts are spaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// The wait after the first failure.
    pub first: Duration,
    /// What each wait is multiplied by for the next.
    pub factor: u32,
    /// How many tries make a run; with the last of them the alarm is raised.
    pub tries: u32,
    /// The wait after the run has failed.
    pub slow: Duration,
}

impl Default for RetrySchedule {
    /// After 1, 4, 16 and 64 minutes; after the fifth failure the alarm, and then every 12 hours.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(60),
            factor: 4,
            tries: 5,
            slow: Duration::from_secs(12 * 3600),
        }
    }
}

impl RetrySchedule {
    /// When to try again after `failures` (at least one) in a row, the last at `now`.
    ///
    /// `jitter` in 0 to 1 makes the wait up to a fifth longer. `not_earlier` is the moment before
    /// which the CA does not want to be asked.
    #[must_use]
    pub fn next(
        &self,
        failures: u32,
        not_earlier: Option<Timestamp>,
        jitter: f64,
        now: Timestamp,
    ) -> Timestamp {
        let wait = if self.run_failed(failures) {
            self.slow
        } else {
            let factor = self.factor.saturating_pow(failures.saturating_sub(1));
            self.first.saturating_mul(factor).min(self.slow)
        };
        let at = now.after(wait + (wait / 5).mul_f64(jitter.clamp(0.0, 1.0)));
        not_earlier.map_or(at, |bound| at.max(bound))
    }

    /// Whether so many failures in a row are a failed run, which an operator must hear of.
    #[must_use]
    pub fn run_failed(&self, failures: u32) -> bool {
        failures >= self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn wait(failures: u32, jitter: f64) -> u64 {
        RetrySchedule::default()
            .next(failures, None, jitter, NOW)
            .since(NOW)
            .as_secs()
    }

    #[test]
    fn waits_grow_then_stay_slow() {
        let waits: Vec<_> = (1..=7).map(|failures| wait(failures, 0.0) / 60).collect();
        assert_eq!(waits, [1, 4, 16, 64, 720, 720, 720]);
        assert_eq!(wait(1, 1.0), 72, "a fifth more at the most");
        assert_eq!(wait(u32::MAX, 0.0), 43_200);
    }

    #[test]
    fn the_alarm_comes_with_the_fifth_failure() {
        let schedule = RetrySchedule::default();
        assert!(!schedule.run_failed(4));
        assert!(schedule.run_failed(5));
    }

    #[test]
    fn retry_after_holds_when_it_is_later() {
        let schedule = RetrySchedule::default();
        let later = NOW.after(Duration::from_secs(7200));
        assert_eq!(schedule.next(1, Some(later), 0.0, NOW), later);
        let sooner = NOW.after(Duration::from_secs(1));
        assert_eq!(
            schedule.next(1, Some(sooner), 0.0, NOW),
            NOW.after(Duration::from_secs(60))
        );
    }
}
