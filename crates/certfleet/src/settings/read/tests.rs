//! Each setting, good and bad, down to the line a user reads.

use std::ffi::OsString;

use super::*;

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
    assert_eq!(config.renew_before, 30 * DAY);
    let names: Vec<_> = config.certificates.iter().map(NameSet::to_string).collect();
    assert_eq!(names, ["a.example+b.example", "c.example"]);
}

#[test]
fn every_example_is_good() {
    for setting in super::super::known::ALL {
        let key = setting.key.to_ascii_uppercase();
        if setting.key.starts_with("master_key") {
            continue; // its example is a command, or a file that is not there
        }
        let settings = settings(&[(&key, setting.example)]).unwrap();
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
            "*.a.example is a wildcard, which no CA issues by HTTP-01 (RFC 8555 section 8.3); wanted: domain names, those of one certificate joined by + and certificates separated by commas, such as example.com+www.example.com,example.org",
        ),
        (
            "ACME_DIRECTORY",
            "letsencrypt-prod",
            "found \"letsencrypt-prod\", which has no scheme; wanted: letsencrypt, letsencrypt-staging, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
        ),
        (
            "ACME_DIRECTORY",
            "http://ca/dir",
            "found \"http://ca/dir\", which would be asked in the clear; wanted: letsencrypt, letsencrypt-staging, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
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
            "found \"0s\"; wanted: a duration from 1s to 365d, such as 30d",
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
            "CERTFLEET_ACME_DIRECTORY is not set (nor key acme_directory in a file); wanted: letsencrypt, letsencrypt-staging, built-in, or the https URL of an ACME directory, such as letsencrypt-staging",
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
