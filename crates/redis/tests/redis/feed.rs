//! The subscription: it says what happens to its connection, and never stays deaf.

use std::time::{Duration, Instant};

use certfleet_store::{ChangeFeed, Schedule, contract::PATIENCE, feed::Signal};
use tokio::time::{sleep, timeout};

use crate::fixture::{Fixture, id, next};

const FEED: &str = "certfleet:{test}:feed";

#[tokio::test]
async fn a_commit_arrives_whole_and_garbage_is_told() {
    let fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));

    let stored = fixture.commit("a.example+b.example", 1).await;
    let Signal::Committed(heard) = next(&mut feed).await else {
        panic!("a commit is heard of");
    };
    assert_eq!(*heard, stored, "with no second look");

    fixture.redis.hasten(&id("a.example")).await.unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Due(due) if due == id("a.example")));

    fixture.cli(&["PUBLISH", FEED, "garbage"]).await;
    let Signal::Unreadable(error) = next(&mut feed).await else {
        panic!("garbage is told");
    };
    assert!(error.to_string().contains(FEED), "{error}");
}

#[tokio::test]
async fn survives_a_restart_of_the_server() {
    let mut fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    fixture.server.stop().unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Disconnected(_)));
    let more = timeout(Duration::from_secs(1), feed.next()).await;
    assert!(more.is_err(), "said once, however long it lasts: {more:?}");
    fixture.server.start_again().await.unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    let stored = fixture.commit("a.example", 1).await;
    assert!(matches!(next(&mut feed).await, Signal::Committed(heard) if *heard == stored));
}

#[tokio::test]
async fn a_killed_connection_is_made_again() {
    let fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    for _ in 0..3 {
        assert!(matches!(next(&mut feed).await, Signal::Connected));
        fixture.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        assert!(matches!(next(&mut feed).await, Signal::Disconnected(_)));
    }
}

#[tokio::test]
async fn a_deaf_connection_is_found_out() {
    let fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    fixture.server.pause().unwrap();
    let hung = Instant::now();
    let Signal::Disconnected(error) = next(&mut feed).await else {
        panic!("the hang is found out");
    };
    assert!(
        hung.elapsed() < Duration::from_secs(2),
        "{:?}",
        hung.elapsed()
    );
    assert!(error.is_unavailable(), "{error}");
    fixture.server.resume().unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Connected));
}

#[tokio::test]
async fn says_disconnected_first_if_redis_is_away() {
    let mut fixture = Fixture::start().await;
    fixture.server.stop().unwrap();
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Disconnected(_)));
    fixture.server.start_again().await.unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Connected));
}

#[tokio::test]
async fn a_slow_follower_is_told_to_catch_up() {
    let fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    for _ in 0..300 {
        fixture.redis.hasten(&id("a.example")).await.unwrap();
    }
    let mut told = 0;
    while !matches!(next(&mut feed).await, Signal::Connected) {
        told += 1;
    }
    assert!(told < 300, "{told} were kept in the queue");
    // Caught up: what comes now is heard again.
    fixture.redis.hasten(&id("b.example")).await.unwrap();
    assert!(matches!(next(&mut feed).await, Signal::Due(due) if due == id("b.example")));
}

#[tokio::test]
async fn dropping_a_subscription_closes_its_connection() {
    let fixture = Fixture::start().await;
    let mut feed = fixture.redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    let listed = ["CLIENT", "LIST", "TYPE", "pubsub"];
    assert_eq!(fixture.cli(&listed).await.trim().lines().count(), 1);
    drop(feed);
    let closed = async {
        while !fixture.cli(&listed).await.trim().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("it is closed");
}
