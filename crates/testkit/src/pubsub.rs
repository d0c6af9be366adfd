//! A bare Redis PUBLISH round trip: the floor under every propagation figure.
//!
//! Two plain connections, one that publishes and one that is subscribed, in the inline form of
//! Redis's protocol; nothing of certfleet is between them.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::latency::Latencies;

/// A channel that no fleet uses.
const CHANNEL: &str = "certfleet-testkit-round-trip";
/// How long one line may take to come.
const LIMIT: Duration = Duration::from_secs(2);

type Connection = BufReader<TcpStream>;

/// From the moment PUBLISH is sent until the subscriber has the whole message, `count` times.
///
/// # Errors
/// If Redis does not answer as expected.
pub async fn round_trips(redis: SocketAddr, count: usize) -> Result<Latencies> {
    let mut subscriber = connect(redis).await?;
    send(&mut subscriber, &format!("SUBSCRIBE {CHANNEL}")).await?;
    expect(&mut subscriber, ":1").await?;
    let mut publisher = connect(redis).await?;
    let mut latencies = Latencies::default();
    for number in 0..count {
        let message = format!("message-{number}");
        let start = Instant::now();
        send(&mut publisher, &format!("PUBLISH {CHANNEL} {message}")).await?;
        expect(&mut subscriber, &message).await?;
        latencies.add(start.elapsed());
        expect(&mut publisher, ":1").await?;
    }
    Ok(latencies)
}

async fn connect(redis: SocketAddr) -> Result<Connection> {
    let stream = TcpStream::connect(redis)
        .await
        .context("connect to Redis")?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

async fn send(connection: &mut Connection, command: &str) -> Result<()> {
    connection
        .write_all(format!("{command}\r\n").as_bytes())
        .await
        .context("write to Redis")
}

/// Reads lines until `wanted` comes.
async fn expect(connection: &mut Connection, wanted: &str) -> Result<()> {
    loop {
        let mut line = String::new();
        let read = timeout(LIMIT, connection.read_line(&mut line)).await;
        let read = read.with_context(|| format!("Redis does not answer {wanted}"))??;
        ensure!(read > 0, "Redis closed the connection before {wanted}");
        ensure!(!line.starts_with('-'), "Redis: {line}");
        if line.trim_end() == wanted {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::RedisServer;

    #[tokio::test]
    async fn measures_each_round_trip() {
        let redis = RedisServer::start().await.unwrap();
        let latencies = round_trips(redis.address(), 50).await.unwrap();
        assert_eq!(latencies.count(), 50);
        assert!(latencies.percentile(0.0) > Duration::ZERO);
    }
}
