//! The files of `deploy/nginx`, run by Debian's nginx in front of stand-ins for nodes.
//!
//! The stand-ins demand the PROXY header, as a node does, and say what they saw. What the program
//! itself does behind nginx is not asked here.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use certfleet_testkit::{haproxy::Server, nginx::Nginx, process::free_address};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);
const CHALLENGE: &str = "/.well-known/acme-challenge/token";

#[tokio::test]
async fn tls_goes_through_and_the_node_learns_who_asks() {
    let nginx = Nginx::start(&[node("one").await.unwrap()]).await.unwrap();

    let (mut stream, line) = greeting(nginx.https()).await.unwrap();
    let own = stream.get_ref().local_addr().unwrap().port();
    let at = nginx.https().port();
    assert_eq!(
        line,
        format!("one PROXY TCP4 127.0.0.1 127.0.0.1 {own} {at}")
    );

    let sent: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut got = vec![0; sent.len()];
    let (mut read, mut write) = tokio::io::split(stream.get_mut());
    let both = async { tokio::try_join!(write.write_all(&sent), read.read_exact(&mut got)) };
    timeout(LIMIT, both).await.unwrap().unwrap();
    assert!(got == sent, "nginx changed the bytes");
}

#[tokio::test]
async fn a_node_that_refuses_costs_no_connection() {
    let gone = free_address().unwrap();
    let gone = Server {
        name: "gone".to_owned(),
        http: gone,
        https: gone,
        admin: gone,
    };
    let servers = [gone, node("one").await.unwrap(), node("two").await.unwrap()];
    let nginx = Nginx::start(&servers).await.unwrap();

    let mut one = 0;
    for _ in 0..100 {
        let (_, line) = greeting(nginx.https()).await.unwrap();
        one += usize::from(line.starts_with("one "));
    }
    assert!(
        (30..=70).contains(&one),
        "one got {one} of 100, two the rest"
    );

    for _ in 0..10 {
        let answer = request(nginx.http(), "GET", CHALLENGE).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn port_80_hands_on_challenges_and_nothing_else() {
    let nginx = Nginx::start(&[node("one").await.unwrap()]).await.unwrap();
    let ask = async |method, path| request(nginx.http(), method, path).await.unwrap();

    let answer = ask("GET", CHALLENGE).await;
    let (_, seen) = answer.split_once("one\n").unwrap();
    let mut lines = seen.lines();
    let header = lines.next().unwrap();
    assert!(
        header.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "),
        "{header}"
    );
    assert_eq!(lines.next().unwrap(), format!("GET {CHALLENGE} HTTP/1.1"));
    assert_eq!(lines.next(), Some("Host: a.example"));

    let answer = ask("POST", CHALLENGE).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    for path in [
        "/",
        "/a/b?c=d",
        "/.well-known/acme-challenge/../a?c",
        "/.well-known/x",
    ] {
        let answer = ask("GET", path).await;
        assert!(answer.starts_with("HTTP/1.1 308"), "{path}: {answer}");
        let to = format!("\r\nLocation: https://a.example{path}\r\n");
        assert!(answer.contains(&to), "{path}: {answer}");
    }
}

#[tokio::test]
async fn one_address_cannot_flood_the_challenge_path() {
    let nginx = Nginx::start(&[node("one").await.unwrap()]).await.unwrap();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..200 {
        let answer = request(nginx.http(), "GET", CHALLENGE).await.unwrap();
        match answer.get(9..12) {
            Some("200") => taken += 1,
            Some("429") => refused += 1,
            _ => panic!("{answer}"),
        }
    }
    assert!(
        taken > 20 && refused > 0,
        "{taken} taken, {refused} refused"
    );
}

#[tokio::test]
async fn a_reload_keeps_connections_and_moves_new_ones() {
    let nginx = Nginx::start(&[node("one").await.unwrap()]).await.unwrap();
    let (mut old, line) = greeting(nginx.https()).await.unwrap();
    assert!(line.starts_with("one "), "{line}");

    let two = node("two").await.unwrap();
    nginx.reload(std::slice::from_ref(&two)).unwrap();
    let moved = async {
        loop {
            let (_, line) = greeting(nginx.https()).await.unwrap();
            if line.starts_with("two ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, moved).await.expect("new connections move");

    old.write_all(b"still here\n").await.unwrap();
    let mut line = String::new();
    timeout(LIMIT, old.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(line, "still here\n");
    let log = nginx.log().unwrap();
    assert!(log.contains(&two.https.to_string()), "{log}");
}

/// A stand-in for a node on both its ports.
async fn node(name: &'static str) -> Result<Server> {
    Ok(Server {
        name: name.to_owned(),
        http: http_node(name).await?,
        https: byte_node(name).await?,
        admin: free_address()?,
    })
}

/// The port that takes bytes: it answers each connection with its name and the header it got, then
/// sends back what it receives.
async fn byte_node(name: &'static str) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut read = BufReader::new(read);
                let mut header = String::new();
                read.read_line(&mut header).await?;
                let greeting = format!("{name} {header}");
                write.write_all(greeting.as_bytes()).await?;
                tokio::io::copy_buf(&mut read, &mut write).await
            });
        }
    });
    Ok(address)
}

/// The port that takes HTTP: it answers with its name and all it got, the PROXY header first.
async fn http_node(name: &'static str) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.ends_with(b"\r\n\r\n") {
                    seen.push(stream.read_u8().await?);
                }
                let body = format!("{name}\n{}", String::from_utf8_lossy(&seen));
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                let answer = format!("{head} {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await
            });
        }
    });
    Ok(address)
}

/// Connects and reads the line the node says first.
///
/// The stand-in speaks when it has the header, which nginx sends at once: no client byte is needed.
async fn greeting(address: SocketAddr) -> Result<(BufReader<TcpStream>, String)> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let mut line = String::new();
    timeout(LIMIT, stream.read_line(&mut line))
        .await
        .context("no node answers")??;
    ensure!(!line.is_empty(), "the connection was closed");
    Ok((stream, line.trim_end().to_owned()))
}

/// The whole answer to one request.
async fn request(address: SocketAddr, method: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer))
        .await
        .context("no answer")??;
    Ok(answer)
}
