//! Every way of validation, at a real CA: Pebble (Debian package `pebble`).

use std::net::Ipv4Addr;

use certfleet_acme::{IssueError, Issuer, Order, Step};
use certfleet_core::{
    ChallengeKind::{self, *},
    retry::Advice,
};

use crate::world::{World, names};

/// Orders `text` in these ways, and gives those in which its names were validated.
async fn validated(text: &str, challenges: &[ChallengeKind]) -> Vec<ChallengeKind> {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names(text);
    let order = Order {
        challenges,
        ..world.order(&names)
    };
    let bundle = issuer.issue(order).await.unwrap();
    world.verify(&bundle, &names).await;
    assert_eq!(world.board.confirmed(), [names.len()]);
    assert_eq!(world.board.len(), 0);
    assert_eq!((world.pebble.orders(), world.pebble.issued()), (1, 1));
    world.board.kinds()
}

#[tokio::test]
async fn http_01() {
    assert_eq!(validated("a.example", &[Http01]).await, [Http01]);
}

#[tokio::test]
async fn tls_alpn_01() {
    assert_eq!(validated("a.example", &[TlsAlpn01]).await, [TlsAlpn01]);
}

#[tokio::test]
async fn dns_01() {
    assert_eq!(validated("a.example", &[Dns01]).await, [Dns01]);
}

#[tokio::test]
async fn a_wildcard_and_what_it_stands_over_by_dns_01() {
    let kinds = validated("*.a.example+a.example", &[Dns01]).await;
    assert_eq!(kinds, [Dns01, Dns01]);
}

#[tokio::test]
async fn each_name_its_own_way_in_one_order() {
    let mut kinds = validated("*.a.example+b.example", &[Http01, Dns01]).await;
    kinds.sort();
    assert_eq!(kinds, [Http01, Dns01]);
}

#[tokio::test]
async fn an_ip_address_by_http_01() {
    assert_eq!(validated("127.0.0.1", &[Dns01, Http01]).await, [Http01]);
}

#[tokio::test]
async fn an_ip_address_by_tls_alpn_01() {
    assert_eq!(validated("127.0.0.1", &[TlsAlpn01]).await, [TlsAlpn01]);
}

#[tokio::test]
async fn a_name_and_an_ip_address_in_one_certificate() {
    let kinds = validated("a.example+127.0.0.1", &[Http01]).await;
    assert_eq!(kinds, [Http01, Http01]);
}

#[tokio::test]
async fn after_one_way_has_failed_another_is_taken() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    // Nothing listens there; the DNS answers still.
    let nowhere = Ipv4Addr::new(127, 99, 99, 99).into();
    world.pebble.resolve("a.example", nowhere).await.unwrap();
    let names = names("a.example");
    let order = Order {
        challenges: &[Http01, Dns01],
        ..world.order(&names)
    };
    let error = issuer.issue(order).await.unwrap_err();
    assert_eq!(error.advice(), Advice::ChangeChallenge, "{error}");
    assert_eq!(error.problem().unwrap().kind, "connection");
    let failed = error.failed_challenges();
    assert_eq!(failed, [Http01]);

    let again = Order {
        failed_challenges: &failed,
        ..order
    };
    issuer.issue(again).await.unwrap();
    assert_eq!(world.board.kinds(), [Http01, Dns01]);
    assert_eq!(world.board.len(), 0);
}

#[tokio::test]
async fn what_the_ca_does_not_offer_is_told_with_what_it_does() {
    // Pebble offers nothing but dns-01 for a wildcard, and an address nothing of the kind.
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    for (text, challenges, cure) in [
        ("*.a.example", &[Http01, TlsAlpn01][..], "add dns-01"),
        ("127.0.0.1", &[Dns01], "add http-01"),
    ] {
        let names = names(text);
        let order = Order {
            challenges,
            ..world.order(&names)
        };
        let error = issuer.issue(order).await.unwrap_err();
        assert!(matches!(error, IssueError::NoChallenge { .. }));
        assert_eq!(error.advice(), Advice::NeedsPerson);
        assert!(error.to_string().contains(cure), "{error}");
    }
    assert_eq!(world.pebble.orders(), 0);
}

#[tokio::test]
async fn authorization_reuse_off_validates_again() {
    let world = World::new(|options| options.authz_reuse = 0).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    for _ in 0..2 {
        issuer.issue(world.order(&names)).await.unwrap();
    }
    // 2.6 reuses one in a hundred even so.
    let reused = |step: &Step| matches!(step, Step::AuthorizationReused { .. });
    assert_eq!(world.board.presented() + world.steps.count(reused), 2);
    assert_eq!(world.pebble.issued(), 2);
}
