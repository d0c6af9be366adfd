//! Tables of the file: issuers, DNS providers and certificates, good and bad.

use certfleet_acme::AcmeConfig;
use certfleet_core::{ChallengeKind, KeyType, OwnTerms, policy::RenewBefore};

use super::{GOOD, SettingsError, settings};
use crate::config::{Config, IssuerKind};

/// What the settings of a file make, beside a good Redis and key in the environment.
fn file(entries: &[(&str, &str)]) -> Result<Config, SettingsError> {
    let entries = entries
        .iter()
        .map(|&(key, text)| (key.to_owned(), text.to_owned()));
    settings(&[("DOMAINS", ""), ("ACME_DIRECTORY", "")])?
        .with_file("c.toml", entries)?
        .config()
}

fn acme<'a>(config: &'a Config, name: &str) -> &'a AcmeConfig {
    match &config.issuers[&name.parse().unwrap()].kind {
        IssuerKind::Acme(acme) => acme,
        IssuerKind::BuiltIn { .. } => panic!("{name} is built in"),
    }
}

/// Two issuers, a DNS provider, and a wildcard with terms of its own.
const WHOLE: &[(&str, &str)] = &[
    ("domains", "a.example"),
    ("issuers", "le,google"),
    ("issuer.le.directory", "letsencrypt"),
    ("issuer.le.email", "ops@a.example"),
    (
        "issuer.google.directory",
        "https://dv.acme-v02.api.pki.goog/directory",
    ),
    ("issuer.google.eab_key_id", "kid-1"),
    ("issuer.google.eab_mac_key", "hunter2hunter2"),
    ("issuer.google.rate_limits", "new_orders=100/1h"),
    ("dns.cf.provider", "cloudflare"),
    ("dns.cf.token", "hunter2"),
    ("certificates.1.names", "*.a.example,a.example"),
    ("certificates.1.issuers", "google"),
    ("certificates.1.challenges", "dns-01"),
    ("certificates.1.key_type", "p384"),
    ("certificates.1.reuse_key", "true"),
    ("certificates.1.chain", "GTS Root R1"),
    ("certificates.2.names", "b.example"),
    ("certificates.2.profile", "shortlived"),
    ("certificates.2.renew_before", "40%"),
    ("certificates.10.names", "c.example"),
];

#[test]
fn tables_make_issuers_providers_and_certificates() {
    let config = file(WHOLE).unwrap();
    let issuers: Vec<_> = config
        .terms
        .issuers
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(issuers, ["le", "google"]);
    assert_eq!(acme(&config, "le").contact, ["ops@a.example"]);
    assert!(acme(&config, "google").contact.is_empty());
    assert!(acme(&config, "google").external_account.is_some());
    assert_eq!(config.terms.dns, Some("cf".parse().unwrap()));
    assert!(config.terms.challenges.contains(&ChallengeKind::Dns01));
    let names = config.certificates.iter().map(|one| one.names.to_string());
    let wanted = [
        "a.example",
        "a.example+*.a.example",
        "b.example",
        "c.example",
    ];
    assert_eq!(names.collect::<Vec<_>>(), wanted);
    assert_eq!(config.certificates[0].terms, OwnTerms::default());
    let wildcard = config.certificates[1].terms.over(&config.terms);
    assert_eq!(wildcard.issuer(0).as_str(), "google");
    assert_eq!(wildcard.challenges, [ChallengeKind::Dns01]);
    assert_eq!(
        (wildcard.key_type, wildcard.reuse_key),
        (KeyType::P384, true)
    );
    assert_eq!(wildcard.chain.as_deref(), Some("GTS Root R1"));
    let short = &config.certificates[2].terms;
    assert_eq!(short.profile.as_deref(), Some("shortlived"));
    assert_eq!(short.renew_before, Some(RenewBefore::Percent(40)));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// [`WHOLE`], changed; an empty value takes one away.
fn changed(by: &[(&str, &str)]) -> String {
    let mut all: std::collections::BTreeMap<_, _> = WHOLE.iter().copied().collect();
    all.extend(by.iter().copied());
    let all: Vec<_> = all
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect();
    file(&all).unwrap_err().to_string()
}

#[test]
fn each_fault_names_its_place_and_its_cure() {
    for (by, line) in [
        (
            &[("issuer.le.emial", "x")][..],
            "key issuer.le.emial is not a setting of certfleet; the nearest is issuer.le.email",
        ),
        (
            &[("issuers.le.email", "x")],
            "key issuers.le.email is not a setting of certfleet; the nearest is issuer.le.email",
        ),
        (
            &[("issuer.le", "letsencrypt")],
            "key issuer.le: it is no table with values in it; wanted: a table [issuer.NAME]",
        ),
        (
            &[("issuer.Le.email", "x")],
            "key issuer.Le.email: the table's name cannot be one; wanted: [issuer.NAME], the name \
             of 1 to 63 of the characters a-z 0-9 -",
        ),
        (
            &[("issuer.le.directory", "")],
            "key issuer.le.directory is not set; wanted: letsencrypt, letsencrypt-staging,",
        ),
        (
            &[("issuer.le.directory", "http://ca.example")],
            "key issuer.le.directory: found \"http://ca.example\", which would be asked in the clear",
        ),
        (
            &[("issuer.google.eab_mac_key", "")],
            "key issuer.google.eab_key_id: it is half of an external account; wanted: c.toml, key \
             issuer.google.eab_mac_key as well: the key in base64url",
        ),
        (
            &[("issuer.google.eab_mac_key_file", "/nowhere")],
            "key issuer.google.eab_mac_key and c.toml, key issuer.google.eab_mac_key_file are both set",
        ),
        (
            &[("email", "ops@a.example")],
            "key email: it is for the issuer main, and there is none; wanted: acme_directory, or \
             email in the tables [issuer.NAME]",
        ),
        (
            &[("issuers", "le,zero")],
            "key issuers: there is no issuer called zero, only google, le; a table [issuer.zero]",
        ),
        (
            &[("certificates.2.issuers", "zero")],
            "key certificates.2.issuers: there is no issuer called zero",
        ),
        (
            &[("certificates.2.dns", "r53")],
            "key certificates.2.dns: there is no DNS provider called r53, only cf; a table [dns.r53]",
        ),
        (
            &[("certificates.1.challenges", "http-01")],
            "key certificates.1.names: *.a.example is a wildcard, which no CA issues by other \
             challenges than dns-01 (RFC 8555 section 7.1.3); add dns-01 to its challenges",
        ),
        (
            &[("dns.cf.provider", ""), ("dns.cf.token", "")],
            "key certificates.1.challenges: dns-01 needs a DNS provider; set dns_provider, or add a \
             table [dns.NAME]",
        ),
        (
            &[("dns.cf.provider", "")],
            "key dns.cf.provider is not set; wanted: the kind of a DNS provider",
        ),
        (
            &[("dns.cf.provider", "cloudfare")],
            "key dns.cf.provider: no DNS provider is called \"cloudfare\"",
        ),
        (
            &[("dns.cf.tokn", "hunter2")],
            "key dns.cf.tokn: DNS provider cloudflare has no option \"tokn\"",
        ),
        (
            &[("dns.cf.token_file", "/nowhere")],
            "key dns.cf.token_file: in the file \"/nowhere\", which cannot be opened",
        ),
        (
            &[
                ("dns.other.provider", "cloudflare"),
                ("dns.other.token", "x"),
            ],
            "key dns.cf.provider: there are several DNS providers, and none is the default; wanted: \
             one of them called main, as in [dns.main]",
        ),
        (
            &[("certificates.2.names", "")],
            "key certificates.2.names is not set; wanted: a list of domain names and IP addresses",
        ),
        (
            &[("certificates.2.names", "a.example")],
            "key certificates.2.names: a.example is wanted already by c.toml, key domains",
        ),
        (
            &[("certificates.10.names", "b.example")],
            "key certificates.10.names: b.example is wanted already by c.toml, key certificates.2.names",
        ),
        (
            &[("certificates.2.nmaes", "x")],
            "key certificates.2.nmaes is not a setting of certfleet; the nearest is certificates.2.names",
        ),
        (
            &[("certificates.2.validity", "1s")],
            "key certificates.2.validity: found \"1s\"; wanted: a duration from 1m to 3650d",
        ),
    ] {
        let found = changed(by);
        assert!(
            found.starts_with(&format!("c.toml, {line}")),
            "{line}\n{found}"
        );
        assert!(!found.contains("hunter2"), "{found}");
    }
    assert!(changed(&[("issuers", "")]).starts_with(
        "CERTFLEET_ISSUERS is not set (nor key issuers in a file); wanted: the order to turn \
             to google, le in, the preferred one first"
    ));
}

#[test]
fn main_is_described_once() {
    for (table, line) in [
        (
            &[("issuer.main.directory", "letsencrypt")][..],
            "environment variable CERTFLEET_ACME_DIRECTORY and c.toml, key issuer.main.directory \
             are both set; wanted: one of them",
        ),
        (
            &[("dns.main.provider", "cloudflare"), ("dns.main.token", "x")],
            "environment variable CERTFLEET_DNS_PROVIDER and c.toml, key dns.main.provider are \
             both set; wanted: one of them",
        ),
    ] {
        let entries = table
            .iter()
            .map(|&(key, text)| (key.to_owned(), text.to_owned()));
        let settings = settings(&[("DNS_PROVIDER", "cloudflare"), ("DNS_OPTIONS", "token=x")])
            .unwrap()
            .with_file("c.toml", entries)
            .unwrap();
        assert_eq!(settings.config().unwrap_err().to_string(), line);
    }
    assert!(GOOD.iter().any(|(key, _)| *key == "ACME_DIRECTORY"));
}

#[test]
fn options_come_from_files_too() {
    let path = std::env::temp_dir().join(format!("certfleet-dns-{}", std::process::id()));
    std::fs::write(&path, "hunter2\n").unwrap();
    let whole: Vec<_> = WHOLE
        .iter()
        .copied()
        .filter(|(key, _)| *key != "dns.cf.token")
        .chain([("dns.cf.token_file", path.to_str().unwrap())])
        .collect();
    assert!(file(&whole).is_ok());
    assert!(
        changed(&[("dns.cf.token_file", path.to_str().unwrap())])
            .contains("key dns.cf.token and c.toml, key dns.cf.token_file are both set")
    );
    std::fs::write(&path, "token=hunter2\n").unwrap();
    let flat = settings(&[
        ("DOMAINS", "*.a.example"),
        ("DNS_PROVIDER", "cloudflare"),
        ("DNS_OPTIONS_FILE", path.to_str().unwrap()),
    ]);
    let config = flat.unwrap().config().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(config.terms.dns, Some("main".parse().unwrap()));
}
