//! DNS-01 on a real BIND: updates with TSIG, delegation, and propagation over two servers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use certfleet_dns::{
    DnsError, DnsProvider, Lookup, LookupConfig, Propagation, ProviderConfig, TxtRecord,
    challenge_name,
};
use certfleet_testkit::bind::{Bind, Zone};

const NAME: &str = "_acme-challenge.example.test";

/// Long enough for a server on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);
/// Long enough for two rounds of questions.
const SHORT: Duration = Duration::from_secs(2);

fn lookup(bind: &Bind) -> Lookup {
    lookup_with(bind, |_| {})
}

fn lookup_with(bind: &Bind, change: impl FnOnce(&mut LookupConfig)) -> Lookup {
    let mut config = LookupConfig {
        nameservers: vec![bind.address()],
        authoritative_port: bind.address().port(),
        ..LookupConfig::default()
    };
    change(&mut config);
    Lookup::new(config).expect("nameservers are given")
}

fn provider(bind: &Bind, changed: &[(&str, &str)]) -> Arc<dyn DnsProvider> {
    let nameserver = bind.address().to_string();
    let mut options = BTreeMap::from([
        ("nameserver", nameserver.as_str()),
        ("key_name", bind.key_name()),
        ("key", bind.key()),
    ]);
    options.extend(changed.iter().copied());
    let options = options
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    ProviderConfig::new("rfc2136", options)
        .and_then(|config| config.build(&lookup(bind)))
        .expect("the options are good")
}

#[tokio::test]
async fn values_stand_beside_each_other_and_go_one_by_one() {
    for transport in ["tcp", "udp"] {
        let zone = Zone::new("example.test").record("_acme-challenge TXT \"another's\"");
        let bind = Bind::start(vec![zone]).await.unwrap();
        let server = format!("{transport}://{}", bind.address());
        let provider = provider(&bind, &[("nameserver", &server)]);
        let (base, wildcard) = (
            TxtRecord::new(NAME, "base"),
            TxtRecord::new(NAME, "wildcard"),
        );

        provider.set(&base).await.unwrap();
        provider.set(&wildcard).await.unwrap();
        provider.set(&wildcard).await.unwrap();
        let values = bind.txt(NAME).await.unwrap();
        assert_eq!(values, ["another's", "base", "wildcard"]);

        provider.remove(&base).await.unwrap();
        assert_eq!(bind.txt(NAME).await.unwrap(), ["another's", "wildcard"]);
        // A node that goes on after another's death removes what is gone already.
        provider.remove(&base).await.unwrap();
        provider
            .remove(&TxtRecord::new("none.example.test", "v"))
            .await
            .unwrap();
        provider.remove(&wildcard).await.unwrap();
        assert_eq!(bind.txt(NAME).await.unwrap(), ["another's"]);
    }
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    let bind = Bind::start(vec![Zone::new("example.test")]).await.unwrap();
    let provider = provider(&bind, &[]);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..20 {
        let provider = provider.clone();
        calls.spawn(async move {
            provider
                .set(&TxtRecord::new(NAME, format!("value {n}")))
                .await
        });
    }
    for done in calls.join_all().await {
        done.unwrap();
    }
    assert_eq!(bind.txt(NAME).await.unwrap().len(), 20);
}

#[tokio::test]
async fn refusals_say_who_must_act() {
    let zones = vec![
        Zone::new("example.test"),
        Zone::new("fixed.test").read_only(),
    ];
    let mut bind = Bind::start(zones).await.unwrap();
    let record = TxtRecord::new(NAME, "v");
    let other = "d3JvbmcgYnV0IGdvb2QgYmFzZTY0IGFsbCB0aGUgc2FtZQ==";

    for transport in ["tcp", "udp"] {
        let server = format!("{transport}://{}", bind.address());
        for changed in [("key", other), ("key_name", "nobody.test")] {
            let provider = provider(&bind, &[("nameserver", &server), changed]);
            let error = provider.set(&record).await.unwrap_err();

            let text = error.to_string();
            assert!(
                matches!(error, DnsError::Credentials { .. }),
                "{transport} {error:?}"
            );
            assert!(!error.is_temporary());
            assert!(
                text.contains("rfc2136, record _acme-challenge.example.test, zone example.test"),
                "{text}"
            );
            assert!(
                text.contains("check the options nameserver, key_name, key"),
                "{text}"
            );
            assert!(
                !text.contains(other) && !text.contains(bind.key()),
                "{text}"
            );
        }
    }

    let provider = provider(&bind, &[]);
    let fixed = TxtRecord::new("_acme-challenge.fixed.test", "v");
    let error = provider.set(&fixed).await.unwrap_err();

    assert!(matches!(error, DnsError::Credentials { .. }), "{error:?}");
    assert!(error.to_string().contains("zone fixed.test"), "{error}");

    let elsewhere = TxtRecord::new("_acme-challenge.example.com", "v");
    let error = provider.set(&elsewhere).await.unwrap_err();
    assert!(matches!(error, DnsError::Lookup { .. }), "{error:?}");

    assert!(bind.txt(NAME).await.unwrap().is_empty());
    bind.stop().unwrap();
    let told = self::provider(&bind, &[("zone", "example.test")]);
    let error = told.set(&record).await.unwrap_err();

    assert!(matches!(error, DnsError::Unavailable { .. }), "{error:?}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn the_option_zone_is_believed_and_checked() {
    let bind = Bind::start(vec![Zone::new("example.test")]).await.unwrap();
    let record = TxtRecord::new(NAME, "v");
    let right = provider(&bind, &[("zone", "Example.Test.")]);
    right.set(&record).await.unwrap();
    assert_eq!(bind.txt(NAME).await.unwrap(), ["v"]);

    let outside = provider(&bind, &[("zone", "other.test")])
        .set(&record)
        .await;
    let error = outside.unwrap_err();
    assert!(matches!(error, DnsError::NoZone { .. }), "{error:?}");

    // A zone the server does not have.
    let above = provider(&bind, &[("zone", "test")]).set(&record).await;
    let error = above.unwrap_err();

    assert!(matches!(error, DnsError::NoZone { .. }), "{error:?}");
}

#[tokio::test]
async fn a_challenge_is_followed_into_the_zone_it_is_delegated_to() {
    let zones = vec![
        Zone::new("example.test")
            .read_only()
            .record("_acme-challenge CNAME step")
            .record("step CNAME example.challenges.test.")
            .record("_acme-challenge.circle CNAME a")
            .record("a CNAME b")
            .record("b CNAME a"),
        Zone::new("challenges.test"),
    ];
    let bind = Bind::start(zones).await.unwrap();
    let lookup = lookup(&bind);
    let name = lookup
        .delegate(&challenge_name("*.example.test"))
        .await
        .unwrap();
    assert_eq!(name, "example.challenges.test");
    assert_eq!(lookup.zone(&name).await.unwrap(), "challenges.test");

    let record = TxtRecord::new(&name, "v");
    let provider = provider(&bind, &[]);
    provider.set(&record).await.unwrap();
    lookup.await_published(&record, LIMIT).await.unwrap();
    // What a CA sees at the challenge's own name.
    assert_eq!(bind.txt(NAME).await.unwrap(), ["v"]);
    provider.remove(&record).await.unwrap();
    assert!(bind.txt(&name).await.unwrap().is_empty());

    let circle = lookup
        .delegate(&challenge_name("circle.example.test"))
        .await;
    let error = circle.unwrap_err().to_string();
    assert_eq!(
        error,
        "the CNAMEs from _acme-challenge.circle.example.test lead in a circle: \
         _acme-challenge.circle.example.test -> a.example.test -> b.example.test -> \
         a.example.test; correct them"
    );
    let plain = lookup.delegate("_acme-challenge.www.example.test").await;
    assert_eq!(plain.unwrap(), "_acme-challenge.www.example.test");

    let off = lookup_with(&bind, |config| config.follow_delegation = false);
    let off = off.delegate(NAME).await;
    assert_eq!(off.unwrap(), NAME);
}

#[tokio::test]
async fn more_cnames_than_a_few_are_an_error() {
    let mut zone = Zone::new("example.test");
    for n in 0..12 {
        zone = zone.record(&format!("n{n} CNAME n{}", n + 1));
    }
    let bind = Bind::start(vec![zone]).await.unwrap();
    let error = lookup(&bind).delegate("n0.example.test").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("are too many: n0.example.test -> n1"),
        "{error}"
    );
    assert_eq!(
        lookup(&bind).delegate("n4.example.test").await.unwrap(),
        "n12.example.test"
    );
}

#[tokio::test]
async fn a_server_that_lags_is_named_and_awaited() {
    // An IPv6 address where nobody answers, beside IPv4: as on a host without IPv6.
    let zone = Zone::new("example.test")
        .with_secondary()
        .record("ns1 AAAA 100::1");
    let primary = Bind::start(vec![zone]).await.unwrap();
    let secondary = primary.secondary().await.unwrap();
    let (provider, lookup) = (provider(&primary, &[]), lookup(&primary));
    let record = TxtRecord::new(NAME, "v");

    let nowhere = lookup
        .await_published(&record, Duration::ZERO)
        .await
        .unwrap_err();
    let text = nowhere.to_string();
    assert!(
        text.contains("ns1.example.test shows no TXT record, ns2.example.test shows"),
        "{text}"
    );

    provider.set(&record).await.unwrap();
    let error = lookup.await_published(&record, SHORT).await.unwrap_err();

    let DnsError::Unpublished {
        zone,
        servers,
        waited,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(zone, "example.test");
    assert!((SHORT..SHORT * 2).contains(waited), "{waited:?}");
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(servers[0].server, "ns2.example.test");
    assert_eq!(servers[0].shows, "no TXT record");
    assert!(error.is_temporary());

    secondary.catch_up("example.test").await.unwrap();
    lookup.await_published(&record, LIMIT).await.unwrap();

    provider.remove(&record).await.unwrap();
    provider.set(&TxtRecord::new(NAME, "w")).await.unwrap();
    let error = lookup
        .await_published(&TxtRecord::new(NAME, "w"), SHORT)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("ns2.example.test shows \"v\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_not_waited_for_beyond_the_limit() {
    let zone = Zone::new("example.test").with_secondary();
    let primary = Bind::start(vec![zone]).await.unwrap();
    let mut secondary = primary.secondary().await.unwrap();
    let (provider, lookup) = (provider(&primary, &[]), lookup(&primary));
    let record = TxtRecord::new(NAME, "v");
    provider.set(&record).await.unwrap();

    secondary.kill();
    let began = tokio::time::Instant::now();
    lookup.await_published(&record, SHORT).await.unwrap();
    assert!(began.elapsed() >= SHORT, "it must be given its time");
}

#[tokio::test]
async fn the_check_can_be_off() {
    let bind = Bind::start(vec![Zone::new("example.test")]).await.unwrap();
    let off = Propagation::Wait(Duration::ZERO);
    let lookup = lookup_with(&bind, |config| config.propagation = off);
    let record = TxtRecord::new(NAME, "nowhere");
    lookup.await_published(&record, LIMIT).await.unwrap();
}
