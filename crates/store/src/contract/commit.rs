//! Commits: who may make a record stand, and what happens with it.

use certfleet_core::{Epoch, Generation};

use super::sample::{
    RENEW_AT, attempt, commit, expired, fleet, lease, names, record, resource, ring, soon,
};
use crate::{Backend, CommitError, Lease};

/// A record comes back as it was committed, and its seal opens.
pub async fn loads_back_what_was_committed(backend: &dyn Backend) {
    let names = "a.example+*.b.example";
    let id = self::names(names).id();
    assert_eq!(backend.load(&id).await.unwrap(), None, "not there yet");
    let stored = commit(backend, names, 1).await;
    assert!(stored.committed_at <= soon());
    let back = backend.load(&id).await.unwrap().unwrap();
    assert_eq!(back, stored);
    let bundle = back.record.open(&fleet(), &ring()).unwrap();
    assert_eq!(bundle.chain_pem(), stored.record.chain);
}

/// The ids of all certificates are listed in order.
pub async fn ids_come_in_order(backend: &dyn Backend) {
    assert_eq!(backend.ids().await.unwrap(), []);
    for name in ["b.example", "*.a.example", "a.example"] {
        commit(backend, name, 1).await;
    }
    let ids = backend.ids().await.unwrap();
    let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["_.a.example", "a.example", "b.example"]);
}

async fn assert_lost(backend: &dyn Backend, lease: &Lease) {
    let result = backend.commit(lease, &record("a.example", 1, lease)).await;
    let Err(CommitError::LeaseLost { resource: lost }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(lost, resource("a.example"));
    let id = names("a.example").id();
    assert_eq!(backend.load(&id).await.unwrap(), None);
}

/// Nothing is committed under a lease that has expired.
pub async fn needs_a_live_lease(backend: &dyn Backend) {
    let lease = expired(backend, "a.example").await;
    assert_lost(backend, &lease).await;
}

/// Nothing is committed under a lease that was given back.
pub async fn is_refused_after_the_lease_was_released(backend: &dyn Backend) {
    let lease = lease(backend, "a.example").await;
    assert!(backend.release(&lease).await.unwrap());
    assert_lost(backend, &lease).await;
}

/// Nothing is committed under a lease that has passed to someone else.
pub async fn is_refused_while_another_holds_the_lease(backend: &dyn Backend) {
    let first = lease(backend, "a.example").await;
    assert!(backend.release(&first).await.unwrap());
    lease(backend, "a.example").await;
    assert_lost(backend, &first).await;
}

/// A live lease on another certificate, or a record with a token of its own, is no leave.
pub async fn needs_a_record_made_under_its_lease(backend: &dyn Backend) {
    let lease = lease(backend, "a.example").await;
    let mut forged = record("a.example", 1, &lease);
    forged.fencing = forged.fencing.next();
    for wrong in [record("b.example", 1, &lease), forged] {
        let result = backend.commit(&lease, &wrong).await;
        assert!(
            matches!(result, Err(CommitError::Mismatched { .. })),
            "{result:?}"
        );
    }
    assert_eq!(backend.ids().await.unwrap(), []);
}

/// A token below the standing record's is refused, even from who seems to own the lease.
pub async fn under_an_older_token_is_fenced(backend: &dyn Backend) {
    let first = lease(backend, "a.example").await;
    assert!(backend.release(&first).await.unwrap());
    let second = lease(backend, "a.example").await;
    let standing = record("a.example", 1, &second);
    let standing = backend.commit(&second, &standing).await.unwrap();
    let old = Lease {
        fencing: first.fencing,
        ..second.clone()
    };
    let result = backend.commit(&old, &record("a.example", 2, &old)).await;
    let Err(CommitError::Fenced { id, held, newest }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(id, names("a.example").id());
    assert_eq!((held, newest), (first.fencing, second.fencing));
    assert_eq!(backend.load(&id).await.unwrap(), Some(standing));
}

/// A record is replaced by a newer generation only.
pub async fn of_an_older_or_equal_generation_is_stale(backend: &dyn Backend) {
    let standing = commit(backend, "a.example", 5).await;
    let lease = lease(backend, "a.example").await;
    for generation in [4, 5] {
        let offer = record("a.example", generation, &lease);
        let result = backend.commit(&lease, &offer).await;
        let Err(CommitError::Stale {
            id,
            offered,
            newest,
        }) = result
        else {
            panic!("{result:?}");
        };
        assert_eq!(id, names("a.example").id());
        assert_eq!(offered, Generation::new(generation));
        assert_eq!(newest, Generation::new(5));
        assert_eq!(backend.load(&id).await.unwrap().as_ref(), Some(&standing));
    }
}

/// A store that lost its data is given generations it has not seen; gaps are no matter either.
pub async fn may_jump_generations(backend: &dyn Backend) {
    for generation in [7, 9] {
        let stored = commit(backend, "a.example", generation).await;
        assert_eq!(stored.record.generation, Generation::new(generation));
    }
}

/// A commit whose reply was lost is made again: it succeeds and changes nothing, whoever holds
/// the lease by then.
pub async fn repeated_changes_nothing(backend: &dyn Backend) {
    let first = lease(backend, "a.example").await;
    let record = record("a.example", 1, &first);
    let stored = backend.commit(&first, &record).await.unwrap();
    let again = async || backend.commit(&first, &record).await.unwrap();
    assert_eq!(again().await, stored, "under the lease");
    assert!(backend.release(&first).await.unwrap());
    assert_eq!(again().await, stored, "after the lease");
    let second = lease(backend, "a.example").await;
    let failed = attempt(1, soon());
    backend
        .postpone(&second, &record.id(), &failed)
        .await
        .unwrap();
    assert_eq!(again().await, stored, "under another's lease");

    assert_eq!(
        backend.changes(None).await.unwrap().position.epoch,
        stored.epoch
    );
    let id = record.id();
    assert_eq!(backend.attempt(&id).await.unwrap(), Some(failed));
    assert_eq!(backend.load(&id).await.unwrap(), Some(stored));
}

/// Every commit is an epoch of its own, decides when its certificate is due, and is a success.
pub async fn raises_the_epoch_and_settles_the_schedule(backend: &dyn Backend) {
    let first = commit(backend, "a.example", 1).await;
    assert_eq!(first.epoch, Epoch::ZERO.next());

    let id = names("a.example").id();
    backend.hasten(&id).await.unwrap();
    let lease = lease(backend, "a.example").await;
    backend
        .postpone(&lease, &id, &attempt(1, soon()))
        .await
        .unwrap();
    let second = record("a.example", 2, &lease);
    let second = backend.commit(&lease, &second).await.unwrap();
    assert_eq!(second.epoch, first.epoch.next());
    assert_eq!(backend.due_at(&id).await.unwrap(), Some(RENEW_AT));
    assert_eq!(backend.attempt(&id).await.unwrap(), None);
}

/// Commits to different certificates are not in each other's way.
pub async fn of_two_at_once_both_stand(backend: &dyn Backend) {
    let (a, b) = (
        lease(backend, "a.example").await,
        lease(backend, "b.example").await,
    );
    let (for_a, for_b) = (record("a.example", 1, &a), record("b.example", 1, &b));
    let (a, b) = tokio::join!(backend.commit(&a, &for_a), backend.commit(&b, &for_b));
    let mut epochs = [a.unwrap().epoch, b.unwrap().epoch];
    epochs.sort_unstable();
    assert_eq!(epochs.map(Epoch::value), [1, 2]);
    for record in [for_a, for_b] {
        let stored = backend.load(&record.id()).await.unwrap().unwrap();
        assert_eq!(stored.record, record);
    }
}
