//! What can be asked of a certificate, at a real CA: Pebble (Debian package `pebble`).

use std::time::Duration;

use certfleet_acme::{IssueError, Issuer, Key, Order, Step};
use certfleet_core::{Bundle, KeyType, Leaf, NameSet};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::{parse_x509_certificate, public_key::PublicKey};

use crate::world::{World, names, verify};

async fn issued(key: Key<'_>) -> Bundle {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let order = Order {
        key,
        ..world.order(&names)
    };
    let bundle = issuer.issue(order).await.unwrap();
    world.verify(&bundle, &names).await;
    bundle
}

/// The kind of key in the leaf, and its size in bits.
fn public_key(bundle: &Bundle) -> (&'static str, usize) {
    let (_, leaf) = parse_x509_certificate(&bundle.chain()[0]).unwrap();
    match leaf.public_key().parsed().unwrap() {
        PublicKey::EC(point) => ("ec", point.key_size()),
        PublicKey::RSA(key) => ("rsa", key.key_size()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn key_type_p256() {
    let bundle = issued(Key::Fresh(KeyType::P256)).await;
    assert_eq!(public_key(&bundle), ("ec", 256));
}

#[tokio::test]
async fn key_type_p384() {
    let bundle = issued(Key::Fresh(KeyType::P384)).await;
    assert_eq!(public_key(&bundle), ("ec", 384));
}

#[tokio::test]
async fn key_type_rsa_2048() {
    let bundle = issued(Key::Fresh(KeyType::Rsa2048)).await;
    assert_eq!(public_key(&bundle), ("rsa", 2048));
}

#[tokio::test]
async fn key_type_rsa_4096() {
    let bundle = issued(Key::Fresh(KeyType::Rsa4096)).await;
    assert_eq!(public_key(&bundle), ("rsa", 4096));
}

#[tokio::test]
async fn a_key_is_reused_when_it_is_given() {
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let first = issued(Key::Fresh(kind)).await;
        let der = first.key().secret_der().to_vec();
        let key = PrivatePkcs8KeyDer::from(der.as_slice());
        let second = issued(Key::Given(&key)).await;
        assert_eq!(first.key(), second.key(), "{kind}");
        assert_ne!(first.chain()[0], second.chain()[0]);
    }
}

#[tokio::test]
async fn a_key_that_is_none_costs_no_order() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let key = PrivatePkcs8KeyDer::from(&b"junk"[..]);
    let order = Order {
        key: Key::Given(&key),
        ..world.order(&names)
    };
    let error = issuer.issue(order).await.unwrap_err();
    assert!(matches!(error, IssueError::Key(_)), "{error:?}");
    assert_eq!(world.pebble.orders(), 0);
}

/// The common name of a root.
fn common_name(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, root) = parse_x509_certificate(&der).unwrap();
    let name = root.subject().iter_common_name().next().unwrap();
    name.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_preferred_chain_is_taken_among_the_alternates() {
    let world = World::new(|options| options.alternate_roots = 3).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    for number in 0..4 {
        let root = world.pebble.root_pem(number).await.unwrap();
        let preferred = common_name(&root);
        let order = Order {
            chain: Some(&preferred),
            ..world.order(&names)
        };
        let bundle = issuer.issue(order).await.unwrap();
        verify(&bundle, &names, &root).unwrap_or_else(|error| panic!("root {number}: {error}"));
    }
    let missing = |step: &Step| matches!(step, Step::ChainMissing { .. });
    assert_eq!(world.steps.count(missing), 0);
    assert_eq!(world.pebble.issued(), 4);
}

#[tokio::test]
async fn a_chain_that_is_not_offered_leaves_the_default_and_says_so() {
    let world = World::new(|options| options.alternate_roots = 1).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let order = Order {
        chain: Some("No Such Root"),
        ..world.order(&names)
    };
    let bundle = issuer.issue(order).await.unwrap();
    world.verify(&bundle, &names).await;
    let mut roots = Vec::new();
    for number in 0..2 {
        roots.push(common_name(&world.pebble.root_pem(number).await.unwrap()));
    }
    roots.sort();
    let told = Step::ChainMissing {
        wanted: "No Such Root".into(),
        found: roots,
    };
    assert!(world.steps.all().contains(&told), "{:?}", world.steps.all());
}

#[tokio::test]
async fn a_chain_of_three_intermediates_is_followed() {
    let world = World::new(|options| options.chain_length = 3).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();
    assert_eq!(bundle.chain().len(), 4);
    world.verify(&bundle, &names).await;
}

#[tokio::test]
async fn the_validity_that_is_asked_for_is_got() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let order = Order {
        validity: Some(Duration::from_secs(3 * 86_400)),
        ..world.order(&names)
    };
    let bundle = issuer.issue(order).await.unwrap();
    world.verify(&bundle, &names).await;
    let leaf = Leaf::parse(&bundle.chain()[0]).unwrap();
    let days = leaf.not_after.since(leaf.not_before).as_secs_f64() / 86_400.0;
    assert!((2.9..3.1).contains(&days), "{days}");
}

#[tokio::test]
async fn more_than_a_hundred_names_are_told_how_to_be_split() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let before = world.pebble.requests();
    let many = (0..101).map(|i| format!("n{i}.example.com").parse().unwrap());
    let names = NameSet::new(many).unwrap();
    let error = issuer.issue(world.order(&names)).await.unwrap_err();
    let IssueError::TooManyNames { split, .. } = &error else {
        panic!("{error:?}");
    };
    let sizes: Vec<_> = split.iter().map(NameSet::len).collect();
    assert_eq!(sizes, [100, 1]);
    assert_eq!(world.pebble.requests(), before);
}

#[tokio::test]
async fn a_hundred_names_are_one_certificate() {
    let world = World::new(|options| options.nonce_reject = 0).await;
    let issuer = world.issuer().await;
    let many = (0..100).map(|i| format!("n{i}.example.com").parse().unwrap());
    let names = NameSet::new(many).unwrap();
    let bundle = issuer.issue(world.order(&names)).await.unwrap();
    world.verify(&bundle, &names).await;
}
