//! A slow way to a server: what either side says arrives late, and all that is under way can be lost.
//!
//! It stands between a fleet and its CA, so that whatever a node does lasts long enough to be
//! interrupted: who is killed within the delay after an answer has not been heard again.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::process::free_address;

/// How much is passed on at a time.
const CHUNK: usize = 16 * 1024;

type Connections = Arc<Mutex<JoinSet<()>>>;

/// A running relay; its connections end when it is dropped.
#[derive(Debug)]
pub struct Relay {
    front: SocketAddr,
    connections: Connections,
    task: AbortHandle,
}

impl Relay {
    /// Starts one in front of `back`, which passes everything on `delay` late.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(back: SocketAddr, delay: Duration) -> Result<Self> {
        let front = free_address()?;
        let listener = TcpListener::bind(front)
            .await
            .with_context(|| format!("cannot listen on {front}"))?;
        let connections = Connections::default();
        let task = tokio::spawn(accept(listener, Arc::clone(&connections), back, delay));
        Ok(Self {
            front,
            connections,
            task: task.abort_handle(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.front
    }

    /// Ends every connection; what was under way never arrives.
    pub fn cut(&self) {
        let mut connections = lock(&self.connections);
        connections.abort_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    connections: Connections,
    back: SocketAddr,
    delay: Duration,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut connections = lock(&connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(pass_on(client, back, delay));
    }
}

async fn pass_on(client: TcpStream, back: SocketAddr, delay: Duration) {
    let Ok(server) = TcpStream::connect(back).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        one_way(from_client, to_server, delay),
        one_way(from_server, to_client, delay)
    );
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        sleep(delay).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
    // The other end may be gone already.
    let _ = to.shutdown().await;
}

fn lock(connections: &Connections) -> std::sync::MutexGuard<'_, JoinSet<()>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn is_late_and_loses_what_is_under_way() {
        let back = TcpListener::bind(free_address().unwrap()).await.unwrap();
        let delay = Duration::from_millis(50);
        let relay = Relay::start(back.local_addr().unwrap(), delay);
        let relay = relay.await.unwrap();
        let mut client = TcpStream::connect(relay.address()).await.unwrap();
        let (mut server, _) = back.accept().await.unwrap();
        let start = Instant::now();
        client.write_all(b"one").await.unwrap();
        let mut text = [0; 3];
        server.read_exact(&mut text).await.unwrap();
        assert!(start.elapsed() >= delay, "{:?}", start.elapsed());

        client.write_all(b"two").await.unwrap();
        relay.cut();
        let mut rest = String::new();
        let _ = server.read_to_string(&mut rest).await;
        assert_eq!(rest, "");
        assert!(TcpStream::connect(relay.address()).await.is_ok());
    }
}
