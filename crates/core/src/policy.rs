//! When a certificate is renewed.
//!
//! A pure function of the certificate's validity and of the rule set for it. What the CA suggests
//! (see [`ari`](crate::ari)) goes before it.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CertificateId, Timestamp, duration};

const DAY: Duration = Duration::from_secs(86_400);

/// How much of its validity a certificate has left when it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RenewBefore {
    /// So long before its end; sooner by the lifetime, see [`RenewBefore::renew_at`].
    Time(Duration),
    /// With so many hundredths of its lifetime left, 1 to 99.
    Percent(u8),
}

impl Default for RenewBefore {
    /// 30 days.
    fn default() -> Self {
        Self::Time(30 * DAY)
    }
}

impl RenewBefore {
    /// When a certificate valid from `not_before` to `not_after` is to be renewed.
    ///
    /// By time: at the earlier of that and of a third of the lifetime being left (half of it for
    /// lifetimes under 10 days), but never with more than two thirds left: "30 days before" would
    /// have a certificate of six days renewed for ever. By share: with that share left. Up to a
    /// hundredth of the lifetime earlier still, by the certificate's id, so that certificates
    /// issued together are not renewed together.
    #[must_use]
    pub fn renew_at(
        self,
        id: &CertificateId,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Timestamp {
        let lifetime = not_after.since(not_before);
        let left = match self {
            Self::Percent(percent) => lifetime * u32::from(percent.clamp(1, 99)) / 100,
            Self::Time(_) if lifetime < 10 * DAY => lifetime / 2,
            Self::Time(time) => time.max(lifetime / 3).min(lifetime * 2 / 3),
        };
        not_after.before(left).before(spread(id, lifetime / 100))
    }
}

/// A duration such as `30d`, or a percentage such as `33%`.
impl fmt::Display for RenewBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&duration::display(*time)),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// The text is neither a duration nor a percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a duration such as 30d nor a share such as 33%, from 1% to 99%")]
pub struct RenewBeforeError(String);

impl FromStr for RenewBefore {
    type Err = RenewBeforeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.strip_suffix('%').and_then(|text| text.parse().ok());
        let time = duration::parse(text).filter(|time| !time.is_zero());
        percent
            .filter(|percent| (1..=99).contains(percent))
            .map(Self::Percent)
            .or_else(|| time.map(Self::Time))
            .ok_or_else(|| RenewBeforeError(text.to_owned()))
    }
}

impl TryFrom<String> for RenewBefore {
    type Error = RenewBeforeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RenewBefore> for String {
    fn from(rule: RenewBefore) -> Self {
        rule.to_string()
    }
}

/// When a certificate that another issuer made than the one wanted now is to be renewed: within a
/// day, by its id, so that a change of issuer does not order everything at once.
#[must_use]
pub fn switch_at(id: &CertificateId, now: Timestamp) -> Timestamp {
    now.after(spread(id, DAY))
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
            (64 * 24, 0.52, 0.532), // the same
            (47 * 24, 0.351, 0.362),
            (45 * 24, 0.32, 0.334),
            (20 * 24, 0.32, 0.334),  // never with more than two thirds left
            (200 * 24, 0.65, 0.667), // a third is more than 30 days
            (160, 0.49, 0.501),      // short-lived: half
        ] {
            let lifetime = Duration::from_secs(hours * 3600);
            let end = start.after(lifetime);
            let at = RenewBefore::default().renew_at(&id, start, end);
            let over = at.since(start).as_secs_f64() / lifetime.as_secs_f64();
            assert!(
                (earliest..=latest).contains(&over),
                "{hours} h: renewed at {over}"
            );
        }
    }

    #[test]
    fn a_share_is_a_share_of_the_lifetime() {
        let id: CertificateId = "a.example".parse().unwrap();
        let (start, end) = (Timestamp::from_secs(0), Timestamp::from_secs(100_000));
        let at = RenewBefore::Percent(25).renew_at(&id, start, end);
        assert!((74_000..=75_000).contains(&at.as_secs()), "{at}");
        for good in ["30d", "33%", "1%", "12h"] {
            assert_eq!(good.parse::<RenewBefore>().unwrap().to_string(), good);
        }
        for bad in ["", "0%", "100%", "0d", "30", "a third"] {
            assert!(bad.parse::<RenewBefore>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_switch_of_issuer_is_spread_over_a_day() {
        let now = Timestamp::from_secs(0);
        let at = |id: &str| switch_at(&id.parse().unwrap(), now);
        assert_ne!(at("a.example"), at("b.example"));
        assert!(at("a.example").since(now) <= DAY);
    }

    #[test]
    fn certificates_issued_together_are_spread() {
        let (start, end) = (Timestamp::from_secs(0), Timestamp::from_secs(90 * 86400));
        let at = |id: &str| {
            RenewBefore::default()
                .renew_at(&id.parse().unwrap(), start, end)
                .as_secs()
        };
        assert_ne!(at("a.example"), at("b.example"));
        assert_eq!(at("a.example"), at("a.example"));
    }
}
