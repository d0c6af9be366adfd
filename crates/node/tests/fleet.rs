//! Commands on a fleet that runs: a node on a real Redis, with the built-in CA.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{collections::BTreeMap, fs, time::Duration};

use certfleet_testkit::{
    client::Client,
    node::{Config, Node},
    process::TestDir,
    redis::RedisServer,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(10);

async fn json(node: &Node, args: &[&str]) -> Value {
    serde_json::from_str(&node.run(args).await.unwrap()).unwrap()
}

#[tokio::test]
async fn lists_shows_and_renews_what_a_node_serves() {
    let redis = RedisServer::start().await.unwrap();
    let dir = TestDir::new("commands").unwrap();
    let environment = BTreeMap::from([
        ("CERTFLEET_FLEET", "commands".to_owned()),
        ("CERTFLEET_REDIS_URL", redis.url()),
        (
            "CERTFLEET_DOMAINS",
            "a.example,b.example+c.example".to_owned(),
        ),
        ("CERTFLEET_ACME_DIRECTORY", "built-in".to_owned()),
        (
            "CERTFLEET_MASTER_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        ),
    ]);
    let config = Config::new("web-1", dir.path(), environment).unwrap();
    let data = config.dir.join("data");
    let mut node = Node::start(config).unwrap();
    node.ready().await.unwrap();

    // Every wanted certificate is issued, and in the end the heart-beat tells that it is served.
    let end = Instant::now() + LIMIT;
    let list = loop {
        let list = json(&node, &["list", "--json"]).await;
        let all = list["certificates"].as_array().unwrap();
        if all.len() == 2
            && all
                .iter()
                .all(|one| one["served_by"] == serde_json::json!(["web-1"]))
        {
            break list;
        }
        assert!(Instant::now() < end, "{list}");
        sleep(Duration::from_millis(50)).await;
    };
    let first = &list["certificates"][0];
    assert_eq!(first["id"], "a.example");
    assert_eq!(first["issued"]["generation"], 1);
    assert_eq!(first["nodes"], 1);
    let table = node.run(&["list"]).await.unwrap();
    assert!(table.starts_with("ID "), "{table}");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("1/1"), "{table}");

    let root = fs::read_to_string(data.join("ca/root.pem")).unwrap();
    let client = Client::trusting(&root).unwrap();
    let before = node.get(&client, "a.example").await.unwrap();
    assert_eq!(first["issued"]["serial"], before.serial.as_str());
    assert!(before.body.contains("node: web-1\n"), "{}", before.body);

    let said = node.run(&["renew", "a.example"]).await.unwrap();
    assert_eq!(said, "a.example is due now\n");
    let end = Instant::now() + LIMIT;
    let show = loop {
        let show = json(&node, &["show", "a.example", "--json"]).await;
        if show["issued"]["generation"] == 2 {
            break show;
        }
        assert!(Instant::now() < end, "{show}");
        sleep(Duration::from_millis(50)).await;
    };
    assert_ne!(show["issued"]["serial"], before.serial.as_str());
    assert!(
        show["chain"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert_eq!(show["failed"], Value::Null);
    let text = node.run(&["show", "a.example"]).await.unwrap();
    assert!(text.contains("\ngeneration   2\n"), "{text}");

    let all = node.run(&["renew", "--all"]).await.unwrap();
    assert_eq!(all.lines().count(), 2, "{all}");
    let error = node
        .run(&["renew", "x.example"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the fleet commands has no certificate x.example"),
        "{error}"
    );

    assert_eq!(node.process().terminate(LIMIT).unwrap(), Some(0));
}
