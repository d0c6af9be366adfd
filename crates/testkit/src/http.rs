//! One plain HTTP/1.1 request to a loopback port, bounded in time and size.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, body::Body, client::conn::http1, header};
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
    send(address, Method::GET, path, "").await
}

/// The status and body of what `address` answers to a request with a body of JSON, or without one
/// if it is empty.
///
/// # Errors
/// Those of [`get`].
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    json: &str,
) -> Result<(u16, String)> {
    let what = format!("{method} http://{address}{path}");
    let answer = async {
        let stream = TcpStream::connect(address).await?;
        let request = request(&address.to_string(), method, path, json)?;
        over(stream, request).await
    };
    timeout(LIMIT, answer)
        .await
        .with_context(|| format!("no answer within {LIMIT:?}"))
        .flatten()
        .context(what)
}

/// One GET over a connection that is there already, which it closes.
pub(crate) async fn exchange<S>(stream: S, host: &str, path: &str) -> Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    over(stream, request(host, Method::GET, path, "")?).await
}

fn request(host: &str, method: Method, path: &str, json: &str) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close");
    if !json.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    Ok(request.body(Full::new(Bytes::from(json.to_owned())))?)
}

async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
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
