//! The change feed: nobody misses a change for good.

use certfleet_core::Epoch;

use super::{
    hear,
    sample::{commit, lease, names, record},
};
use crate::{
    Backend, Stored,
    feed::{Changes, Position, Signal, Subscription},
};

fn readable(changes: Changes) -> Vec<Stored> {
    let changed = changes.changed.into_iter();
    changed.map(|stored| stored.unwrap()).collect()
}

/// Who has seen nothing yet gets all records, oldest first.
pub async fn gives_everything_to_a_newcomer(backend: &dyn Backend) {
    let changes = backend.changes(None).await.unwrap();
    assert!(changes.complete);
    assert_eq!(changes.position.epoch, Epoch::ZERO);
    assert_eq!(readable(changes), []);

    let first = commit(backend, "b.example", 1).await;
    let second = commit(backend, "a.example", 1).await;
    let changes = backend.changes(None).await.unwrap();
    assert!(changes.complete);
    assert_eq!(changes.position.epoch, second.epoch);
    assert_eq!(readable(changes), [first, second]);
}

/// Who has seen something gets what came after, each certificate once, at its newest.
pub async fn gives_only_what_was_missed(backend: &dyn Backend) {
    commit(backend, "a.example", 1).await;
    commit(backend, "b.example", 1).await;
    let seen = backend.changes(None).await.unwrap().position;
    let changes = backend.changes(Some(&seen)).await.unwrap();
    assert_eq!((changes.complete, &changes.position), (false, &seen));
    assert_eq!(readable(changes), []);

    commit(backend, "b.example", 2).await;
    let c = commit(backend, "c.example", 1).await;
    let b = commit(backend, "b.example", 3).await;
    let changes = backend.changes(Some(&seen)).await.unwrap();
    assert!(!changes.complete);
    assert_eq!(changes.position.epoch, b.epoch);
    assert_eq!(changes.position.incarnation, seen.incarnation);
    assert_eq!(readable(changes), [c, b]);
}

/// A position in another life of the store, or ahead of it, is no place to go on from.
pub async fn gives_everything_if_the_position_cannot_be_continued(backend: &dyn Backend) {
    let stored = commit(backend, "a.example", 1).await;
    let position = backend.changes(None).await.unwrap().position;
    let ahead = Position {
        epoch: position.epoch.next(),
        ..position.clone()
    };
    let elsewhere = Position {
        incarnation: "another".to_owned(),
        ..position.clone()
    };
    for from in [ahead, elsewhere] {
        let changes = backend.changes(Some(&from)).await.unwrap();
        assert!(changes.complete, "{from:?}");
        assert_eq!(changes.position, position);
        assert_eq!(readable(changes), std::slice::from_ref(&stored));
    }
}

async fn connected(backend: &dyn Backend) -> Box<dyn Subscription> {
    let mut subscription = backend.subscribe().await;
    let signal = hear(&mut subscription).await;
    assert!(matches!(signal, Signal::Connected), "{signal:?}");
    subscription
}

async fn hear_commit(subscription: &mut Box<dyn Subscription>) -> Stored {
    match hear(subscription).await {
        Signal::Committed(stored) => *stored,
        signal => panic!("{signal:?}"),
    }
}

/// A subscriber hears that it stands, and then every commit with the whole record, in order.
pub async fn says_connected_and_then_each_commit(backend: &dyn Backend) {
    let mut subscription = connected(backend).await;
    for (name, generation) in [("a.example", 1), ("b.example", 1), ("a.example", 2)] {
        let stored = commit(backend, name, generation).await;
        assert_eq!(hear_commit(&mut subscription).await, stored);
    }
}

/// A commit that was made again is announced once.
pub async fn says_nothing_of_a_repeated_commit(backend: &dyn Backend) {
    let mut subscription = connected(backend).await;
    let lease = lease(backend, "a.example").await;
    for generation in [1, 2] {
        let record = record("a.example", generation, &lease);
        for _ in 0..2 {
            backend.commit(&lease, &record).await.unwrap();
        }
        assert_eq!(hear_commit(&mut subscription).await.record, record);
    }
}

/// A subscriber hears what is to be done at once.
pub async fn says_due_when_hastened(backend: &dyn Backend) {
    let mut subscription = connected(backend).await;
    let id = names("a.example").id();
    backend.hasten(&id).await.unwrap();
    match hear(&mut subscription).await {
        Signal::Due(due) => assert_eq!(due, id),
        signal => panic!("{signal:?}"),
    }
}

/// Subscribers do not take signals from each other.
pub async fn is_heard_by_every_subscriber(backend: &dyn Backend) {
    let mut first = connected(backend).await;
    let mut second = connected(backend).await;
    let stored = commit(backend, "a.example", 1).await;
    assert_eq!(hear_commit(&mut first).await, stored);
    assert_eq!(hear_commit(&mut second).await, stored);
}

/// A subscriber that does not listen is in nobody's way. If it missed something, it is told to
/// catch up: one way or the other it comes to know the last commit.
pub async fn never_waits_for_a_slow_subscriber(backend: &dyn Backend) {
    let mut subscription = connected(backend).await;
    let seen = backend.changes(None).await.unwrap().position;
    let id = names("a.example").id();
    for _ in 0..2000 {
        backend.hasten(&id).await.unwrap();
    }
    let last = commit(backend, "a.example", 1).await;
    loop {
        match hear(&mut subscription).await {
            Signal::Due(_) => {}
            Signal::Committed(stored) => return assert_eq!(*stored, last),
            Signal::Connected => {
                let missed = backend.changes(Some(&seen)).await.unwrap();
                return assert_eq!(readable(missed), [last]);
            }
            signal => panic!("{signal:?}"),
        }
    }
}
