//! The fleet's certificates in a server of one's own: here `axum::serve` on the fleet's listener,
//! with the settings in code. `Running::server_config` serves any other rustls server as well.

use axum::{Router, routing::get};
use certfleet::Fleet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let running = Fleet::builder()
        .certificate("localhost")
        .acme_directory("built-in")
        .data_dir("/tmp/certfleet-example")
        .master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .http_addr("127.0.0.1:8080")
        .https_addr("127.0.0.1:8443")
        .build()?
        .start()
        .await?;
    let app = Router::new().route("/", get(|| async { "hello\n" }));
    axum::serve(running.listener().await?, app)
        .with_graceful_shutdown(certfleet::shutdown::signal())
        .await?;
    running.stop().await;
    Ok(())
}
