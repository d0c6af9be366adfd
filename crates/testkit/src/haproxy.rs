//! HAProxy as the fleet's TCP load balancer, from the Debian package `haproxy`.
//!
//! HTTPS goes round-robin to nodes whose `/readyz` answers, HTTP (the CA's challenges) to nodes
//! whose `/healthz` does: a node must answer challenges before it has a certificate. It passes
//! bytes on and knows nothing of TLS.

use std::{
    fmt::Write,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use crate::process::{Process, TestDir, free_address};

const PACKAGE: &str = "haproxy";
const HTTP: &str = "http";
const HTTPS: &str = "https";
const SOCKET: &str = "stats.sock";
/// The place of a server's status in a line of its statistics.
const STATUS: usize = 17;
/// How long it may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// The address it comes from where it uses the PROXY protocol, so that servers can tell it from
/// clients on the same host.
pub const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// One node behind the balancer.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name in HAProxy's statistics.
    pub name: String,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it answers HTTPS.
    pub https: SocketAddr,
    /// Where it answers `/readyz` and `/healthz`.
    pub admin: SocketAddr,
}

/// A running HAProxy; killed and its folder removed when dropped.
#[derive(Debug)]
pub struct HaProxy {
    // Before the folder, so that it is gone when the folder is removed.
    _process: Process,
    http: SocketAddr,
    https: SocketAddr,
    dir: TestDir,
}

impl HaProxy {
    /// Starts it in front of `servers`, which need not answer yet.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn start(servers: &[Server]) -> Result<Self> {
        Self::start_with(servers, "").await
    }

    /// The same, but it tells servers whose connections it passes on, by the PROXY protocol,
    /// version 2, and comes to them from [`PROXY`]. The checks go without, as they go to another
    /// port.
    ///
    /// # Errors
    /// Those of [`HaProxy::start`].
    pub async fn start_with_proxy_protocol(servers: &[Server]) -> Result<Self> {
        Self::start_with(servers, &format!("send-proxy-v2 source {PROXY}")).await
    }

    async fn start_with(servers: &[Server], option: &str) -> Result<Self> {
        let dir = TestDir::new("haproxy")?;
        let (http, https) = (free_address()?, free_address()?);
        let file = dir.path().join("haproxy.cfg");
        fs::write(
            &file,
            configuration(http, https, servers, option, &dir.path().join(SOCKET)),
        )?;
        let mut command = Command::new(program());
        command.arg("-db").arg("-f").arg(&file);
        let log = dir.path().join("haproxy.log");
        let mut process = Process::start("haproxy", PACKAGE, command, &log)?;
        process.listening(http).await?;
        process.listening(https).await?;
        Ok(Self {
            _process: process,
            http,
            https,
            dir,
        })
    }

    /// Its frontend for HTTP: what port 80 is to the world.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its frontend for HTTPS: what port 443 is to the world.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.https
    }

    /// Whether it sends HTTP (the CA's requests) to this server.
    ///
    /// # Errors
    /// If its statistics cannot be read or do not know the server.
    pub async fn http_up(&self, name: &str) -> Result<bool> {
        self.up(HTTP, name).await
    }

    /// Whether it sends HTTPS to this server.
    ///
    /// # Errors
    /// If its statistics cannot be read or do not know the server.
    pub async fn https_up(&self, name: &str) -> Result<bool> {
        self.up(HTTPS, name).await
    }

    async fn up(&self, backend: &str, name: &str) -> Result<bool> {
        let mut socket = UnixStream::connect(self.dir.path().join(SOCKET)).await?;
        socket.write_all(b"show stat\n").await?;
        let mut table = String::new();
        timeout(LIMIT, socket.read_to_string(&mut table))
            .await
            .context("no statistics")??;
        let mut rows = table
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        let row = rows.find(|row| row.starts_with(&[backend, name]));
        let row = row.with_context(|| format!("HAProxy's backend {backend} has no {name}"))?;
        Ok(row
            .get(STATUS)
            .is_some_and(|status| status.starts_with("UP")))
    }

    /// The folder with its configuration and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Debian keeps it where only root's path looks.
fn program() -> &'static str {
    let debian = "/usr/sbin/haproxy";
    if Path::new(debian).exists() {
        debian
    } else {
        "haproxy"
    }
}

fn configuration(
    http: SocketAddr,
    https: SocketAddr,
    servers: &[Server],
    option: &str,
    socket: &Path,
) -> String {
    let mut text = format!(
        "global
    stats socket {} mode 600
    log stdout format raw local0 notice
    maxconn 4096

defaults
    log global
    mode tcp
    balance roundrobin
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 500ms
    retries 3
    option redispatch 1
    default-server inter 250ms fastinter 100ms downinter 250ms rise 1 fall 2
",
        socket.display()
    );
    for (name, front, path) in [(HTTP, http, "/healthz"), (HTTPS, https, "/readyz")] {
        let _ = write!(
            text,
            "
frontend {name}
    bind {front}
    default_backend {name}

backend {name}
    option httpchk GET {path}
"
        );
        for server in servers {
            let to = if name == HTTP {
                server.http
            } else {
                server.https
            };
            let (id, admin) = (&server.name, server.admin);
            let _ = writeln!(
                text,
                "    server {id} {to} {option} check addr {} port {}",
                admin.ip(),
                admin.port()
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::{
        net::{TcpListener, TcpStream},
        time::{Instant, sleep},
    };

    use super::*;

    /// Answers every connection with `word`, and every request for health with 200.
    async fn node(word: &'static str) -> Server {
        let (server, admin) = (listener().await, listener().await);
        let address = server.local_addr().unwrap();
        let admin_address = admin.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = server.accept().await {
                let _ = stream.write_all(word.as_bytes()).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = admin.accept().await {
                let _ = stream.read(&mut [0; 512]).await;
                let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        });
        Server {
            name: word.into(),
            http: address,
            https: address,
            admin: admin_address,
        }
    }

    async fn listener() -> TcpListener {
        TcpListener::bind(free_address().unwrap()).await.unwrap()
    }

    async fn ask(address: SocketAddr) -> String {
        let mut word = String::new();
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.read_to_string(&mut word).await;
        }
        word
    }

    #[tokio::test]
    async fn spreads_over_the_healthy_and_leaves_out_the_dead() {
        let (one, two) = (node("one").await, node("two").await);
        let gone = free_address().unwrap();
        let dead = Server {
            name: "dead".into(),
            http: gone,
            https: gone,
            admin: gone,
        };
        let proxy = HaProxy::start(&[one, dead, two]).await.unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        let mut seen = [0_u32, 0];
        while seen[0] < 20 || seen[1] < 20 {
            assert!(Instant::now() < end, "answers by one and two: {seen:?}");
            match ask(proxy.https()).await.as_str() {
                "one" => seen[0] += 1,
                "two" => seen[1] += 1,
                // Until the first check has failed, the dead one may be tried.
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
        assert!(seen[0].abs_diff(seen[1]) <= 2, "round-robin: {seen:?}");
        assert!(proxy.https_up("one").await.unwrap());
        while proxy.https_up("dead").await.unwrap() {
            assert!(Instant::now() < end, "the dead one is still sent requests");
            sleep(Duration::from_millis(20)).await;
        }
        assert!(proxy.https_up("three").await.is_err());
    }
}
