//! A CA that makes no account without an external one: a fleet that has it gets its certificate,
//! one that does not is told what to set, and the alarm is raised.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use certfleet_store::event::EventKind;
use certfleet_testkit::{
    fleet::{LocalFleet, Options},
    pebble::PebbleOptions,
};

const STEP: Duration = Duration::from_secs(30);
const KEY_ID: &str = "kid-1";
/// 32 bytes in base64url.
const MAC_KEY: &str = "dGhlIGtleSBvZiBhIHRlc3QsIDMyIGJ5dGVzIGxvbmc";

fn options(environment: BTreeMap<&'static str, String>) -> Options {
    let keys = BTreeMap::from([(KEY_ID.to_owned(), MAC_KEY.to_owned())]);
    Options {
        certificates: vec!["a.certfleet.test"],
        ca: PebbleOptions {
            external_account_keys: keys,
            ..PebbleOptions::new(0)
        },
        environment,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_with_an_external_account_is_bound_to_it_once() -> Result<()> {
    let fleet = LocalFleet::serving(options(BTreeMap::from([
        ("CERTFLEET_ACME_EAB_KEY_ID", KEY_ID.to_owned()),
        ("CERTFLEET_ACME_EAB_MAC_KEY", MAC_KEY.to_owned()),
    ])))
    .await?;
    ensure!(
        (fleet.pebble.accounts(), fleet.pebble.bindings()) == (1, 1),
        "{} accounts, {} bound",
        fleet.pebble.accounts(),
        fleet.pebble.bindings()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_without_one_says_what_to_set_and_raises_the_alarm() -> Result<()> {
    let fleet = LocalFleet::start(options(BTreeMap::new())).await?;
    let mut watch = fleet.watch();
    let alarm = watch
        .until(&fleet.redis, "the alarm", STEP, |event| {
            event.kind == EventKind::Alarm
        })
        .await?;
    let shown = fleet.show(0).await?;
    for told in [&alarm.detail, &shown] {
        ensure!(
            told.contains("external account binding: configure the key id and the MAC key"),
            "{told}"
        );
    }
    let mut raised = 0.0;
    for node in &fleet.nodes {
        let metrics = node.metrics().await?;
        raised += metrics.sum("certificate_update_alarm").unwrap_or_default();
    }
    ensure!(raised >= 1.0, "no node's metrics tell of the alarm");
    ensure!(fleet.pebble.orders() == 0, "ordered without an account");
    Ok(())
}
