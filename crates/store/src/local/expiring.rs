//! A map whose entries go by themselves at a time of their own.
//!
//! An entry past its end is never shown. It is really dropped at the next insertion, so the map
//! is no larger than what was put in within the longest time to live; each is dropped once, so an
//! insertion costs the logarithm of the size in the mean. It reads no clock.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    ops::RangeBounds,
};

use certfleet_core::Timestamp;

/// Values by key, each until its end.
#[derive(Clone, Debug)]
pub(super) struct Expiring<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// The keys in order of their entry's end. Invariant: one for each entry.
    ends: BTreeSet<(Timestamp, K)>,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    value: V,
    end: Timestamp,
}

impl<K: Clone + Ord, V> Expiring<K, V> {
    pub(super) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Puts a value in until `end`, in place of one that may be there.
    pub(super) fn insert(&mut self, key: K, value: V, end: Timestamp, now: Timestamp) {
        self.prune(now);
        self.ends.insert((end, key.clone()));
        if let Some(before) = self.entries.insert(key.clone(), Entry { value, end })
            && before.end != end
        {
            self.ends.remove(&(before.end, key));
        }
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(key).filter(|entry| entry.end > now)?;
        Some(&entry.value)
    }

    /// When the entry ends.
    pub(super) fn end<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Timestamp>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|entry| entry.end)
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some((key, entry)) = self.entries.remove_entry(key) {
            self.ends.remove(&(entry.end, key));
        }
    }

    /// How many have not ended.
    pub(super) fn count(&mut self, now: Timestamp) -> usize {
        self.prune(now);
        self.entries.len()
    }

    /// What has not ended, in order of key, each with its end.
    pub(super) fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&K, &V, Timestamp)> {
        self.range(.., now)
    }

    /// The same for the keys in `range`.
    pub(super) fn range(
        &self,
        range: impl RangeBounds<K>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&K, &V, Timestamp)> {
        self.entries
            .range(range)
            .filter(move |(_, entry)| entry.end > now)
            .map(|(key, entry)| (key, &entry.value, entry.end))
    }

    fn prune(&mut self, now: Timestamp) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now) {
            let (_, key) = self.ends.pop_first().expect("there is a first");
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn shows_until_the_end_and_drops_at_the_next_insertion() {
        let mut map = Expiring::new();
        map.insert("a", 1, at(10), at(0));
        assert_eq!(map.get("a", at(9)), Some(&1));
        assert_eq!(map.get("a", at(10)), None);
        assert_eq!(map.iter(at(10)).count(), 0);
        map.insert("b", 2, at(20), at(10));
        assert_eq!(map.entries.len(), 1);
    }

    #[test]
    fn the_last_end_given_is_the_one_that_counts() {
        let mut map = Expiring::new();
        for end in [10, 30, 30, 20] {
            map.insert("a", end, at(end), at(0));
        }
        map.insert("b", 0, at(40), at(0));
        assert_eq!((map.entries.len(), map.ends.len()), (2, 2));
        assert_eq!(map.end("a"), Some(at(20)));
        assert_eq!(map.count(at(10)), 2);
        assert_eq!(map.count(at(20)), 1);
        map.remove("b");
        assert_eq!((map.count(at(0)), map.ends.len()), (0, 0));
    }
}
