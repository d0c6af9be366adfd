//! A user with the documented rights and no more can do everything here, and nothing elsewhere.

use certfleet_redis::{Redis, acl};
use certfleet_store::{ChangeFeed, StoreError, feed::Signal};

use crate::{
    contract::least_privileged,
    fixture::{Fixture, config, next},
    outage::operations,
};

#[tokio::test]
async fn the_documented_rights_are_enough_and_not_too_much() {
    let fixture = Fixture::start().await;
    let url = least_privileged(&fixture.server).await;
    let redis = Redis::new(config(&url)).unwrap();

    let mut feed = redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
    fixture.cli(&["SCRIPT", "FLUSH"]).await;
    let lease = fixture.lease("a.example").await;
    for (name, operation) in operations(&redis, &lease) {
        operation
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(matches!(next(&mut feed).await, Signal::Wanted(_)));
    assert!(matches!(next(&mut feed).await, Signal::Committed(_)));
    assert!(matches!(next(&mut feed).await, Signal::Due(_)));
    assert!(matches!(next(&mut feed).await, Signal::Due(_)));
    assert!(matches!(next(&mut feed).await, Signal::Removed(_)));

    let mut foreign = config(&url);
    foreign.fleet = "other".parse().unwrap();
    let other = Redis::new(foreign).unwrap();
    for (name, operation) in operations(&other, &lease).into_iter().skip(1) {
        let error = operation.await.expect_err(name);
        assert!(
            matches!(error, StoreError::Refused { .. }),
            "{name}: {error}"
        );
    }
    let mut deaf = other.subscribe().await;
    let Signal::Disconnected(error) = next(&mut deaf).await else {
        panic!("another fleet's channel is refused");
    };
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");

    // No right is there for nothing.
    let seen = fixture.cli(&["INFO", "commandstats"]).await;
    for command in acl::COMMANDS {
        let stat = format!("cmdstat_{command}:calls=");
        assert!(seen.contains(&stat), "{command} was never sent");
    }
}
