//! What a CA may answer, and what becomes of it.

use std::time::Duration;

use certfleet_acme::{Acme, AcmeConfig, AcmeIssuer, IssueError, Issuer, Limits};

use crate::{
    board::Board,
    fake_ca::{FakeCa, Reply},
    world::{self, Steps, names, open_account},
};

fn acme(ca: &FakeCa, limits: Limits) -> Acme {
    Acme::new(AcmeConfig {
        limits,
        ..AcmeConfig::new(ca.directory().parse().unwrap())
    })
    .unwrap()
}

async fn issuer(ca: &FakeCa) -> AcmeIssuer {
    let acme = acme(ca, Limits::default());
    let credentials = open_account(&acme).await.unwrap();
    acme.sign_in(&credentials).await.unwrap()
}

/// What comes of an order when every request for one is answered like this.
async fn order(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (FakeCa, IssueError) {
    let ca = FakeCa::start(move |path, before| (path == "/order").then(|| reply(before))).await;
    let names = names("a.example+b.example");
    let (board, steps) = (Board::default(), Steps::default());
    let order = world::order(&names, &board, &steps);
    let error = issuer(&ca).await.issue(order).await.unwrap_err();
    (ca, error)
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_wait_and_not_tried_again() {
    for (header, want) in [
        ("Retry-After: 120\r\n", Some(120)),
        (
            "Date: Tue, 24 Nov 2026 05:00:00 GMT\r\nRetry-After: Tue, 24 Nov 2026 06:00:00 GMT\r\n",
            Some(3600),
        ),
        ("", None),
    ] {
        let (ca, error) =
            order(move |_| Reply::problem("429 Too Many Requests", header, "rateLimited")).await;
        assert_eq!(error.kind(), "rateLimited");
        assert_eq!(error.retry_after().map(|wait| wait.as_secs()), want);
        let text = error.to_string();
        assert!(
            text.ends_with("refused to create the order: so says the CA (rateLimited) [HTTP 429]"),
            "{text}"
        );
        assert_eq!(ca.asked("/order"), 1);
    }
}

#[tokio::test]
async fn the_refused_names_are_told() {
    let body = r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no",
        "subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids it",
        "identifier":{"type":"dns","value":"b.example"}}]}"#;
    let (_, error) = order(move |_| Reply::body("403 Forbidden", body)).await;
    assert_eq!(error.kind(), "rejectedIdentifier");
    let text = error.to_string();
    assert!(
        text.contains("no (rejectedIdentifier); b.example: CAA forbids it (caa)"),
        "{text}"
    );
}

#[tokio::test]
async fn no_second_order_is_made_where_the_first_may_stand() {
    let (ca, error) = order(|_| Reply::Cut).await;
    assert_eq!((error.kind(), ca.asked("/order")), ("connection", 1));
    let (ca, error) = order(|_| Reply::body("500 Internal Server Error", "oops")).await;
    assert_eq!((error.kind(), ca.asked("/order")), ("refused", 1));
    assert!(error.to_string().contains("oops [HTTP 500]"), "{error}");
}

#[tokio::test]
async fn nonces_are_refused_only_so_often() {
    let (ca, error) = order(|_| Reply::problem("400 Bad Request", "", "badNonce")).await;
    assert_eq!(error.kind(), "badNonce");
    assert_eq!(
        ca.asked("/order"),
        15,
        "three signatures in each of five tries"
    );
}

#[tokio::test]
async fn what_is_no_directory_is_described() {
    const GOOD: &str = r#"{"newNonce":"http://x/n","newAccount":"http://x/a"}"#;
    for (status, headers, body, found) in [
        (
            "200 OK",
            "",
            "<!DOCTYPE html><html>",
            r#"no JSON but "<!DOCTYPE html><html>""#,
        ),
        ("200 OK", "", "", r#"no JSON but """#),
        ("200 OK", "", GOOD, "JSON without newOrder"),
        ("200 OK", "", "[]", "JSON without newNonce"),
        ("404 Not Found", "", "<html>", "HTTP 404 Not Found"),
        (
            "301 Moved Permanently",
            "Location: https://ca.example/\r\n",
            "",
            "HTTP 301 Moved Permanently to https://ca.example/",
        ),
    ] {
        let ca = FakeCa::start(move |_, _| Some(Reply::Say(status, headers.into(), body.into())));
        let ca = ca.await;
        let acme = acme(&ca, Limits::default());
        let error = open_account(&acme).await.unwrap_err();
        assert_eq!(error.kind(), "directory");
        let url = ca.directory();
        assert_eq!(
            error.to_string(),
            format!(
                "no ACME directory at {url}: found {found}; see the CA's documentation for its URL"
            )
        );
        assert_eq!(ca.asked("/dir"), 1);
    }
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again() {
    let ca = FakeCa::start(|path, before| match (path, before) {
        ("/dir", 0) => Some(Reply::body("503 Service Unavailable", "")),
        ("/dir", 1) => Some(Reply::Cut),
        _ => None,
    })
    .await;
    open_account(&acme(&ca, Limits::default())).await.unwrap();
    assert_eq!((ca.asked("/dir"), ca.asked("/account")), (3, 1));
    let agent = concat!("certfleet/", env!("CARGO_PKG_VERSION"));
    assert!(
        ca.user_agents().iter().all(|a| a == agent),
        "{:?}",
        ca.user_agents()
    );
}

#[tokio::test]
async fn a_silent_server_and_an_endless_answer_are_bounded() {
    let ca = FakeCa::start(|_, _| Some(Reply::Silence)).await;
    let limits = Limits {
        request: Duration::from_millis(200),
        ..Limits::default()
    };
    let error = open_account(&acme(&ca, limits)).await.unwrap_err();
    assert_eq!(error.kind(), "timeout");
    assert!(
        error.to_string().ends_with("not done within 200ms"),
        "{error}"
    );

    let (_, error) = order(|_| Reply::body("201 Created", " ".repeat(300 * 1024))).await;
    assert_eq!(error.kind(), "answer");
    assert!(
        error.to_string().contains("longer than 262144 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn another_cas_account_is_not_used() {
    let one = FakeCa::start(|_, _| None).await;
    let other = FakeCa::start(|_, _| None).await;
    let credentials = open_account(&acme(&one, Limits::default())).await.unwrap();
    let error = acme(&other, Limits::default())
        .sign_in(&credentials)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "credentials");
    let text = error.to_string();
    assert!(
        text.ends_with(&format!("it belongs to {}", one.directory())),
        "{text}"
    );
    assert_eq!(other.asked("/dir"), 0);
}
