//! Orders at a real CA: Pebble (Debian package `pebble`).

mod support;

use std::{sync::Arc, time::Duration};

use certfleet_acme::{Acme, AcmeConfig, Credentials, IssueError, Issuer, Step};
use certfleet_core::{Bundle, Leaf, NameSet};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use support::{World, names};

/// What a TLS client that trusts `root_pem` alone says of the chain, for every name.
fn verify(bundle: &Bundle, names: &NameSet, root_pem: &str) {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let (leaf, rest) = bundle.chain().split_first().unwrap();
    for name in names {
        let name = ServerName::try_from(name.as_str()).unwrap();
        verifier
            .verify_server_cert(leaf, rest, &name, &[], UnixTime::now())
            .unwrap();
    }
}

#[tokio::test]
async fn one_certificate_for_three_names() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example+www.a.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();

    verify(
        &bundle,
        &names,
        &world.pebble.issuing_root_pem().await.unwrap(),
    );
    assert_eq!((world.pebble.orders(), world.pebble.issued()), (1, 1));
    assert_eq!(world.pebble.accounts(), 1);
    assert_eq!((world.board.presented(), world.board.len()), (3, 0));

    // Every answer is up before the CA hears of the first.
    let steps = world.steps.all();
    let at = |such: fn(&Step) -> bool| steps.iter().position(such).unwrap();
    let last = |such: fn(&Step) -> bool| steps.iter().rposition(such).unwrap();
    assert!(
        last(|s| matches!(s, Step::ChallengePresented { .. }))
            < at(|s| matches!(s, Step::ChallengeReady { .. })),
        "{steps:?}"
    );
    let serial = Leaf::parse(&bundle.chain()[0]).unwrap().serial;
    assert_eq!(steps.last(), Some(&Step::Downloaded { serial }));
}
