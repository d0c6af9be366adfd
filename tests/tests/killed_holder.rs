//! Another node finishes what a killed holder has begun, in time and once.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_finishes_once() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::killed_holder::run().await?;
    println!("killed_holder: {figures}");
    Ok(())
}
