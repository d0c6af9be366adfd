//! Forced renewals under load fail no connection and reach every node.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_fails() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::renewal_under_load::run().await?;
    println!("renewal_under_load: {figures}");
    Ok(())
}
