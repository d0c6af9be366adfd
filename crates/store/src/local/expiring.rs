//! A map whose entries go by themselves at a time of their own.
//!
//! An entry past its end is never shown. It is really dropped at the next insertion, so the map
//! is no larger than what was put in within the longest time to live. It reads no clock.

use std::{borrow::Borrow, collections::BTreeMap};

use certfleet_core::Timestamp;

/// Values by key, each until its end.
#[derive(Debug)]
pub(super) struct Expiring<K, V> {
    entries: BTreeMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    end: Timestamp,
}

impl<K: Ord, V> Expiring<K, V> {
    pub(super) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }

    /// Puts a value in until `end`, in place of one that may be there.
    pub(super) fn insert(&mut self, key: K, value: V, end: Timestamp, now: Timestamp) {
        self.entries.retain(|_, entry| entry.end > now);
        self.entries.insert(key, Entry { value, end });
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(key).filter(|entry| entry.end > now)?;
        Some(&entry.value)
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    /// What has not ended, in order of key, each with its end.
    pub(super) fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&K, &V, Timestamp)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.end > now)
            .map(|(key, entry)| (key, &entry.value, entry.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_until_the_end_and_drops_at_the_next_insertion() {
        let at = Timestamp::from_millis;
        let mut map = Expiring::new();
        map.insert("a", 1, at(10), at(0));
        assert_eq!(map.get("a", at(9)), Some(&1));
        assert_eq!(map.get("a", at(10)), None);
        assert_eq!(map.iter(at(10)).count(), 0);
        map.insert("b", 2, at(20), at(10));
        assert_eq!(map.entries.len(), 1);
    }
}
