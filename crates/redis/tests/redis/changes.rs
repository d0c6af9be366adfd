//! Catching up, where Redis has something to say of its own.

use certfleet_core::Epoch;
use certfleet_store::{CertificateStore, ChangeFeed, Leases, StoreError, feed::Position};

use crate::fixture::{Fixture, id};

#[tokio::test]
async fn more_records_than_are_read_at_once_come_in_order() {
    let fixture = Fixture::start().await;
    for n in 0..300 {
        fixture.commit(&format!("n{n}.example"), 1).await;
    }
    let all = fixture.redis.changes(None).await.unwrap();
    assert!(all.complete);
    assert_eq!(all.position.epoch, Epoch::new(300));
    let epochs: Vec<_> = all
        .changed
        .into_iter()
        .map(|c| c.unwrap().epoch.value())
        .collect();
    assert_eq!(epochs, (1..=300).collect::<Vec<_>>());
    assert_eq!(fixture.redis.ids().await.unwrap().len(), 300);

    fixture.commit("n7.example", 2).await;
    let since = fixture.redis.changes(Some(&all.position)).await.unwrap();
    assert!(!since.complete);
    assert_eq!(since.changed.len(), 1);
    let changed = since.changed.into_iter().next().unwrap().unwrap();
    assert_eq!(changed.record.id(), id("n7.example"));
    let none = fixture.redis.changes(Some(&since.position)).await.unwrap();
    assert!(none.changed.is_empty() && none.position == since.position);
}

#[tokio::test]
async fn a_position_of_lost_data_gives_all() {
    let fixture = Fixture::start().await;
    fixture.commit("a.example", 1).await;
    fixture.commit("b.example", 1).await;
    let seen = fixture.redis.changes(None).await.unwrap().position;

    let ahead = Position {
        epoch: Epoch::new(9),
        ..seen.clone()
    };
    let all = fixture.redis.changes(Some(&ahead)).await.unwrap();
    assert!(all.complete && all.changed.len() == 2);

    fixture.cli(&["FLUSHALL"]).await;
    let none = fixture.redis.changes(Some(&seen)).await.unwrap();
    assert!(none.complete && none.changed.is_empty());
    assert_ne!(none.position.incarnation, seen.incarnation);
    for n in 1..=3 {
        fixture.commit(&format!("n{n}.example"), 1).await;
    }
    let all = fixture.redis.changes(Some(&seen)).await.unwrap();
    assert!(all.complete && all.changed.len() == 3);
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_else() {
    let fixture = Fixture::start().await;
    for names in ["a.example", "b.example", "c.example", "d.example"] {
        fixture.commit(names, 1).await;
    }
    fixture
        .cli(&["SET", "certfleet:{test}:cert:a.example", "x"])
        .await;
    fixture
        .cli(&["DEL", "certfleet:{test}:cert:b.example"])
        .await;
    fixture
        .cli(&["HDEL", "certfleet:{test}:cert:c.example", "chain"])
        .await;
    fixture
        .cli(&["ZADD", "certfleet:{test}:changes", "9", "../x"])
        .await;

    let all = fixture.redis.changes(None).await.unwrap().changed;
    let place = |n: usize| match &all[n] {
        Err(StoreError::Corrupt { at, .. }) => at.as_str(),
        other => panic!("{n}: {other:?}"),
    };
    assert_eq!(place(0), "certfleet:{test}:cert:a.example");
    assert_eq!(place(1), "certfleet:{test}:cert:b.example");
    assert_eq!(place(2), "certfleet:{test}:cert:c.example");
    assert_eq!(all[3].as_ref().unwrap().record.id(), id("d.example"));
    assert_eq!(place(4), "certfleet:{test}:changes");
    assert_eq!(
        fixture.redis.ids().await.unwrap().len(),
        4,
        "the stray member is passed over"
    );
}

/// The index and the records are read one after the other: what goes in between is no fault.
#[tokio::test]
async fn what_is_removed_while_it_is_read_is_passed_over() {
    let fixture = Fixture::start().await;
    let coming_and_going = async {
        for generation in 1..=150 {
            let stored = fixture.commit("a.example", generation).await;
            let lease = fixture.lease("a.example").await;
            let id = stored.record.id();
            fixture.redis.remove(&lease, &id).await.unwrap();
            assert!(fixture.redis.release(&lease).await.unwrap());
        }
    };
    let catching_up = async {
        loop {
            for changed in fixture.redis.changes(None).await.unwrap().changed {
                assert_eq!(changed.unwrap().record.id(), id("a.example"));
            }
        }
    };
    tokio::select! {
        () = coming_and_going => {}
        () = catching_up => unreachable!("it goes on for ever"),
    }
}

#[tokio::test]
async fn removals_are_told_of_within_bounds() {
    let fixture = Fixture::start().await;
    let key = "certfleet:{test}:removed";
    // As many as are kept, under the first epochs, as if they had been removed before.
    let many = format!(
        "for n = 1, 10000 do redis.call('ZADD', '{key}', n, n .. '.example') end \
         redis.call('SET', 'certfleet:{{test}}:epoch', 10000)"
    );
    fixture.cli(&["EVAL", &many, "0"]).await;
    let lease = fixture.lease("a.example").await;
    fixture
        .redis
        .remove(&lease, &id("a.example"))
        .await
        .unwrap();
    let removed = fixture.redis.changes(None).await.unwrap().removed;
    assert_eq!(removed.len(), 10_000);
    assert_eq!(removed.first(), Some(&id("2.example")));
    assert_eq!(removed.last(), Some(&id("a.example")));
    let week = 7 * 86_400_000;
    let left: u64 = fixture.cli(&["PTTL", key]).await.parse().unwrap();
    assert!(left > week - 60_000 && left <= week, "{left}");
}
