//! How long a subscription waits before it connects again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double with each failure, up to [`LONGEST`].
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: between half and the whole of its step, by `jitter` in 0 to 1, so that the
    /// nodes of a fleet do not come back all at once.
    pub(super) fn next(&mut self, jitter: f64) -> Duration {
        let step = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        step / 2 + (step / 2).mul_f64(jitter.clamp(0.0, 1.0))
    }

    /// The connection has proved good: the next failure is a first one again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random number in 0 to 1.
pub(super) fn jitter() -> f64 {
    let bits = getrandom::u32().expect("the operating system gives randomness");
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), FIRST / 2);
    }
}
