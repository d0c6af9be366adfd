//! Removal: a certificate leaves the fleet whole, and everyone comes to know.

use std::slice;

use certfleet_core::Wanted;

use super::{
    LONG, hear,
    sample::{
        RENEW_AT, attempt, commit, expired, lease, names, record, resource, revocation, soon,
        suggestion,
    },
};
use crate::{Backend, CommitError, Stored, feed::Signal};

/// Takes the certificate for `names` out.
async fn remove(backend: &dyn Backend, names: &str) {
    let held = lease(backend, names).await;
    let id = super::sample::names(names).id();
    backend.remove(&held, &id).await.unwrap();
    assert!(backend.release(&held).await.unwrap());
}

/// Nothing of a removed certificate is left but what is to be revoked; others are untouched.
pub async fn takes_everything_of_a_certificate_away(backend: &dyn Backend) {
    let id = names("a.example").id();
    let other = commit(backend, "b.example", 1).await;
    backend
        .want(&Wanted::new(names("a.example")))
        .await
        .unwrap();
    backend
        .want(&Wanted::new(names("b.example")))
        .await
        .unwrap();
    let stored = commit(backend, "a.example", 1).await;
    let request = revocation(&stored);
    backend.revoke(&request).await.unwrap();
    let suggested = suggestion(1, RENEW_AT);
    assert!(backend.suggest(&id, &suggested, soon()).await.unwrap());
    let held = lease(backend, "a.example").await;
    let failed = attempt(1, soon());
    backend.postpone(&held, &id, &failed).await.unwrap();

    backend.remove(&held, &id).await.unwrap();
    assert_eq!(backend.load(&id).await.unwrap(), None);
    assert_eq!(backend.due_at(&id).await.unwrap(), None);
    assert_eq!(backend.attempt(&id).await.unwrap(), None);
    assert_eq!(backend.suggestion(&id).await.unwrap(), None);
    assert_eq!(backend.wanted_one(&id).await.unwrap(), None);
    assert_eq!(backend.revocations(&id).await.unwrap(), [request]);

    let left = other.record.id();
    let ids = backend.ids().await.unwrap();
    assert_eq!(ids, slice::from_ref(&left));
    assert_eq!(backend.load(&left).await.unwrap(), Some(other));
    assert_eq!(backend.wanted().await.unwrap().len(), 1);
    let asked = backend.claim_questions(soon(), 10, LONG).await.unwrap();
    assert_eq!(asked, [left]);
}

/// Only who holds the lease on it removes a certificate.
pub async fn needs_the_lease(backend: &dyn Backend) {
    let standing = commit(backend, "a.example", 1).await;
    let id = standing.record.id();
    let released = lease(backend, "a.example").await;
    assert!(backend.release(&released).await.unwrap());
    let expired = expired(backend, "a.example").await;
    lease(backend, "a.example").await;
    let elsewhere = lease(backend, "b.example").await;
    for wrong in [released, expired, elsewhere] {
        let result = backend.remove(&wrong, &id).await;
        let Err(CommitError::LeaseLost { resource: lost }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(lost, resource("a.example"));
    }
    assert_eq!(backend.load(&id).await.unwrap(), Some(standing));
    assert_eq!(backend.changes(None).await.unwrap().removed, []);
}

/// What is not there is removed without complaint, once more if the reply was lost.
pub async fn of_what_is_not_there_is_no_complaint(backend: &dyn Backend) {
    let held = lease(backend, "a.example").await;
    let id = names("a.example").id();
    for _ in 0..2 {
        backend.remove(&held, &id).await.unwrap();
    }
    assert_eq!(backend.changes(None).await.unwrap().removed, [id]);
}

/// Who has seen something hears what was removed since, in order; who has seen nothing, all of it.
pub async fn is_told_to_who_catches_up(backend: &dyn Backend) {
    for name in ["a.example", "b.example", "c.example"] {
        commit(backend, name, 1).await;
    }
    let seen = backend.changes(None).await.unwrap();
    assert_eq!(seen.removed, []);
    remove(backend, "b.example").await;
    let between = backend.changes(Some(&seen.position)).await.unwrap();
    remove(backend, "a.example").await;

    let (a, b) = (names("a.example").id(), names("b.example").id());
    assert_eq!(between.removed, slice::from_ref(&b));
    assert!(between.position.epoch > seen.position.epoch);
    let cases = [
        (None, true, vec![b.clone(), a.clone()], 1),
        (Some(&seen.position), false, vec![b, a.clone()], 0),
        (Some(&between.position), false, vec![a], 0),
    ];
    for (from, complete, removed, changed) in cases {
        let changes = backend.changes(from).await.unwrap();
        assert_eq!(changes.complete, complete, "{from:?}");
        assert_eq!(changes.removed, removed, "{from:?}");
        assert_eq!(changes.changed.len(), changed, "{from:?}");
        assert_eq!(
            changes.position.epoch,
            between.position.epoch.next(),
            "{from:?}"
        );
    }
}

/// What has come back was not removed.
pub async fn is_forgotten_when_the_certificate_comes_back(backend: &dyn Backend) {
    commit(backend, "a.example", 3).await;
    let seen = backend.changes(None).await.unwrap().position;
    remove(backend, "a.example").await;
    let back = commit(backend, "a.example", 1).await;
    let changes = backend.changes(Some(&seen)).await.unwrap();
    assert_eq!(changes.removed, []);
    let changed: Vec<Stored> = changes.changed.into_iter().map(|c| c.unwrap()).collect();
    assert_eq!(changed, slice::from_ref(&back));
    assert_eq!(back.epoch, seen.epoch.next().next());
    assert_eq!(
        backend.due_at(&back.record.id()).await.unwrap(),
        Some(RENEW_AT)
    );
}

/// A subscriber hears of it at once, in the order of commits.
pub async fn is_heard(backend: &dyn Backend) {
    let mut subscription = backend.subscribe().await;
    assert!(matches!(hear(&mut subscription).await, Signal::Connected));
    let held = lease(backend, "a.example").await;
    let id = names("a.example").id();
    let first = record("a.example", 1, &held);
    backend.commit(&held, &first).await.unwrap();
    backend.remove(&held, &id).await.unwrap();
    assert!(matches!(
        hear(&mut subscription).await,
        Signal::Committed(_)
    ));
    let signal = hear(&mut subscription).await;
    assert!(
        matches!(&signal, Signal::Removed(gone) if *gone == id),
        "{signal:?}"
    );
}
