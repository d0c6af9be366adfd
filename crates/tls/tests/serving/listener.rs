//! What bad clients and a bad day of the system do to a listener: nothing to the others.

use std::{fs::File, process::Command, sync::Arc, time::Duration};

use certfleet_tls::{Failure, Limits};
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use crate::fixture::{Ca, Server, connect, listener, publish};

const NAME: &str = "a.example";

async fn server(ca: &Ca, limits: Limits) -> Server {
    let server = Server::start(None, limits).await;
    server.publish(NAME, 1, ca.issue(NAME, 1));
    server
}

#[tokio::test]
async fn garbage_is_counted_and_the_next_client_served() {
    let ca = Ca::new();
    let server = server(&ca, Limits::default()).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x00",
        &[0xff; 64],
    ] {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await; // an alert, then closed or reset
    }
    server
        .until(|stats| stats.failures(Failure::NotTls) == 3)
        .await;
    let client = Arc::new(ca.client(&[&TLS13]));
    assert!(connect(server.address, &client, NAME).await.is_ok());
}

#[tokio::test]
async fn a_client_that_closes_or_distrusts_is_counted_for_it() {
    let ca = Ca::new();
    let server = server(&ca, Limits::default()).await;
    drop(TcpStream::connect(server.address).await.unwrap());
    server
        .until(|stats| stats.failures(Failure::Closed) == 1)
        .await;

    let stranger = Arc::new(Ca::new().client(&[&TLS12]));
    assert!(connect(server.address, &stranger, NAME).await.is_err());
    server
        .until(|stats| stats.failures(Failure::Alert) == 1)
        .await;
}

#[tokio::test]
async fn silent_clients_delay_nobody_and_are_timed_out() {
    let ca = Ca::new();
    let limits = Limits {
        handshake_timeout: Duration::from_secs(3),
        ..Limits::default()
    };
    let server = server(&ca, limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.until(|stats| stats.open() == 20).await;
    let client = Arc::new(ca.client(&[&TLS13]));
    for _ in 0..5 {
        connect(server.address, &client, NAME).await.unwrap();
    }
    assert_eq!(
        server.stats.open(),
        20,
        "served while the silent were waited for"
    );
    for mut tcp in silent {
        let end = tcp.read(&mut [0; 1]).await;
        assert!(matches!(end, Ok(0)), "closed by the server: {end:?}");
    }
    server
        .until(|stats| stats.failures(Failure::Timeout) == 20)
        .await;
    assert_eq!(server.stats.open(), 0);
}

#[tokio::test]
async fn with_all_places_taken_a_client_waits_its_turn() {
    let ca = Ca::new();
    let limits = Limits {
        max_handshakes: 1,
        handshake_timeout: Duration::from_millis(300),
    };
    let server = server(&ca, limits).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    server.until(|stats| stats.open() == 1).await;
    let client = Arc::new(ca.client(&[&TLS13]));
    connect(server.address, &client, NAME).await.unwrap();
    assert_eq!(
        server.stats.failures(Failure::Timeout),
        1,
        "the place was free before"
    );
}

#[tokio::test]
async fn a_call_of_accept_may_be_dropped_at_any_time() {
    let ca = Ca::new();
    let (publisher, mut listener) = listener(None, Limits::default()).await;
    publish(&publisher, NAME, 1, ca.issue(NAME, 1));
    let client = Arc::new(ca.client(&[&TLS13]));
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move { connect(address, &client, NAME).await.map(drop) });
    let mut dropped = 0;
    let (mut stream, _) = loop {
        tokio::select! {
            biased;
            connection = listener.accept() => break connection,
            () = yield_now() => dropped += 1,
        }
    };
    assert!(dropped > 0);
    stream.write_all(b"!").await.unwrap();
    stream.shutdown().await.unwrap();
    client.await.unwrap().unwrap();
    assert_eq!(listener.stats().accepted(), 1);
}

#[tokio::test]
async fn dropping_it_closes_the_socket_and_breaks_handshakes_off() {
    let (_publisher, mut listener) = listener(None, Limits::default()).await;
    let (address, stats) = (listener.local_addr().unwrap(), listener.stats());
    let mut silent = TcpStream::connect(address).await.unwrap();
    while stats.open() == 0 {
        tokio::select! {
            _ = listener.accept() => unreachable!("the client is silent"),
            () = yield_now() => {}
        }
    }
    drop(listener);
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(matches!(silent.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(stats.open(), 0);
}

/// In a process of its own, since it uses up all files that the process may open.
#[test]
fn it_lives_through_a_lack_of_files() {
    let status = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64 && exec \"$0\" --ignored --exact listener::starved",
        ])
        .arg(std::env::current_exe().unwrap())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "run with a low limit of files by it_lives_through_a_lack_of_files"]
async fn starved() {
    let ca = Ca::new();
    let (publisher, mut listener) = listener(None, Limits::default()).await;
    publish(&publisher, NAME, 1, ca.issue(NAME, 1));
    let (address, stats) = (listener.local_addr().unwrap(), listener.stats());
    // The client is in the kernel's queue before the last file is gone.
    let tcp = TcpStream::connect(address).await.unwrap();
    let hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(hoard.len() < 64, "the limit of files is in force");
    while stats.accept_errors() < 3 {
        tokio::select! {
            _ = listener.accept() => unreachable!("there is no file for a socket"),
            () = yield_now() => {}
        }
    }
    drop(hoard);
    let client = tokio_rustls::TlsConnector::from(Arc::new(ca.client(&[&TLS13])));
    let client = tokio::spawn(client.connect(NAME.try_into().unwrap(), tcp));
    listener.accept().await;
    client.await.unwrap().unwrap();
    assert_eq!((stats.accepted(), stats.open()), (1, 0));
}
