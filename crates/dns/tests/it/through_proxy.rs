//! Services whose URL is fixed, as they are reached in earnest: over HTTPS, here through a proxy
//! that answers for them.
//!
//! The HTTP client takes its proxy and its roots from the environment of the process, so each test
//! runs its second half in a process of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Stdio,
    sync::{Arc, Mutex},
};

use certfleet_dns::{DnsError, Lookup, LookupConfig, ProviderConfig, TxtRecord, kinds};
use certfleet_testkit::{
    bind::{Bind, Zone},
    process::TestDir,
};
use serde_json::json;

use super::{
    configuration::good_options,
    options, provider,
    server::{Request, Server},
};

const NAME: &str = "_acme-challenge.example.test";

/// Runs an ignored test of this program with `server` as its proxy; what it prints.
async fn run_child(test: &str, server: &Server, root: &str) -> String {
    let dir = TestDir::new("proxy").expect("a folder can be made");
    let roots = dir.path().join("roots.pem");
    fs::write(&roots, root).expect("the folder can be written");
    let program = std::env::current_exe().expect("this program has a path");
    let output = tokio::process::Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("HTTPS_PROXY", server.url())
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("this program can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{problem}");
    text
}

/// Stops a second half that is run by hand: it would ask the real service.
fn only_as_child() {
    assert!(
        std::env::var_os("SSL_CERT_FILE").is_some(),
        "its other half runs it"
    );
}

/// Cloudflare as its API reference (v4) describes it, for one zone.
fn cloudflare(request: &Request, records: &Mutex<BTreeMap<u32, String>>) -> (u16, String) {
    const API: &str = "https://api.cloudflare.com/client/v4";
    let mut records = records.lock().expect("nobody panics with it");
    let good = |result: serde_json::Value| {
        let body = json!({"success": true, "errors": [], "messages": [], "result": result});
        (200, body.to_string())
    };
    if request.header("authorization") != Some("Bearer top-secret-token") {
        let errors = json!([{"code": 9109, "message": "Invalid access token"}]);
        let body = json!({"success": false, "errors": errors, "messages": [], "result": null});
        return (403, body.to_string());
    }
    let record = |id: &u32, content: &String| {
        json!({
            "id": id.to_string(), "name": NAME, "type": "TXT", "content": content, "ttl": 120,
            "proxiable": false, "proxied": false, "created_on": "2026-01-01T00:00:00Z",
        })
    };
    let Some(path) = request.target.strip_prefix(API) else {
        return (404, String::new());
    };
    let all = "/zones/023e105f/dns_records";
    match (request.method.as_str(), path) {
        ("GET", "/zones?name=example.test") => {
            good(json!([{"id": "023e105f", "name": "example.test", "status": "active"}]))
        }
        ("GET", path) if path.starts_with(&format!("{all}?name={NAME}&type=TXT")) => good(
            records
                .iter()
                .map(|(id, content)| record(id, content))
                .collect(),
        ),
        ("POST", path) if path == all => {
            let body = request.json();
            assert_eq!(
                (&body["type"], &body["name"]),
                (&json!("TXT"), &json!(NAME))
            );
            assert_eq!(body["ttl"], 120);
            let content = body["content"]
                .as_str()
                .expect("content is text")
                .to_owned();
            let id = records.keys().max().map_or(1, |last| last + 1);
            let made = record(&id, &content);
            records.insert(id, content);
            good(made)
        }
        ("DELETE", path) => {
            let id = path.rsplit('/').next().and_then(|id| id.parse().ok());
            match id.and_then(|id: u32| records.remove(&id)) {
                Some(_) => good(json!({"id": id})),
                None => (404, String::new()),
            }
        }
        _ => (400, String::new()),
    }
}

#[tokio::test]
async fn cloudflare_adds_and_removes_single_values() {
    let records = Arc::new(Mutex::new(BTreeMap::from([(
        7,
        "\"another's\"".to_owned(),
    )])));
    let held = records.clone();
    let (server, root) = Server::proxy(move |request| cloudflare(request, &held)).await;
    run_child("through_proxy::cloudflare_as_a_client", &server, &root).await;

    let left: Vec<_> = records.lock().unwrap().values().cloned().collect();
    assert_eq!(left, ["\"another's\"", "\"two\""]);
    let api = "https://api.cloudflare.com/client/v4/zones";
    let list =
        format!("GET {api}/023e105f/dns_records?name={NAME}&type=TXT&match=all&per_page=100");
    let find = format!("GET {api}?name=example.test");
    let lines = server.lines();
    assert_eq!(
        lines[..3],
        [find, list, format!("POST {api}/023e105f/dns_records")]
    );
    let deleted = lines.iter().filter(|line| line.starts_with("DELETE"));
    let expected = format!("DELETE {api}/023e105f/dns_records/8");
    assert_eq!(deleted.collect::<Vec<_>>(), [&expected]);
}

#[tokio::test]
#[ignore = "run by cloudflare_adds_and_removes_single_values"]
async fn cloudflare_as_a_client() {
    only_as_child();
    let options = |token| [("token", token), ("zone", "example.test")];
    let cloudflare = provider("cloudflare", &options("top-secret-token")).unwrap();
    let (one, two) = (TxtRecord::new(NAME, "one"), TxtRecord::new(NAME, "two"));
    cloudflare.set(&one).await.unwrap();
    cloudflare.set(&two).await.unwrap();
    cloudflare.set(&two).await.unwrap();
    cloudflare.remove(&one).await.unwrap();
    cloudflare.remove(&one).await.unwrap();

    let refused = provider("cloudflare", &options("wrong")).unwrap();
    let error = refused.set(&one).await.unwrap_err();
    assert!(matches!(error, DnsError::Credentials { .. }), "{error:?}");
    assert!(
        error.to_string().contains("Invalid access token"),
        "{error}"
    );
}

/// The hosts of the services; `dns.example.org` stands for those that are somebody's own.
const HOSTS: &str = "alidns.aliyuncs.com api-ch-gva-2.exoscale.com api.autodns.com api.bunny.net \
    api.cloudflare.com api.cloudns.net api.digitalocean.com api.dns.constellix.com \
    api.dnsimple.com api.dnsmadeeasy.com api.domeneshop.no api.domrobot.com \
    api.dreamhost.com api.dynu.com api.gandi.net api.gcore.com api.glesys.com \
    api.godaddy.com api.hetzner.cloud api.hosting.ionos.com api.infomaniak.com \
    api.linode.com api.luadns.com api.name.com api.namecheap.com api.netlify.com \
    api.nsone.net api.porkbun.com api.scaleway.com api.simply.com api.softlayer.com \
    api.transip.nl api.ukfast.io api.ultradns.com api.vercel.com api.vultr.com api.zone.eu \
    auth.mythic-beasts.com ccp.netcup.net cloud.api.selcloud.ru ddnss.de desec.io \
    developers.hostinger.com dmapi.joker.com dns.api.nifcloud.com dns.baidubce.com \
    dns.eu-west-1.myhuaweicloud.com dns.eu-west-1.oraclecloud.com dns.example.org \
    dnspod.tencentcloudapi.com dyn.dns.he.net eu.api.ovh.com freemyip.com \
    iam.api.cloud.yandex.net ipv64.net lightsail.us-east-1.amazonaws.com \
    login.microsoftonline.com napi.arvancloud.ir oauth2.googleapis.com \
    open.volcengineapi.com rest.easydns.net rest.websupport.sk route53.amazonaws.com \
    secure.hosting.de spaceship.dev www.duckdns.org www.namesilo.com";

#[tokio::test]
async fn every_service_is_asked_over_https_and_its_refusal_understood() {
    let (server, root) = Server::proxy(|_| (401, "go away".to_owned())).await;
    run_child("through_proxy::every_service_as_a_client", &server, &root).await;
    let lines = server.lines();
    let hosts: BTreeSet<_> = lines
        .iter()
        .map(|line| line.split('/').nth(2).expect("it is a URL"))
        .collect();
    assert_eq!(hosts, HOSTS.split_whitespace().collect());
}

#[tokio::test]
#[ignore = "run by every_service_is_asked_over_https_and_its_refusal_understood"]
async fn every_service_as_a_client() {
    only_as_child();
    // Those of plain HTTP, and those of one's own that are tested elsewhere.
    let left_out = ["acme-dns", "exec", "httpreq", "pdns", "rfc2136"];
    for kind in kinds()
        .into_iter()
        .filter(|kind| !left_out.contains(&kind.name))
    {
        let zone = match kind.name {
            "freemyip" => "freemyip.com",
            _ => "example.test",
        };
        let record = TxtRecord::new(&format!("_acme-challenge.{zone}"), "v");
        let mut good = good_options(kind);
        good.push(("zone", zone.to_owned()));
        let pairs: Vec<_> = good.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let made = provider(kind.name, &pairs).unwrap();
        let error = made.set(&record).await.unwrap_err();
        match kind.name {
            // dns-update does not tell a refusal from a zone that is not there.
            "ovh" => assert!(matches!(error, DnsError::NoZone { .. }), "{error:?}"),
            _ => assert!(matches!(error, DnsError::Credentials { .. }), "{error:?}"),
        }
        let text = format!("{error:?} {error}");
        assert!(
            text.contains(kind.name) && text.contains(&record.name),
            "{text}"
        );
        for option in kind.all_options().filter(|option| option.secret) {
            let given = good.iter().find(|(name, _)| *name == option.name);
            assert!(
                given.is_none_or(|(_, value)| !text.contains(value)),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_service_of_one_value_a_name_is_not_made_to_drop_another_s() {
    let (server, root) = Server::proxy(|_| (200, "OK".to_owned())).await;
    run_child("through_proxy::duckdns_as_a_client", &server, &root).await;
    let update = "GET https://www.duckdns.org/update?domains=mine&token=top-secret-token&txt=";
    let lines = server.lines();
    assert_eq!(lines, [format!("{update}v"), update.to_owned()]);
}

#[tokio::test]
#[ignore = "run by a_service_of_one_value_a_name_is_not_made_to_drop_another_s"]
async fn duckdns_as_a_client() {
    only_as_child();
    let zone = Zone::new("duckdns.org").record("_acme-challenge.taken TXT \"another's\"");
    let bind = Bind::start(vec![zone]).await.unwrap();
    let lookup = LookupConfig {
        nameservers: vec![bind.address()],
        ..LookupConfig::default()
    };
    let config = ProviderConfig::new("duckdns", options(&[("token", "top-secret-token")]));
    let duckdns = config
        .unwrap()
        .build(&Lookup::new(lookup).unwrap())
        .unwrap();
    let mine = TxtRecord::new("_acme-challenge.mine.duckdns.org", "v");
    duckdns.set(&mine).await.unwrap();
    duckdns.remove(&mine).await.unwrap();
    let taken = TxtRecord::new("_acme-challenge.taken.duckdns.org", "v");
    duckdns.remove(&taken).await.unwrap();
}

#[tokio::test]
async fn a_host_without_roots_is_told_so() {
    let (server, _) = Server::proxy(|_| (200, String::new())).await;
    run_child("through_proxy::a_client_without_roots", &server, "").await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
#[ignore = "run by a_host_without_roots_is_told_so"]
async fn a_client_without_roots() {
    only_as_child();
    let with = [("token", "top-secret-token"), ("zone", "example.test")];
    let error = provider("cloudflare", &with).unwrap_err();
    assert!(error.to_string().contains("ca-certificates"), "{error}");
    let with = [("endpoint", "https://dns.example.org")];
    let error = provider("httpreq", &with).unwrap_err();
    assert!(error.to_string().contains("ca-certificates"), "{error}");
}
