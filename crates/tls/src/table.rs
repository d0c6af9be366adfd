//! Which certificate a server name gets: one immutable value, changed by making another.
//!
//! The rule, first match wins. For a client that names a server:
//! 1. the name itself;
//! 2. the wildcard over all but its first label (RFC 6125 section 6.4.3);
//! 3. the default certificate, if one is configured and published.
//!
//! A client that connects by address names none (RFC 6066 section 3):
//! 1. a certificate that has an address, whichever;
//! 2. the default certificate.
//!
//! Of several certificates that match, the one that became valid last is served, and of
//! those the one with the lowest id, so that all nodes choose alike. The others stand by: when
//! one is taken out, the next takes over. Expiry plays no part: a certificate
//! stays until it is replaced or retracted.
//!
//! Let n be the names in the table, k those of one certificate, and a the certificates with an
//! address. A look-up is two or three hash look-ups; a change costs about 256 + k * n / 256 steps
//! (see [`Sharded`]), and a more for a certificate with an address.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use certfleet_core::{CertificateId, Generation, Identifier, Leaf, NameSet, Timestamp};
use rustls::sign::CertifiedKey;

use crate::sharded::Sharded;

/// One published certificate.
pub(crate) struct Entry {
    pub(crate) id: CertificateId,
    pub(crate) names: NameSet,
    pub(crate) generation: Generation,
    pub(crate) leaf: Arc<Leaf>,
    pub(crate) key: Arc<CertifiedKey>,
}

impl Entry {
    /// Sorts by preference: what comes first is served.
    fn rank(&self) -> (Reverse<Timestamp>, &CertificateId) {
        (Reverse(self.leaf.not_before), &self.id)
    }

    fn has_address(&self) -> bool {
        self.names.iter().any(|name| name.address().is_some())
    }
}

/// All published certificates, found by name or by id. A copy shares what does not change.
#[derive(Clone, Default)]
pub(crate) struct Table {
    entries: Sharded<Arc<Entry>>,
    exact: Sharded<Claims>,
    /// By what the wildcard stands over: `*.a.example` is at `a.example`.
    wildcard: Sharded<Claims>,
    /// Those with an address, which have their addresses in `exact` too.
    addressed: Arc<Claims>,
    default: Option<CertificateId>,
}

/// The certificates for one thing to ask for, by rank. In an index, never empty.
type Claims = Vec<Arc<Entry>>;

impl Table {
    /// An empty table that falls back to the certificate `default`.
    pub(crate) fn new(default: Option<CertificateId>) -> Self {
        Self {
            default,
            ..Self::default()
        }
    }

    /// The certificate for a client that asks for `name`, or for none.
    pub(crate) fn resolve(&self, name: Option<&str>) -> Option<&Arc<Entry>> {
        match name {
            Some(name) => self.by_name(name),
            None => self.addressed.first(),
        }
        .or_else(|| self.entry(self.default.as_ref()?))
    }

    /// The certificate that has `name`, itself or by a wildcard.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Entry>> {
        let name = lower_case(name);
        self.exact
            .get(&name)
            .or_else(|| {
                let (label, base) = name.split_once('.')?;
                self.wildcard.get(base).filter(|_| !label.is_empty())
            })?
            .first()
    }

    /// The certificate published as `id`.
    pub(crate) fn entry(&self, id: &CertificateId) -> Option<&Arc<Entry>> {
        self.entries.get(id.as_str())
    }

    /// All certificates, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// Puts a certificate in, in place of the one with its id.
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.remove(&entry.id);
        let entry = Arc::new(entry);
        for name in entry.names.iter() {
            let (index, key) = self.index(name);
            claim(index.entry(key, Claims::new), &entry);
        }
        if entry.has_address() {
            claim(Arc::make_mut(&mut self.addressed), &entry);
        }
        self.entries.entry(entry.id.as_str(), || Arc::clone(&entry));
    }

    /// Takes a certificate out; `false` if it was not in.
    pub(crate) fn remove(&mut self, id: &CertificateId) -> bool {
        let Some(entry) = self.entries.remove(id.as_str()) else {
            return false;
        };
        for name in entry.names.iter() {
            let (index, key) = self.index(name);
            let claims = index.entry(key, Claims::new);
            claims.retain(|other| other.id != *id);
            if claims.is_empty() {
                index.remove(key);
            }
        }
        if entry.has_address() {
            Arc::make_mut(&mut self.addressed).retain(|other| other.id != *id);
        }
        true
    }

    /// The index that holds `name`, and the key it has there.
    fn index<'a>(&mut self, name: &'a Identifier) -> (&mut Sharded<Claims>, &'a str) {
        match name.wildcard_base() {
            Some(base) => (&mut self.wildcard, base),
            None => (&mut self.exact, name.as_str()),
        }
    }
}

/// Puts a certificate among others, in the place its rank gives it.
fn claim(claims: &mut Claims, entry: &Arc<Entry>) {
    let place = claims.partition_point(|other| other.rank() < entry.rank());
    claims.insert(place, Arc::clone(entry));
}

/// The form names have in the table. It allocates only for a client that sends upper case.
pub(crate) fn lower_case(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verified::{Verified, tests::verified};

    /// A table of certificates given as (id, names, days by which they became valid later).
    struct Fixture {
        table: Table,
        verified: Verified,
    }

    impl Fixture {
        fn new(default: Option<&str>) -> Self {
            Self {
                table: Table::new(default.map(|id| id.parse().unwrap())),
                verified: verified("a.example"),
            }
        }

        fn with(mut self, id: &str, names: &str, days: u64) -> Self {
            let mut leaf = Leaf::clone(&self.verified.leaf);
            leaf.not_before = leaf.not_before.after(Duration::from_secs(days * 86_400));
            self.table.insert(Entry {
                id: id.parse().unwrap(),
                names: names.parse().unwrap(),
                generation: Generation::new(1),
                leaf: leaf.into(),
                key: Arc::clone(&self.verified.key),
            });
            self
        }

        fn resolve(&self, name: Option<&str>) -> Option<&str> {
            self.table.resolve(name).map(|entry| entry.id.as_str())
        }

        fn remove(&mut self, id: &str) -> bool {
            self.table.remove(&id.parse().unwrap())
        }
    }

    #[test]
    fn resolves_by_the_rule() {
        let with_default = Fixture::new(Some("fallback.example"))
            .with("fallback.example", "fallback.example", 0)
            .with("one.example", "a.example+www.b.example", 0)
            .with("wild.example", "*.b.example", 9);
        for (name, id) in [
            (Some("a.example"), "one.example"),
            (Some("A.eXample"), "one.example"),
            (Some("a.example."), "one.example"),
            (Some("www.b.example"), "one.example"), // exact beats a newer wildcard
            (Some("x.b.example"), "wild.example"),
            (Some("X.B.EXAMPLE"), "wild.example"),
            (Some("b.example"), "fallback.example"),
            (Some("x.y.b.example"), "fallback.example"),
            (Some(".b.example"), "fallback.example"),
            (Some("*.b.example"), "wild.example"),
            (Some("unknown.example"), "fallback.example"),
            (Some("example"), "fallback.example"),
            (Some(""), "fallback.example"),
            (None, "fallback.example"),
        ] {
            assert_eq!(with_default.resolve(name), Some(id), "{name:?}");
        }

        let without = Fixture::new(None).with("one.example", "a.example", 0);
        assert_eq!(without.resolve(Some("a.example")), Some("one.example"));
        assert_eq!(without.resolve(Some("unknown.example")), None);
        assert_eq!(without.resolve(None), None);

        let unpublished = Fixture::new(Some("fallback.example"));
        assert_eq!(unpublished.resolve(Some("a.example")), None);
    }

    #[test]
    fn without_a_name_a_certificate_with_an_address_goes_before_the_default() {
        let mut fixture = Fixture::new(Some("fallback.example"))
            .with("fallback.example", "fallback.example", 9)
            .with("old.example", "192.0.2.7", 0)
            .with("two.example", "2001:db8::1+192.0.2.8+a.example", 5)
            .with("new.example", "b.example+192.0.2.7", 5);
        assert_eq!(fixture.resolve(Some("a.example")), Some("two.example"));
        assert_eq!(fixture.resolve(Some("192.0.2.7")), Some("new.example"));
        for expected in ["new.example", "two.example", "old.example"] {
            assert_eq!(fixture.resolve(None), Some(expected));
            assert!(fixture.remove(expected));
        }
        assert_eq!(fixture.resolve(None), Some("fallback.example"));

        // A replacement without the address gives it up.
        let fixture = fixture.with("one.example", "a.example+192.0.2.7", 0).with(
            "one.example",
            "a.example",
            1,
        );
        assert_eq!(fixture.resolve(None), Some("fallback.example"));
        assert!(fixture.table.addressed.is_empty());
    }

    #[test]
    fn of_several_the_newest_is_served_then_the_lowest_id_whatever_the_order() {
        let certificates = [("old.example", 0), ("z.example", 5), ("m.example", 5)];
        for first in 0..3 {
            let mut fixture = Fixture::new(None);
            for step in 0..3 {
                let (id, days) = certificates[(first + step) % 3];
                fixture = fixture.with(id, "a.example+*.a.example", days);
            }
            for expected in ["m.example", "z.example", "old.example"] {
                assert_eq!(fixture.resolve(Some("a.example")), Some(expected));
                assert_eq!(fixture.resolve(Some("x.a.example")), Some(expected));
                assert!(fixture.remove(expected));
            }
            assert_eq!(fixture.resolve(Some("a.example")), None);
        }
    }

    #[test]
    fn taking_one_out_leaves_the_names_of_others() {
        let mut fixture = Fixture::new(None)
            .with("one.example", "shared.example+one.example", 1)
            .with("two.example", "shared.example+two.example", 0);
        assert!(fixture.remove("one.example"));
        assert!(!fixture.remove("one.example"));
        assert_eq!(fixture.resolve(Some("one.example")), None);
        assert_eq!(fixture.resolve(Some("shared.example")), Some("two.example"));
        assert_eq!(fixture.resolve(Some("two.example")), Some("two.example"));
    }

    #[test]
    fn a_replacement_with_fewer_names_gives_the_others_up() {
        let fixture = Fixture::new(None)
            .with("one.example", "a.example+b.example", 0)
            .with("one.example", "a.example", 1);
        assert_eq!(fixture.resolve(Some("a.example")), Some("one.example"));
        assert_eq!(fixture.resolve(Some("b.example")), None);
        assert_eq!(fixture.table.entries().count(), 1);
        assert_eq!(fixture.table.exact.values().count(), 1);
    }

    #[test]
    fn a_lower_case_name_is_not_copied() {
        assert!(matches!(lower_case("a.example"), Cow::Borrowed(_)));
        assert!(matches!(lower_case("a.example."), Cow::Borrowed(_)));
    }
}
