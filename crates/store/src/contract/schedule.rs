//! The schedule: what is due when, the same for every node.

use std::time::Duration;

use certfleet_core::{
    CertificateId, Timestamp,
    retry::{Advice, Attempt},
};

use super::{
    LONG,
    sample::{self, expired, lease, names, resource, soon},
};
use crate::{Backend, CommitError};

const NOON: Timestamp = Timestamp::from_secs(1_900_000_000);

fn id(names: &str) -> CertificateId {
    self::names(names).id()
}

fn attempt(failures: u32) -> Attempt {
    sample::attempt(failures, NOON)
}

/// What is entered already stays as it is, and the others of the same call are entered, however
/// many.
pub async fn enters_if_absent(backend: &dyn Backend) {
    let known = id("a.example");
    assert_eq!(backend.due_at(&known).await.unwrap(), None);
    backend.enter(&[]).await.unwrap();
    for later in [1, 0, 2] {
        let at = NOON.after(Duration::from_millis(later));
        backend.enter(&[(known.clone(), at)]).await.unwrap();
    }
    let many = (0..1000).map(|n| (id(&format!("n{n}.example")), NOON));
    let mut entries: Vec<_> = many.collect();
    entries.insert(500, (known.clone(), NOON));
    backend.enter(&entries).await.unwrap();
    let first = NOON.after(Duration::from_millis(1));
    assert_eq!(backend.due_at(&known).await.unwrap(), Some(first));
    let due = backend.due(NOON, 2000).await.unwrap();
    assert_eq!(due.len(), 1000);
}

/// The most overdue come first, what is not due does not come, and no more than asked for.
pub async fn due_is_in_order_and_bounded(backend: &dyn Backend) {
    for (name, after) in [("a", 20), ("b", 10), ("c", 30), ("d", 31), ("e", 0)] {
        let at = NOON.after(Duration::from_millis(after));
        let entry = (id(&format!("{name}.example")), at);
        backend.enter(&[entry]).await.unwrap();
    }
    let due = async |most| {
        let now = NOON.after(Duration::from_millis(30));
        let due = backend.due(now, most).await.unwrap();
        due.iter()
            .map(|id| id.as_str()[..1].to_owned())
            .collect::<String>()
    };
    assert_eq!(due(10).await, "ebac");
    assert_eq!(due(2).await, "eb");
    assert_eq!(backend.due(NOON.before(LONG), 10).await.unwrap(), []);
}

/// A failure is written down by who holds the lease, and by nobody else.
pub async fn postpones_under_the_lease_only(backend: &dyn Backend) {
    let id = id("a.example");
    assert_eq!(backend.attempt(&id).await.unwrap(), None);
    let held = lease(backend, "a.example").await;
    backend.postpone(&held, &id, &attempt(1)).await.unwrap();
    assert_eq!(backend.attempt(&id).await.unwrap(), Some(attempt(1)));
    assert_eq!(backend.due_at(&id).await.unwrap(), Some(attempt(1).next));

    assert!(backend.release(&held).await.unwrap());
    let expired = expired(backend, "a.example").await;
    let elsewhere = lease(backend, "b.example").await;
    for wrong in [held, expired, elsewhere] {
        let result = backend.postpone(&wrong, &id, &attempt(2)).await;
        let Err(CommitError::LeaseLost { resource: lost }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(lost, resource("a.example"));
    }
    assert_eq!(backend.attempt(&id).await.unwrap(), Some(attempt(1)));
}

/// What has failed is forgotten by who holds the lease, and by nobody else.
pub async fn settles_under_the_lease_only(backend: &dyn Backend) {
    let id = id("a.example");
    let held = lease(backend, "a.example").await;
    backend.postpone(&held, &id, &attempt(1)).await.unwrap();
    let elsewhere = lease(backend, "b.example").await;
    let result = backend.settle(&elsewhere, &id, NOON).await;
    assert!(
        matches!(result, Err(CommitError::LeaseLost { .. })),
        "{result:?}"
    );
    assert_eq!(backend.attempt(&id).await.unwrap(), Some(attempt(1)));
    backend.settle(&held, &id, NOON).await.unwrap();
    assert_eq!(backend.attempt(&id).await.unwrap(), None);
    assert_eq!(backend.due_at(&id).await.unwrap(), Some(NOON));
}

/// What an operator asks for is due now, whatever has failed before.
pub async fn hasten_makes_due_and_forgets_failures(backend: &dyn Backend) {
    let id = id("a.example");
    let held = lease(backend, "a.example").await;
    backend.postpone(&held, &id, &attempt(5)).await.unwrap();
    assert_eq!(backend.due(soon(), 10).await.unwrap(), []);
    backend.hasten(&id).await.unwrap();
    assert_eq!(backend.attempt(&id).await.unwrap(), None);
    assert_eq!(backend.due(soon(), 10).await.unwrap(), [id]);
}

/// An entry is moved to an earlier time only, and not while a failure is written down.
pub async fn advances_what_has_not_failed(backend: &dyn Backend) {
    let (entered, failed) = (id("a.example"), id("b.example"));
    let (earlier, later) = (NOON.before(LONG), NOON.after(LONG));
    backend.advance(&entered, NOON).await.unwrap();
    assert_eq!(backend.due_at(&entered).await.unwrap(), None);
    backend.enter(&[(entered.clone(), NOON)]).await.unwrap();
    let held = lease(backend, "b.example").await;
    let attempt = attempt(1);
    backend.postpone(&held, &failed, &attempt).await.unwrap();
    for (at, expected) in [(later, NOON), (earlier, earlier), (NOON, earlier)] {
        backend.advance(&entered, at).await.unwrap();
        assert_eq!(backend.due_at(&entered).await.unwrap(), Some(expected));
    }
    backend.advance(&failed, earlier).await.unwrap();
    let due_at = backend.due_at(&failed).await.unwrap();
    assert_eq!(due_at, Some(attempt.next));
}

/// Whatever was tried and with what result comes back, a foreseen wait that is no failure too.
pub async fn an_attempt_comes_back_as_it_was(backend: &dyn Backend) {
    let id = id("a.example");
    let held = lease(backend, "a.example").await;
    let mut waiting = attempt(0);
    waiting.issuer = String::new();
    waiting.kind = String::new();
    waiting.failed_challenges = vec![];
    for mut attempt in [waiting, attempt(7)] {
        for advice in Advice::ALL {
            attempt.advice = advice;
            backend.postpone(&held, &id, &attempt).await.unwrap();
            let back = backend.attempt(&id).await.unwrap();
            assert_eq!(back.as_ref(), Some(&attempt));
        }
    }
}
