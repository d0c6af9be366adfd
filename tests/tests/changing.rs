//! Certificates added and removed while the fleet runs, by the command and by the admin port: all
//! nodes serve what is added, one that starts later too, and none serves what is removed.

use std::time::Duration;

use anyhow::{Result, ensure};
use certfleet_testkit::fleet::{LocalFleet, Options};

const STEP: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_added_is_served_and_what_is_removed_is_not() -> Result<()> {
    let mut fleet = LocalFleet::serving(Options::default()).await?;
    let base = fleet.converged(0, "", STEP).await?;

    let added = fleet.add("c.certfleet.test+d.certfleet.test", &[]).await?;
    let serial = fleet.converged(added, "", STEP).await?;
    fleet.join("node-4").await?;
    let later = fleet.converged(added, "", STEP).await?;
    ensure!(later == serial, "node-4 serves {later}, not {serial}");
    let id = fleet.id(added);
    fleet.nodes[3].run(&["remove", id.as_str()]).await?;
    fleet.gone(added, STEP).await?;
    let listed = fleet.nodes[0].run(&["list"]).await?;
    ensure!(!listed.contains(id.as_str()), "{listed}");

    let body = r#"{"names": ["e.certfleet.test"]}"#;
    let (status, said) = fleet.nodes[1].admin("POST", "/certificates", body).await?;
    ensure!(status == 202, "{status}: {said}");
    let added = fleet.expect("e.certfleet.test")?;
    fleet.converged(added, "", STEP).await?;
    fleet.join("node-5").await?;
    let path = format!("/certificates/{}", fleet.id(added));
    let (status, said) = fleet.nodes[2].admin("DELETE", &path, "").await?;
    ensure!(status == 204, "{status}: {said}");
    fleet.gone(added, STEP).await?;

    // The others are as they were, and nothing was ordered twice.
    let now = fleet.converged(0, "", STEP).await?;
    ensure!(now == base, "{now} is served, not {base}");
    ensure!(
        fleet.pebble.orders() == 3,
        "{} orders for 3 certificates",
        fleet.pebble.orders()
    );
    Ok(())
}
