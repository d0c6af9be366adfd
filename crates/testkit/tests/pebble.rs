//! The Pebble fixture: it starts as it is told, and counts what an ACME client does to it.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get fails the test"
)]

mod client;

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use certfleet_testkit::{
    pebble::{CertificateStatus, Endpoint, Pebble, PebbleOptions, RetryAfter},
    process::free_address,
};
use instant_acme::{RevocationReason, RevocationRequest};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::parse_x509_certificate;

use crate::client::Client;

/// A CA that takes every challenge for answered, and every nonce.
async fn pebble(change: impl FnOnce(&mut PebbleOptions)) -> Pebble {
    let mut options = PebbleOptions::new(free_address().unwrap().port());
    options.always_valid = true;
    options.nonce_reject = 0;
    options.authz_reuse = 0;
    change(&mut options);
    Pebble::start(options).await.unwrap()
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes());
    chain.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn it_counts_what_a_client_does_and_knows_what_it_issued() {
    let pebble = pebble(|_| {}).await;
    assert!(!pebble.version().is_empty());
    assert_eq!(pebble.requests(), 0);

    let client = Client::new(&pebble, None).await.unwrap();
    let pem = client.issue(&["b.example", "a.example"]).await;
    client.issue(&["127.0.0.1"]).await;
    client.order(&["unfinished.example"]).await;

    assert_eq!((pebble.accounts(), pebble.bindings()), (1, 0));
    assert_eq!((pebble.orders(), pebble.issued()), (3, 2));
    assert_eq!(pebble.authorizations(), 4);
    assert_eq!((pebble.validations(), pebble.failed_validations()), (3, 0));
    assert_eq!(
        pebble.issued_by_names().await.unwrap(),
        BTreeMap::from([
            ("a.example+b.example".to_owned(), 1),
            ("127.0.0.1".to_owned(), 1),
        ])
    );

    let requests = pebble.requests_by_endpoint();
    for (endpoint, want) in [
        (Endpoint::Directory, 1),
        (Endpoint::NewAccount, 1),
        (Endpoint::NewOrder, 3),
        (Endpoint::Challenge, 3),
        (Endpoint::Finalize, 2),
        (Endpoint::Certificate, 2),
    ] {
        assert_eq!(requests.get(&endpoint), Some(&want), "{endpoint:?}");
        assert_eq!(pebble.requests_to(endpoint), want);
    }
    assert_eq!(pebble.requests_to(Endpoint::RevokeCert), 0);
    assert_eq!(pebble.requests_to(Endpoint::Other), 0);

    let leaf = &chain(&pem)[0];
    let serial = parse_x509_certificate(leaf)
        .unwrap()
        .1
        .raw_serial_as_string();
    let serial = serial.replace(':', "");
    let status = pebble.certificate_status(&serial).await.unwrap();
    assert_eq!(status, CertificateStatus::Valid);
    let revocation = RevocationRequest {
        certificate: leaf,
        reason: Some(RevocationReason::Superseded),
    };
    client.account.revoke(&revocation).await.unwrap();
    let status = pebble.certificate_status(&serial).await.unwrap();
    assert_eq!(status, CertificateStatus::Revoked { reason: Some(4) });
    assert_eq!(pebble.requests_to(Endpoint::RevokeCert), 1);
    assert!(pebble.certificate_status("beef").await.is_err());
}

#[tokio::test]
async fn chains_roots_and_validity_are_as_told() {
    let pebble = pebble(|options| {
        options.chain_length = 2;
        options.alternate_roots = 1;
        options.validity = Duration::from_secs(6 * 86_400);
    })
    .await;
    let client = Client::new(&pebble, None).await.unwrap();
    let chain = chain(&client.issue(&["a.example"]).await);
    assert_eq!(chain.len(), 3, "the certificate and two intermediates");
    let (_, leaf) = parse_x509_certificate(&chain[0]).unwrap();
    let validity = leaf.validity();
    let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
    assert_eq!(seconds + 1, 6 * 86_400, "the last second counts (RFC 5280)");

    let mut roots = vec![];
    for number in 0..2 {
        let root = pebble.root_pem(number).await.unwrap();
        assert_ne!(root, pebble.intermediate_pem(number).await.unwrap());
        roots.push(root);
    }
    assert_ne!(roots[0], roots[1]);
    assert_eq!(roots[0], pebble.issuing_root_pem().await.unwrap());
    assert!(pebble.root_pem(2).await.is_err());
}

#[tokio::test]
async fn with_keys_for_external_accounts_none_is_made_without() {
    let pebble = pebble(|options| {
        let keys = [("kid-1", [1; 32]), ("kid-2", [2; 32])];
        let keys = keys.map(|(id, key)| (id.to_owned(), BASE64_URL_SAFE_NO_PAD.encode(key)));
        options.external_account_keys = keys.into();
    })
    .await;
    assert!(Client::new(&pebble, None).await.is_err());
    Client::new(&pebble, Some(("kid-2", &[2; 32])))
        .await
        .unwrap();
    assert!(
        Client::new(&pebble, Some(("kid-1", &[2; 32])))
            .await
            .is_err()
    );
    assert_eq!((pebble.accounts(), pebble.bindings()), (1, 1));
}

#[tokio::test]
async fn names_on_the_blocklist_are_refused() {
    let pebble = pebble(|options| options.blocklist = vec!["bad.example".to_owned()]).await;
    let client = Client::new(&pebble, None).await.unwrap();
    let error = client.try_order(&["www.bad.example"]).await.err().unwrap();
    assert!(error.to_string().contains("rejectedIdentifier"), "{error}");
    client.order(&["good.example"]).await;
    assert_eq!(pebble.orders(), 1);
    assert_eq!(pebble.requests_to(Endpoint::NewOrder), 2);
}

#[tokio::test]
async fn a_challenge_that_is_not_answered_is_a_failed_validation() {
    // Nobody answers DNS there either, so no name resolves.
    let nowhere = free_address().unwrap();
    let pebble = pebble(|options| {
        options.always_valid = false;
        options.dns_server = Some(nowhere);
    })
    .await;
    assert!(pebble.dns_log_path().is_none());
    let resolved = pebble.resolve("a.example", nowhere.ip()).await;
    assert!(resolved.is_err(), "there is no challtestsrv to tell");
    let client = Client::new(&pebble, None).await.unwrap();
    let mut order = client.order(&["a.example"]).await;
    client::announce(&mut order).await;
    let error = client::settled(&mut order).await.unwrap_err();
    assert!(error.to_string().contains("error:connection"), "{error}");
    assert_eq!((pebble.validations(), pebble.failed_validations()), (0, 1));
}

#[tokio::test]
async fn it_says_when_to_ask_again_only_if_told_to() {
    for order in [0, 1] {
        let pebble = pebble(|options| {
            options.retry_after = RetryAfter {
                order: Duration::from_secs(order),
                ..RetryAfter::default()
            };
        })
        .await;
        let client = Client::new(&pebble, None).await.unwrap();
        client.issue(&["a.example"]).await;
        let said = client.retry_after.load(Ordering::Relaxed);
        assert_eq!(said > 0, order > 0, "{said} answers for {order} s");
    }
}

#[tokio::test]
async fn counts_go_on_over_a_restart() {
    let mut pebble = pebble(|_| {}).await;
    for want in 1..=2 {
        let client = Client::new(&pebble, None).await.unwrap();
        client.order(&["a.example"]).await;
        assert_eq!((pebble.accounts(), pebble.orders()), (want, want));
        pebble.stop().unwrap();
        pebble.start_again().await.unwrap();
    }
}
