//! Names and addresses, how many there may be, and what the CAs allow for them.

use super::{HOUR, SECOND, error, settings};

#[test]
fn on_demand_names_need_somebody_who_permits_them() {
    let asked = settings(&[
        ("DOMAINS", "none"),
        ("ON_DEMAND_PERMISSION_URL", "http://127.0.0.1:8000/may"),
        ("ON_DEMAND_NAMES", "5/1h"),
    ]);
    let config = asked.unwrap().config().unwrap();
    assert!(config.certificates.is_empty());
    let on_demand = config.on_demand.unwrap();
    assert_eq!(
        on_demand.permission_url.as_str(),
        "http://127.0.0.1:8000/may"
    );
    assert_eq!((on_demand.names.get(), on_demand.per), (5, HOUR));
    assert_eq!(
        (on_demand.allowed_for, on_demand.denied_for),
        (HOUR, 60 * SECOND)
    );
}

#[test]
fn the_limits_are_lets_encrypts_for_its_production_alone() {
    for (directory, set, new_orders) in [
        ("letsencrypt", "", Some((300, 36))),
        (
            "https://acme-v02.api.letsencrypt.org/directory",
            "",
            Some((300, 36)),
        ),
        ("letsencrypt", "none", None),
        ("letsencrypt-staging", "", None),
        ("letsencrypt-staging", "letsencrypt", Some((300, 36))),
        (
            "https://ca.example/dir",
            "new_orders=10/1h",
            Some((10, 360)),
        ),
    ] {
        let settings = settings(&[("ACME_DIRECTORY", directory), ("RATE_LIMITS", set)]).unwrap();
        let config = settings.config().unwrap();
        let limit = config.issuers[&"main".parse().unwrap()].limits.new_orders;
        let found = limit.map(|limit| (limit.capacity, limit.refill.as_secs()));
        assert_eq!(found, new_orders, "{directory} {set}");
    }
}

#[test]
fn too_many_names_are_told_how_to_be_split() {
    let names = |domain: &'static str, count| (0..count).map(move |i| format!("n{i}.{domain}"));
    let one: Vec<_> = names("example.com", 60)
        .chain(names("example.co.uk", 120))
        .collect();
    let line = error(&[("DOMAINS", &one.join("+"))]);
    assert!(
        line.contains(
            "180 names are too many for one certificate, which has up to 100; split them by \
             registered domain: example.co.uk (120, in 2 parts), example.com (60); wanted: "
        ),
        "{line}"
    );
    let good: Vec<_> = names("example.com", 100).collect();
    assert!(
        settings(&[("DOMAINS", &good.join("+"))])
            .unwrap()
            .config()
            .is_ok()
    );
}

#[test]
fn addresses_are_names_too() {
    let settings = settings(&[("DOMAINS", "192.0.2.7+a.example,2001:db8::1")]).unwrap();
    let config = settings.config().unwrap();
    let ids = config
        .certificates
        .iter()
        .map(|one| one.names.id().to_string());
    assert_eq!(ids.collect::<Vec<_>>()[1], "_6.2001-db8--1");
    let line = error(&[
        ("DOMAINS", "192.0.2.7"),
        ("CHALLENGES", "dns-01"),
        ("DNS_PROVIDER", "cloudflare"),
        ("DNS_OPTIONS", "token=x"),
    ]);
    assert!(
        line.contains("192.0.2.7 is an address, which dns-01 does not validate"),
        "{line}"
    );
}
