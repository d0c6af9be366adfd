//! Services whose URL is an option, against their documented requests and answers.

use std::sync::Mutex;

use certfleet_dns::{DnsError, TxtRecord};
use serde_json::json;

use super::{
    provider,
    server::{Request, Server},
};

const NAME: &str = "_acme-challenge.example.test";

#[tokio::test]
async fn httpreq_posts_name_and_value_with_basic_authentication() {
    let server = Server::plain(|_| (200, String::new())).await;
    let url = format!("{}/dns/", server.url());
    let record = TxtRecord::new(NAME, "the value");
    let with = [
        ("endpoint", url.as_str()),
        ("username", "Aladdin"),
        ("password", "open sesame"),
    ];
    let httpreq = provider("httpreq", &with).unwrap();
    httpreq.set(&record).await.unwrap();
    httpreq.remove(&record).await.unwrap();
    provider("httpreq", &with[..1])
        .unwrap()
        .set(&record)
        .await
        .unwrap();

    let lines = [
        "POST /dns/present",
        "POST /dns/cleanup",
        "POST /dns/present",
    ];
    assert_eq!(server.lines(), lines);
    let requests = server.requests();
    for request in &requests {
        let body = json!({"fqdn": "_acme-challenge.example.test.", "value": "the value"});
        assert_eq!(request.json(), body);
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    // The example of RFC 7617.
    let basic = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(requests[0].header("authorization"), basic);
    assert_eq!(requests[1].header("authorization"), basic);
    assert_eq!(requests[2].header("authorization"), None);
}

#[tokio::test]
async fn statuses_say_who_must_act_and_secrets_stay_hidden() {
    let record = TxtRecord::new(NAME, "v");
    for (status, temporary) in [
        (401, false),
        (403, false),
        (422, false),
        (429, true),
        (502, true),
    ] {
        let server = Server::plain(move |_| (status, "I saw open sesame".to_owned())).await;
        let url = server.url();
        let with = [
            ("endpoint", url.as_str()),
            ("username", "u"),
            ("password", "open sesame"),
        ];
        let httpreq = provider("httpreq", &with).unwrap();
        let error = httpreq.set(&record).await.unwrap_err();
        assert_eq!(error.is_temporary(), temporary, "{status}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("HTTP {status}")), "{text}");
        assert!(
            text.contains("I saw [secret]") && !text.contains("sesame"),
            "{text}"
        );
        assert!(
            text.contains("DNS provider httpreq, record _acme-challenge.example.test"),
            "{text}"
        );
        assert!(!format!("{httpreq:?}").contains("sesame"));
    }
    let gone = [("endpoint", "http://127.0.0.1:1")];
    let error = provider("httpreq", &gone)
        .unwrap()
        .set(&record)
        .await
        .unwrap_err();
    assert!(matches!(error, DnsError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let server = Server::plain(|_| (500, "x".repeat(10 << 20))).await;
    let url = server.url();
    let httpreq = provider("httpreq", &[("endpoint", url.as_str())]).unwrap();
    let error = httpreq.set(&TxtRecord::new(NAME, "v")).await.unwrap_err();
    assert!(
        error.to_string().len() < 1000,
        "{}",
        error.to_string().len()
    );
}

#[tokio::test]
async fn acme_dns_updates_its_subdomain_and_removes_nothing() {
    let server = Server::plain(|request| {
        if request.header("x-api-key") == Some("key") {
            (200, json!({"txt": request.json()["txt"]}).to_string())
        } else {
            (401, json!({"error": "forbidden"}).to_string())
        }
    })
    .await;
    let url = server.url();
    let subdomain = "8e5700ea-a4bf-41c7-8a77-e990661dcc6a";
    let with = |key| {
        let options = [
            ("server", url.as_str()),
            ("username", "eabcdb41-d89f-4580-826f-3e62e9755ef2"),
            ("password", key),
            ("subdomain", subdomain),
        ];
        provider("acme-dns", &options).unwrap()
    };
    let record = TxtRecord::new(&format!("{subdomain}.auth.example.org"), "the value");
    with("key").set(&record).await.unwrap();
    with("key").remove(&record).await.unwrap();
    assert_eq!(server.lines(), ["POST /update"]);
    let request = &server.requests()[0];
    let body = json!({"subdomain": subdomain, "txt": "the value"});
    assert_eq!(request.json(), body);
    let user = "eabcdb41-d89f-4580-826f-3e62e9755ef2";
    assert_eq!(request.header("x-api-user"), Some(user));

    let error = with("other").set(&record).await.unwrap_err();
    assert!(matches!(error, DnsError::Credentials { .. }), "{error:?}");
    assert!(error.to_string().contains("forbidden"), "{error}");

    let error = with("key")
        .set(&TxtRecord::new(NAME, "v"))
        .await
        .unwrap_err();
    assert!(matches!(error, DnsError::Rejected { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("point the CNAME of _acme-challenge there"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 2, "the last was not sent");
}

#[tokio::test]
async fn acme_dns_wants_the_value_repeated() {
    let server = Server::plain(|_| (200, "<html>login</html>".to_owned())).await;
    let url = server.url();
    let options = [
        ("server", url.as_str()),
        ("username", "u"),
        ("password", "p"),
        ("subdomain", "sub"),
    ];
    let record = TxtRecord::new("sub.auth.example.org", "v");
    let error = provider("acme-dns", &options)
        .unwrap()
        .set(&record)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is this an acme-dns server?"),
        "{error}"
    );
}

/// Route 53 as its API reference (2013-04-01) describes it, for one hosted zone and one record set.
fn route53(request: &Request, values: &Mutex<Vec<String>>) -> (u16, String) {
    const NS: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";
    let mut values = values.lock().expect("nobody panics with it");
    let path = request.target.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("GET", "/2013-04-01/hostedzonesbyname") => (
            200,
            format!(
                "<?xml version=\"1.0\"?><ListHostedZonesByNameResponse {NS}><HostedZones>\
                 <HostedZone><Id>/hostedzone/Z111</Id><Name>test.</Name>\
                 <CallerReference>a</CallerReference><Config><PrivateZone>false</PrivateZone>\
                 </Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>\
                 <HostedZone><Id>/hostedzone/Z222</Id><Name>example.test.</Name>\
                 <CallerReference>b</CallerReference><Config><PrivateZone>false</PrivateZone>\
                 </Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>\
                 </HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>\
                 </ListHostedZonesByNameResponse>"
            ),
        ),
        ("GET", "/2013-04-01/hostedzone/Z222/rrset") => {
            let records: String = values
                .iter()
                .map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>"))
                .collect();
            let set = if records.is_empty() {
                String::new()
            } else {
                format!(
                    "<ResourceRecordSet><Name>{NAME}.</Name><Type>TXT</Type><TTL>300</TTL>\
                     <ResourceRecords>{records}</ResourceRecords></ResourceRecordSet>"
                )
            };
            (
                200,
                format!(
                    "<?xml version=\"1.0\"?><ListResourceRecordSetsResponse {NS}>\
                     <ResourceRecordSets>{set}</ResourceRecordSets>\
                     <IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>\
                     </ListResourceRecordSetsResponse>"
                ),
            )
        }
        ("POST", "/2013-04-01/hostedzone/Z222/rrset/" | "/2013-04-01/hostedzone/Z222/rrset") => {
            if request.body.contains("<Action>DELETE</Action>") {
                values.clear();
            } else {
                *values = request
                    .body
                    .split("<Value>")
                    .skip(1)
                    .filter_map(|rest| rest.split_once("</Value>"))
                    .map(|(value, _)| value.to_owned())
                    .collect();
            }
            (
                200,
                format!(
                    "<?xml version=\"1.0\"?><ChangeResourceRecordSetsResponse {NS}><ChangeInfo>\
                     <Id>/change/C1</Id><Status>PENDING</Status>\
                     <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>\
                     </ChangeResourceRecordSetsResponse>"
                ),
            )
        }
        _ => (404, String::new()),
    }
}

#[tokio::test]
async fn route53_merges_values_under_a_signature() {
    let values = std::sync::Arc::new(Mutex::new(vec!["\"another's\"".to_owned()]));
    let held = values.clone();
    let server = Server::plain(move |request| route53(request, &held)).await;
    let url = server.url();
    let options = [
        ("access_key_id", "AKIDEXAMPLE"),
        ("secret_access_key", "wJalrXUtnFEMI"),
        ("session_token", "session"),
        ("endpoint", url.as_str()),
        ("zone", "example.test"),
    ];
    let route53 = provider("route53", &options).unwrap();
    let (one, two) = (TxtRecord::new(NAME, "one"), TxtRecord::new(NAME, "two"));
    let stands = || values.lock().unwrap().join(" ").replace("&quot;", "\"");

    route53.set(&one).await.unwrap();
    route53.set(&two).await.unwrap();
    assert_eq!(stands(), "\"another's\" \"one\" \"two\"");
    route53.remove(&one).await.unwrap();
    route53.remove(&one).await.unwrap();
    assert_eq!(stands(), "\"another's\" \"two\"");
    route53.remove(&two).await.unwrap();
    route53
        .remove(&TxtRecord::new(NAME, "another's"))
        .await
        .unwrap();
    assert_eq!(stands(), "");
    route53.remove(&two).await.unwrap();

    let requests = server.requests();
    for request in &requests {
        let signature = request.header("authorization").unwrap();
        assert!(
            signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
            "{signature}"
        );
        assert!(
            signature.contains("/us-east-1/route53/aws4_request, SignedHeaders="),
            "{signature}"
        );
        assert_eq!(request.header("x-amz-security-token"), Some("session"));
        assert!(request.header("x-amz-date").is_some());
    }
    let first: Vec<_> = server.lines().into_iter().take(3).collect();
    assert_eq!(first[0], "GET /2013-04-01/hostedzonesbyname");
    assert_eq!(
        first[1],
        "GET /2013-04-01/hostedzone/Z222/rrset?name=_acme-challenge.example.test.&type=TXT"
    );
    assert!(
        first[2].starts_with("POST /2013-04-01/hostedzone/Z222/rrset"),
        "{}",
        first[2]
    );
    let change = &requests[2].body;
    for part in [
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">",
        "<Action>UPSERT</Action>",
        "<Name>_acme-challenge.example.test.</Name><Type>TXT</Type>",
    ] {
        assert!(change.contains(part), "{part} in {change}");
    }
    let last = requests
        .iter()
        .rev()
        .find(|request| request.method == "POST")
        .unwrap();
    assert!(
        last.body.contains("<Action>DELETE</Action>"),
        "{}",
        last.body
    );
}

#[tokio::test]
async fn route53_refusals_say_who_must_act() {
    let answer = |code: &str| {
        format!(
            "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>The request cannot be done</Message></Error></ErrorResponse>"
        )
    };
    for (status, code, temporary) in [
        (403, "SignatureDoesNotMatch", false),
        (403, "AccessDenied", false),
        (400, "Throttling", true),
        (500, "InternalFailure", true),
        (400, "InvalidInput", false),
    ] {
        let body = answer(code);
        let server = Server::plain(move |_| (status, body.clone())).await;
        let url = server.url();
        let options = [
            ("access_key_id", "AKIDEXAMPLE"),
            ("secret_access_key", "wJalrXUtnFEMI"),
            ("endpoint", url.as_str()),
            ("zone", "example.test"),
        ];
        let route53 = provider("route53", &options).unwrap();
        let error = route53.set(&TxtRecord::new(NAME, "v")).await.unwrap_err();
        assert_eq!(error.is_temporary(), temporary, "{code}: {error:?}");
        assert!(error.to_string().contains(code), "{error}");
        let credentials = matches!(error, DnsError::Credentials { .. });
        assert_eq!(credentials, status == 403, "{error:?}");
    }
}
