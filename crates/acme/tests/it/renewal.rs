//! Renewal information and replacement at a real CA: Pebble (Debian package `pebble`).

use std::time::Duration;

use certfleet_acme::{Issuer, Order, RenewalInfo, Step};
use certfleet_core::Leaf;
use certfleet_testkit::pebble::RetryAfter;

use crate::world::{World, names};

#[tokio::test]
async fn ari_suggests_a_window_within_the_validity() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();
    let info = issuer.renewal_info(&bundle.chain()[0]).await.unwrap();
    let RenewalInfo::Suggested {
        window,
        retry_after,
    } = info
    else {
        panic!("{info:?}");
    };
    let leaf = Leaf::parse(&bundle.chain()[0]).unwrap();
    assert!(leaf.not_before < window.start && window.end < leaf.not_after);
    assert!(retry_after.is_some());
}

#[tokio::test]
async fn ari_replaces_is_told_to_the_ca() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let old = issuer.issue(world.order(&names)).await.unwrap();
    let order = Order {
        replaces: Some(&old.chain()[0]),
        ..world.order(&names)
    };
    let new = issuer.issue(order).await.unwrap();
    world.verify(&new, &names).await;
    assert_eq!((world.pebble.orders(), world.pebble.replacements()), (2, 1));

    // Replaced already: ordered once without.
    let third = issuer.issue(order).await.unwrap();
    world.verify(&third, &names).await;
    assert_eq!((world.pebble.issued(), world.pebble.replacements()), (3, 1));
    let refused = |step: &Step| matches!(step, Step::ReplacesRefused { .. });
    assert_eq!(world.steps.count(refused), 1, "{:?}", world.steps.all());
}

#[tokio::test]
async fn a_certificate_of_another_account_is_replaced_without_saying_so() {
    let world = World::new(|_| {}).await;
    let names = names("a.example");
    let old = world
        .issuer()
        .await
        .issue(world.order(&names))
        .await
        .unwrap();
    let order = Order {
        replaces: Some(&old.chain()[0]),
        ..world.order(&names)
    };
    let new = world.issuer().await.issue(order).await.unwrap();
    world.verify(&new, &names).await;
    let refused = |step: &Step| matches!(step, Step::ReplacesRefused { .. });
    assert_eq!(world.steps.count(refused), 1, "{:?}", world.steps.all());
    assert_eq!(world.pebble.issued(), 2);
}

#[tokio::test]
async fn retry_after_of_an_order_that_is_processed_is_obeyed() {
    let world = World::new(|options| {
        options.retry_after = RetryAfter {
            authorization: Duration::from_secs(1),
            order: Duration::from_secs(1),
        };
    })
    .await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();
    world.verify(&bundle, &names).await;
    assert_eq!((world.pebble.orders(), world.pebble.issued()), (1, 1));
}

#[tokio::test]
async fn this_machines_clock_agrees_with_the_cas() {
    let world = World::new(|_| {}).await;
    let skew = world.issuer().await.clock_skew().unwrap();
    assert!((-2..=2).contains(&skew), "{skew}");
}
