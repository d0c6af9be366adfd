//! What a CA lets one account do, as token buckets, and what an order takes from them.
//!
//! A bucket is one number: the time at which it will be full again (the generic cell rate
//! algorithm). Taking a token moves that time later by what one token takes to come back; a bucket
//! whose time is past is full and need not be remembered at all.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Identifier, NameSet, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The size of a bucket, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How many tokens it holds.
    pub capacity: u32,
    /// How long one token takes to come back.
    pub refill: Duration,
}

impl Limit {
    /// Takes a token at `now` from the bucket that is full at `full`, and leaves `reserve` in it:
    /// when it is full then.
    ///
    /// # Errors
    /// The time at which there will be a token to take.
    pub fn take(
        self,
        full: Option<Timestamp>,
        reserve: u32,
        now: Timestamp,
    ) -> Result<Timestamp, Timestamp> {
        let after = full.map_or(now, |full| full.max(now)).after(self.refill);
        let usable = self.capacity.saturating_sub(reserve);
        let allowed_at = after.before(self.refill * usable);
        if allowed_at <= now {
            Ok(after)
        } else {
            Err(allowed_at)
        }
    }

    /// Gives a token back to the bucket that is full at `full`: when it is full then.
    #[must_use]
    pub fn give_back(self, full: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let before = full?.before(self.refill);
        (before > now).then_some(before)
    }

    /// How many whole tokens are in the bucket that is full at `full`.
    #[must_use]
    pub fn left(self, full: Option<Timestamp>, now: Timestamp) -> u32 {
        let missing = full.map_or(Duration::ZERO, |full| full.since(now));
        let gone = missing.as_millis().div_ceil(self.refill.as_millis().max(1));
        self.capacity
            .saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX))
    }
}

/// A kind of bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// New orders by the account.
    NewOrders,
    /// Certificates for one registered domain, IPv4 address or IPv6 /64.
    CertificatesPerDomain,
    /// Certificates for one exact set of identifiers.
    DuplicateCertificates,
    /// Validations of one identifier that failed.
    FailedAuthorizations,
}

impl LimitKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::NewOrders,
        Self::CertificatesPerDomain,
        Self::DuplicateCertificates,
        Self::FailedAuthorizations,
    ];

    /// As it stands in keys and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewOrders => "new_orders",
            Self::CertificatesPerDomain => "certificates_per_domain",
            Self::DuplicateCertificates => "duplicate_certificates",
            Self::FailedAuthorizations => "failed_authorizations",
        }
    }
}

/// The limits of a CA; what is `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of new orders by the account.
    pub new_orders: Option<Limit>,
    /// Of certificates for one registered domain.
    pub certificates_per_domain: Option<Limit>,
    /// Of certificates for one exact set of identifiers.
    pub duplicate_certificates: Option<Limit>,
    /// Of failed validations of one identifier.
    pub failed_authorizations: Option<Limit>,
}

/// What an order is for, which decides what it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A certificate that there was none of.
    New,
    /// The next certificate for the same identifiers.
    Renewal,
    /// The same, inside the window that the CA suggested and with `replaces` (RFC 9773 section 5).
    Suggested,
}

/// A token that an order needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Charge {
    /// The kind of bucket.
    pub kind: LimitKind,
    /// Whose bucket: a domain, a certificate's id, an identifier, or nothing for the account's.
    pub subject: String,
    /// How many tokens must be left for others.
    pub reserve: u32,
}

impl Limits {
    /// Those of Let's Encrypt's production environment, as documented in 2026.
    #[must_use]
    pub const fn lets_encrypt() -> Self {
        Self {
            new_orders: Some(Limit {
                capacity: 300,
                refill: Duration::from_secs(36),
            }),
            certificates_per_domain: Some(Limit {
                capacity: 50,
                refill: MINUTE.saturating_mul(202),
            }),
            duplicate_certificates: Some(Limit {
                capacity: 5,
                refill: HOUR.saturating_mul(34),
            }),
            failed_authorizations: Some(Limit {
                capacity: 5,
                refill: MINUTE.saturating_mul(12),
            }),
        }
    }

    /// The limit of a kind.
    #[must_use]
    pub const fn of(&self, kind: LimitKind) -> Option<Limit> {
        match kind {
            LimitKind::NewOrders => self.new_orders,
            LimitKind::CertificatesPerDomain => self.certificates_per_domain,
            LimitKind::DuplicateCertificates => self.duplicate_certificates,
            LimitKind::FailedAuthorizations => self.failed_authorizations,
        }
    }

    /// What an order for `names` takes.
    ///
    /// By Let's Encrypt's rules a renewal inside the suggested window takes nothing, and any other
    /// renewal of the same identifiers only of the exact set. A new certificate leaves a tenth of a
    /// bucket to renewals.
    #[must_use]
    pub fn charges(&self, names: &NameSet, purpose: Purpose) -> Vec<Charge> {
        let mut charges = Vec::new();
        let mut add = |kind, subject: String| {
            if let Some(limit) = self.of(kind) {
                let reserve = match purpose {
                    Purpose::New if kind != LimitKind::DuplicateCertificates => limit.capacity / 10,
                    _ => 0,
                };
                charges.push(Charge {
                    kind,
                    subject,
                    reserve,
                });
            }
        };
        match purpose {
            Purpose::Suggested => {}
            Purpose::Renewal => add(LimitKind::DuplicateCertificates, names.id().to_string()),
            Purpose::New => {
                add(LimitKind::NewOrders, String::new());
                add(LimitKind::DuplicateCertificates, names.id().to_string());
                for domain in registered_domains(names) {
                    add(LimitKind::CertificatesPerDomain, domain);
                }
            }
        }
        charges
    }

    /// What a failed validation of each of these takes, and an order must find there before.
    #[must_use]
    pub fn validations<'a>(
        &self,
        identifiers: impl IntoIterator<Item = &'a Identifier>,
    ) -> Vec<Charge> {
        let charge = |identifier: &Identifier| Charge {
            kind: LimitKind::FailedAuthorizations,
            subject: identifier.to_string(),
            reserve: 0,
        };
        let limited = self.failed_authorizations.is_some();
        let identifiers = identifiers.into_iter().filter(|_| limited);
        identifiers.map(charge).collect()
    }
}

/// What certificates are counted by: the registered domain by the public suffix list, the IPv4
/// address, or the IPv6 /64.
#[must_use]
pub fn registered_domains(names: &NameSet) -> BTreeSet<String> {
    names
        .iter()
        .map(|identifier| match identifier.address() {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            None => {
                let name = identifier.wildcard_base().unwrap_or(identifier.as_str());
                psl::domain_str(name).unwrap_or(name).to_owned()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);
    const LIMIT: Limit = Limit {
        capacity: 3,
        refill: MINUTE,
    };

    fn later(minutes: u32) -> Timestamp {
        NOW.after(MINUTE * minutes)
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_fills_again() {
        let mut full = None;
        for left in [3, 2, 1] {
            assert_eq!(LIMIT.left(full, NOW), left);
            full = Some(LIMIT.take(full, 0, NOW).unwrap());
        }
        assert_eq!(LIMIT.left(full, NOW), 0);
        assert_eq!(LIMIT.take(full, 0, NOW), Err(later(1)));
        assert_eq!(LIMIT.take(full, 0, later(1)), Ok(later(4)));
        assert_eq!(LIMIT.left(full, later(2)), 2);
        assert_eq!(LIMIT.take(full, 0, later(100)), Ok(later(101)));
        assert_eq!(LIMIT.left(full, later(100)), 3);
    }

    #[test]
    fn what_is_given_back_is_there_again() {
        let once = LIMIT.take(None, 0, NOW).ok();
        let twice = LIMIT.take(once, 0, NOW).ok();
        assert_eq!(LIMIT.give_back(twice, NOW), once);
        assert_eq!(LIMIT.give_back(once, NOW), None);
        assert_eq!(LIMIT.give_back(None, NOW), None);
    }

    #[test]
    fn what_is_reserved_is_left() {
        let full = LIMIT.take(None, 1, NOW).ok();
        let full = LIMIT.take(full, 1, NOW).ok();
        assert_eq!(LIMIT.take(full, 1, NOW), Err(later(1)));
        assert!(LIMIT.take(full, 0, NOW).is_ok());
    }

    #[test]
    fn an_order_is_charged_by_its_purpose() {
        let names: NameSet = "www.example.co.uk+example.co.uk+a.example.org"
            .parse()
            .unwrap();
        let charges = |purpose| {
            Limits::lets_encrypt()
                .charges(&names, purpose)
                .iter()
                .map(|c| format!("{} {} {}", c.kind.as_str(), c.subject, c.reserve))
                .collect::<Vec<_>>()
        };
        let id = names.id();
        assert_eq!(charges(Purpose::Suggested), [""; 0]);
        let duplicate = format!("duplicate_certificates {id} 0");
        assert_eq!(charges(Purpose::Renewal), std::slice::from_ref(&duplicate));
        assert_eq!(
            charges(Purpose::New),
            [
                "new_orders  30",
                &duplicate,
                "certificates_per_domain example.co.uk 5",
                "certificates_per_domain example.org 5",
            ]
        );
        assert!(Limits::default().charges(&names, Purpose::New).is_empty());
        assert_eq!(Limits::lets_encrypt().validations(&names).len(), 3);
        assert!(Limits::default().validations(&names).is_empty());
    }

    #[test]
    fn certificates_are_counted_by_registered_domain() {
        for (names, domains) in [
            ("a.b.example.com", "example.com"),
            ("*.example.co.uk", "example.co.uk"),
            ("me.github.io", "me.github.io"),
            ("com", "com"),
            ("localhost", "localhost"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3::1", "2001:db8:1:2::/64"),
        ] {
            let found = registered_domains(&names.parse().unwrap());
            assert_eq!(found.into_iter().collect::<Vec<_>>(), [domains], "{names}");
        }
    }
}
