//! HTTPS goes on while Redis is away, and the fleet heals by itself.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_never_fails_and_the_fleet_heals() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::redis_outage::run().await?;
    println!("redis_outage: {figures}");
    Ok(())
}
