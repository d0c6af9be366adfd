//! How far this machine's clock is from the CA's, by the Date of the CA's answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use certfleet_core::Timestamp;
use http::{HeaderMap, header};

use crate::retry_after::date;

const UNKNOWN: i64 = i64::MIN;
/// An answer that took longer says too little of the moment it was written.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(10);

/// The difference last seen. Clones share it.
#[derive(Clone)]
pub(crate) struct ClockSkew(Arc<AtomicI64>);

impl ClockSkew {
    /// With none seen yet.
    pub(crate) fn unknown() -> Self {
        Self(Arc::new(AtomicI64::new(UNKNOWN)))
    }

    /// How far this clock is behind (positive) or ahead of (negative) the CA's, in seconds; good to
    /// a second or two, and half the round trip.
    pub(crate) fn seconds(&self) -> Option<i64> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            seconds => Some(seconds),
        }
    }

    /// Learns from the answer to a request that was `asked` and `answered` at these times of this
    /// clock. An answer out of a cache says nothing.
    pub(crate) fn learn(&self, headers: &HeaderMap, asked: Timestamp, answered: Timestamp) {
        let fresh = !headers.contains_key(header::AGE);
        let quick = asked <= answered && answered.since(asked) <= LONGEST_ROUND_TRIP;
        let said = headers
            .get(header::DATE)
            .and_then(|value| date(value.to_str().ok()?));
        if let Some(said) = said.filter(|_| fresh && quick) {
            let here = asked.after(answered.since(asked) / 2).as_millis();
            // The CA leaves off the part of the second: half of one on the average.
            let there = said.as_millis() + 500;
            let skew = (there - here + 500).div_euclid(1000);
            self.0.store(skew, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T06:00:00Z
    const THERE: Timestamp = Timestamp::from_secs(1_795_500_000);

    fn learned(asked: i64, answered: i64, headers: &[(&'static str, &'static str)]) -> Option<i64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let skew = ClockSkew::unknown();
        let at = |offset| Timestamp::from_millis(THERE.as_millis() + offset);
        skew.learn(&map, at(asked), at(answered));
        skew.seconds()
    }

    #[test]
    fn the_clock_is_compared_half_way_through_the_round_trip() {
        let date = ("date", "Tue, 24 Nov 2026 06:00:00 GMT");
        for (asked, answered, headers, want) in [
            (0, 1000, &[date][..], Some(0)),
            (-60_000, -59_000, &[date], Some(60)),
            (3_600_000, 3_604_000, &[date], Some(-3601)),
            (0, 1000, &[], None),
            (0, 1000, &[("date", "now")], None),
            (0, 1000, &[date, ("age", "30")], None),
            (0, 11_000, &[date], None),
            // The clock was set back meanwhile.
            (5000, 0, &[date], None),
        ] {
            assert_eq!(
                learned(asked, answered, headers),
                want,
                "{asked} {answered}"
            );
        }
    }
}
