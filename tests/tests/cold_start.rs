//! Three nodes started at once with an empty Redis make one account and one order.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_and_one_order() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::cold_start::run().await?;
    println!("cold_start: {figures}");
    Ok(())
}
