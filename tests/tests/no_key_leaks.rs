//! No private key is in a dump, a file or a log.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_anywhere() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::no_key_leaks::run().await?;
    println!("no_key_leaks: {figures}");
    Ok(())
}
