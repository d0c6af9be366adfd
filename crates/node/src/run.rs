//! `certfleet run`: a node from its start to its orderly end.
//!
//! All ports are had before anything is served. The admin port answers as long as the node runs,
//! draining included.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use certfleet::{Config, Fleet, FleetError, Running};
use tokio::net::TcpListener;

use crate::{admin, failure::Failure, page, signals};

/// Runs a node until it is asked to end.
pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    run_then(config, || Ok(())).await
}

/// Runs a node, and does `started` once it has.
pub(crate) async fn run_then(
    config: Config,
    started: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stop = pin!(signals::stop());
    let config = Arc::new(config);
    let (running, admin) = tokio::select! {
        node = start(&config) => node?,
        () = &mut stop => return Ok(()),
    };
    started()?;
    let handle = running.handle();
    let address = admin.local_addr().map_err(Failure::Admin)?;
    let router = admin::router(config, address, handle.clone());
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = running.serve(page::router(handle), stop);
    tokio::select! {
        // In this order: whoever reads on the admin port that the node is ready finds HTTPS there.
        biased;
        served = serving => Ok(served?),
        gone = axum::serve(admin, router).into_future() => {
            Err(Failure::Admin(gone.err().unwrap_or_else(|| std::io::ErrorKind::BrokenPipe.into())))
        }
    }
}

async fn start(config: &Config) -> Result<(Running, TcpListener), Failure> {
    let address = config.admin_addr;
    let admin = TcpListener::bind(address)
        .await
        .map_err(|source| FleetError::Listen {
            address,
            setting: "CERTFLEET_ADMIN_ADDR",
            source,
        })?;
    tracing::info!(node = %config.node, fleet = %config.fleet, %address, "starting");
    let running = Fleet::new(config.clone()).start().await?;
    Ok((running, admin))
}
