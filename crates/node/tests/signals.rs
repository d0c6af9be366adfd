//! How a node ends: in order at the first signal, at once at the second.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{collections::BTreeMap, time::Duration};

use certfleet_testkit::{
    http,
    node::{Config, Node},
    process::TestDir,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

const LIMIT: Duration = Duration::from_secs(10);

/// A node in the middle of an order: its CA has taken the connection and says nothing.
async fn ordering(dir: &TestDir, drain: &str) -> (Node, TcpListener, TcpStream) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = format!("http://{}/dir", silent.local_addr().unwrap());
    let environment = BTreeMap::from([
        ("CERTFLEET_DOMAINS", "a.example".to_owned()),
        ("CERTFLEET_ACME_DIRECTORY", directory),
        ("CERTFLEET_DRAIN_TIMEOUT", drain.to_owned()),
        (
            "CERTFLEET_MASTER_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        ),
    ]);
    let node = Node::start(Config::new("web-1", dir.path(), environment).unwrap()).unwrap();
    let asked = timeout(LIMIT, silent.accept()).await;
    let (asked, _) = asked.expect("the node asks its CA").unwrap();
    (node, silent, asked)
}

/// What `/readyz` says of a node that is told to end.
async fn stopping(node: &Node) -> String {
    let end = Instant::now() + LIMIT;
    loop {
        let (status, body) = http::get(node.config().admin, "/readyz").await.unwrap();
        if body.contains("the node is stopping") {
            assert_eq!(status, 503);
            return body;
        }
        assert!(Instant::now() < end, "{body}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_does_not_wait() {
    let dir = TestDir::new("signals").unwrap();
    let (mut node, _silent, _asked) = ordering(&dir, "1h").await;
    let (status, body) = http::get(node.config().admin, "/readyz").await.unwrap();
    assert_eq!(status, 503);
    assert!(body.contains("no certificate yet for a.example"), "{body}");

    node.process().signal("TERM").unwrap();
    stopping(&node).await;
    node.process().signal("INT").unwrap();
    assert_eq!(node.process().wait(LIMIT).unwrap(), Some(130));
}

#[tokio::test]
async fn draining_ends_with_its_time() {
    let dir = TestDir::new("drain").unwrap();
    let (mut node, _silent, _asked) = ordering(&dir, "500ms").await;
    node.process().signal("TERM").unwrap();
    stopping(&node).await;
    assert_eq!(node.process().wait(LIMIT).unwrap(), Some(0));
}
