//! A holder that was paused cannot overwrite what was committed meanwhile.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newer_certificate_stays() -> anyhow::Result<()> {
    let figures = certfleet_testkit::scenario::paused_holder::run().await?;
    println!("paused_holder: {figures}");
    Ok(())
}
