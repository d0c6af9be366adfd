//! `certfleet healthcheck`: asks the node beside it how it is, for container engines that run a
//! command to find out.
//!
//! One request in plain HTTP to the admin port, within a time; nothing of the fleet is opened.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{failure::Failure, output};

/// How long the node may take to answer; less than engines wait for the command.
const LIMIT: Duration = Duration::from_secs(5);
/// How much of the answer is read.
const LONGEST: u64 = 1 << 20;

/// Whether the node with this admin address is ready, or else `live`s at all; prints one line.
pub(crate) async fn healthcheck(admin: SocketAddr, live: bool) -> Result<(), Failure> {
    let (path, healthy) = if live {
        ("/healthz", "alive")
    } else {
        ("/readyz", "ready")
    };
    let address = reachable(admin);
    let problem = match timeout(LIMIT, ask(address, path)).await {
        Ok(Ok(answer)) => match judge(&answer) {
            Ok(()) => return output::text(&format!("{healthy}\n")),
            Err(problem) => problem,
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", LIMIT.as_secs()),
    };
    Err(Failure::Unhealthy {
        wanted: healthy,
        url: format!("http://{address}{path}"),
        problem,
    })
}

/// Where to reach what is bound to `address`, which may be every address of the host.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, address.port()).into()
}

/// The whole answer. In HTTP/1.0 it ends where the connection does.
async fn ask(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// What the node says if it is not well.
#[derive(Default, Deserialize)]
struct Reasons {
    #[serde(default)]
    reasons: Vec<String>,
}

/// Whether an answer says that all is well; if not, why.
fn judge(answer: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut words = head.split_ascii_whitespace();
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next() {
        Some("200") if http => Ok(()),
        Some(status) if http => {
            let said: Reasons = serde_json::from_str(body).unwrap_or_default();
            Err([vec![format!("status {status}")], said.reasons]
                .concat()
                .join("; "))
        }
        _ => Err("the answer is no HTTP; does something else listen there?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Asks a port that answers the path it is asked for with `answer`.
    async fn outcome(answer: &'static str, live: bool) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let everywhere: IpAddr = Ipv4Addr::UNSPECIFIED.into();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let outcome = healthcheck((everywhere, address.port()).into(), live).await;
        let path = if live { "/healthz" } else { "/readyz" };
        let request = server.await.unwrap();
        assert!(request.starts_with(&format!("GET {path} ")), "{request}");
        let url = format!("http://{address}{path}");
        outcome.map_err(|failure| failure.one_line().replace(&url, "URL"))
    }

    #[tokio::test]
    async fn tells_well_from_not_well() {
        let ready = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(outcome(ready, false).await, Ok(()));
        assert_eq!(outcome(ready, true).await, Ok(()));
        for (answer, line) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false,\"reasons\":[\"the node is stopping\",\"the store is away\"]}",
                "not ready: URL: status 503; the node is stopping; the store is away",
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                "not ready: URL: status 404",
            ),
            (
                "220 mail.example ESMTP\r\n",
                "not ready: URL: the answer is no HTTP; does something else listen there?",
            ),
        ] {
            assert_eq!(outcome(answer, false).await, Err(line.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_port_nobody_listens_on_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let failure = healthcheck(address, true).await.unwrap_err();
        let line = failure.one_line();
        let start = format!("not alive: http://{address}/healthz: Connection refused");
        assert!(line.starts_with(&start), "{line}");
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn every_address_is_reached_at_the_loopback_one() {
        for (bound, reached) in [
            ("0.0.0.0:9180", "127.0.0.1:9180"),
            ("[::]:9180", "[::1]:9180"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), reached);
        }
    }
}
