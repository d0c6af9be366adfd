//! The one way to change a record, where Redis has something to say of its own.

use certfleet_core::{FencingToken, Timestamp};
use certfleet_store::{CertificateStore, Clock, StoreError, SystemClock};

use crate::fixture::{Fixture, id};

#[tokio::test]
async fn the_time_of_a_commit_is_the_servers() {
    let fixture = Fixture::start().await;
    let before = SystemClock.now();
    let stored = fixture.commit("a.example", 1).await;
    assert!(stored.committed_at >= before, "{}", stored.committed_at);
    assert!(stored.committed_at <= SystemClock.now());
}

/// Redis gives scripts no calendar, so `commit.lua` has its own.
#[tokio::test]
async fn the_calendar_of_the_script_is_right() {
    let script = include_str!("../../src/scripts/commit.lua");
    let (calendar, _) = script.split_once("-- What TIME gives").unwrap();
    let probe = format!(
        "{calendar} local dates = {{}} for day = 0, 60000 do dates[day + 1] = date(day) end \
         return table.concat(dates, ' ')"
    );
    let fixture = Fixture::start().await;
    let dates = fixture.cli(&["EVAL", &probe, "0"]).await;
    let dates: Vec<_> = dates.split(' ').collect();
    assert_eq!(
        dates.len(),
        60_001,
        "to the year 2134, past 2100 without its leap day"
    );
    for (day, date) in (0..).zip(dates) {
        let expected = Timestamp::from_secs(day * 86_400).to_string();
        assert_eq!(date, &expected[..10], "day {day}");
    }
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
    fixture.cli(&["COPY", key, "kept"]).await;
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
        (&["SET", key, "a string"], "WRONGTYPE"),
    ] {
        fixture.cli(command).await;
        let error = fixture.redis.load(&id("a.example")).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt { at, .. } if at == key),
            "{command:?}: {error}"
        );
        assert!(error.to_string().contains(problem), "{command:?}: {error}");
        fixture.cli(&["COPY", "kept", key, "REPLACE"]).await;
    }
    fixture.redis.load(&id("a.example")).await.unwrap();
}
