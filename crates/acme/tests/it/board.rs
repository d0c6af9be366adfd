//! The answers to challenges in memory, as all nodes of a fleet would share them, and responders
//! that serve them to the CA: over HTTP and in TLS handshakes.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use certfleet_acme::{BoxError, ChallengeAnswers};
use certfleet_core::{Answer, ChallengeKind};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

const ALPN: &[u8] = b"acme-tls/1";

/// Answers by their kind and key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    answers: Arc<Mutex<HashMap<(ChallengeKind, String), Answer>>>,
    seen: Arc<Mutex<Vec<Answer>>>,
    confirmed: Arc<Mutex<Vec<usize>>>,
}

impl Board {
    /// How many answers are up.
    pub(crate) fn len(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// How many answers were ever put up.
    pub(crate) fn presented(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The kinds of all answers that were ever put up.
    pub(crate) fn kinds(&self) -> Vec<ChallengeKind> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|answer| answer.kind).collect()
    }

    /// How many answers each confirmation was about.
    pub(crate) fn confirmed(&self) -> Vec<usize> {
        self.confirmed.lock().unwrap().clone()
    }

    fn find(&self, kind: ChallengeKind, key: &str) -> Option<Answer> {
        let answers = self.answers.lock().unwrap();
        answers.get(&(kind, key.to_owned())).cloned()
    }

    /// Serves HTTP-01 on a free loopback port until the test ends.
    pub(crate) async fn serve_http(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let board = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let board = board.clone();
                tokio::spawn(async move { board.respond(stream).await });
            }
        });
        address
    }

    /// Serves TLS-ALPN-01 on a free loopback port until the test ends.
    pub(crate) async fn serve_tls(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![ALPN.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut tls) = acceptor.accept(stream).await {
                        let _ = tls.read(&mut [0]).await;
                    }
                });
            }
        });
        address
    }

    async fn respond(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(&mut stream).lines();
        let first = lines.next_line().await.ok()??;
        while !lines.next_line().await.ok()??.is_empty() {}
        let path = first.split(' ').nth(1)?;
        let answer = path
            .strip_prefix("/.well-known/acme-challenge/")
            .and_then(|token| self.find(ChallengeKind::Http01, token));
        let (status, body) = match answer {
            Some(answer) => ("200 OK", answer.key_authorization),
            None => ("404 Not Found", "no such token".into()),
        };
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.ok()
    }
}

#[async_trait]
impl ChallengeAnswers for Board {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        self.seen.lock().unwrap().push(answer.clone());
        let mut answers = self.answers.lock().unwrap();
        answers.insert((answer.kind, answer.key()), answer.clone());
        Ok(())
    }

    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError> {
        self.confirmed.lock().unwrap().push(answers.len());
        Ok(())
    }

    async fn withdraw(&self, answer: &Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.remove(&(answer.kind, answer.key()));
    }
}

/// The certificate that RFC 8737 section 3 wants, for the server name that is asked for.
impl ResolvesServerCert for Board {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.alpn()?.find(|protocol| *protocol == ALPN)?;
        let answer = self.find(ChallengeKind::TlsAlpn01, hello.server_name()?)?;
        let mut params = CertificateParams::new([answer.identifier.to_string()]).ok()?;
        params
            .custom_extensions
            .push(CustomExtension::new_acme_identifier(&answer.digest()));
        let key = KeyPair::generate().ok()?;
        let certificate = params.self_signed(&key).ok()?.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let key = aws_lc_rs::sign::any_supported_type(&key).ok()?;
        // Not `from_der`: that refuses critical extensions that it does not know.
        Some(Arc::new(CertifiedKey::new(vec![certificate], key)))
    }
}
