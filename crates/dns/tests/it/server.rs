//! An HTTP/1.1 server that writes down what it is asked, over plain TCP or as an HTTPS proxy that
//! answers for every host itself.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// Method and target, such as `GET /zones?name=example.test`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

type Answer = dyn Fn(&Request) -> (u16, String) + Send + Sync;

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves HTTP with what `answer` says.
    pub(crate) async fn plain(
        answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, Arc::new(answer)).await
    }

    /// Serves as an HTTPS proxy with what `answer` says, whatever the host; the second value is the
    /// root to trust, in PEM.
    pub(crate) async fn proxy(
        answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
    ) -> (Self, String) {
        let (issuer, root) = Issuer::new().expect("an issuer can be made");
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(issuer));
        let tls = TlsAcceptor::from(Arc::new(config));
        (Self::start(Some(tls), Arc::new(answer)).await, root)
    }

    async fn start(tls: Option<TlsAcceptor>, answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::default());
        let requests = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer) = (tls.clone(), answer.clone());
                let requests: Arc<Mutex<Vec<Request>>> = Arc::clone(&requests);
                tokio::spawn(async move {
                    let served = match tls {
                        Some(tls) => serve_proxy(stream, &tls, &*answer, &requests).await,
                        None => serve(stream, "", &*answer, &requests).await,
                    };
                    // A client that goes away early has what it wants.
                    drop(served);
                });
            }
        });
        Self { address, seen }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// The lines of what it was asked, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

async fn serve_proxy(
    mut stream: TcpStream,
    tls: &TlsAcceptor,
    answer: &Answer,
    seen: &Mutex<Vec<Request>>,
) -> Result<()> {
    let connect = read(&mut stream).await?;
    anyhow::ensure!(connect.method == "CONNECT", "not CONNECT: {connect:?}");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let host = connect.target.trim_end_matches(":443");
    let stream = tls.accept(stream).await.with_context(|| host.to_owned())?;
    serve(stream, &format!("https://{host}"), answer, seen).await
}

/// Answers one request and closes; `origin` goes before its target.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: &str,
    answer: &Answer,
    seen: &Mutex<Vec<Request>>,
) -> Result<()> {
    let mut request = read(&mut stream).await?;
    request.target = format!("{origin}{}", request.target);
    let (status, body) = answer(&request);
    seen.lock().expect("nobody panics with it").push(request);
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Request> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.context("read the head")?);
    }
    let head = String::from_utf8(text)?;
    let mut lines = head.lines();
    let mut words = lines.next().context("no line")?.split(' ');
    let (method, target) = (
        words.next().context("method")?,
        words.next().context("target")?,
    );
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: String::new(),
    };
    let length = request.header("content-length").map_or(Ok(0), str::parse)?;
    let mut body = vec![0; length];
    stream
        .read_exact(&mut body)
        .await
        .context("read the body")?;
    request.body = String::from_utf8(body)?;
    Ok(request)
}

/// Makes a certificate for every host that is asked for.
struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    fn new() -> Result<(Self, String)> {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
        let pem = root.pem();
        Ok((Self(root), pem))
    }

    fn certificate(&self, host: &str) -> Result<CertifiedKey> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = aws_lc_rs::default_provider();
        let chain = vec![certificate.der().clone()];
        Ok(CertifiedKey::from_der(chain, key, &provider)?)
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

impl ResolvesServerCert for Issuer {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name()?).ok().map(Arc::new)
    }
}
