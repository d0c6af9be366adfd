//! What is agreed with a client before its connection is handed on: TLS, or nothing.

use std::{fmt, io, sync::Arc};

use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The beginning of a connection.
pub trait Protocol: Clone + Send + 'static {
    /// What a connection is once it has begun.
    type Stream: Send + 'static;

    /// Begins one. It is dropped when it takes too long.
    fn begin(self, tcp: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The TLS session of a connection, if it has one.
    fn session(stream: &Self::Stream) -> Option<&ServerConnection>;
}

/// TLS, by a handshake.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl From<Arc<ServerConfig>> for Tls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(config.into())
    }
}

impl Protocol for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn begin(self, tcp: TcpStream) -> io::Result<Self::Stream> {
        self.0.accept(tcp).await
    }

    fn session(stream: &Self::Stream) -> Option<&ServerConnection> {
        Some(stream.get_ref().1)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").finish_non_exhaustive()
    }
}

/// Nothing: bytes as they come.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Protocol for Plain {
    type Stream = TcpStream;

    async fn begin(self, tcp: TcpStream) -> io::Result<Self::Stream> {
        Ok(tcp)
    }

    fn session(_: &Self::Stream) -> Option<&ServerConnection> {
        None
    }
}
