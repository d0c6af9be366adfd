//! What is agreed with a client before its connection is handed on: TLS, or nothing.

use std::{fmt, io, sync::Arc};

use rustls::{ServerConfig, ServerConnection, server::Acceptor};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{
    challenge::{self, Challenges},
    on_demand::Demands,
    stats::Stats,
};

/// The beginning of a connection.
pub trait Protocol: Clone + Send + 'static {
    /// What a connection is once it has begun.
    type Stream: Send + 'static;

    /// Begins one, counting in `stats` what goes on meanwhile. It is dropped when it takes too
    /// long. `None` is for one that ended as it should without anything to hand on.
    fn begin(
        self,
        tcp: TcpStream,
        stats: &Stats,
    ) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send;

    /// The TLS session of a connection, if it has one.
    fn session(stream: &Self::Stream) -> Option<&ServerConnection>;
}

/// TLS, by a handshake.
///
/// The client's first message is read before anything is decided, because it may be a CA's
/// question, or ask for a name whose certificate is yet to be had. All others go on as they came.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    pub(crate) challenges: Option<Challenges>,
    pub(crate) demands: Option<Demands>,
}

impl From<Arc<ServerConfig>> for Tls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            config,
            challenges: None,
            demands: None,
        }
    }
}

impl Protocol for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn begin(self, tcp: TcpStream, stats: &Stats) -> io::Result<Option<Self::Stream>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        if challenge::is_asked(&start.client_hello()) {
            let provider = self.config.crypto_provider();
            challenge::respond(start, self.challenges.as_ref(), provider).await?;
            return Ok(None);
        }
        if let Some(demands) = &self.demands
            && let Some(name) = demands.missing(start.client_hello().server_name())
        {
            stats.demanded(demands.obtain(&name).await);
        }
        start.into_stream(self.config).await.map(Some)
    }

    fn session(stream: &Self::Stream) -> Option<&ServerConnection> {
        Some(stream.get_ref().1)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Nothing: bytes as they come.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Protocol for Plain {
    type Stream = TcpStream;

    async fn begin(self, tcp: TcpStream, _: &Stats) -> io::Result<Option<Self::Stream>> {
        Ok(Some(tcp))
    }

    fn session(_: &Self::Stream) -> Option<&ServerConnection> {
        None
    }
}
