//! What a CA may do its own way, and how it is taken: what it offers beyond RFC 8555, what it leaves
//! out, and what its clock says.

use std::time::Duration;

use certfleet_acme::{Issuer, Order, RenewalInfo, Revocation, Step};
use certfleet_core::{RevocationReason, ari::certificate_id};
use rcgen::date_time_ymd;
use serde_json::json;

use crate::{
    board::Board,
    fake_ca::{FakeCa, Mint, Reply, issuer},
    world::{Steps, names, order},
};

#[tokio::test]
async fn renewal_information_is_read_with_its_wait() {
    let ca = FakeCa::start(|path, _| {
        let body = r#"{"suggestedWindow":{"start":"2020-01-01T00:00:00Z","end":"2020-01-02T00:00:00Z"},
            "explanationURL":"https://ca.example/revoked"}"#;
        path.starts_with("/ari/")
            .then(|| Reply::Say("200 OK", "Retry-After: 21600\r\n".into(), body.into()))
    })
    .await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let bundle = issuer.issue(order(&names, &board, &steps)).await.unwrap();
    let info = issuer.renewal_info(&bundle.chain()[0]).await.unwrap();
    let RenewalInfo::Suggested {
        window,
        retry_after,
    } = info
    else {
        panic!("{info:?}");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(21_600)));
    assert_eq!(
        window.explanation.as_deref(),
        Some("https://ca.example/revoked")
    );
}

/// A directory without what is optional.
const PLAIN: &str =
    r#"{"newNonce":"{url}/nonce","newAccount":"{url}/account","newOrder":"{url}/order"}"#;

#[tokio::test]
async fn a_ca_without_renewal_information_is_not_told_of_it() {
    let ca = FakeCa::start(|path, _| (path == "/dir").then(|| Reply::body("200 OK", PLAIN))).await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let old = issuer.issue(order(&names, &board, &steps)).await.unwrap();
    let info = issuer.renewal_info(&old.chain()[0]).await.unwrap();
    assert_eq!(info, RenewalInfo::Unsupported);
    let again = Order {
        replaces: Some(&old.chain()[0]),
        ..order(&names, &board, &steps)
    };
    issuer.issue(again).await.unwrap();
    assert!(
        ca.payloads("/order")
            .iter()
            .all(|p| p.get("replaces").is_none())
    );
}

#[tokio::test]
async fn a_ca_that_does_not_repeat_replaces_is_taken_as_it_is() {
    let ca = FakeCa::start(|_, _| None).await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let old = issuer.issue(order(&names, &board, &steps)).await.unwrap();
    let again = Order {
        replaces: Some(&old.chain()[0]),
        ..order(&names, &board, &steps)
    };
    issuer.issue(again).await.unwrap();
    let orders = ca.payloads("/order");
    assert_eq!(orders.len(), 2);
    let id = certificate_id(&old.chain()[0]);
    assert_eq!(orders[1]["replaces"].as_str(), id.as_deref());
}

#[tokio::test]
async fn a_certificate_replaced_already_is_ordered_once_without_saying_so() {
    let ca = FakeCa::start(|path, before| {
        let replaced = || Reply::problem("409 Conflict", "", "alreadyReplaced");
        (path == "/order" && before == 1).then(replaced)
    })
    .await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let old = issuer.issue(order(&names, &board, &steps)).await.unwrap();
    let again = Order {
        replaces: Some(&old.chain()[0]),
        ..order(&names, &board, &steps)
    };
    issuer.issue(again).await.unwrap();
    let with: Vec<_> = ca
        .payloads("/order")
        .iter()
        .map(|payload| payload.get("replaces").is_some())
        .collect();
    assert_eq!(with, [false, true, false]);
    let refused = |step: &Step| matches!(step, Step::ReplacesRefused { .. });
    assert_eq!(steps.count(refused), 1);
}

#[tokio::test]
async fn a_profile_is_checked_before_it_is_ordered() {
    let ca = FakeCa::start(|_, _| None).await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let with = |profile| Order {
        profile: Some(profile),
        ..order(&names, &board, &steps)
    };
    let error = issuer.issue(with("long")).await.unwrap_err();
    assert_eq!(error.kind(), "invalidProfile");
    let text = error.to_string();
    assert!(
        text.ends_with("no profile \"long\"; there are classic, short"),
        "{text}"
    );
    assert_eq!(ca.asked("/order"), 0);
    issuer.issue(with("short")).await.unwrap();
    assert_eq!(ca.payloads("/order")[0]["profile"], json!("short"));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed() {
    for (date, sign) in [
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1),
        ("Sat, 01 Jan 2000 00:00:00 GMT", -1),
    ] {
        let ca = FakeCa::start(move |path, _| {
            let date = format!("Date: {date}\r\n");
            (path == "/dir").then(|| Reply::Say("200 OK", date, PLAIN.into()))
        })
        .await;
        let skew = issuer(&ca).await.clock_skew().unwrap();
        assert_eq!(skew.signum(), sign, "{skew}");
        assert!(skew.abs() > 86_400, "{skew}");
    }
}

#[tokio::test]
async fn a_certificate_that_a_wrong_clock_makes_unfit_says_so() {
    let later = Mint {
        change: |params| params.not_before = date_time_ymd(2090, 1, 1),
        ..Mint::HONEST
    };
    let ca = FakeCa::minting(later, |path, _| {
        let date = "Date: Sun, 01 Jan 2090 00:00:00 GMT\r\n".to_owned();
        (path == "/dir").then(|| Reply::Say("200 OK", date, PLAIN.into()))
    })
    .await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let error = issuer
        .issue(order(&names, &board, &steps))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("begins only at 2090"), "{text}");
    assert!(text.ends_with("s behind the CA's"), "{text}");
}

#[tokio::test]
async fn what_is_revoked_already_is_revoked() {
    let ca = FakeCa::start(|path, _| {
        (path == "/revoke").then(|| Reply::problem("400 Bad Request", "", "alreadyRevoked"))
    })
    .await;
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("a.example");
    let issuer = issuer(&ca).await;
    let bundle = issuer.issue(order(&names, &board, &steps)).await.unwrap();
    let revocation = Revocation {
        certificate: &bundle.chain()[0],
        reason: RevocationReason::Unspecified,
        key: None,
    };
    issuer.revoke(revocation).await.unwrap();
    assert_eq!(ca.payloads("/revoke")[0]["reason"], json!(0));
}
