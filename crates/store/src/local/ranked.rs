//! Certificates in the order of a rank that each has: a time, an epoch.
//!
//! Whatever is done for one certificate takes time in the logarithm of how many there are, and the
//! first and the last are found without a look at the others. It is written as a map by id.

use std::collections::{BTreeMap, BTreeSet};

use certfleet_core::CertificateId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rank for each of some certificates.
#[derive(Clone, Debug)]
pub(super) struct Ranked<R> {
    ranks: BTreeMap<CertificateId, R>,
    /// The same, the lowest rank first. Invariant: holds what `ranks` does.
    order: BTreeSet<(R, CertificateId)>,
}

impl<R: Copy + Ord> Ranked<R> {
    pub(super) const fn new() -> Self {
        Self {
            ranks: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, id: &CertificateId) -> Option<R> {
        self.ranks.get(id).copied()
    }

    /// Gives it this rank, whatever it had before.
    pub(super) fn put(&mut self, id: &CertificateId, rank: R) {
        self.remove(id);
        self.ranks.insert(id.clone(), rank);
        self.order.insert((rank, id.clone()));
    }

    /// Gives it this rank if it has none.
    pub(super) fn enter(&mut self, id: &CertificateId, rank: R) {
        if !self.ranks.contains_key(id) {
            self.put(id, rank);
        }
    }

    pub(super) fn remove(&mut self, id: &CertificateId) {
        if let Some((id, rank)) = self.ranks.remove_entry(id) {
            self.order.remove(&(rank, id));
        }
    }

    /// All of them, the lowest rank first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (R, &CertificateId)> {
        self.order.iter().map(|(rank, id)| (*rank, id))
    }

    /// Up to `most` whose rank is not above `rank`, the lowest first.
    pub(super) fn up_to(&self, rank: R, most: usize) -> Vec<CertificateId> {
        self.iter()
            .take_while(|(other, _)| *other <= rank)
            .take(most)
            .map(|(_, id)| id.clone())
            .collect()
    }
}

impl<R: Copy + Ord> Default for Ranked<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Serialize> Serialize for Ranked<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ranks.serialize(serializer)
    }
}

impl<'de, R: Copy + Ord + Deserialize<'de>> Deserialize<'de> for Ranked<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranks = BTreeMap::<CertificateId, R>::deserialize(deserializer)?;
        let order = ranks.iter().map(|(id, rank)| (*rank, id.clone())).collect();
        Ok(Self { ranks, order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CertificateId {
        text.parse().unwrap()
    }

    #[test]
    fn order_follows_the_ranks_and_reads_back() {
        let mut ranked = Ranked::new();
        for (name, rank) in [("a.example", 3), ("b.example", 1), ("c.example", 2)] {
            ranked.put(&id(name), rank);
        }
        ranked.enter(&id("a.example"), 9);
        assert_eq!(ranked.get(&id("a.example")), Some(3), "it had one");
        ranked.put(&id("b.example"), 4);
        ranked.remove(&id("c.example"));
        ranked.remove(&id("c.example"));
        let text = serde_json::to_string(&ranked).unwrap();
        assert_eq!(text, r#"{"a.example":3,"b.example":4}"#);
        for ranked in [ranked, serde_json::from_str(&text).unwrap()] {
            let seen: Vec<_> = ranked.iter().map(|(r, id)| (r, id.as_str())).collect();
            assert_eq!(seen, [(3, "a.example"), (4, "b.example")]);
            assert_eq!(ranked.up_to(3, 9), [id("a.example")]);
            assert_eq!(ranked.up_to(4, 1), [id("a.example")]);
            assert_eq!(ranked.up_to(2, 9), []);
        }
    }
}
