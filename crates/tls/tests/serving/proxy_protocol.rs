//! The PROXY protocol on real sockets: who is believed, who is refused, and what is left for TLS.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use certfleet_tls::{Failure, Limits, Listener, Plain, Protocol, Stats, Tls};
use rustls::{ClientConfig, version::TLS13};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

use crate::fixture::{Ca, listener, publish};

const NAME: &str = "a.example";
const PATIENCE: Duration = Duration::from_secs(30);

/// Addresses and ports of a client and of where it connected to; 203.0.113.9:56324.
const TCP4: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb";
/// The same with 5 bytes of an extension.
const EXTENDED: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xcb\0\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\0\x02ab";
/// Client 2001:db8::9, port 56324.
const TCP6: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\
\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const V1_TCP4: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n";
const V1_TCP6: &[u8] = b"PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n";
const V1_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// A TLS and a plain port that believe senders in `proxies`. Each tells a client its address, and
/// the plain one then sends back what it was sent.
struct Ports {
    tls: SocketAddr,
    plain: SocketAddr,
    tls_stats: Arc<Stats>,
    plain_stats: Arc<Stats>,
    client: Arc<ClientConfig>,
    tasks: [JoinHandle<()>; 2],
}

impl Ports {
    async fn start(proxies: &str, limits: Limits) -> Self {
        let ca = Ca::new();
        let (publisher, tls) = listener(None, limits.clone()).await;
        publish(&publisher, NAME, 1, ca.issue(NAME, 1));
        let tls: Listener<Tls> = tls.with_proxy_protocol_from(proxies.parse().unwrap());
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let plain: Listener<Plain> = Listener::plain(tcp, limits, Arc::default())
            .with_proxy_protocol_from(proxies.parse().unwrap());
        Self {
            tls: tls.local_addr().unwrap(),
            plain: plain.local_addr().unwrap(),
            tls_stats: tls.stats(),
            plain_stats: plain.stats(),
            client: Arc::new(ca.client(&[&TLS13])),
            tasks: [
                tokio::spawn(tell(tls, drop)),
                tokio::spawn(tell(plain, |mut stream| {
                    tokio::spawn(async move {
                        let (mut read, mut write) = stream.split();
                        let _ = tokio::io::copy(&mut read, &mut write).await;
                    });
                })),
            ],
        }
    }

    /// What the TLS port calls the client that sends `header` before its handshake.
    async fn ask_tls(
        &self,
        mut tcp: TcpStream,
        header: &[u8],
        pieces: usize,
    ) -> io::Result<String> {
        send(&mut tcp, header, pieces).await?;
        let connector = TlsConnector::from(Arc::clone(&self.client));
        let mut stream = connector.connect(NAME.try_into().unwrap(), tcp).await?;
        let mut address = String::new();
        stream.read_to_string(&mut address).await?;
        Ok(address)
    }

    /// What the plain port calls the client that sends `header` before `GET`, and what it echoes.
    async fn ask_plain(
        &self,
        mut tcp: TcpStream,
        header: &[u8],
        pieces: usize,
    ) -> io::Result<String> {
        // With the header in one piece, what is behind it is in the same segment.
        send(&mut tcp, &[header, b" GET"].concat(), pieces).await?;
        tcp.shutdown().await?;
        let mut text = String::new();
        tcp.read_to_string(&mut text).await?;
        Ok(text)
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn tell<P: Protocol>(mut listener: Listener<P>, then: impl Fn(P::Stream))
where
    P::Stream: AsyncWrite + Unpin,
{
    loop {
        let (mut stream, client) = listener.accept().await;
        let told = stream.write_all(client.to_string().as_bytes()).await;
        if P::session(&stream).is_some() {
            let _ = stream.shutdown().await;
        }
        if told.is_ok() {
            then(stream);
        }
    }
}

/// Sends `bytes` in pieces of a size, each a segment of its own.
async fn send(tcp: &mut TcpStream, bytes: &[u8], size: usize) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    for piece in bytes.chunks(size) {
        tcp.write_all(piece).await?;
        yield_now().await;
    }
    Ok(())
}

async fn until(reached: impl Fn() -> bool) {
    let poll = async {
        while !reached() {
            yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, poll).await.is_ok(), "never reached");
}

async fn connect(address: SocketAddr) -> (TcpStream, String) {
    let tcp = TcpStream::connect(address).await.unwrap();
    let own = tcp.local_addr().unwrap().to_string();
    (tcp, own)
}

#[tokio::test]
async fn a_trusted_header_names_the_client_and_leaves_the_rest() {
    let ports = Ports::start("127.0.0.0/8", Limits::default()).await;
    let (v4, v6) = ("203.0.113.9:56324", "[2001:db8::9]:56324");
    for (header, client) in [
        (TCP4, Some(v4)),
        (EXTENDED, Some(v4)),
        (TCP6, Some(v6)),
        (LOCAL, None),
        (V1_TCP4, Some(v4)),
        (V1_TCP6, Some(v6)),
        (V1_UNKNOWN, None),
    ] {
        for pieces in [1, 7, 1000] {
            let shown = header.escape_ascii();
            let (tcp, own) = connect(ports.tls).await;
            let answer = ports.ask_tls(tcp, header, pieces).await.unwrap();
            assert_eq!(answer, client.unwrap_or(&own), "TLS, {shown}");
            let (tcp, own) = connect(ports.plain).await;
            let answer = ports.ask_plain(tcp, header, pieces).await.unwrap();
            let expected = format!("{} GET", client.unwrap_or(&own));
            assert_eq!(answer, expected, "plain, {shown}");
        }
    }
    let counts: Vec<_> = ports.tls_stats.counts().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counts, [("tls13", 21)]);
    assert_eq!(ports.plain_stats.plain(), 21);
    assert!(ports.plain_stats.counts().all(|(_, count)| count == 0));
}

#[tokio::test]
async fn without_a_good_header_a_trusted_sender_is_refused() {
    let ports = Ports::start("127.0.0.1", Limits::default()).await;
    let oversize = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x02\x19", &[0; 537][..]].concat();
    let endless = [b"PROXY UNKNOWN ", &[b'x'; 4000][..]].concat();
    for (bytes, reason) in [
        (
            &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
            Failure::ProxyMissing,
        ),
        (b"GET / HTTP/1.1\r\n\r\n", Failure::ProxyMissing),
        (b"\r\n\r\n\0\r\nQUIt\n\x21\x11\0\x0c", Failure::ProxyMissing),
        (
            b"PROXY TCP4 203.0.113.999 198.51.100.1 1 1\r\n",
            Failure::ProxyMalformed,
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", Failure::ProxyMalformed),
        (&oversize, Failure::ProxyOversize),
        (&endless, Failure::ProxyOversize),
        (&V1_TCP4[..20], Failure::Closed),
        (b"", Failure::Closed),
    ] {
        for (address, stats) in [
            (ports.tls, &ports.tls_stats),
            (ports.plain, &ports.plain_stats),
        ] {
            let before = stats.failures(reason);
            let (mut tcp, _) = connect(address).await;
            // The server may be done with it before all is sent.
            let _ = tcp.write_all(bytes).await;
            if reason == Failure::Closed {
                let _ = tcp.shutdown().await;
            }
            let mut answer = Vec::new();
            let _ = tcp.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{}", bytes.escape_ascii());
            until(|| stats.failures(reason) == before + 1).await;
        }
    }
    assert_eq!(ports.plain_stats.plain(), 0);
    let (tcp, _) = connect(ports.tls).await;
    assert!(ports.ask_tls(tcp, TCP4, 1000).await.is_ok());
}

#[tokio::test]
async fn a_header_from_anybody_else_is_only_bytes() {
    // Nobody is trusted, and somebody else is.
    for proxies in ["192.0.2.0/24", "::1"] {
        let ports = Ports::start(proxies, Limits::default()).await;
        for header in [TCP4, V1_TCP4] {
            let (tcp, _) = connect(ports.tls).await;
            assert!(ports.ask_tls(tcp, header, 1000).await.is_err());
        }
        until(|| ports.tls_stats.failures(Failure::NotTls) == 2).await;
        let (tcp, own) = connect(ports.tls).await;
        assert_eq!(ports.ask_tls(tcp, b"", 1).await.unwrap(), own);

        let (tcp, own) = connect(ports.plain).await;
        let answer = ports.ask_plain(tcp, V1_TCP4, 1000).await.unwrap();
        let header = str::from_utf8(V1_TCP4).unwrap();
        assert_eq!(answer, format!("{own}{header} GET"));
    }
}

#[tokio::test]
async fn a_slow_header_holds_up_nobody_and_is_timed_out() {
    let limits = Limits {
        handshake_timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    let ports = Ports::start("127.0.0.1", limits).await;
    let start = Instant::now();
    let mut slow = Vec::new();
    for address in [ports.tls, ports.plain] {
        for length in [0, 1, 15, TCP4.len() - 1] {
            let (mut tcp, _) = connect(address).await;
            tcp.write_all(&TCP4[..length]).await.unwrap();
            slow.push(tcp);
        }
    }
    until(|| ports.tls_stats.open() == 4 && ports.plain_stats.open() == 4).await;
    let (tcp, _) = connect(ports.tls).await;
    ports.ask_tls(tcp, TCP4, 1000).await.unwrap();
    let (tcp, _) = connect(ports.plain).await;
    ports.ask_plain(tcp, TCP4, 1000).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "the slow were waited for"
    );
    for mut tcp in slow {
        let end = tcp.read(&mut [0; 1]).await;
        assert!(matches!(end, Ok(0)), "closed by the server: {end:?}");
    }
    until(|| {
        [&ports.tls_stats, &ports.plain_stats]
            .iter()
            .all(|stats| stats.failures(Failure::Timeout) == 4 && stats.open() == 0)
    })
    .await;
}
