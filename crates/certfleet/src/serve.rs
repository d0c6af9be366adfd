//! Serving: the HTTP and the HTTPS port, by axum, until told to stop.
//!
//! [`Port`] is what `axum::serve` takes; handlers find the client's address as
//! `ConnectInfo<ClientAddr>`.

use std::{future::IntoFuture, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use certfleet_tls::{Protocol, Tls};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// A port of the node, whose limits hold for every connection.
#[derive(Debug)]
pub struct Port<P: Protocol>(pub(crate) certfleet_tls::Listener<P>);

/// Accepts TLS connections with the fleet's certificates; hand it to `axum::serve`.
pub type HttpsListener = Port<Tls>;

impl<P: Protocol> Listener for Port<P>
where
    P::Stream: AsyncRead + AsyncWrite + Unpin,
{
    type Io = P::Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The client of a connection: its peer, or whom a trusted balancer names; handlers extract `ConnectInfo<ClientAddr>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub SocketAddr);

impl<P: Protocol> Connected<IncomingStream<'_, Port<P>>> for ClientAddr
where
    P::Stream: AsyncRead + AsyncWrite + Unpin,
{
    fn connect_info(stream: IncomingStream<'_, Port<P>>) -> Self {
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
