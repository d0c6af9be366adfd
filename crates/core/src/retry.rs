//! When a failed attempt to get a certificate is made again.
//!
//! The schedule is exponential with jitter up to a number of tries, then slow and endless: a
//! certificate that still serves is never given up on before it expires. What a CA asks for with
//! Retry-After (RFC 8555 section 6.6) always holds.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{NodeId, Timestamp, challenge::ChallengeKind};

/// What the fleet remembers of failed tries for one certificate; gone after a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How many tries have failed in a row. A wait that was foreseen (the budget, a pause the CA
    /// asked for) is no failure and leaves it as it was; it may be 0.
    pub failures: u32,
    /// When the last one failed, or began to wait.
    pub failed_at: Timestamp,
    /// Which node made it.
    pub node: NodeId,
    /// The issuer it was made at, by its name in configuration; empty if none was reached.
    pub issuer: String,
    /// What kind of error it was, a word of a bounded set such as `rateLimited`.
    pub kind: String,
    /// What went wrong, with the CA's words if it had any.
    pub error: String,
    /// What is to be done about it.
    pub advice: Advice,
    /// The ways of validation that have failed since the last success.
    pub failed_challenges: Vec<ChallengeKind>,
    /// When the next one is due.
    pub next: Timestamp,
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// The same again, spaced by the schedule.
    Retry,
    /// The same again, but not before a time that the CA or the budget gave.
    Wait,
    /// Another way of validation, if there is one.
    ChangeChallenge,
    /// Nothing helps until a person has changed something: the alarm comes at once.
    NeedsPerson,
}

impl Advice {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Retry,
        Self::Wait,
        Self::ChangeChallenge,
        Self::NeedsPerson,
    ];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Wait => "wait",
            Self::ChangeChallenge => "change_challenge",
            Self::NeedsPerson => "needs_person",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of retry, wait, change_challenge and needs_person")]
pub struct AdviceError(String);

impl FromStr for Advice {
    type Err = AdviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|advice| advice.as_str() == text)
            .ok_or_else(|| AdviceError(text.to_owned()))
    }
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
    /// which the CA does not want to be asked. With `another_way` left untried the next try comes
    /// at once. Where a person is needed the run is over with the first failure. The slow schedule
    /// becomes quicker towards `not_after`, the end of the certificate that still serves, so that
    /// some tries are always left: a wait is no longer than a quarter of what remains, and at least
    /// as long as the first.
    #[must_use]
    pub fn next(&self, failure: &Failure, jitter: f64, now: Timestamp) -> Timestamp {
        let wait = if self.run_failed(failure.failures, failure.advice) {
            let remaining = failure.not_after.map(|end| end.since(now) / 4);
            remaining.map_or(self.slow, |quarter| self.slow.min(quarter.max(self.first)))
        } else if failure.another_way {
            Duration::ZERO
        } else {
            let factor = self
                .factor
                .saturating_pow(failure.failures.saturating_sub(1));
            self.first.saturating_mul(factor).min(self.slow)
        };
        let at = now.after(wait + (wait / 5).mul_f64(jitter.clamp(0.0, 1.0)));
        failure.not_earlier.map_or(at, |bound| at.max(bound))
    }

    /// Whether so many failures in a row are a failed run, which an operator must hear of.
    #[must_use]
    pub fn run_failed(&self, failures: u32, advice: Advice) -> bool {
        failures >= self.tries || advice == Advice::NeedsPerson
    }
}

/// What the time of the next try depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How many tries have failed in a row, this one among them.
    pub failures: u32,
    /// What is to be done about it.
    pub advice: Advice,
    /// Whether a way of validation is left that has not failed.
    pub another_way: bool,
    /// Before when the CA does not want to be asked.
    pub not_earlier: Option<Timestamp>,
    /// The end of the certificate that still serves, if one does.
    pub not_after: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn failed(failures: u32) -> Failure {
        Failure {
            failures,
            advice: Advice::Retry,
            another_way: false,
            not_earlier: None,
            not_after: None,
        }
    }

    fn wait(failure: &Failure, jitter: f64) -> u64 {
        let next = RetrySchedule::default().next(failure, jitter, NOW);
        next.since(NOW).as_secs()
    }

    #[test]
    fn waits_grow_then_stay_slow() {
        let waits: Vec<_> = (1..=7).map(|n| wait(&failed(n), 0.0) / 60).collect();
        assert_eq!(waits, [1, 4, 16, 64, 720, 720, 720]);
        assert_eq!(wait(&failed(1), 1.0), 72, "a fifth more at the most");
        assert_eq!(wait(&failed(u32::MAX), 0.0), 43_200);
    }

    #[test]
    fn the_alarm_comes_with_the_fifth_failure_or_when_a_person_is_needed() {
        let schedule = RetrySchedule::default();
        assert!(!schedule.run_failed(4, Advice::Retry));
        assert!(schedule.run_failed(5, Advice::Retry));
        assert!(schedule.run_failed(1, Advice::NeedsPerson));
        let failure = Failure {
            advice: Advice::NeedsPerson,
            ..failed(1)
        };
        assert_eq!(wait(&failure, 0.0), 43_200);
    }

    #[test]
    fn another_way_is_tried_at_once() {
        let failure = Failure {
            another_way: true,
            ..failed(1)
        };
        assert_eq!(wait(&failure, 1.0), 0);
    }

    #[test]
    fn retry_after_holds_when_it_is_later() {
        let bounded = |bound| Failure {
            not_earlier: Some(NOW.after(bound)),
            ..failed(1)
        };
        assert_eq!(wait(&bounded(120 * MINUTE), 0.0), 7200);
        assert_eq!(wait(&bounded(MINUTE / 60), 0.0), 60);
    }

    #[test]
    fn the_slow_schedule_leaves_tries_before_the_end() {
        let ends_in = |minutes| Failure {
            not_after: Some(NOW.after(MINUTE * minutes)),
            ..failed(9)
        };
        assert_eq!(wait(&ends_in(100 * 24 * 60), 0.0), 43_200);
        assert_eq!(wait(&ends_in(24 * 60), 0.0), 6 * 3600);
        assert_eq!(wait(&ends_in(8), 0.0), 120);
        assert_eq!(wait(&ends_in(1), 0.0), 60);
    }

    #[test]
    fn advice_reads_back() {
        for advice in Advice::ALL {
            assert_eq!(advice.to_string().parse(), Ok(advice));
        }
        assert!("panic".parse::<Advice>().is_err());
    }
}
