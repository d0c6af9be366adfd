//! Measured times, and the percentiles people ask for.

use std::{fmt, time::Duration};

/// Durations of one kind of thing.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest one that `share` (0 to 1) of all are not above; zero if there is none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// `p50 1.2 ms, p99 3.4 ms (n = 100)`.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [0.5, 0.99].map(|share| self.percentile(share).as_secs_f64() * 1000.0);
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms (n = {})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_members() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.5), Duration::ZERO);
        for millis in (1..=200).rev() {
            latencies.add(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.0, 1), (0.5, 100), (0.99, 198), (1.0, 200)] {
            assert_eq!(
                latencies.percentile(share),
                Duration::from_millis(millis),
                "{share}"
            );
        }
        assert_eq!(
            latencies.to_string(),
            "p50 100.00 ms, p99 198.00 ms (n = 200)"
        );
    }
}
