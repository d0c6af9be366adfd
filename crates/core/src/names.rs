//! The names of one certificate, and the identifier that the fleet knows it by.
//!
//! A [`CertificateId`] depends on the set alone, never on the order names were written in, so
//! every node derives the same one from its own configuration.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{identifier::Identifier, name::DomainNameError};

/// A non-empty set of names and addresses, shortest first and then alphabetical.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Identifier>", into = "Vec<Identifier>")]
pub struct NameSet(Vec<Identifier>);

impl NameSet {
    /// Sorts the names and drops repeats.
    ///
    /// # Errors
    /// [`NamesError::Empty`] if there is no name at all.
    pub fn new(names: impl IntoIterator<Item = Identifier>) -> Result<Self, NamesError> {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|a, b| (a.as_str().len(), a.as_str()).cmp(&(b.as_str().len(), b.as_str())));
        names.dedup();
        if names.is_empty() {
            Err(NamesError::Empty)
        } else {
            Ok(Self(names))
        }
    }

    /// The names in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Identifier> {
        self.0.iter()
    }

    /// How many names there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The shortest name, which also leads the identifier.
    #[must_use]
    pub fn primary(&self) -> &Identifier {
        &self.0[0]
    }

    /// Whether some name of the set is good for `host`.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.covers(host))
    }

    /// The identifier of the certificate for these names.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        let lead = lead(self.primary());
        if self.len() == 1 {
            return CertificateId(lead);
        }
        let mut digest = Sha256::new();
        for name in &self.0 {
            digest.update(name.as_str());
            digest.update(b"\n");
        }
        let tag: String = digest
            .finalize()
            .iter()
            .take(6)
            .map(|b| format!("{b:02x}"))
            .collect();
        CertificateId(format!("{lead}+{tag}"))
    }
}

/// An identifier in characters that mean nothing in a key or a file name: `_.example.com` for a
/// wildcard, `_6.2001-db8--1` for an IPv6 address.
fn lead(identifier: &Identifier) -> String {
    match (identifier.wildcard_base(), identifier.address()) {
        (Some(base), _) => format!("_.{base}"),
        (None, Some(IpAddr::V6(address))) => format!("_6.{address}").replace(':', "-"),
        (None, _) => identifier.to_string(),
    }
}

impl<'a> IntoIterator for &'a NameSet {
    type Item = &'a Identifier;
    type IntoIter = std::slice::Iter<'a, Identifier>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The names joined by `+`, as configuration writes them.
impl fmt::Display for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("+")?;
            }
            name.fmt(f)?;
        }
        Ok(())
    }
}

/// Names joined by `+`.
impl FromStr for NameSet {
    type Err = NamesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names: Result<Vec<_>, _> = text.split('+').map(|name| name.trim().parse()).collect();
        Self::new(names?)
    }
}

impl TryFrom<Vec<Identifier>> for NameSet {
    type Error = NamesError;

    fn try_from(names: Vec<Identifier>) -> Result<Self, Self::Error> {
        Self::new(names)
    }
}

impl From<NameSet> for Vec<Identifier> {
    fn from(names: NameSet) -> Self {
        names.0
    }
}

/// Why a list of names is no set for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// There is no name in it.
    #[error("a certificate needs at least one name")]
    Empty,
    /// One of them is neither a DNS name nor an address.
    #[error(transparent)]
    Name(#[from] DomainNameError),
}

/// What the fleet calls a certificate: its shortest name, and for several names a digest of the set.
///
/// `example.com` for one name, `_.example.com` for a wildcard, `_6.2001-db8--1` for an IPv6
/// address, `example.com+5f0e9c1d2ab3` for several. It is safe in a Redis key, a file name and a metric label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateId(String);

impl CertificateId {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no certificate identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a certificate id such as example.com or example.com+5f0e9c1d2ab3")]
pub struct CertificateIdError(String);

impl FromStr for CertificateId {
    type Err = CertificateIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (lead, tag) = text
            .split_once('+')
            .map_or((text, None), |(lead, tag)| (lead, Some(tag)));
        let lead_is_one = match lead.strip_prefix("_6.") {
            Some(address) => address
                .replace('-', ":")
                .parse::<Ipv6Addr>()
                .is_ok_and(|parsed| self::lead(&IpAddr::V6(parsed).into()) == lead),
            None => {
                let name = lead.strip_prefix("_.").unwrap_or(lead);
                !name.starts_with('*')
                    && !name.contains(':')
                    && name
                        .parse::<Identifier>()
                        .is_ok_and(|parsed| parsed.as_str() == name)
            }
        };
        let tag_is_hex = tag.is_none_or(|tag| {
            tag.len() == 12
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if lead_is_one && tag_is_hex {
            Ok(Self(text.to_owned()))
        } else {
            Err(CertificateIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for CertificateId {
    type Error = CertificateIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CertificateId> for String {
    fn from(id: CertificateId) -> Self {
        id.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_the_set_alone() {
        let one: NameSet = "www.example.com+example.com".parse().unwrap();
        let other: NameSet = "EXAMPLE.com+www.example.com+example.com".parse().unwrap();
        assert_eq!(one, other);
        assert_eq!(one.id(), other.id());
        assert!(
            one.id().as_str().starts_with("example.com+"),
            "{}",
            one.id()
        );
        let third: NameSet = "example.com+api.example.com".parse().unwrap();
        assert_ne!(one.id(), third.id());
    }

    #[test]
    fn an_id_reads_back() {
        for names in [
            "example.com",
            "*.example.com",
            "a.example+b.example",
            "*.a.example+a.example",
            "192.0.2.7",
            "2001:db8::1",
            "2001:db8::1+a.example",
        ] {
            let id = names.parse::<NameSet>().unwrap().id();
            assert_eq!(id.as_str().parse(), Ok(id.clone()), "{id}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "../x",
            "*.example.com",
            "example.com+12",
            "example.com+GGGGGGGGGGGG",
            "A.example",
            "2001:db8::1",
            "_6.2001-db8-0--1",
            "_6.a.example",
        ] {
            assert!(bad.parse::<CertificateId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_member_is_named() {
        assert!("a.example+".parse::<NameSet>().is_err());
        assert_eq!(NameSet::new([]), Err(NamesError::Empty));
    }
}
