//! When the CA suggests to renew (ARI, RFC 9773): one node asks and draws, the whole fleet keeps to
//! it, and the order says which certificate it replaces.
//!
//! Pebble suggests two days around two thirds of the lifetime. For a certificate of a minute that is
//! all of it, but for what certfleet leaves out at both ends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certfleet_store::event::{Event, EventKind};
use certfleet_testkit::{
    fleet::{LocalFleet, Options},
    pebble::PebbleOptions,
};
use tokio::time::{Instant, sleep};

const STEP: Duration = Duration::from_secs(30);
const VALIDITY: Duration = Duration::from_secs(60);

fn options(validity: Option<Duration>) -> Options {
    let mut ca = PebbleOptions::new(0);
    ca.validity = validity.unwrap_or(ca.validity);
    Options {
        certificates: vec!["a.certfleet.test"],
        ca,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_is_drawn_once_in_the_window_and_is_when_it_is_due() -> Result<()> {
    let fleet = LocalFleet::serving(options(None)).await?;
    let mut watch = fleet.watch();
    let suggested = watch
        .until(&fleet.redis, "a suggestion", STEP, is(EventKind::Suggested))
        .await?;
    let [drawn, start, end] = times(&suggested)?;
    ensure!(start <= drawn && drawn <= end, "{}", suggested.detail);
    let id = fleet.id(0);
    for node in &fleet.nodes {
        let shown = node.run(&["show", id.as_str(), "--json"]).await?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        for place in [&shown["suggestion"]["selected"], &shown["due_at"]] {
            ensure!(place == drawn.as_str(), "{drawn} was drawn: {shown}");
        }
    }
    // None of the others has drawn as well, though each looks again and again.
    let mut others = 0;
    while let Some(event) = watch.next(&fleet.redis).await? {
        others += usize::from(event.kind == EventKind::Suggested);
    }
    ensure!(others == 0, "{others} further suggestions");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_renewed_within_the_window_and_says_what_it_replaces() -> Result<()> {
    let fleet = LocalFleet::serving(options(Some(VALIDITY))).await?;
    let mut watch = fleet.watch();
    let suggested = watch
        .until(&fleet.redis, "a suggestion", STEP, is(EventKind::Suggested))
        .await?;
    let [drawn, start, end] = times(&suggested)?;
    ensure!(start <= drawn && drawn <= end, "{}", suggested.detail);
    let renewed = watch
        .until(&fleet.redis, "a renewal", VALIDITY, |event| {
            event.kind == EventKind::Committed && event.detail.contains("generation 2 ")
        })
        .await?;
    let at = renewed.at.to_string();
    ensure!(
        start <= at && at <= end,
        "renewed {at}: {}",
        suggested.detail
    );
    // It may be renewed again by now, and the two counts are not read at once.
    let until = Instant::now() + STEP;
    while fleet.pebble.orders() != fleet.pebble.replacements() + 1 {
        ensure!(
            Instant::now() < until,
            "{} orders, of which {} are replacements",
            fleet.pebble.orders(),
            fleet.pebble.replacements()
        );
        sleep(Duration::from_millis(10)).await;
    }
    ensure!(fleet.pebble.replacements() >= 1, "nothing was replaced");
    Ok(())
}

fn is(kind: EventKind) -> impl Fn(&Event) -> bool {
    move |event| event.kind == kind
}

/// The time that was drawn, and the start and end of the window, as they are written; so written,
/// an earlier one is a smaller text.
fn times(suggested: &Event) -> Result<[String; 3]> {
    let detail = &suggested.detail;
    let parse = || {
        let (_, rest) = detail.split_once("renew at ")?;
        let (drawn, rest) = rest.split_once(" (window ")?;
        let (start, rest) = rest.split_once(" to ")?;
        let (end, _) = rest.split_once(')')?;
        Some([drawn, start, end].map(str::to_owned))
    };
    parse().with_context(|| format!("no suggestion: {detail}"))
}
