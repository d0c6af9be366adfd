//! The one record this crate deals in, and the name it stands at.

use std::fmt;

/// A TXT record: one value at one name. Others may stand beside it.
///
/// The value of a challenge is the digest of a key authorization, which is no secret: the whole
/// world can read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxtRecord {
    /// The absolute name, without a trailing dot and in lower case.
    pub name: String,
    /// The text; longer than 255 octets it is split into several strings.
    pub value: String,
}

impl TxtRecord {
    /// A record with `value` at `name`, which may carry a trailing dot.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: normal(name),
            value: value.into(),
        }
    }
}

impl fmt::Display for TxtRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} TXT {:?}", self.name, self.value)
    }
}

/// Where the CA looks for the answer for `domain` (RFC 8555 section 8.4): a wildcard shares the
/// name of its base domain.
#[must_use]
pub fn challenge_name(domain: &str) -> String {
    let base = domain.strip_prefix("*.").unwrap_or(domain);
    format!("_acme-challenge.{}", normal(base))
}

/// A name as this crate compares names: lower case, without a trailing dot.
pub(crate) fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether `name` is `zone` or lies below it; both in normal form.
pub(crate) fn within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_shares_the_challenge_name_of_its_base() {
        for domain in ["example.com", "*.example.com", "Example.COM."] {
            assert_eq!(challenge_name(domain), "_acme-challenge.example.com");
        }
        assert_eq!(challenge_name("a.b.test"), "_acme-challenge.a.b.test");
    }

    #[test]
    fn a_name_lies_within_a_zone_at_a_label_boundary() {
        for (name, zone, expected) in [
            ("example.com", "example.com", true),
            ("a.example.com", "example.com", true),
            ("badexample.com", "example.com", false),
            ("com", "example.com", false),
        ] {
            assert_eq!(within(name, zone), expected, "{name} in {zone}");
        }
    }
}
