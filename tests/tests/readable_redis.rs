//! An operator reads a certificate in Redis by the commands that README shows.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_and_openssl_show_it() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::readable_redis::run().await?;
    println!("readable_redis: {figures}");
    Ok(())
}
