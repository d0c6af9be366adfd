//! When a certificate is renewed.
//!
//! A pure function of the certificate's validity. "30 days before the end" alone would never let
//! a six-day certificate rest, and would leave a 47-day one two thirds of its life unused, so the
//! rule is the earlier of that and a share of the lifetime, by the CA's integration guide.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{CertificateId, Timestamp};

const DAY: Duration = Duration::from_secs(86_400);

/// The rule by which renewal times are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalPolicy {
    /// Renew at the latest this long before the end of validity, where the lifetime allows it.
    pub before_expiry: Duration,
}

impl Default for RenewalPolicy {
    /// 30 days.
    fn default() -> Self {
        Self {
            before_expiry: 30 * DAY,
        }
    }
}

impl RenewalPolicy {
    /// When a certificate valid from `not_before` to `not_after` is to be renewed.
    ///
    /// `before_expiry` ahead of the end, but never with more than half of the lifetime left; at
    /// the latest with a third of it left (half of it for lifetimes under 10 days). Up to a
    /// hundredth of the lifetime earlier still, by the certificate's id, so that certificates
    /// issued together are not renewed together.
    #[must_use]
    pub fn renew_at(
        &self,
        id: &CertificateId,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Timestamp {
        let lifetime = not_after.since(not_before);
        let share = if lifetime < 10 * DAY {
            lifetime / 2
        } else {
            lifetime / 3
        };
        let left = self.before_expiry.min(lifetime / 2).max(share);
        not_after.before(left).before(spread(id, lifetime / 100))
    }
}

/// A share of `most` that depends on the id alone, so that all nodes agree on it.
fn spread(id: &CertificateId, most: Duration) -> Duration {
    let digest = Sha256::digest(id.as_str());
    let [a, b, ..] = digest[..] else {
        return Duration::ZERO;
    };
    most.mul_f64(f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renews_by_lifetime() {
        let start = Timestamp::from_secs(1_700_000_000);
        let id: CertificateId = "a.example".parse().unwrap();
        // Lifetime in hours, and the share of it that may be over when renewal comes.
        for (hours, earliest, latest) in [
            (90 * 24, 0.65, 0.667), // 30 days before the end
            (47 * 24, 0.49, 0.51),  // 30 days are more than half: half
            (45 * 24, 0.49, 0.51),
            (200 * 24, 0.65, 0.667), // a third is more than 30 days
            (160, 0.49, 0.501),      // short-lived: half
        ] {
            let lifetime = Duration::from_secs(hours * 3600);
            let end = start.after(lifetime);
            let at = RenewalPolicy::default().renew_at(&id, start, end);
            let over = at.since(start).as_secs_f64() / lifetime.as_secs_f64();
            assert!(
                (earliest..=latest).contains(&over),
                "{hours} h: renewed at {over}"
            );
        }
    }

    #[test]
    fn certificates_issued_together_are_spread() {
        let (start, end) = (Timestamp::from_secs(0), Timestamp::from_secs(90 * 86400));
        let at = |id: &str| {
            RenewalPolicy::default()
                .renew_at(&id.parse().unwrap(), start, end)
                .as_secs()
        };
        assert_ne!(at("a.example"), at("b.example"));
        assert_eq!(at("a.example"), at("a.example"));
    }
}
