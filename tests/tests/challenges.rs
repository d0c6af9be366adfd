//! Every way of validation through a fleet of three nodes, and what is left of it: nothing.
//!
//! The CA comes in by the balancer, with the PROXY protocol and without, several times for each
//! challenge, so that it meets nodes that did not order. The name server is BIND.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use certfleet_store::event::EventKind;
use certfleet_testkit::{
    bind::{Bind, Zone},
    fleet::{LocalFleet, Options},
    pebble::PebbleOptions,
    process::free_address,
};

const STEP: Duration = Duration::from_secs(30);
/// How long an answer lingers on the board, and a little more.
const LINGER: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_validation_gets_its_certificate_and_leaves_nothing() -> Result<()> {
    let bind = Bind::resolver(vec![
        Zone::new("certfleet.test")
            .record("base A 127.0.0.1")
            .record("web A 127.0.0.1")
            .record("tls A 127.0.0.1"),
        Zone::new("frozen.test")
            .read_only()
            .record("_acme-challenge.www CNAME www.delegated.test."),
        Zone::new("delegated.test"),
    ])
    .await?;
    let mut fleet = LocalFleet::serving(Options {
        certificates: vec!["base.certfleet.test"],
        ca: PebbleOptions {
            dns_server: Some(bind.address()),
            ..PebbleOptions::new(0)
        },
        proxy_protocol: true,
        environment: bind.settings(),
        ..Options::default()
    })
    .await?;
    let mut watch = fleet.watch_from_now().await?;
    for (names, kind, records) in [
        ("web.certfleet.test", "http-01", None),
        ("tls.certfleet.test", "tls-alpn-01", None),
        (
            "wild.certfleet.test+*.wild.certfleet.test",
            "dns-01",
            Some("_acme-challenge.wild.certfleet.test"),
        ),
        ("www.frozen.test", "dns-01", Some("www.delegated.test")),
    ] {
        let (orders, answered) = (fleet.pebble.orders(), answered(&fleet).await?);
        let added = fleet.add(names, &["--challenge", kind]).await?;
        let up = watch.until(&fleet.redis, "an answer is up", STEP, |event| {
            event.kind == EventKind::OrderStep && event.detail.contains(" answer for ")
        });
        let up = up.await?;
        ensure!(up.detail.contains(kind), "{kind}: {}", up.detail);
        let done = watch.until(&fleet.redis, "the certificate", STEP, |event| {
            matches!(event.kind, EventKind::Committed | EventKind::AttemptFailed)
        });
        let done = done.await?;
        ensure!(
            done.kind == EventKind::Committed,
            "{names}: {}",
            done.detail
        );
        fleet.converged(added, "", STEP).await?;
        ensure!(fleet.pebble.orders() == orders + 1, "{names}: more orders");
        if let Some(name) = records {
            let left = bind.txt(name).await?;
            ensure!(left.is_empty(), "left at {name}: {left:?}");
        }
        if kind == "tls-alpn-01" {
            let now = self::answered(&fleet).await?;
            let others = now.iter().filter(|(node, count)| {
                node.as_str() != up.node.as_str() && answered.get(*node) != Some(count)
            });
            ensure!(others.count() > 0, "none but {} answered: {now:?}", up.node);
        }
    }
    fleet.cleared(LINGER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_way_is_tried_at_once_where_one_fails() -> Result<()> {
    let zone = Zone::new("certfleet.test").record("a A 127.0.0.1");
    let bind = Bind::start(vec![zone]).await?;
    // Until a certificate is served the balancer sends no HTTPS, so the first comes by the DNS.
    let mut environment = bind.settings();
    environment.insert("CERTFLEET_CHALLENGES", "dns-01".to_owned());
    let mut fleet = LocalFleet::serving(Options {
        certificates: vec!["base.certfleet.test"],
        ca: PebbleOptions {
            dns_server: Some(bind.address()),
            // Port 80 leads nowhere.
            ..PebbleOptions::new(free_address()?.port())
        },
        environment,
        ..Options::default()
    })
    .await?;
    let orders = fleet.pebble.orders();
    let mut watch = fleet.watch_from_now().await?;
    let terms = ["--challenge", "http-01,tls-alpn-01"];
    let added = fleet.add("a.certfleet.test", &terms).await?;
    let failed = watch
        .until(&fleet.redis, "a failure", STEP, |event| {
            event.kind == EventKind::AttemptFailed
        })
        .await?;
    ensure!(failed.detail.contains("http-01"), "{}", failed.detail);
    let committed = watch
        .until(&fleet.redis, "a success", STEP, |event| {
            event.kind == EventKind::Committed
        })
        .await?;
    let after = committed.at.since(failed.at);
    ensure!(
        after < Duration::from_secs(5),
        "tried again after {after:?}"
    );
    fleet.converged(added, "", STEP).await?;
    let shown = fleet.show(added).await?;
    ensure!(
        shown.contains("attempt_failed") && shown.contains("by http-01"),
        "{shown}"
    );
    let used = fleet.pebble.orders() - orders;
    ensure!(used == 2, "{used} orders");
    fleet.cleared(LINGER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_a_certificate_too() -> Result<()> {
    let mut fleet = LocalFleet::serving(Options {
        certificates: vec!["127.0.0.1"],
        ca: PebbleOptions {
            authz_reuse: 0,
            ..PebbleOptions::new(0)
        },
        ..Options::default()
    })
    .await?;
    let first = fleet.converged(0, "", STEP).await?;
    fleet
        .add("127.0.0.1", &["--challenge", "tls-alpn-01"])
        .await?;
    fleet.renew(0).await?;
    fleet.converged(0, &first, STEP).await?;
    fleet.cleared(LINGER).await
}

/// How many TLS-ALPN-01 challenges each node has answered.
async fn answered(fleet: &LocalFleet) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for node in &fleet.nodes {
        let metrics = node.metrics().await?;
        let count = metrics.sum_where("certfleet_tls_handshakes_total", "result=\"challenge\"");
        let count = count.map(|count| format!("{count:.0}").parse());
        counts.insert(node.id().to_owned(), count.transpose()?.unwrap_or_default());
    }
    Ok(counts)
}
