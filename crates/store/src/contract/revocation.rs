//! Requests to revoke: kept until they are carried out.

use std::slice;

use certfleet_core::RevocationReason;

use super::{
    LONG, hear,
    sample::{commit, expired, lease, resource, revocation, soon},
};
use crate::{Backend, CommitError, feed::Signal, revocation::Revocation};

/// Requests come back whole, the oldest generation first; asked for again, one is as it was.
pub async fn is_asked_for_once_for_each_generation(backend: &dyn Backend) {
    let first = revocation(&commit(backend, "a.example", 9).await);
    let second = revocation(&commit(backend, "a.example", 10).await);
    let other = revocation(&commit(backend, "b.example", 1).await);
    let id = first.record.id();
    assert_eq!(backend.revocations(&id).await.unwrap(), []);
    for request in [&second, &first, &other] {
        backend.revoke(request).await.unwrap();
    }
    let again = Revocation {
        reason: RevocationReason::Superseded,
        asked_at: first.asked_at.after(LONG),
        ..first.clone()
    };
    backend.revoke(&again).await.unwrap();
    assert_eq!(backend.revocations(&id).await.unwrap(), [first, second]);
    let of_other = backend.revocations(&other.record.id()).await.unwrap();
    assert_eq!(of_other, [other]);
}

/// It is to be carried out at once, and a subscriber hears so.
pub async fn makes_due_and_is_heard(backend: &dyn Backend) {
    let stored = commit(backend, "a.example", 1).await;
    let id = stored.record.id();
    let mut subscription = backend.subscribe().await;
    assert!(matches!(hear(&mut subscription).await, Signal::Connected));
    assert_eq!(backend.due(soon(), 10).await.unwrap(), []);
    backend.revoke(&revocation(&stored)).await.unwrap();
    let due = backend.due(soon(), 10).await.unwrap();
    assert_eq!(due, slice::from_ref(&id));
    let signal = hear(&mut subscription).await;
    assert!(
        matches!(&signal, Signal::Due(due) if *due == id),
        "{signal:?}"
    );
}

/// Who holds the lease on the certificate forgets a request, and nobody else; the next commit does
/// not.
pub async fn is_forgotten_under_the_lease_only(backend: &dyn Backend) {
    let first = revocation(&commit(backend, "a.example", 1).await);
    backend.revoke(&first).await.unwrap();
    let second = revocation(&commit(backend, "a.example", 2).await);
    backend.revoke(&second).await.unwrap();
    let id = first.record.id();
    let both = [first.clone(), second.clone()];
    assert_eq!(backend.revocations(&id).await.unwrap(), both);

    let expired = expired(backend, "a.example").await;
    let held = lease(backend, "a.example").await;
    let elsewhere = lease(backend, "b.example").await;
    for wrong in [expired, elsewhere] {
        let result = backend.revoked(&wrong, &first).await;
        let Err(CommitError::LeaseLost { resource: lost }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(lost, resource("a.example"));
    }
    assert_eq!(backend.revocations(&id).await.unwrap(), both);
    for _ in 0..2 {
        backend.revoked(&held, &first).await.unwrap();
        let left = backend.revocations(&id).await.unwrap();
        assert_eq!(left, slice::from_ref(&second));
    }
}
