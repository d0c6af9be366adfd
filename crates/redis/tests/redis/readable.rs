//! What an operator sees with redis-cli, and that nothing temporary stays for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
};

use certfleet_store::{
    AccountVault, ChallengeBoard, Leases, NodeRegistry,
    contract::sample::{node, record, resource},
    lease::Resource,
};

use crate::{
    fixture::{Fixture, TTL},
    outage::operations,
};

async fn fields(fixture: &Fixture, key: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for name in fixture.cli(&["HKEYS", key]).await.lines() {
        fields.insert(name.to_owned(), fixture.cli(&["HGET", key, name]).await);
    }
    fields
}

#[tokio::test]
async fn a_record_is_plain_to_people_and_openssl() {
    let fixture = Fixture::start().await;
    let stored = fixture.commit("a.example+*.a.example", 1).await;
    let key = format!("certfleet:{{test}}:cert:{}", stored.record.id());

    let seen = fields(&fixture, &key).await;
    let mut expected: BTreeSet<_> = stored.record.fields().into_iter().map(|f| f.0).collect();
    expected.extend(["epoch", "committed_at"]);
    assert_eq!(
        seen.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(seen["names"], "a.example *.a.example");
    assert_eq!(seen["renew_at"], "2096-10-02T07:06:40.000Z");
    assert_eq!(seen["epoch"], "1");
    assert_eq!(seen["committed_at"], stored.committed_at.to_string());

    let chain = fixture.cli(&["HGET", &key, "chain"]).await;
    let mut openssl = Command::new("openssl")
        .args(["x509", "-noout", "-subject"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Debian package \"openssl\" is installed");
    openssl
        .stdin
        .take()
        .unwrap()
        .write_all(chain.as_bytes())
        .unwrap();
    let printed = openssl.wait_with_output().unwrap().stdout;
    assert_eq!(
        String::from_utf8_lossy(&printed).trim(),
        "subject=CN = rcgen self signed cert"
    );

    assert_eq!(
        fixture
            .cli(&["ZRANGE", "certfleet:{test}:due", "0", "-1", "WITHSCORES"])
            .await,
        format!("{}\n4000000000000", stored.record.id()),
    );
}

#[tokio::test]
async fn a_lease_says_who_holds_it() {
    let fixture = Fixture::start().await;
    let lease = fixture.lease("a.example").await;
    let key = "certfleet:{test}:lease:certificate:a.example";
    let seen = fields(&fixture, key).await;
    assert_eq!(seen["node"], "node-a");
    assert_eq!(seen["owner"], lease.owner);
    assert_eq!(seen["fencing"], "1");
    assert!(seen["since"].ends_with('Z'), "{}", seen["since"]);
    let held = fixture.redis.holders().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].resource, "certificate:a.example");
    assert!(held[0].remaining <= TTL);

    // The index lasts as long as the longest lease in it, and no longer.
    let brief = std::time::Duration::from_millis(500);
    let redis = &fixture.redis;
    let second = redis
        .acquire(&resource("b.example"), &node("node-a"), brief)
        .await;
    assert!(second.unwrap().is_some());
    let left = fixture.cli(&["PTTL", "certfleet:{test}:leases"]).await;
    let left: u128 = left.parse().expect("it has a time to live");
    assert!(
        left > TTL.as_millis() / 2 && left <= TTL.as_millis(),
        "{left}"
    );
}

#[tokio::test]
async fn what_is_temporary_has_a_time_to_live() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    let lease = fixture.lease("a.example").await;
    for (name, operation) in operations(redis, &lease) {
        operation
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // Once more what was taken down again, and what needs a lease of its own.
    redis.post("token", "token.thumbprint", TTL).await.unwrap();
    let account = Resource::Account("https://ca.example/directory".into());
    let lease = redis
        .acquire(&account, &node("node-a"), TTL)
        .await
        .unwrap()
        .unwrap();
    let sealed = record("a.example", 1, &lease).sealed;
    redis
        .keep_account(&lease, "https://ca.example/directory", &sealed)
        .await
        .unwrap();
    let lease = redis
        .acquire(&resource("c.example"), &node("node-a"), TTL)
        .await
        .unwrap()
        .unwrap();
    for (name, operation) in operations(redis, &lease).into_iter().take(6) {
        operation
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let heartbeat = operations(redis, &lease)
        .into_iter()
        .find(|(name, _)| *name == "beat");
    heartbeat.unwrap().1.await.unwrap();
    assert_eq!(redis.nodes().await.unwrap().len(), 1);

    let (mut owned, mut temporary) = (BTreeSet::new(), BTreeSet::new());
    for key in fixture.cli(&["KEYS", "*"]).await.lines() {
        let name = key
            .strip_prefix("certfleet:{test}:")
            .expect("all keys are the fleet's");
        match fixture.cli(&["PTTL", key]).await.parse::<i64>().unwrap() {
            -1 => owned.insert(name.to_owned()),
            _ => temporary.insert(name.to_owned()),
        };
    }
    assert_eq!(
        owned.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "account:https://ca.example/directory",
            "cert:a.example",
            "changes",
            "due",
            "epoch",
            "events",
            "fencing",
            "incarnation"
        ]
    );
    assert_eq!(
        temporary.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "challenge:token",
            "lease:account:https://ca.example/directory",
            "lease:certificate:b.example",
            "lease:certificate:c.example",
            "leases",
            "node:node-a",
            "nodes"
        ]
    );
}
