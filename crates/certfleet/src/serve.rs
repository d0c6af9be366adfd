//! Serving: the HTTP and the HTTPS port, by axum, until told to stop.
//!
//! [`HttpsListener`] is what `axum::serve` takes; handlers find the client's address as
//! `ConnectInfo<ClientAddr>`.

use std::{future::IntoFuture, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use certfleet_tls::Listener as TlsListener;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Accepts TLS connections with the fleet's certificates; hand it to `axum::serve`.
#[derive(Debug)]
pub struct HttpsListener(pub(crate) TlsListener);

impl Listener for HttpsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The address a connection came from; handlers extract `ConnectInfo<ClientAddr>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub SocketAddr);

impl Connected<IncomingStream<'_, HttpsListener>> for ClientAddr {
    fn connect_info(stream: IncomingStream<'_, HttpsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for ClientAddr {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves `router` on `listener` until `stop`, then lets requests finish for `drain` at the most.
pub(crate) async fn serve<L>(
    listener: L,
    router: Router,
    stop: CancellationToken,
    drain: Duration,
) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    ClientAddr: for<'a> Connected<IncomingStream<'a, L>>,
{
    let service = router.into_make_service_with_connect_info::<ClientAddr>();
    let stopped = stop.clone();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopped.cancelled().await })
        .into_future();
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = stop.cancelled() => {}
    }
    timeout(drain, serving).await.unwrap_or_else(|_| {
        tracing::warn!("connections were still open when the time to drain was over");
        Ok(())
    })
}
