//! An axum program as a node of a fleet: one line more than without TLS.
//!
//! ```sh
//! CERTFLEET_DOMAINS=localhost CERTFLEET_ACME_DIRECTORY=built-in CERTFLEET_DATA_DIR=/tmp/fleet \
//! CERTFLEET_HTTP_ADDR=127.0.0.1:8080 CERTFLEET_HTTPS_ADDR=127.0.0.1:8443 \
//! CERTFLEET_MASTER_KEY=$(certfleet key generate) cargo run --example axum
//! ```

use axum::{Router, extract::ConnectInfo, routing::get};
use certfleet::{ClientAddr, Fleet, FleetError};

#[tokio::main]
async fn main() -> Result<(), FleetError> {
    let app = Router::new().route("/", get(hello));
    Fleet::from_env()?.serve(app).await
}

async fn hello(ConnectInfo(ClientAddr(client)): ConnectInfo<ClientAddr>) -> String {
    format!("hello, {client}\n")
}
