//! The first certificate is verified through the balancer and is the same on all nodes.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verified_and_the_same_everywhere() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::first_issuance::run().await?;
    println!("first_issuance: {figures}");
    Ok(())
}
