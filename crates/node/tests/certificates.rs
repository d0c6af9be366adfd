//! Certificates added, removed and revoked at run time, by the commands and by the admin port, on a
//! node with a real Redis and a Pebble that takes every challenge for answered.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use certfleet_testkit::{
    client::Client,
    node::{Config, Node},
    pebble::{CertificateStatus, Pebble, PebbleOptions},
    process::{TestDir, free_address},
    redis::RedisServer,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const LIMIT: Duration = Duration::from_secs(20);
const TOKEN: &str = "a-token-of-the-admin-port";

async fn pebble() -> Pebble {
    let mut options = PebbleOptions::new(free_address().unwrap().port());
    options.always_valid = true;
    options.nonce_reject = 0;
    Pebble::start(options).await.unwrap()
}

/// A node of a fleet with one certificate, for a.example.
fn node(
    redis: &RedisServer,
    pebble: &Pebble,
    dir: &TestDir,
    more: &[(&'static str, &str)],
) -> Node {
    let mut environment = BTreeMap::from([
        ("CERTFLEET_FLEET", "run-time".to_owned()),
        ("CERTFLEET_REDIS_URL", redis.url()),
        ("CERTFLEET_DOMAINS", "a.example".to_owned()),
        ("CERTFLEET_ACME_DIRECTORY", pebble.directory_url()),
        (
            "CERTFLEET_ACME_CA_FILE",
            pebble.ca_file().display().to_string(),
        ),
        (
            "CERTFLEET_MASTER_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        ),
    ]);
    environment.extend(more.iter().map(|&(key, value)| (key, value.to_owned())));
    Node::start(Config::new("web-1", dir.path(), environment).unwrap()).unwrap()
}

async fn show(node: &Node, id: &str) -> Value {
    let said = node.run(&["show", id, "--json"]).await.unwrap();
    serde_json::from_str(&said).unwrap()
}

/// Waits until a certificate is as it is to be.
async fn until(node: &Node, id: &str, met: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + LIMIT;
    loop {
        let shown = show(node, id).await;
        if met(&shown) {
            return shown;
        }
        assert!(Instant::now() < end, "{shown:#}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn served(shown: &Value) -> bool {
    shown["served_by"] == json!(["web-1"])
}

/// The status and the body of an answer; a body of JSON goes with a request that has one.
async fn ask(
    admin: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, Value) {
    let mut request = format!("{line} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let exchange = async {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(LIMIT, exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status, head.to_ascii_lowercase(), body)
}

#[tokio::test]
async fn commands_add_revoke_and_remove() {
    let (redis, pebble) = (RedisServer::start().await.unwrap(), pebble().await);
    let dir = TestDir::new("run-time").unwrap();
    let mut node = node(&redis, &pebble, &dir, &[]);
    node.ready().await.unwrap();
    until(&node, "a.example", served).await;

    let said = node
        .run(&["add", "b.example+www.b.example", "--key-type", "p384"])
        .await
        .unwrap();
    let id = said.split(' ').next().unwrap().to_owned();
    assert!(id.starts_with("b.example+"), "{said}");
    assert!(said.contains("is wanted now"), "{said}");
    let added = until(&node, &id, served).await;
    assert_eq!(added["terms"], json!({"key_type": "p384"}));
    let client = Client::trusting(&pebble.issuing_root_pem().await.unwrap()).unwrap();
    let page = node.get(&client, "www.b.example").await.unwrap();
    assert_eq!(added["issued"]["serial"], page.serial.as_str());

    // All is well, and a monitor is told so.
    let screen = node.run(&["status"]).await.unwrap();
    for line in [
        "web-1  yes ",
        "certificates: 2 serving, 0 due, 0 waiting, 0 failing",
    ] {
        assert!(screen.contains(line), "{line:?} in\n{screen}");
    }

    // What cannot be had is not written down.
    let error = node
        .run(&["add", "c.example", "--issuer", "zero"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no issuer called zero, only main"),
        "{error}"
    );

    let before = show(&node, "a.example").await;
    let said = node
        .run(&["revoke", "a.example", "--reason", "keyCompromise"])
        .await
        .unwrap();
    let serial = before["issued"]["serial"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("a.example, generation 1, serial {serial}:\n")),
        "{said}"
    );
    // The event is the last thing to be seen: events are written down on the side.
    let revoked = |event: &Value| event["kind"] == "revoked";
    let after = until(&node, "a.example", |shown| {
        shown["events"].as_array().unwrap().iter().any(revoked)
    })
    .await;
    assert_eq!(after["issued"]["generation"], 2);
    assert_eq!(after["revocations"], json!([]));
    assert_ne!(after["issued"]["serial"], before["issued"]["serial"]);
    let status = pebble.certificate_status(serial).await.unwrap();
    assert_eq!(status, CertificateStatus::Revoked { reason: Some(1) });

    let said = node.run(&["remove", &id]).await.unwrap();
    assert_eq!(
        said,
        format!("{id} is removed; no node serves or renews it\n")
    );
    let error = node.run(&["show", &id]).await.unwrap_err().to_string();
    assert!(error.contains("has no certificate"), "{error}");
    let error = node.run(&["remove", &id]).await.unwrap_err().to_string();
    assert!(error.contains("has no certificate"), "{error}");
    let said = node.run(&["remove", "a.example"]).await.unwrap();
    assert!(said.contains("but the configuration names it"), "{said}");
    assert_eq!(node.process().terminate(LIMIT).unwrap(), Some(0));
}

#[tokio::test]
async fn the_status_of_a_fleet_that_fails_is_an_exit_code_for_monitors() {
    let (redis, pebble) = (RedisServer::start().await.unwrap(), pebble().await);
    let dir = TestDir::new("failing").unwrap();
    let node = node(
        &redis,
        &pebble,
        &dir,
        &[
            ("CERTFLEET_ACME_DIRECTORY", "http://127.0.0.1:1/dir"),
            ("CERTFLEET_RETRY_TRIES", "1"),
        ],
    );
    let failed = |shown: &Value| shown["failed"]["failures"].as_u64() >= Some(1);
    let shown = until(&node, "a.example", failed).await;
    assert_eq!(
        (&shown["state"], &shown["alarm"]),
        (&json!("failing"), &json!(true))
    );
    let error = node.run(&["status"]).await.unwrap_err().to_string();
    for part in [
        "exit status: 1",
        "certificates: 0 serving, 0 due, 0 waiting, 1 failing",
        "ALARM: a.example has failed ",
        "a person should look at the fleet: no node takes traffic; and 1 more",
    ] {
        assert!(error.contains(part), "{part:?} in\n{error}");
    }
}

#[tokio::test]
async fn the_admin_port_takes_changes_from_this_host() {
    let (redis, pebble) = (RedisServer::start().await.unwrap(), pebble().await);
    let dir = TestDir::new("admin").unwrap();
    let mut node = node(&redis, &pebble, &dir, &[]);
    node.ready().await.unwrap();
    let admin = node.config().admin;
    let host = admin.to_string();
    let json_type = ("Content-Type", "application/json");
    let local = [("Host", host.as_str()), json_type];
    let b = r#"{"names":["b.example","www.b.example"],"terms":{"reuse_key":true}}"#;

    let (status, head, body) = ask(admin, "POST /certificates", &local, b).await;
    assert_eq!(status, 202, "{body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let id = body["id"].as_str().unwrap().to_owned();
    until(&node, &id, served).await;
    let (status, _, list) = ask(admin, "GET /certificates", &[], "").await;
    assert_eq!(
        (status, list["certificates"].as_array().unwrap().len()),
        (200, 2)
    );
    assert_eq!(list["certificates"][1]["terms"], json!({"reuse_key": true}));
    let (status, _, budget) = ask(admin, "GET /budget", &[], "").await;
    assert_eq!((status, &budget["pauses"]), (200, &json!([])));

    // Each refusal is a problem (RFC 9457) that says what would help, and changes nothing.
    let long = format!("{{\"names\":[\"{}\"]}}", "a".repeat(70_000));
    let foreign = [("Host", "evil.example"), json_type];
    let site = [
        ("Host", host.as_str()),
        ("Origin", "https://evil.example"),
        json_type,
    ];
    let form = [("Host", host.as_str()), ("Content-Type", "text/plain")];
    for (line, headers, body, status, detail) in [
        (
            "POST /certificates",
            &foreign[..],
            b,
            403,
            "CERTFLEET_ADMIN_TOKEN",
        ),
        (
            "POST /certificates",
            &site,
            b,
            403,
            "the header Origin names another site",
        ),
        ("POST /certificates", &form, b, 415, "application/json"),
        (
            "POST /certificates",
            &local,
            "{",
            400,
            "the body is not what is wanted",
        ),
        (
            "POST /certificates",
            &local,
            r#"{"names":["c.example"],"nmaes":[]}"#,
            400,
            "nmaes",
        ),
        (
            "POST /certificates",
            &local,
            r#"{"names":[]}"#,
            400,
            "at least one name",
        ),
        (
            "POST /certificates",
            &local,
            r#"{"names":["c.example"],"terms":{"issuers":["zero"]}}"#,
            422,
            "there is no issuer called zero",
        ),
        (
            "POST /certificates",
            &local,
            &long,
            413,
            "length limit exceeded",
        ),
        (
            "DELETE /certificates/x.example",
            &local,
            "",
            404,
            "has no certificate x.example",
        ),
        (
            "DELETE /certificates/..",
            &local,
            "",
            400,
            "is not a certificate id",
        ),
        (
            "POST /certificates/x.example/renew",
            &local,
            "",
            404,
            "has no certificate",
        ),
        (
            "POST /certificates/a.example/revoke",
            &local,
            r#"{"reason":"boredom"}"#,
            400,
            "boredom",
        ),
        (
            "DELETE /certificates/a.example",
            &foreign,
            "",
            403,
            "the header Host",
        ),
    ] {
        let (found, head, problem) = ask(admin, line, headers, body).await;
        assert_eq!(found, status, "{line}: {problem}");
        assert!(
            head.contains("content-type: application/problem+json"),
            "{head}"
        );
        assert_eq!(problem["status"], status);
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{detail:?} in {said}");
    }
    let (_, _, list) = ask(admin, "GET /certificates", &[], "").await;
    assert_eq!(list["certificates"].as_array().unwrap().len(), 2);

    let renew = format!("POST /certificates/{id}/renew");
    assert_eq!(ask(admin, &renew, &local, "").await.0, 202);
    until(&node, &id, |shown| shown["issued"]["generation"] == 2).await;
    let revoke = format!("POST /certificates/{id}/revoke");
    let (status, _, body) = ask(admin, &revoke, &local, r#"{"reason":"superseded"}"#).await;
    assert_eq!((status, &body["reason"]), (202, &json!("superseded")));
    until(&node, &id, |shown| {
        shown["issued"]["generation"] == 3 && shown["revocations"] == json!([])
    })
    .await;
    let remove = format!("DELETE /certificates/{id}");
    assert_eq!(ask(admin, &remove, &local, "").await.0, 204);
    assert_eq!(ask(admin, &remove, &local, "").await.0, 404);
}

#[tokio::test]
async fn with_a_token_the_admin_port_takes_changes_from_who_shows_it() {
    let (redis, pebble) = (RedisServer::start().await.unwrap(), pebble().await);
    let dir = TestDir::new("token").unwrap();
    let mut node = node(&redis, &pebble, &dir, &[("CERTFLEET_ADMIN_TOKEN", TOKEN)]);
    node.ready().await.unwrap();
    let admin = node.config().admin;
    let host = admin.to_string();
    let bearer = format!("Bearer {TOKEN}");
    let (host, elsewhere) = (("Host", host.as_str()), ("Host", "admin.example"));
    let json_type = ("Content-Type", "application/json");
    let (right, wrong) = (
        ("Authorization", bearer.as_str()),
        ("Authorization", "Bearer something-else"),
    );
    let b = r#"{"names":["b.example"]}"#;
    for (headers, status) in [
        (&[host, json_type][..], 401),
        (&[host, json_type, wrong], 401),
        (&[elsewhere, json_type, right], 202),
    ] {
        let (found, head, body) = ask(admin, "POST /certificates", headers, b).await;
        assert_eq!(found, status, "{body}");
        let challenged = head.contains("www-authenticate: bearer");
        assert_eq!(challenged, status == 401, "{head}");
    }
    until(&node, "b.example", served).await;
    assert!(!node.log().unwrap().contains(TOKEN));
}

#[tokio::test]
async fn the_account_is_shown_and_its_key_changed() {
    let (redis, pebble) = (RedisServer::start().await.unwrap(), pebble().await);
    let dir = TestDir::new("account").unwrap();
    let mut node = node(&redis, &pebble, &dir, &[]);
    node.ready().await.unwrap();
    let said = node.run(&["account", "show", "--json"]).await.unwrap();
    let before: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(before[0]["issuer"], "main");
    assert!(
        before[0]["url"].as_str().unwrap().starts_with("https://"),
        "{said}"
    );
    let said = node.run(&["account", "update"]).await.unwrap();
    assert_eq!(said, "account at main: up to date already\n");
    node.run(&["account", "rotate-key", "--issuer", "main"])
        .await
        .unwrap();

    // The account is the same one, and the node orders with its new key.
    let said = node.run(&["account", "show", "--json"]).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), before);
    node.run(&["renew", "a.example"]).await.unwrap();
    until(&node, "a.example", |shown| {
        shown["issued"]["generation"] == 2
    })
    .await;
    assert_eq!(pebble.accounts(), 1);
    let error = node.run(&["account", "show", "--issuer", "zero"]).await;
    assert!(error.unwrap_err().to_string().contains("zero"));
}
