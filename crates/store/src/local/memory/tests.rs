//! The contract, and what only this implementation promises: links that can be cut, and a bounded
//! backlog.

use certfleet_core::Wanted;

use super::*;
use crate::{
    Backend, Budget, ChallengeBoard, Permissions, Revocations, Schedule, Suggestions, SystemClock,
    WantedList,
    contract::sample::{commit, lease, names, revocation, suggestion},
    feed::Signal,
};

async fn fresh() -> ((), Arc<dyn Backend>) {
    ((), Arc::new(memory()))
}

mod contract {
    use super::*;
    crate::contract_tests!(fresh());
}

fn memory() -> Memory {
    Memory::new(Arc::new(SystemClock))
}

#[tokio::test]
async fn a_cut_link_says_so_and_misses_nothing_for_good() {
    let ours = memory();
    let theirs = ours.link();
    let mut subscription = ours.subscribe().await;
    assert!(matches!(subscription.next().await, Signal::Connected));
    let seen = ours.changes(None).await.unwrap().position;

    ours.set_available(false);
    let error = ours.ids().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let signal = subscription.next().await;
    assert!(matches!(signal, Signal::Disconnected(_)), "{signal:?}");
    let mut late = ours.subscribe().await;
    let signal = late.next().await;
    assert!(matches!(signal, Signal::Disconnected(_)), "{signal:?}");
    let missed = commit(&theirs, "a.example", 1).await;

    ours.set_available(true);
    for subscription in [&mut subscription, &mut late] {
        let signal = subscription.next().await;
        assert!(matches!(signal, Signal::Connected), "{signal:?}");
    }
    let changes = ours.changes(Some(&seen)).await.unwrap().changed;
    let changed: Vec<_> = changes.into_iter().map(Result::unwrap).collect();
    assert_eq!(changed, [missed]);
    let heard = commit(&theirs, "a.example", 2).await;
    match subscription.next().await {
        Signal::Committed(stored) => assert_eq!(*stored, heard),
        signal => panic!("{signal:?}"),
    }
}

#[tokio::test]
async fn a_cut_link_lets_nothing_through() {
    let ours = memory();
    let theirs = ours.link();
    let stored = commit(&theirs, "a.example", 1).await;
    let (id, now) = (stored.record.id(), stored.committed_at);
    let held = lease(&theirs, "a.example").await;
    let ttl = Duration::from_secs(60);
    ours.set_available(false);
    let wanted = Wanted::new(names("b.example"));
    let name = "a.example".parse().unwrap();
    let refused = [
        ours.want(&wanted).await.err(),
        ours.wanted().await.err(),
        ours.claim_questions(now, 9, ttl).await.err(),
        ours.suggest(&id, &suggestion(1, now), now).await.err(),
        ours.ask_again(&id, None).await.err(),
        ours.take("ca", &[], now).await.err(),
        ours.pause("ca", now).await.err(),
        ours.balances(now).await.err(),
        ours.revoke(&revocation(&stored)).await.err(),
        ours.permission(&name, ttl).await.err(),
        ours.posted(&id).await.err(),
    ];
    for error in refused {
        assert!(error.is_some_and(|error| error.is_unavailable()));
    }
    let result = ours.remove(&held, &id).await;
    assert!(matches!(result, Err(CommitError::Store(_))), "{result:?}");
    assert_eq!(theirs.load(&id).await.unwrap(), Some(stored));

    ours.set_available(true);
    ours.want(&wanted).await.unwrap();
    assert_eq!(theirs.wanted().await.unwrap().len(), 1);
    theirs.lose_data();
    assert_eq!(ours.wanted().await.unwrap().len(), 0);
    assert_eq!(ours.due(now.after(ttl), 9).await.unwrap(), []);
}

#[tokio::test]
async fn who_falls_behind_the_backlog_is_told_to_catch_up() {
    let memory = memory();
    let mut subscription = memory.subscribe().await;
    assert!(matches!(subscription.next().await, Signal::Connected));
    let id = names("a.example").id();
    let sent = BACKLOG + 10;
    for _ in 0..sent {
        memory.hasten(&id).await.unwrap();
    }
    assert!(matches!(subscription.next().await, Signal::Connected));
    for _ in 0..BACKLOG {
        let signal = subscription.next().await;
        assert!(
            matches!(&signal, Signal::Due(due) if *due == id),
            "{signal:?}"
        );
    }
}

/// A subscription outlives the links, and then just never says anything.
#[tokio::test(start_paused = true)]
async fn a_subscription_goes_on_waiting_when_the_store_is_gone() {
    let memory = memory();
    let mut subscription = memory.subscribe().await;
    assert!(matches!(subscription.next().await, Signal::Connected));
    drop(memory);
    let minute = Duration::from_secs(60);
    assert!(
        tokio::time::timeout(minute, subscription.next())
            .await
            .is_err()
    );
}
