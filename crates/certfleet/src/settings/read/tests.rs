//! Each setting, good and bad, down to the line a user reads.

mod names;
mod tables;

use std::ffi::OsString;

use super::*;
use certfleet_core::{ChallengeKind, KeyType, policy::RenewBefore};

use crate::settings::known::REDIS_URL;

/// 32 zero bytes.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const GOOD: [(&str, &str); 4] = [
    ("REDIS_URL", "redis://:hunter2@cache:6379/2"),
    ("DOMAINS", "a.example+b.example, c.example"),
    ("ACME_DIRECTORY", "letsencrypt-staging"),
    ("MASTER_KEY", KEY),
];

/// The good settings, some of them set otherwise; an empty value takes one away.
fn settings(other: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut all: std::collections::BTreeMap<_, _> = GOOD.into_iter().collect();
    all.extend(other.iter().copied());
    let variables = all
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (OsString::from(format!("CERTFLEET_{key}")), value.into()));
    Settings::from_variables(variables, Some("web 1.eu\u{e9}".into()))
}

fn error(other: &[(&str, &str)]) -> String {
    settings(other)
        .and_then(|settings| settings.config())
        .unwrap_err()
        .to_string()
}

#[test]
fn defaults_stand_for_what_is_not_set() {
    let config = settings(&[]).unwrap().config().unwrap();
    assert_eq!(config.fleet.as_str(), "default");
    assert_eq!(config.node.as_str(), "web-1.eu-");
    assert_eq!(config.http_addr.to_string(), "0.0.0.0:80");
    assert_eq!(config.https_addr.to_string(), "0.0.0.0:443");
    assert_eq!(config.admin_addr.to_string(), "127.0.0.1:9180");
    assert_eq!(config.data_dir, None);
    assert_eq!(config.lease_ttl, 30 * SECOND);
    assert_eq!(config.renew_check_interval, 60 * SECOND);
    assert_eq!(config.drain_timeout, 30 * SECOND);
    assert_eq!(config.drain_pause, Duration::ZERO);
    assert_eq!(config.start_pause, Duration::ZERO);
    assert_eq!(config.proxy_protocol_from, Networks::default());
    assert_eq!(config.challenge_allow.to_string(), "0.0.0.0/0,::/0");
    assert_eq!(config.challenge_rate.get(), 5);
    assert_eq!(config.challenge_burst.get(), 20);
    let names = config.certificates.iter().map(|one| one.names.to_string());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["a.example+b.example", "c.example"]
    );
    let terms = &config.terms;
    assert_eq!(terms.issuers, ["main".parse().unwrap()]);
    assert_eq!(
        terms.challenges,
        [ChallengeKind::Http01, ChallengeKind::TlsAlpn01]
    );
    assert_eq!((terms.key_type, terms.reuse_key), (KeyType::P256, false));
    assert_eq!(terms.renew_before, RenewBefore::Time(30 * DAY));
    assert_eq!(
        (&terms.dns, &terms.profile, &terms.chain),
        (&None, &None, &None)
    );
    assert_eq!(config.issuers.len(), 1);
    assert!(config.on_demand.is_none() && config.admin_token.is_none());
    assert_eq!(config.retry, RetrySchedule::default());
    assert_eq!(
        (config.orders_per_node.get(), config.orders_per_fleet.get()),
        (8, 32)
    );
}

#[test]
fn every_example_is_good() {
    for setting in super::super::known::ALL {
        let key = setting.key.to_ascii_uppercase();
        let with = match setting.key {
            // Their examples are commands, or files that are not there.
            "master_key" | "admin_token" => continue,
            key if key.ends_with("_file") && key != "acme_ca_file" => continue,
            "acme_eab_key_id" => ("ACME_EAB_MAC_KEY", "c2VjcmV0"),
            "acme_eab_mac_key" => ("ACME_EAB_KEY_ID", "kid-1"),
            "dns_provider" => ("DNS_OPTIONS", "token=x"),
            "dns_options" => ("DNS_PROVIDER", "cloudflare"),
            _ => ("FLEET", "default"),
        };
        let settings = settings(&[with, (&key, setting.example)]).unwrap();
        settings
            .config()
            .unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[test]
fn without_redis_a_folder_makes_a_fleet_of_one() {
    let config = settings(&[("REDIS_URL", ""), ("DATA_DIR", "/var/lib/certfleet")])
        .unwrap()
        .config()
        .unwrap();
    assert_eq!(
        config.backend,
        BackendConfig::Local {
            data_dir: "/var/lib/certfleet/store".into()
        }
    );
    assert_eq!(config.data_dir, Some("/var/lib/certfleet".into()));
}

#[test]
fn nothing_shows_a_secret() {
    let settings = settings(&[]).unwrap();
    let config = settings.config().unwrap();
    for text in [
        format!("{settings:?}"),
        format!("{config:?}"),
        format!("{config:#?}"),
    ] {
        assert!(!text.contains("hunter2") && !text.contains(KEY), "{text}");
    }
    assert_eq!(settings.shown(&REDIS_URL).unwrap(), "(secret)");
}

#[test]
fn each_bad_value_has_its_one_line() {
    let long = "x".repeat(5000);
    for (key, value, line) in [
        (
            "FLEET",
            "Prod",
            "found \"Prod\"; wanted: 1 to 63 of the characters a-z 0-9 -, such as prod-eu",
        ),
        (
            "NODE_ID",
            "../etc",
            "found \"../etc\"; wanted: 1 to 128 of the characters A-Z a-z 0-9 . _ -, such as web-1",
        ),
        (
            "REDIS_URL",
            "http://:hunter2@cache",
            "the value (not shown, it may hold a password): its scheme is neither redis nor rediss; wanted: a URL that begins with redis:// or rediss://, such as redis://127.0.0.1:6379/0",
        ),
        (
            "DOMAINS",
            "a.example,https://b.example",
            "\"https://b.example\" is not a domain name: it is a URL; give the host alone; wanted: domain names, those of one certificate joined by + and certificates separated by commas, such as example.com+www.example.com,example.org",
        ),
        (
            "DOMAINS",
            "a.example,A.example",
            "a.example stands there twice; wanted: domain names, those of one certificate joined by + and certificates separated by commas, such as example.com+www.example.com,example.org",
        ),
        (
            "DOMAINS",
            "*.a.example",
            "*.a.example is a wildcard, which no CA issues by other challenges than dns-01 (RFC 8555 section 7.1.3); set dns_provider, or add a table [dns.NAME]; wanted: domain names, those of one certificate joined by + and certificates separated by commas, such as example.com+www.example.com,example.org",
        ),
        (
            "ACME_DIRECTORY",
            "letsencrypt-prod",
            "found \"letsencrypt-prod\", which has no scheme; wanted: letsencrypt, letsencrypt-staging, zerossl, google, google-staging, sslcom-rsa, sslcom-ecc, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
        ),
        (
            "ACME_DIRECTORY",
            "http://ca/dir",
            "found \"http://ca/dir\", which would be asked in the clear; wanted: letsencrypt, letsencrypt-staging, zerossl, google, google-staging, sslcom-rsa, sslcom-ecc, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
        ),
        (
            "EMAIL",
            "mailto:ops@a.example",
            "found \"mailto:ops@a.example\"; wanted: a mail address, such as ops@example.com",
        ),
        (
            "MASTER_KEY",
            "hunter2",
            "the value (not shown): key 1: it is not base64 (RFC 4648 section 4); wanted: 32 bytes in base64 (or several such keys separated by commas: the first seals, any opens), such as the output of certfleet key generate",
        ),
        (
            "HTTP_ADDR",
            "80",
            "found \"80\"; wanted: an IP address with a port, such as [::]:80",
        ),
        (
            "HTTPS_ADDR",
            "localhost:443",
            "found \"localhost:443\"; wanted: an IP address with a port, such as [::]:443",
        ),
        (
            "ADMIN_ADDR",
            "0.0.0.0:443",
            "0.0.0.0:443 is both admin_addr and https_addr; wanted: an IP address with a port, such as 0.0.0.0:9180",
        ),
        (
            "HTTP_ADDR",
            "127.0.0.1:9180",
            "127.0.0.1:9180 is both admin_addr and http_addr; wanted: an IP address with a port, such as [::]:80",
        ),
        (
            "PROXY_PROTOCOL_FROM",
            "10.0.0.0/8,lb.example",
            "\"lb.example\" is not a network such as 192.0.2.0/24, and not an address; wanted: networks (CIDR) or addresses, separated by commas, such as 10.0.0.0/8,2001:db8::/32",
        ),
        (
            "CHALLENGE_ALLOW",
            "10.1.2.3/8",
            "10.1.2.3/8 has bits set behind the prefix; write 10.0.0.0/8 or another prefix; wanted: networks (CIDR) or addresses, separated by commas, such as 10.0.0.0/8,2001:db8::/32",
        ),
        (
            "CHALLENGE_RATE",
            "0",
            "found \"0\"; wanted: a number from 1 to 4294967295, such as 5",
        ),
        (
            "LEASE_TTL",
            "30",
            "found \"30\"; wanted: a duration from 1s to 1h, such as 30s",
        ),
        (
            "LEASE_TTL",
            "999ms",
            "found \"999ms\"; wanted: a duration from 1s to 1h, such as 30s",
        ),
        (
            "LEASE_TTL",
            "61m",
            "found \"61m\"; wanted: a duration from 1s to 1h, such as 30s",
        ),
        (
            "RENEW_CHECK_INTERVAL",
            "99ms",
            "found \"99ms\"; wanted: a duration from 100ms to 1d, such as 1m",
        ),
        (
            "RENEW_CHECK_INTERVAL",
            "25h",
            "found \"25h\"; wanted: a duration from 100ms to 1d, such as 1m",
        ),
        (
            "RENEW_BEFORE",
            "0s",
            "found \"0s\"; wanted: a duration from 1s to 365d, or a share of the lifetime from 1% to 99%, such as 30d",
        ),
        (
            "RENEW_BEFORE",
            "100%",
            "found \"100%\"; wanted: a duration from 1s to 365d, or a share of the lifetime from 1% to 99%, such as 30d",
        ),
        (
            "ISSUERS",
            "main,zero",
            "there is no issuer called zero, only main; a table [issuer.zero] in the configuration file makes one; wanted: names of issuers, separated by commas, such as main",
        ),
        (
            "CHALLENGES",
            "http-01,dns-01",
            "dns-01 needs a DNS provider; set dns_provider, or add a table [dns.NAME]; wanted: some of http-01, tls-alpn-01 and dns-01, separated by commas, such as tls-alpn-01,http-01",
        ),
        (
            "CHALLENGES",
            "http",
            "\"http\" is no challenge; there are http-01, tls-alpn-01 and dns-01; wanted: some of http-01, tls-alpn-01 and dns-01, separated by commas, such as tls-alpn-01,http-01",
        ),
        (
            "CHALLENGES",
            "http-01,http-01",
            "http-01 stands there twice; wanted: some of http-01, tls-alpn-01 and dns-01, separated by commas, such as tls-alpn-01,http-01",
        ),
        (
            "KEY_TYPE",
            "rsa",
            "found \"rsa\"; wanted: p256, p384, rsa2048 or rsa4096, such as p384",
        ),
        (
            "REUSE_KEY",
            "yes",
            "found \"yes\"; wanted: true or false, such as true",
        ),
        (
            "ACME_EAB_KEY_ID",
            "kid-1",
            "it is half of an external account; wanted: environment variable CERTFLEET_ACME_EAB_MAC_KEY as well: the key in base64url, as the CA hands it out, such as c2VjcmV0LXNlY3JldC1zZWNyZXQ",
        ),
        (
            "ACME_EAB_MAC_KEY",
            "hunter2",
            "it is half of an external account; wanted: environment variable CERTFLEET_ACME_EAB_KEY_ID as well: the key id as the CA hands it out, such as kid-1",
        ),
        (
            "ACME_EAB_ALGORITHM",
            "RS256",
            "found \"RS256\"; wanted: HS256, HS384 or HS512, such as HS384",
        ),
        (
            "DNS_OPTIONS",
            "token=hunter2",
            "there is no provider they are for; wanted: dns_provider as well",
        ),
        (
            "DNS_RESOLVERS",
            "dns.example",
            "found \"dns.example\"; wanted: IP addresses, each perhaps with a port, separated by commas, such as 192.0.2.53,[2001:db8::53]:5353",
        ),
        (
            "RATE_LIMITS",
            "new_orders=300/3h,orders=5/1h",
            "found \"orders\", which is no limit; there are new_orders, certificates_per_domain, duplicate_certificates, failed_authorizations; wanted: letsencrypt, none, or limits separated by commas, each a number in a time, such as new_orders=300/3h,certificates_per_domain=50/7d,duplicate_certificates=5/7d,failed_authorizations=5/1h",
        ),
        (
            "ON_DEMAND_PERMISSION_URL",
            "ftp://a.example",
            "found \"ftp://a.example\"; wanted: an http or https URL, such as http://127.0.0.1:8000/may-have-certificate",
        ),
        (
            "RETRY_SLOW",
            "2d",
            "found \"2d\"; wanted: a duration from 1m to 1d, such as 12h",
        ),
        (
            "RETRY_TRIES",
            "0",
            "found \"0\"; wanted: a number from 1 to 100, such as 5",
        ),
        (
            "ADMIN_TOKEN",
            "hunter2",
            "the value (not shown): it has 7 characters; wanted: a text of 16 to 256 characters without spaces, such as the output of certfleet key generate",
        ),
        (
            "DRAIN_TIMEOUT",
            "2\nh",
            "found \"2\\nh\"; wanted: a duration from 0s to 1h, such as 30s",
        ),
        (
            "DRAIN_TIMEOUT",
            &long,
            &format!(
                "found {:?} and more; wanted: a duration from 0s to 1h, such as 30s",
                &long[..80]
            ),
        ),
    ] {
        assert_eq!(
            error(&[(key, value)]),
            format!("environment variable CERTFLEET_{key}: {line}")
        );
    }
}

#[test]
fn what_is_missing_is_named_with_its_choices() {
    for (key, line) in [
        (
            "DOMAINS",
            "CERTFLEET_DOMAINS is not set (nor key domains in a file); wanted: domain names, those of one certificate joined by + and certificates separated by commas, such as example.com+www.example.com,example.org",
        ),
        (
            "ACME_DIRECTORY",
            "CERTFLEET_ACME_DIRECTORY is not set (nor key acme_directory in a file); wanted: letsencrypt, letsencrypt-staging, zerossl, google, google-staging, sslcom-rsa, sslcom-ecc, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
        ),
        (
            "MASTER_KEY",
            "CERTFLEET_MASTER_KEY is not set (nor key master_key in a file); wanted: 32 bytes in base64 (or several such keys separated by commas: the first seals, any opens), such as the output of certfleet key generate; or CERTFLEET_MASTER_KEY_FILE",
        ),
        (
            "REDIS_URL",
            "CERTFLEET_REDIS_URL is not set (nor key redis_url in a file); wanted: a URL that begins with redis:// or rediss://, such as redis://127.0.0.1:6379/0; or, for one node with no Redis, CERTFLEET_DATA_DIR",
        ),
    ] {
        assert_eq!(error(&[(key, "")]), line);
    }
}

#[test]
fn a_key_file_is_read_and_one_that_is_not_there_is_named() {
    let path = std::env::temp_dir().join(format!("certfleet-key-{}", std::process::id()));
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    let file = path.to_str().unwrap();
    let from_file = settings(&[("MASTER_KEY", ""), ("MASTER_KEY_FILE", file)]).unwrap();
    let keys = from_file.config().unwrap().keys;
    assert_eq!(
        keys.sealing_key(),
        settings(&[]).unwrap().config().unwrap().keys.sealing_key()
    );
    assert_eq!(
        error(&[("MASTER_KEY_FILE", file)]),
        "environment variable CERTFLEET_MASTER_KEY and environment variable \
         CERTFLEET_MASTER_KEY_FILE are both set; wanted: one of them"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        error(&[("MASTER_KEY", ""), ("MASTER_KEY_FILE", "/nowhere/key")]),
        "environment variable CERTFLEET_MASTER_KEY_FILE: in the file \"/nowhere/key\", which \
         cannot be opened: No such file or directory (os error 2); wanted: the path of a file \
         with 32 bytes in base64 (or several such lines: the first seals, any opens), such as \
         /run/secrets/certfleet.key"
    );
}
