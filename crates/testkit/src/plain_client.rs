//! A bare loop of instant-acme: one order after the other, for one name each, by HTTP-01.
//!
//! It is what certfleet's pace is compared with. It keeps nothing, tells nobody, and tries nothing
//! again; its answers come from a responder of its own, on an address of loopback that no fleet
//! uses.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient,
    Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::pebble::Pebble;

/// Where its responder listens, on the port that Pebble asks.
const RESPONDER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// An account at Pebble, and a responder.
pub struct PlainClient {
    account: Account,
    responder: Responder,
}

impl PlainClient {
    /// Makes an account at `pebble` and answers its challenges for `names`, which it asks for at
    /// `http_port`.
    ///
    /// # Errors
    /// If there is no account to be had, or the port of the responder is taken.
    pub async fn new(pebble: &Pebble, http_port: u16, names: &[String]) -> Result<Self> {
        let responder = Responder::start(http_port).await?;
        for name in names {
            pebble.resolve(name, IpAddr::V4(RESPONDER)).await?;
        }
        let account = NewAccount {
            contact: &[],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, _) = Account::builder_with_http(Box::new(Http::trusting(pebble)?))
            .create(&account, pebble.directory_url(), None)
            .await?;
        Ok(Self { account, responder })
    }

    /// Gets a certificate for one name, and gives it with its chain as PEM.
    ///
    /// # Errors
    /// Whatever goes wrong; nothing is tried again.
    pub async fn issue(&self, name: &str) -> Result<String> {
        let identifiers = [Identifier::Dns(name.to_owned())];
        let mut order = self.account.new_order(&NewOrder::new(&identifiers)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization
                .challenge(ChallengeType::Http01)
                .context("the CA offers no http-01")?;
            let answer = challenge.key_authorization().as_str().to_owned();
            self.responder.answer(&challenge.token, answer);
            challenge.set_ready().await?;
        }
        let status = order.poll_ready(&RetryPolicy::new()).await?;
        ensure!(status == OrderStatus::Ready, "the order is {status:?}");
        let key = KeyPair::generate()?;
        let request = CertificateParams::new(vec![name.to_owned()])?.serialize_request(&key)?;
        order.finalize_csr(request.der()).await?;
        Ok(order.poll_certificate(&RetryPolicy::new()).await?)
    }
}

impl fmt::Debug for PlainClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainClient")
            .field("account", &self.account.id())
            .finish_non_exhaustive()
    }
}

/// Answers challenges, and nothing else, in plain HTTP.
struct Responder {
    answers: Arc<Mutex<HashMap<String, String>>>,
    task: JoinHandle<()>,
}

impl Responder {
    async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((RESPONDER, port)).await;
        let listener = listener.with_context(|| format!("listen on {RESPONDER}:{port}"))?;
        let answers = Arc::<Mutex<HashMap<_, _>>>::default();
        let known = Arc::clone(&answers);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let known = Arc::clone(&known);
                tokio::spawn(async move { respond(stream, &known).await });
            }
        });
        Ok(Self { answers, task })
    }

    fn answer(&self, token: &str, answer: String) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), answer);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request and its answer; whoever breaks off gets none.
async fn respond(stream: TcpStream, answers: &Mutex<HashMap<String, String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await.ok()?;
    let mut header = String::new();
    while stream.read_line(&mut header).await.ok()? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1)?;
    let token = path.rsplit('/').next()?;
    let answer = {
        let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(token).cloned()
    };
    let (status, body) = answer.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.ok()
}

/// HTTP as instant-acme asks for it, to one Pebble, without bounds.
#[derive(Clone, Debug)]
pub struct Http(legacy::Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Http {
    /// A client that trusts the root of `pebble`'s own TLS certificate, and no other.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub fn trusting(pebble: &Pebble) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pebble.ca_file())?)?;
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .enable_http2()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self(client))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let response = self.0.request(request);
        Box::pin(async move {
            let response = response.await.map_err(|error| Error::Other(error.into()))?;
            Ok(response.into())
        })
    }
}
