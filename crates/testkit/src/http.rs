//! One plain HTTP/1.1 request to a loopback port, bounded in time and size.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, body::Body, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// How long a request may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The status and body of what `address` answers to GET `path`.
///
/// # Errors
/// If it does not answer in time, or not by HTTP.
pub async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let answer = async {
        let stream = TcpStream::connect(address).await?;
        exchange(stream, &address.to_string(), path).await
    };
    timeout(LIMIT, answer)
        .await
        .with_context(|| format!("no answer to GET {path} within {LIMIT:?}"))?
        .with_context(|| format!("GET http://{address}{path}"))
}

/// One GET over a connection that is there already, which it closes.
pub(crate) async fn exchange<S>(stream: S, host: &str, path: &str) -> Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, text(response.into_body()).await?))
    };
    tokio::pin!(connection);
    tokio::pin!(answer);
    // The connection is driven while the answer is awaited; it may end first, once all is read.
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

async fn text<B>(body: B) -> Result<String>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("read the body: {error}"))?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
