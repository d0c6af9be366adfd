//! A CA that does not mean well: the time is bounded, the error has a name, nothing stays behind.

use std::time::{Duration, Instant};

use certfleet_acme::{Acme, AcmeConfig, BuiltInCa, IssueError, Issuer};
use certfleet_core::Bundle;
use certfleet_testkit::process::TestDir;
use rcgen::{CertificateParams, SanType, date_time_ymd};

use crate::{
    board::Board,
    fake_ca::{FakeCa, LIMITS, Mint, Reply, issuer},
    world::{Steps, names, open_account, order},
};

/// What it may take besides, on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

/// Every place where the CA has the word in an order.
const PLACES: [&str; 6] = [
    "/order",
    "/authz/1",
    "/challenge/1",
    "/order/1",
    "/finalize/1",
    "/cert/1",
];

/// What comes of an order, within the limits, with every answer withdrawn.
async fn outcome(ca: &FakeCa) -> Result<Bundle, IssueError> {
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(ca).await;
    let begun = Instant::now();
    let result = issuer.issue(order(&names, &board, &steps)).await;
    assert!(
        begun.elapsed() < LIMITS.order + SLACK,
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(board.len(), 0);
    result
}

async fn minted(change: fn(&mut CertificateParams), own_key: bool) -> Result<Bundle, IssueError> {
    outcome(&FakeCa::minting(Mint { change, own_key }, |_, _| None).await).await
}

/// What comes of an order when one place always answers like this.
async fn attacked(place: &'static str, reply: fn() -> Reply) -> IssueError {
    let ca = FakeCa::start(move |path, _| (path == place).then(reply)).await;
    outcome(&ca).await.unwrap_err()
}

#[tokio::test]
async fn what_means_well_is_taken() {
    let bundle = minted(|_| {}, false).await.unwrap();
    assert_eq!(bundle.chain().len(), 2);
}

#[tokio::test]
async fn a_wrong_certificate_is_thrown_away() {
    type Change = fn(&mut CertificateParams);
    let table: [(Change, bool, &str); 7] = [
        (
            |params| {
                params.subject_alt_names =
                    vec![SanType::DnsName("evil.example".try_into().unwrap())];
            },
            false,
            "does not cover a.example",
        ),
        (
            |params| {
                let evil = SanType::DnsName("evil.example".try_into().unwrap());
                params.subject_alt_names.push(evil);
            },
            false,
            "it is for evil.example as well",
        ),
        (
            |params| {
                params.subject_alt_names = vec![SanType::DnsName("*.example".try_into().unwrap())];
            },
            false,
            "it is for *.example as well",
        ),
        (|_| {}, true, "not for the key it was requested with"),
        (
            |params| params.not_after = date_time_ymd(2020, 1, 1),
            false,
            "expired at 2020",
        ),
        (
            |params| params.not_before = date_time_ymd(2090, 1, 1),
            false,
            "begins only at 2090",
        ),
        (
            |params| params.not_after = date_time_ymd(4000, 1, 1),
            false,
            "ends only at 4000",
        ),
    ];
    for (change, own_key, problem) in table {
        let error = minted(change, own_key).await.unwrap_err();
        assert_eq!(error.kind(), "certificate");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[tokio::test]
async fn nonsense_in_any_place_is_named() {
    for place in PLACES {
        for reply in [
            (|| Reply::body("200 OK", r#"{"status":["#)) as fn() -> Reply,
            || Reply::body("200 OK", "null"),
            || Reply::body("200 OK", "\u{0}\u{1}\u{2}"),
            || {
                let html = "Content-Type: text/html\r\n".into();
                Reply::Say("200 OK", html, "<html>Sign in to the Wi-Fi</html>".into())
            },
        ] {
            let error = attacked(place, reply).await;
            let expected = if place == "/cert/1" {
                "certificate"
            } else {
                "answer"
            };
            assert_eq!(error.kind(), expected, "{place}: {error}");
        }
    }
}

#[tokio::test]
async fn redirects_in_any_place_are_not_followed() {
    for place in PLACES {
        let ca = FakeCa::start(move |path, _| {
            let redirect = || Reply::Say("302 Found", "Location: {url}/away\r\n".into(), "".into());
            (path == place).then(redirect)
        })
        .await;
        let error = outcome(&ca).await.unwrap_err();
        assert_eq!(error.kind(), "refused", "{place}: {error}");
        assert!(error.to_string().contains("[HTTP 302]"), "{error}");
        assert_eq!(ca.asked("/away"), 0);
    }
}

#[tokio::test]
async fn huge_answers_in_any_place_are_cut() {
    for place in PLACES {
        let error = attacked(place, || Reply::body("200 OK", "x".repeat(1 << 20))).await;
        assert_eq!(error.kind(), "answer", "{place}: {error}");
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}

#[tokio::test]
async fn silence_in_any_place_costs_the_limit_of_a_request() {
    for place in PLACES {
        let error = attacked(place, || Reply::Silence).await;
        assert_eq!(error.kind(), "timeout", "{place}: {error}");
    }
}

#[tokio::test]
async fn endless_processing_costs_the_limit_of_an_order() {
    let processing = || {
        Reply::body(
            "200 OK",
            r#"{"status":"processing","authorizations":["{url}/authz/1"],"finalize":"{url}/finalize/1"}"#,
        )
    };
    let ca = FakeCa::start(move |path, before| match (path, before) {
        ("/finalize/1", _) | ("/order/1", 1..) => Some(processing()),
        _ => None,
    })
    .await;
    let error = outcome(&ca).await.unwrap_err();
    assert_eq!(error.kind(), "timeout");
    assert!(error.to_string().ends_with("not done within 2s"), "{error}");
    assert!(ca.asked("/order/1") < 20, "{}", ca.asked("/order/1"));
}

#[tokio::test]
async fn a_wait_longer_than_the_order_is_told_to_the_caller() {
    let ca = FakeCa::start(|path, before| match (path, before) {
        ("/order/1", 0..) => Some(Reply::Say(
            "200 OK",
            "Retry-After: 3600\r\n".into(),
            r#"{"status":"pending","authorizations":["{url}/authz/1"],"finalize":"{url}/finalize/1"}"#
                .into(),
        )),
        _ => None,
    })
    .await;
    let error = outcome(&ca).await.unwrap_err();
    assert_eq!(error.kind(), "timeout");
    let wait = error.retry_after().unwrap().as_secs();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert_eq!(ca.asked("/order/1"), 1);
}

#[tokio::test]
async fn a_wait_beyond_all_time_is_no_longer_than_a_month() {
    for wait in ["18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let ca = FakeCa::start(move |path, _| {
            let pending = r#"{"status":"pending","authorizations":["{url}/authz/1"],"finalize":"{url}/finalize/1"}"#;
            let header = format!("Retry-After: {wait}\r\n");
            (path == "/order/1").then(|| Reply::Say("200 OK", header, pending.into()))
        })
        .await;
        let error = outcome(&ca).await.unwrap_err();
        assert_eq!(error.kind(), "timeout");
        let told = error.retry_after().unwrap().as_secs();
        assert!((2_591_990..=2_592_000).contains(&told), "{told}");
    }
}

#[tokio::test]
async fn an_authorization_for_a_name_that_was_not_ordered_is_not_answered() {
    let ca = FakeCa::start(|path, _| {
        let body = r#"{"status":"pending","identifier":{"type":"dns","value":"evil.example"},
            "challenges":[{"type":"http-01","url":"{url}/challenge/1","status":"pending","token":"dG9rZW4"}]}"#;
        (path == "/authz/1").then(|| Reply::body("200 OK", body))
    })
    .await;
    let error = outcome(&ca).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("\"evil.example\" was not ordered"),
        "{error}"
    );
    assert_eq!(ca.asked("/challenge/1"), 0);
}

#[tokio::test]
async fn what_speaks_no_tls_is_a_connection_error() {
    let ca = FakeCa::start(|_, _| None).await;
    let url = ca.directory().replace("http:", "https:");
    // Some root, so that the test does not depend on the system having one.
    let dir = TestDir::new("hostile").unwrap();
    BuiltInCa::open(dir.path()).unwrap();
    let acme = Acme::new(AcmeConfig {
        ca_file: Some(dir.path().join("root.pem")),
        limits: LIMITS,
        ..AcmeConfig::new(url.parse().unwrap())
    })
    .unwrap();
    let begun = Instant::now();
    let error = open_account(&acme).await.unwrap_err();
    assert!(matches!(error.kind(), "connection" | "timeout"), "{error}");
    assert!(begun.elapsed() < LIMITS.order + SLACK);
}

#[tokio::test]
async fn malformed_renewal_information_is_named() {
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    for body in [
        "",
        "[]",
        "<html>",
        r#"{"suggestedWindow":{}}"#,
        r#"{"suggestedWindow":{"start":"soon","end":"later"}}"#,
        r#"{"suggestedWindow":{"start":"2026-01-02T00:00:00Z","end":"2026-01-01T00:00:00Z"}}"#,
    ] {
        let ca = FakeCa::start(move |path, _| {
            path.starts_with("/ari/")
                .then(|| Reply::body("200 OK", body))
        })
        .await;
        let issuer = issuer(&ca).await;
        let bundle = issuer.issue(order(&names, &board, &steps)).await.unwrap();
        let error = issuer.renewal_info(&bundle.chain()[0]).await.unwrap_err();
        assert_eq!(error.kind(), "answer", "{body}");
        let text = error.to_string();
        assert!(
            text.contains("cannot read the renewal information"),
            "{text}"
        );
    }
}
