//! Revocation at a real CA: Pebble (Debian package `pebble`).

use certfleet_acme::{AcmeIssuer, Issuer, Key, Order, Revocation};
use certfleet_core::{Bundle, KeyType, Leaf, RevocationReason};
use certfleet_testkit::pebble::CertificateStatus;
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::world::{World, names};

async fn issue(world: &World, issuer: &AcmeIssuer, kind: KeyType) -> Bundle {
    let names = names("a.example");
    let order = Order {
        key: Key::Fresh(kind),
        ..world.order(&names)
    };
    issuer.issue(order).await.unwrap()
}

async fn status(world: &World, bundle: &Bundle) -> CertificateStatus {
    let serial = Leaf::parse(&bundle.chain()[0]).unwrap().serial;
    world.pebble.certificate_status(&serial).await.unwrap()
}

#[tokio::test]
async fn revocation_by_account() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let bundle = issue(&world, &issuer, KeyType::P256).await;
    assert_eq!(status(&world, &bundle).await, CertificateStatus::Valid);
    let revocation = Revocation {
        certificate: &bundle.chain()[0],
        reason: RevocationReason::Superseded,
        key: None,
    };
    issuer.revoke(revocation).await.unwrap();
    let revoked = CertificateStatus::Revoked { reason: Some(4) };
    assert_eq!(status(&world, &bundle).await, revoked);
    // Once more is as good.
    issuer.revoke(revocation).await.unwrap();
}

#[tokio::test]
async fn revocation_by_key() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let stranger = world.issuer().await;
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let bundle = issue(&world, &issuer, kind).await;
        let without = Revocation {
            certificate: &bundle.chain()[0],
            reason: RevocationReason::KeyCompromise,
            key: None,
        };
        let error = stranger.revoke(without).await.unwrap_err();
        assert_eq!(error.kind(), "unauthorized", "{error}");
        assert_eq!(status(&world, &bundle).await, CertificateStatus::Valid);

        let der = bundle.key().secret_der().to_vec();
        let key = PrivatePkcs8KeyDer::from(der.as_slice());
        let with = Revocation {
            key: Some(&key),
            ..without
        };
        stranger.revoke(with).await.unwrap();
        let revoked = CertificateStatus::Revoked { reason: Some(1) };
        assert_eq!(status(&world, &bundle).await, revoked, "{kind}");
    }
}

#[tokio::test]
async fn a_foreign_key_revokes_nothing() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let bundle = issue(&world, &issuer, KeyType::P256).await;
    let other = issue(&world, &issuer, KeyType::P256).await;
    let der = other.key().secret_der().to_vec();
    let key = PrivatePkcs8KeyDer::from(der.as_slice());
    let revocation = Revocation {
        certificate: &bundle.chain()[0],
        reason: RevocationReason::KeyCompromise,
        key: Some(&key),
    };
    world.issuer().await.revoke(revocation).await.unwrap_err();
    assert_eq!(status(&world, &bundle).await, CertificateStatus::Valid);
}
