//! What a real TLS client meets: versions, groups, ALPN, names, resumption, reloads.

use std::sync::Arc;

use certfleet_tls::{Failure, Limits};
use rustls::{
    AlertDescription, ClientConfig, Error, HandshakeKind, NamedGroup, ProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};
use tokio::sync::mpsc;

use crate::fixture::{Ca, Server, connect, generation, tls_error};

const NAME: &str = "a.example";

async fn server(ca: &Ca) -> Server {
    let server = Server::start(None, Limits::default()).await;
    server.publish(NAME, 1, ca.issue(NAME, 1));
    server
}

#[tokio::test]
async fn tls_1_2_and_1_3_with_the_preferred_group_of_each() {
    let ca = Ca::new();
    let server = server(&ca).await;
    for (version, number, group) in [
        (&TLS12, ProtocolVersion::TLSv1_2, NamedGroup::X25519),
        (&TLS13, ProtocolVersion::TLSv1_3, NamedGroup::X25519MLKEM768),
    ] {
        let client = Arc::new(ca.client(&[version]));
        let stream = connect(server.address, &client, NAME).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(number));
        let agreed = session.negotiated_key_exchange_group().unwrap();
        assert_eq!(agreed.name(), group);
    }
    let counts: Vec<_> = server.stats.counts().take(2).collect();
    assert_eq!(counts, [("tls12", 1), ("tls13", 1)]);
    assert_eq!((server.stats.accepted(), server.stats.open()), (2, 0));
}

#[tokio::test]
async fn a_client_with_p_256_alone_is_served() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let provider = CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    };
    let client = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(ca.roots())
        .with_no_client_auth();
    let stream = connect(server.address, &client.into(), NAME).await.unwrap();
    let agreed = stream.get_ref().1.negotiated_key_exchange_group().unwrap();
    assert_eq!(agreed.name(), NamedGroup::secp256r1);
}

#[tokio::test]
async fn alpn_is_agreed() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let with = |protocols: &[&str]| {
        let mut client = ca.client(&[&TLS13]);
        client.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        Arc::new(client)
    };
    for (offered, agreed) in [
        (&["h2"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&[], None),
    ] {
        let stream = connect(server.address, &with(offered), NAME).await.unwrap();
        let protocol = stream.get_ref().1.alpn_protocol();
        assert_eq!(protocol, agreed.map(str::as_bytes), "{offered:?}");
    }
    assert_eq!(
        tls_error(connect(server.address, &with(&["smtp"]), NAME).await),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
    );
    server
        .until(|stats| stats.failures(Failure::Incompatible) == 1)
        .await;
}

#[tokio::test]
async fn without_a_certificate_the_alert_is_access_denied() {
    let ca = Ca::new();
    let server = Server::start(None, Limits::default()).await;
    let denied = Error::AlertReceived(AlertDescription::AccessDenied);
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(ca.client(&[version]));
        let refused = connect(server.address, &client, NAME).await;
        assert_eq!(tls_error(refused), denied, "{version:?}");
    }
    // The same for a name that nothing published covers.
    server.publish(NAME, 1, ca.issue(NAME, 1));
    let client = Arc::new(ca.client(&[&TLS13]));
    let refused = connect(server.address, &client, "b.example").await;
    assert_eq!(tls_error(refused), denied);
    server
        .until(|stats| stats.failures(Failure::NoCertificate) == 3)
        .await;
    assert!(connect(server.address, &client, NAME).await.is_ok());
}

#[tokio::test]
async fn each_name_gets_its_certificate() {
    let ca = Ca::new();
    let server = Server::start(Some(NAME), Limits::default()).await;
    server.publish("*.b.example", 2, ca.issue("*.b.example", 2));
    // Published for fewer names than it holds: the other name is reached as the default.
    server.publish(NAME, 1, ca.issue("a.example+fallback.example", 1));
    let client = Arc::new(ca.client(&[&TLS13]));
    for (name, expected) in [
        (NAME, 1),
        ("A.Example", 1),
        ("x.b.example", 2),
        ("X.B.EXAMPLE", 2),
        ("fallback.example", 1),
    ] {
        let stream = connect(server.address, &client, name).await.unwrap();
        assert_eq!(generation(&stream), expected, "{name}");
    }
    // No SNI: the default is shown, and the client refuses it, as it is not for that address.
    let refused = connect(server.address, &client, "127.0.0.1").await;
    assert!(matches!(tls_error(refused), Error::InvalidCertificate(_)));
    server
        .until(|stats| stats.failures(Failure::Alert) == 1)
        .await;
}

#[tokio::test]
async fn a_session_is_resumed_until_its_name_is_retracted() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        let server = server(&ca).await;
        let client = Arc::new(ca.client(&[version]));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = connect(server.address, &client, NAME).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
        }
        assert_eq!(server.stats.resumed(), 1);
        // A reload does not end sessions.
        server.publish(NAME, 2, ca.issue(NAME, 2));
        let stream = connect(server.address, &client, NAME).await.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Resumed)
        );
        assert!(server.publisher.retract(&NAME.parse().unwrap()));
        assert_eq!(
            tls_error(connect(server.address, &client, NAME).await),
            Error::AlertReceived(AlertDescription::AccessDenied)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_handshake_succeeds_while_generations_are_published() {
    const CLIENTS: u64 = 8;
    const HANDSHAKES: u64 = 100;
    const GENERATIONS: u64 = 200;
    let ca = Ca::new();
    let generations: Vec<_> = (1..=GENERATIONS).map(|n| ca.issue(NAME, n)).collect();
    let server = Arc::new(Server::start(None, Limits::default()).await);
    server.publish(NAME, 1, generations[0].clone());

    let mut client = ca.client(&[&TLS12, &TLS13]);
    client.resumption = Resumption::disabled(); // so that each handshake shows the certificate
    let client = Arc::new(client);
    let (finished, mut progress) = mpsc::channel(1);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (server, client, finished) =
                (Arc::clone(&server), Arc::clone(&client), finished.clone());
            tokio::spawn(async move {
                let id = NAME.parse().unwrap();
                let published = || server.publisher.generation(&id).unwrap().value();
                let mut last = 0;
                for _ in 0..HANDSHAKES {
                    let before = published();
                    let stream = connect(server.address, &client, NAME).await.unwrap();
                    let seen = generation(&stream);
                    assert!((before..=published()).contains(&seen));
                    assert!(seen >= last, "{seen} after {last}");
                    last = seen;
                    finished.send(()).await.unwrap();
                }
            })
        })
        .collect();
    drop(finished);

    // Handshakes set the pace: a new generation for every four of them, while others go on.
    let mut next = generations.into_iter().zip(1..).skip(1);
    let mut count = 0;
    while let Some(()) = progress.recv().await {
        count += 1;
        if count % (CLIENTS * HANDSHAKES / GENERATIONS) == 0
            && let Some((verified, generation)) = next.next()
        {
            server.publish(NAME, generation, verified);
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(count, CLIENTS * HANDSHAKES);
    let last = connect(server.address, &client, NAME).await.unwrap();
    assert_eq!(generation(&last), GENERATIONS);
    let failed: u64 = Failure::ALL
        .map(|reason| server.stats.failures(reason))
        .iter()
        .sum();
    assert_eq!(failed, 0);
}
