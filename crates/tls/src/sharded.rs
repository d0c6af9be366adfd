//! A map whose copies share what they have in common.
//!
//! It is cut into a fixed number of shards. A copy costs nothing; a change to a copy copies the
//! list of shards and the one shard concerned, so replacing one of `n` entries costs about
//! `SHARDS + n / SHARDS` steps rather than `n`. It is not for many versions kept side by side.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// With 10,000 entries a shard holds 40: less to copy than the list of shards itself.
const SHARDS: usize = 256;

type Shard<V> = HashMap<Arc<str>, V>;

/// A copy-on-write map from text.
#[derive(Clone)]
pub(crate) struct Sharded<V> {
    hasher: RandomState,
    shards: Arc<[Arc<Shard<V>>]>,
}

impl<V: Clone> Sharded<V> {
    /// The value of `key`; constant time, no allocation.
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.shards[self.index(key)].get(key)
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// The value of `key`, to be changed; a new one if there was none.
    pub(crate) fn entry(&mut self, key: &str, new: impl FnOnce() -> V) -> &mut V {
        self.shard(key).entry(key.into()).or_insert_with(new)
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        self.shard(key).remove(key)
    }

    /// The shard of `key`, copied if another map shares it.
    fn shard(&mut self, key: &str) -> &mut Shard<V> {
        let index = self.index(key);
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[index])
    }

    fn index(&self, key: &str) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }
}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        let empty = Arc::new(Shard::new());
        Self {
            hasher: RandomState::new(),
            shards: std::iter::repeat_n(empty, SHARDS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_a_copy_leaves_the_original_alone() {
        let mut original = Sharded::default();
        for n in 0..1000 {
            original.entry(&n.to_string(), || n);
        }
        let mut copy = original.clone();
        *copy.entry("7", || 0) = 70;
        copy.remove("8");
        copy.entry("new", || 1);

        assert_eq!((original.get("7"), copy.get("7")), (Some(&7), Some(&70)));
        assert_eq!((original.get("8"), copy.get("8")), (Some(&8), None));
        assert_eq!((original.get("new"), copy.get("new")), (None, Some(&1)));
        assert_eq!(original.values().count(), 1000);
        assert_eq!(copy.values().count(), 1000);
    }

    #[test]
    fn a_change_copies_one_shard() {
        let mut original = Sharded::default();
        for n in 0..1000 {
            original.entry(&n.to_string(), || n);
        }
        let mut copy = original.clone();
        *copy.entry("7", || 0) = 70;
        let copied = std::iter::zip(&*original.shards, &*copy.shards)
            .filter(|(old, new)| !Arc::ptr_eq(old, new));
        assert_eq!(copied.count(), 1);
    }
}
