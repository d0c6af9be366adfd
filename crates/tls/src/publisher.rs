//! The writing end: puts certificates into service and takes them out.
//!
//! A change is made on a copy of the table, off to the side, and becomes visible by one pointer
//! swap. Writers wait for one another; handshakes wait for nobody. A generation never goes back:
//! what is not newer than what is served is refused. Dropping the publisher changes nothing about
//! what is served.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use certfleet_core::{CertificateId, Generation, Leaf, NameSet};

use crate::{
    resolver::Resolver,
    table::{Entry, Table},
    verified::Verified,
};

/// A writing and a reading end over one table, which is empty to begin with.
///
/// Clients that ask for an unknown name get the certificate `default`, and so do those that ask
/// for none while no certificate has an address. Without a default they get a fatal alert, see
/// [`Resolver`].
#[must_use]
pub fn watch(default: Option<CertificateId>) -> (Publisher, Resolver) {
    let table = Arc::new(ArcSwap::from_pointee(Table::new(default)));
    let publisher = Publisher {
        table: Arc::clone(&table),
        writing: Mutex::new(()),
    };
    (publisher, Resolver::new(table))
}

/// Changes what the [`Resolver`]s serve.
pub struct Publisher {
    table: Arc<ArcSwap<Table>>,
    /// Held from reading the table to swapping it, so that no change is lost.
    writing: Mutex<()>,
}

impl Publisher {
    /// Serves `verified` as `id`, for `names`, from the next handshake on.
    ///
    /// Costs about 256 + k * n / 256 steps, for a certificate of k names among n in service.
    ///
    /// # Errors
    /// [`Stale`] if a generation that is not older is served as `id`; it goes on.
    pub fn publish(
        &self,
        id: CertificateId,
        names: NameSet,
        generation: Generation,
        verified: Verified,
    ) -> Result<(), Stale> {
        self.change(|table| {
            if let Some(served) = table.entry(&id).map(|entry| entry.generation)
                && served >= generation
            {
                return Err(Stale {
                    id,
                    offered: generation,
                    served,
                });
            }
            let Verified { key, leaf } = verified;
            table.insert(Entry {
                id,
                names,
                generation,
                leaf,
                key,
            });
            Ok(())
        })
    }

    /// Serves `id` no longer; `false` if it was not served. Names it shares with other
    /// certificates are served with those.
    pub fn retract(&self, id: &CertificateId) -> bool {
        self.change(|table| table.remove(id).then_some(()).ok_or(()))
            .is_ok()
    }

    /// All that is served, in no order.
    #[must_use]
    pub fn served(&self) -> Vec<Served> {
        let table = self.table.load();
        table
            .entries()
            .map(|entry| Served::from(&**entry))
            .collect()
    }

    /// How many certificates are served.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.load().entries().count()
    }

    /// Which generation is served as `id`.
    #[must_use]
    pub fn generation(&self, id: &CertificateId) -> Option<Generation> {
        self.table.load().entry(id).map(|entry| entry.generation)
    }

    /// Swaps in a changed copy of the table, unless the change fails.
    fn change<E>(&self, change: impl FnOnce(&mut Table) -> Result<(), E>) -> Result<(), E> {
        // The mutex guards no data: after a panic the table is still the last one swapped in.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        change(&mut table)?;
        self.table.store(Arc::new(table));
        Ok(())
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// A certificate in service.
#[derive(Clone, Debug)]
pub struct Served {
    /// What the fleet calls it.
    pub id: CertificateId,
    /// The names it is served for.
    pub names: NameSet,
    /// Its generation.
    pub generation: Generation,
    /// What it says of itself.
    pub leaf: Arc<Leaf>,
}

impl From<&Entry> for Served {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.id.clone(),
            names: entry.names.clone(),
            generation: entry.generation,
            leaf: Arc::clone(&entry.leaf),
        }
    }
}

/// A generation was offered that is not newer than the one served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id}: generation {offered} is not newer than {served}, which is served")]
pub struct Stale {
    /// The certificate.
    pub id: CertificateId,
    /// The generation refused.
    pub offered: Generation,
    /// The generation served.
    pub served: Generation,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verified::tests::verified;

    fn id(text: &str) -> CertificateId {
        text.parse().unwrap()
    }

    fn publish(
        publisher: &Publisher,
        name: &str,
        generation: u64,
        verified: &Verified,
    ) -> Result<(), Stale> {
        publisher.publish(
            id(name),
            name.parse().unwrap(),
            Generation::new(generation),
            verified.clone(),
        )
    }

    #[test]
    fn a_generation_that_is_not_newer_is_refused() {
        let (publisher, resolver) = watch(None);
        let (old, new) = (verified("a.example"), verified("a.example"));
        publish(&publisher, "a.example", 5, &old).unwrap();
        for stale in [5, 4] {
            let error = publish(&publisher, "a.example", stale, &new).unwrap_err();
            assert_eq!((error.offered.value(), error.served.value()), (stale, 5));
            assert!(Arc::ptr_eq(
                &resolver.by_name(Some("a.example")).unwrap(),
                &old.key
            ));
        }
        publish(&publisher, "a.example", 6, &new).unwrap();
        assert!(Arc::ptr_eq(
            &resolver.by_name(Some("a.example")).unwrap(),
            &new.key
        ));
        assert_eq!(
            publisher.generation(&id("a.example")),
            Some(Generation::new(6))
        );
    }

    #[test]
    fn a_retracted_certificate_may_come_back_with_any_generation() {
        let (publisher, resolver) = watch(Some(id("a.example")));
        let verified = verified("a.example");
        publish(&publisher, "a.example", 5, &verified).unwrap();
        assert!(resolver.by_name(None).is_some());
        assert!(publisher.retract(&id("a.example")));
        assert!(!publisher.retract(&id("a.example")));
        assert!(resolver.by_name(None).is_none());
        assert_eq!(publisher.generation(&id("a.example")), None);
        publish(&publisher, "a.example", 1, &verified).unwrap();
        assert!(resolver.by_name(None).is_some());
    }

    #[test]
    fn a_name_is_known_while_a_certificate_has_it_whatever_the_default() {
        let (publisher, resolver) = watch(Some(id("a.example")));
        publish(&publisher, "a.example", 1, &verified("a.example")).unwrap();
        let wild = "*.b.example".parse::<NameSet>().unwrap();
        let wild_id = wild.id();
        publisher
            .publish(
                wild_id.clone(),
                wild,
                Generation::new(1),
                verified("*.b.example"),
            )
            .unwrap();
        for (name, known) in [
            ("a.example", true),
            ("A.example.", true),
            ("x.b.example", true),
            ("b.example", false),
            ("unknown.example", false),
        ] {
            assert_eq!(resolver.knows(name), known, "{name}");
            assert!(resolver.by_name(Some(name)).is_some());
        }
        publisher.retract(&wild_id);
        assert!(!resolver.knows("x.b.example"));
    }

    #[test]
    fn tells_what_is_served() {
        let (publisher, _resolver) = watch(None);
        assert!(publisher.served().is_empty());
        let verified = verified("a.example");
        publish(&publisher, "a.example", 3, &verified).unwrap();
        let [served] = &publisher.served()[..] else {
            panic!("one certificate was published");
        };
        assert_eq!(served.id, id("a.example"));
        assert_eq!(served.names.to_string(), "a.example");
        assert_eq!(served.generation, Generation::new(3));
        assert_eq!(*served.leaf, *verified.leaf);
    }

    #[test]
    fn a_reader_never_meets_a_gap_or_an_older_generation() {
        const GENERATIONS: u64 = 5_000;
        let (publisher, resolver) = watch(None);
        let verified = verified("a.example");
        publish(&publisher, "a.example", 1, &verified).unwrap();
        let read = || {
            let mut last = 1;
            while last < GENERATIONS {
                let generation = publisher.generation(&id("a.example"));
                let generation = generation.expect("served all the time").value();
                assert!(resolver.by_name(Some("a.example")).is_some());
                assert!(generation >= last, "{generation} after {last}");
                last = generation;
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(read);
            scope.spawn(read);
            for generation in 2..=GENERATIONS {
                publish(&publisher, "a.example", generation, &verified).unwrap();
            }
        });
    }

    #[test]
    fn ten_thousand_names_are_published_one_by_one_and_all_resolve() {
        const COUNT: usize = 10_000;
        let (publisher, resolver) = watch(None);
        let verified = verified("a.example");
        let started = std::time::Instant::now();
        for n in 0..COUNT {
            publish(&publisher, &format!("host-{n}.example"), 1, &verified).unwrap();
        }
        let published = started.elapsed();
        for n in 0..COUNT {
            let name = format!("host-{n}.example");
            assert!(resolver.by_name(Some(&name)).is_some(), "{name}");
        }
        println!(
            "{COUNT} published in {published:?}, resolved in {:?}",
            started.elapsed() - published
        );
        assert_eq!(publisher.served().len(), COUNT);
    }
}
