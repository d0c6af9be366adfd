//! `certfleet revoke` for a compromised key: a new key and certificate first, by one order for the
//! whole fleet, then the revocation; no client sees anything of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use certfleet_store::event::EventKind;
use certfleet_testkit::{
    fleet::{LocalFleet, Options},
    load::Load,
    pebble::CertificateStatus,
};

const STEP: Duration = Duration::from_secs(30);
/// How many connections there are at the least, half of them before it is asked for.
const CONNECTIONS: usize = 400;
/// `keyCompromise` (RFC 5280, 5.3.1).
const KEY_COMPROMISE: u8 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compromised_key_is_replaced_and_then_revoked() -> Result<()> {
    let fleet = LocalFleet::serving(Options::default()).await?;
    let old = fleet.converged(0, "", STEP).await?;
    let bundle = fleet.bundle(0).await?;
    let orders = fleet.pebble.orders();
    let load = Load::start(
        fleet.client.clone(),
        fleet.plan(4, Duration::ZERO, CONNECTIONS * 100),
    );
    load.reach(CONNECTIONS / 2, STEP).await?;

    let mut watch = fleet.watch_from_now().await?;
    let id = fleet.id(0);
    let command = ["revoke", id.as_str(), "--reason", "keyCompromise"];
    fleet.nodes[1].run(&command).await?;
    let new = fleet.converged(0, &old, STEP).await?;
    let revoked = watch
        .until(&fleet.redis, "the revocation", STEP, |event| {
            matches!(event.kind, EventKind::Revoked)
        })
        .await?;
    ensure!(revoked.detail.contains(&old), "{}", revoked.detail);
    load.reach(load.done() + CONNECTIONS / 2, STEP).await?;
    let outcome = load.stop().await?;
    outcome.check(CONNECTIONS)?;

    let reason = Some(KEY_COMPROMISE);
    let status = fleet.pebble.certificate_status(&old).await?;
    ensure!(
        status == CertificateStatus::Revoked { reason },
        "{old} is {status:?}"
    );
    let status = fleet.pebble.certificate_status(&new).await?;
    ensure!(status == CertificateStatus::Valid, "{new} is {status:?}");
    let renewed = fleet.bundle(0).await?;
    ensure!(
        renewed.key().secret_der() != bundle.key().secret_der(),
        "the key is the old one"
    );
    ensure!(
        fleet.pebble.orders() == orders + 1,
        "{} orders for one replacement",
        fleet.pebble.orders() - orders
    );
    println!("revocation: {outcome}");
    Ok(())
}
