//! The one way to change a record, where Redis has something to say of its own.

use certfleet_core::{Epoch, FencingToken, Generation};
use certfleet_store::{CertificateStore, Clock, CommitError, Leases, StoreError, SystemClock};

use crate::fixture::{Fixture, id};

#[tokio::test]
async fn each_refusal_says_which_it_is() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    fixture.commit("a.example", 2).await;

    let lease = fixture.lease("a.example").await;
    let same = fixture.record("a.example", 2, &lease);
    let refused = redis.commit(&lease, &same).await.unwrap_err();
    assert!(
        matches!(refused, CommitError::Stale { newest, .. } if newest == Generation::new(2)),
        "{refused}"
    );

    let newer = fixture.record("a.example", 3, &lease);
    assert!(redis.release(&lease).await.unwrap());
    let refused = redis.commit(&lease, &newer).await.unwrap_err();
    assert!(
        matches!(refused, CommitError::LeaseLost { .. }),
        "{refused}"
    );

    // A token that a later holder has overtaken, in the hands of who holds the lease.
    let lease = fixture.lease("a.example").await;
    let mut older = fixture.record("a.example", 3, &lease);
    older.fencing = FencingToken::ZERO;
    let refused = redis.commit(&lease, &older).await.unwrap_err();
    assert!(matches!(refused, CommitError::Fenced { .. }), "{refused}");

    let stored = redis.load(&id("a.example")).await.unwrap().unwrap();
    assert_eq!(
        stored.record.generation,
        Generation::new(2),
        "nothing was written"
    );
    assert_eq!(stored.epoch, Epoch::new(1));
}

#[tokio::test]
async fn a_repeat_changes_nothing_even_without_the_lease() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    let before = SystemClock.now();
    let lease = fixture.lease("a.example").await;
    let record = fixture.record("a.example", 1, &lease);
    let stored = redis.commit(&lease, &record).await.unwrap();
    assert!(stored.committed_at >= before && stored.committed_at <= SystemClock.now());
    assert!(redis.release(&lease).await.unwrap());
    assert_eq!(redis.commit(&lease, &record).await.unwrap(), stored);
    assert_eq!(redis.load(&record.id()).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn a_lost_counter_does_not_hand_out_old_tokens() {
    let fixture = Fixture::start().await;
    for generation in 1..=3 {
        fixture.commit("a.example", generation).await;
    }
    fixture.cli(&["DEL", "certfleet:{test}:fencing"]).await;
    let stored = fixture.commit("a.example", 4).await;
    assert_eq!(stored.record.fencing, FencingToken::new(4));
}

#[tokio::test]
async fn scripts_come_back_after_a_flush() {
    let fixture = Fixture::start().await;
    fixture.commit("a.example", 1).await;
    fixture.cli(&["SCRIPT", "FLUSH"]).await;
    fixture.commit("a.example", 2).await;
}

#[tokio::test]
async fn what_was_tampered_with_is_named() {
    let fixture = Fixture::start().await;
    fixture.commit("a.example", 1).await;
    fixture.commit("b.example", 1).await;
    let key = "certfleet:{test}:cert:a.example";
    for (command, problem) in [
        (
            &["HSET", key, "sealed", "-----BEGIN PRIVATE KEY-----"][..],
            "plaintext",
        ),
        (
            &["HSET", key, "names", "b.example"],
            "holds the record of b.example",
        ),
        (&["HSET", key, "not_after", "soon"], "\"not_after\""),
        (&["HDEL", key, "epoch"], "\"epoch\" is missing"),
        (&["HSET", key, "issuer", "\u{fffd}"], "\"epoch\" is missing"),
        (&["SET", key, "a string"], "WRONGTYPE"),
    ] {
        let kept = fixture.server.cli(&["COPY", key, "kept", "REPLACE"]).await;
        kept.unwrap();
        fixture.cli(command).await;
        let error = fixture.redis.load(&id("a.example")).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt { at, .. } if at == key),
            "{command:?}: {error}"
        );
        assert!(error.to_string().contains(problem), "{command:?}: {error}");
        if command[0] != "HDEL" {
            fixture.cli(&["COPY", "kept", key, "REPLACE"]).await;
        }
    }
}
