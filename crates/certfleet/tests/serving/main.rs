//! A node's two ports as clients and balancers meet them: addresses, limits, the end.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod node;

use std::{io::ErrorKind, time::Duration};

use certfleet_core::{Answer, ChallengeKind};
use certfleet_store::{ChallengeBoard, Leases};
use certfleet_testkit::haproxy::HaProxy;
use tokio::time::Instant;

use crate::node::Node;

const UNKNOWN: &str = "/.well-known/acme-challenge/unknown";
const KNOWN: &str = "/.well-known/acme-challenge/known";
const TTL: Duration = Duration::from_secs(60);

/// Clients have loopback addresses of their own, and HAProxy has 127.0.0.4.
const CLIENT: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_both_ports_know_the_client() {
    let node = Node::start(&[
        ("proxy_protocol_from", "127.0.0.4"),
        ("challenge_allow", "127.0.0.2"),
    ])
    .await;
    let haproxy = HaProxy::start_with_proxy_protocol(&[node.server()])
        .await
        .unwrap();
    for address in [haproxy.http(), haproxy.https()] {
        node.reached_through(address).await;
    }

    let answer = node.https(haproxy.https(), CLIENT, "/").await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "127.0.0.2"));
    for (client, status) in [(CLIENT, 404), (OTHER, 403)] {
        let answer = node.http(haproxy.http(), client, UNKNOWN).await.unwrap();
        assert_eq!(answer.status, status, "{client:?} by HTTP");
        let answer = node.https(haproxy.https(), client, UNKNOWN).await.unwrap();
        assert_eq!(answer.status, status, "{client:?} by HTTPS");
    }

    // Whoever is no balancer is taken for who it is, and one without its header is refused.
    let answer = node.https(node.https, OTHER, "/").await.unwrap();
    assert_eq!(answer.body, "127.0.0.3");
    assert!(node.https(node.https, [127, 0, 0, 4], "/").await.is_err());
    let metrics = node.handle.metrics_text();
    for line in [
        "certfleet_tls_handshakes_total{result=\"proxy_missing\"} 1",
        "certfleet_http_connections_total{result=\"proxy_missing\"} 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    node.stop().await;
}

#[tokio::test]
async fn nobody_is_believed_unless_listed() {
    let node = Node::start(&[]).await;
    let header = "PROXY TCP4 203.0.113.9 198.51.100.1 56324 80\r\n";
    let claimed = node.raw_http(CLIENT, header).await;
    assert!(claimed.starts_with("HTTP/1.1 400 "), "{claimed:?}");
    node.stop().await;
}

#[tokio::test]
async fn misses_are_limited_for_each_client_and_hits_never() {
    let node = Node::start(&[("challenge_burst", "3"), ("challenge_rate", "1")]).await;
    let answer = Answer {
        kind: ChallengeKind::Http01,
        identifier: "a.example".parse().unwrap(),
        token: "known".into(),
        key_authorization: "known.print".into(),
    };
    node.backend
        .post(&"a.example".parse().unwrap(), &answer, TTL)
        .await
        .unwrap();
    for _ in 0..10 {
        let answer = node.http(node.http, CLIENT, KNOWN).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "known.print"));
    }
    let mut refused = None;
    for _ in 0..20 {
        let answer = node.http(node.http, CLIENT, UNKNOWN).await.unwrap();
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 404);
    }
    let refused = refused.expect("20 misses are more than 3 and one a second");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // The limit is on the other port too, and on nobody else.
    let answer = node.https(node.https, CLIENT, UNKNOWN).await.unwrap();
    assert_eq!(answer.status, 429);
    let answer = node.http(node.http, OTHER, UNKNOWN).await.unwrap();
    assert_eq!(answer.status, 404);
    node.stop().await;
}

#[tokio::test]
async fn a_stopping_node_is_first_unready_and_then_closed() {
    const PAUSE: Duration = Duration::from_millis(1500);
    let mut node = Node::start(&[("drain_pause", "1500ms")]).await;
    let told = Instant::now();
    node.tell_to_stop();
    node.until(|status| !status.ready).await;
    let answer = node.https(node.https, CLIENT, "/").await.unwrap();
    assert_eq!(
        answer.status, 200,
        "accepted while the balancer is to notice"
    );
    let answer = node.http(node.http, CLIENT, UNKNOWN).await.unwrap();
    assert_eq!(answer.status, 404);
    assert!(
        told.elapsed() < PAUSE,
        "the machine is too slow for this test"
    );
    let answered = node.end().await;
    assert!(told.elapsed() >= PAUSE);
    assert!(answered.is_ok(), "{answered:?}");
    for address in [node.http, node.https] {
        let refused = node.http(address, CLIENT, "/").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    assert!(node.backend.holders().await.unwrap().is_empty());
}
