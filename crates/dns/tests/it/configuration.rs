//! Every kind of provider can be made from its options, and mistakes in them are named.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use certfleet_dns::{ConfigError, Kind, OptionSpec, ProviderConfig, Secret, kinds};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::json;

use super::{options, provider, unasked};

/// The kinds that dns-update 0.6 documents.
const BROUGHT: &str = "alidns arvancloud autodns azuredns baiducloud bluecatv2 bunny cloudflare \
    cloudns constellix cpanel ddnss desec digitalocean dnsimple dnsmadeeasy domeneshop dreamhost \
    duckdns dynu easydns edgedns exoscale freemyip gandiv5 gcore glesys godaddy google-cloud-dns \
    hetzner hostingde hostinger huaweicloud hurricane ibmcloud infoblox infomaniak inwx ionos \
    ipv64 joker lightsail linode luadns mythicbeasts namecheap namedotcom namesilo netcup netlify \
    nifcloud ns1 oraclecloud ovh pdns plesk porkbun rfc2136 route53 safedns scaleway selectel \
    simplycom spaceship tencentcloud transip ultradns vercel volcengine vultr websupport \
    yandexcloud zoneeu";

/// Options for `kind` that are good in form.
pub(crate) fn good_options(kind: &Kind) -> Vec<(&'static str, String)> {
    // Required only as one of several.
    let also = ["auth_id", "api_key"];
    let wanted = |option: &&OptionSpec| option.required || also.contains(&option.name);
    let value = |option: &OptionSpec| match (kind.name, option.name) {
        (_, "base_url" | "server" | "server_url") => "https://dns.example.org".to_owned(),
        ("httpreq", _) => "http://127.0.0.1:9".to_owned(),
        ("ovh", "endpoint") => "ovh-eu".to_owned(),
        ("rfc2136", "key") => BASE64_STANDARD.encode("a secret for a test"),
        ("rfc2136", "nameserver") => "127.0.0.1:9".to_owned(),
        ("hurricane", _) => "example.test=top-secret-token".to_owned(),
        ("edgedns" | "infoblox", "host") => "dns.example.org".to_owned(),
        (_, "region") => "eu-west-1".to_owned(),
        (_, "private_key_pem") => rsa_key(),
        (_, "service_account_json") => json!({
            "client_email": "fleet@example.org",
            "private_key": rsa_key(),
            "token_uri": "https://oauth2.googleapis.com/token",
        })
        .to_string(),
        (_, "iam_token_b64") => BASE64_STANDARD.encode(
            json!({"id": "i", "service_account_id": "s", "private_key": rsa_key()}).to_string(),
        ),
        (_, _) if option.secret => format!("top-secret-{}", option.name),
        (_, name) => format!("my-{name}"),
    };
    let all = kind.all_options().filter(wanted);
    all.map(|option| (option.name, value(option))).collect()
}

fn rsa_key() -> String {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("aws-lc-rs makes RSA keys");
    key.serialize_pem()
}

fn borrowed<'a>(options: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    options.iter().map(|(n, v)| (*n, v.as_str())).collect()
}

#[tokio::test]
async fn every_kind_is_made_from_its_options() {
    let names: BTreeSet<_> = kinds().iter().map(|kind| kind.name).collect();
    let own = ["acme-dns", "exec", "httpreq"];
    let expected: BTreeSet<_> = BROUGHT.split_whitespace().chain(own).collect();
    assert_eq!(names, expected);

    for kind in kinds() {
        let good = good_options(kind);
        let made = provider(kind.name, &borrowed(&good));
        let made = made.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        assert_eq!(made.name(), kind.name);
        let debug = format!("{made:?} {kind:?}");
        for option in kind.all_options().filter(|option| option.secret) {
            let given = good.iter().find(|(name, _)| *name == option.name);
            assert!(
                given.is_none_or(|(_, value)| !debug.contains(value)),
                "{debug}"
            );
            assert!(!option.help.is_empty());
        }
    }
}

#[tokio::test]
async fn each_option_that_is_missing_is_named() {
    let mut tried = 0;
    for kind in kinds() {
        let good = good_options(kind);
        for missing in kind.all_options().filter(|option| option.required) {
            let rest: Vec<_> = good
                .iter()
                .filter(|(name, _)| *name != missing.name)
                .cloned()
                .collect();
            let error = provider(kind.name, &borrowed(&rest)).unwrap_err();
            let text = error.to_string();
            let expected = format!(
                "DNS provider {} needs the option {};",
                kind.name, missing.name
            );
            assert!(text.starts_with(&expected), "{text}");
            assert!(matches!(error, ConfigError::MissingOption { .. }));
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn mistakes_are_named_with_what_was_probably_meant() {
    let refused = |kind: &str, pairs: &[(&str, &str)]| {
        ProviderConfig::new(kind, options(pairs))
            .and_then(|config| config.build(&unasked()))
            .unwrap_err()
            .to_string()
    };
    let unknown = refused("cloudfare", &[]);
    assert!(
        unknown
            .starts_with("no DNS provider is called \"cloudfare\" (is it \"cloudflare\"?); known"),
        "{unknown}"
    );
    assert!(unknown.contains("acme-dns, alidns"), "{unknown}");
    assert_eq!(
        refused("cloudflare", &[("tokken", "hush")]),
        "DNS provider cloudflare has no option \"tokken\" (is it \"token\"?); its options are \
         token, [zone], [ttl]"
    );
    assert_eq!(
        refused("cloudflare", &[("token", "")]),
        "DNS provider cloudflare needs the option token; its options are token, [zone], [ttl]"
    );
    for (kind, pairs, problem) in [
        (
            "cloudflare",
            vec![("token", "hush"), ("ttl", "hush")],
            "the option ttl cannot be read",
        ),
        (
            "joker",
            vec![("password", "hush")],
            "give either api_key, or username and password",
        ),
        (
            "hurricane",
            vec![("credentials", "hush")],
            "the option credentials is not ZONE=KEY",
        ),
        (
            "httpreq",
            vec![("endpoint", "ftp://hush/")],
            "the option endpoint is no http://",
        ),
        (
            "rfc2136",
            vec![("nameserver", "ns"), ("key_name", "k"), ("key", "hush!")],
            "the option key is not base64",
        ),
        (
            "rfc2136",
            vec![
                ("nameserver", "ns"),
                ("key_name", "k"),
                ("key", "aHVzaA=="),
                ("algorithm", "hush"),
            ],
            "the option algorithm is none of hmac-sha224",
        ),
    ] {
        let text = refused(kind, &pairs);
        assert!(text.contains(problem), "{text}");
        assert!(text.contains("its options are"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let config = ProviderConfig::new("cloudflare", options(&[("token", "hush")])).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    assert_eq!(format!("{:?}", Secret::from("hush")), "[secret]");
    let read: Secret = serde_json::from_str("\"hush\"").unwrap();
    assert_eq!(read.expose(), "hush");
}
