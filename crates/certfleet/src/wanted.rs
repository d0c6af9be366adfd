//! What this node knows of the certificates the fleet wants: those of its configuration, and those
//! added at run time.
//!
//! The list in the store is the truth for what was added; this is what messages and look-ups have
//! told of it. A certificate removed at run time is not wanted until it is added again or the node
//! starts anew, though the configuration may name it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

use certfleet_core::{CertificateId, ChallengeKind, NameSet, Terms, Wanted};

/// The certificates wanted, by id.
pub(crate) struct WantedSet {
    terms: Terms,
    configured: BTreeMap<CertificateId, Wanted>,
    changes: RwLock<Changes>,
}

#[derive(Default)]
struct Changes {
    added: BTreeMap<CertificateId, Wanted>,
    removed: BTreeSet<CertificateId>,
}

/// A wanted certificate with all its terms.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) names: NameSet,
    pub(crate) terms: Terms,
    pub(crate) on_demand: bool,
}

impl WantedSet {
    /// Those of the configuration, on the fleet's `terms` where they have none of their own.
    pub(crate) fn new(configured: &[Wanted], terms: Terms) -> Self {
        let by_id = |wanted: &Wanted| (wanted.names.id(), wanted.clone());
        Self {
            terms,
            configured: configured.iter().map(by_id).collect(),
            changes: RwLock::default(),
        }
    }

    /// One of them.
    pub(crate) fn get(&self, id: &CertificateId) -> Option<Goal> {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = changes.added.get(id).or_else(|| {
            let configured = self.configured.get(id)?;
            (!changes.removed.contains(id)).then_some(configured)
        })?;
        Some(Goal {
            names: wanted.names.clone(),
            terms: wanted.terms.over(&self.terms),
            on_demand: wanted.on_demand,
        })
    }

    /// Whether it is one of them.
    pub(crate) fn contains(&self, id: &CertificateId) -> bool {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        changes.added.contains_key(id)
            || (self.configured.contains_key(id) && !changes.removed.contains(id))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Whether one of them is to be validated in this way first.
    pub(crate) fn any_begins_with(&self, kind: ChallengeKind) -> bool {
        let first = |id: &CertificateId| {
            let goal = self.get(id)?;
            goal.terms.challenges.first().copied()
        };
        self.ids().iter().any(|id| first(id) == Some(kind))
    }

    /// The ids of all of them, in order.
    pub(crate) fn ids(&self) -> Vec<CertificateId> {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let configured = self.configured.keys();
        let mut ids: BTreeSet<_> = configured
            .filter(|id| !changes.removed.contains(id))
            .cloned()
            .collect();
        ids.extend(changes.added.keys().cloned());
        ids.into_iter().collect()
    }

    /// How many there are, or a few more.
    pub(crate) fn count(&self) -> usize {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        self.configured.len() + changes.added.len() - changes.removed.len()
    }

    /// One was added, or its terms were changed.
    pub(crate) fn add(&self, wanted: Wanted) {
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        let id = wanted.names.id();
        changes.removed.remove(&id);
        changes.added.insert(id, wanted);
    }

    /// One was removed.
    pub(crate) fn remove(&self, id: &CertificateId) {
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        changes.added.remove(id);
        if self.configured.contains_key(id) {
            changes.removed.insert(id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use certfleet_core::{OwnTerms, policy::RenewBefore};

    use super::*;

    fn wanted(names: &str) -> Wanted {
        Wanted::new(names.parse().unwrap())
    }

    fn set() -> WantedSet {
        let terms = Terms {
            issuers: vec!["main".parse().unwrap()],
            challenges: vec![],
            dns: None,
            key_type: Default::default(),
            reuse_key: false,
            profile: None,
            chain: None,
            validity: None,
            renew_before: RenewBefore::default(),
        };
        WantedSet::new(&[wanted("a.example"), wanted("b.example")], terms)
    }

    fn ids(set: &WantedSet) -> Vec<String> {
        set.ids().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_added_and_removed_goes_before_the_configuration() {
        let set = set();
        let [a, c] = ["a.example", "c.example"].map(|id| id.parse().unwrap());
        set.add(wanted("c.example"));
        assert_eq!(ids(&set), ["a.example", "b.example", "c.example"]);
        set.remove(&a);
        set.remove(&c);
        assert_eq!(ids(&set), ["b.example"]);
        assert!(set.get(&a).is_none() && set.get(&c).is_none());
        assert!(!set.contains(&a) && !set.contains(&c) && !set.is_empty());
        set.add(Wanted {
            terms: OwnTerms {
                reuse_key: Some(true),
                ..OwnTerms::default()
            },
            ..wanted("a.example")
        });
        assert!(set.get(&a).unwrap().terms.reuse_key);
        assert_eq!(ids(&set), ["a.example", "b.example"]);
        let b = "b.example".parse().unwrap();
        assert!(set.contains(&a) && set.contains(&b));
        for id in [a, b] {
            assert!(!set.is_empty());
            set.remove(&id);
        }
        assert!(set.is_empty());
    }
}
