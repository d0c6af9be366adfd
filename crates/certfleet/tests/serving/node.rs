//! One node on loopback, with its admin port, and clients with addresses of their own.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::StatusCode, routing::get};
use certfleet::{ClientAddr, Fleet, FleetError, Handle, Status};
use certfleet_acme::BuiltInCa;
use certfleet_store::{SystemClock, local::Memory};
use certfleet_testkit::{haproxy::Server, process::free_address};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

const NAME: &str = "a.example";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) backend: Arc<Memory>,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    admin: SocketAddr,
    client: Arc<ClientConfig>,
    stop: CancellationToken,
    serving: Option<JoinHandle<Result<(), FleetError>>>,
    checks: JoinHandle<()>,
}

impl Node {
    /// A node that has its certificate, with these settings. Its HTTPS tells clients their
    /// address.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let (http, https) = (free_address().unwrap(), free_address().unwrap());
        let ca = BuiltInCa::in_memory().unwrap();
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(ca.root_pem().as_bytes()).unwrap();
        roots.add(root).unwrap();
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let backend = Arc::new(Memory::new(Arc::new(SystemClock)));
        let mut builder = Fleet::builder()
            .certificate(NAME)
            .master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .acme_directory("built-in")
            .data_dir("/nonexistent")
            .http_addr(http.to_string())
            .https_addr(https.to_string())
            .backend(backend.clone())
            .issuer(Arc::new(ca));
        for &(name, value) in settings {
            builder = builder.setting(name, value);
        }
        let running = builder.build().unwrap().start().await.unwrap();
        let handle = running.handle();
        let (admin, checks) = admin(handle.clone()).await;
        let router = Router::new().route("/", get(address));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let node = Self {
            handle,
            backend,
            http,
            https,
            admin,
            client: Arc::new(client),
            stop,
            serving: Some(tokio::spawn(running.serve(router, stopped))),
            checks,
        };
        node.until(|status| status.ready).await;
        node
    }

    /// The node as a balancer is to know it.
    pub(crate) fn server(&self) -> Server {
        Server {
            name: "node".to_owned(),
            http: self.http,
            https: self.https,
            admin: self.admin,
        }
    }

    pub(crate) async fn until(&self, met: impl Fn(&Status) -> bool) {
        let poll = async {
            while !met(&self.handle.status()) {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, poll).await.is_ok(), "it never came");
    }

    /// Waits until a balancer has found the node.
    pub(crate) async fn reached_through(&self, balancer: SocketAddr) {
        let poll = async {
            loop {
                // A balancer that knows no server closes the connection at once.
                let mut tcp = TcpStream::connect(balancer).await.unwrap();
                let mut byte = [0; 1];
                let closed = timeout(Duration::from_millis(200), tcp.read(&mut byte));
                if closed.await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(
            timeout(PATIENCE, poll).await.is_ok(),
            "HAProxy finds no node"
        );
    }

    /// A request by HTTP from a loopback address.
    pub(crate) async fn http(
        &self,
        address: SocketAddr,
        from: [u8; 4],
        path: &str,
    ) -> io::Result<Answer> {
        exchange(connect(address, from).await?, path).await
    }

    /// A request by HTTPS from a loopback address.
    pub(crate) async fn https(
        &self,
        address: SocketAddr,
        from: [u8; 4],
        path: &str,
    ) -> io::Result<Answer> {
        let tcp = connect(address, from).await?;
        let connector = TlsConnector::from(Arc::clone(&self.client));
        let stream = connector.connect(NAME.try_into().unwrap(), tcp).await?;
        exchange(stream, path).await
    }

    /// What the HTTP port answers to these bytes in front of a request.
    pub(crate) async fn raw_http(&self, from: [u8; 4], bytes: &str) -> String {
        let mut stream = connect(self.http, from).await.unwrap();
        let request = format!("{bytes}{}", request("/"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// How serving ended.
    pub(crate) async fn end(&mut self) -> Result<(), FleetError> {
        let serving = self.serving.take().expect("it ends once");
        let ended = timeout(PATIENCE, serving).await;
        ended.expect("it ends in time").unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.tell_to_stop();
        self.end().await.unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.checks.abort();
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

async fn address(ConnectInfo(client): ConnectInfo<ClientAddr>) -> String {
    client.0.ip().to_string()
}

/// The routes that balancers check.
async fn admin(handle: Handle) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ready = get(move || async move {
        if handle.status().ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    });
    let router = Router::new()
        .route("/readyz", ready)
        .route("/healthz", get(|| async {}));
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, task)
}

async fn connect(address: SocketAddr, from: [u8; 4]) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(address).await
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n")
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
) -> io::Result<Answer> {
    stream.write_all(request(path).as_bytes()).await?;
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text))
        .await
        .expect("an answer ends in time")?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
