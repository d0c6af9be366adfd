//! TLS-ALPN-01 as a CA meets it: what it is shown, what it is refused, and that nobody else
//! notices.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use certfleet_core::{Answer, ChallengeKind, Identifier};
use certfleet_tls::{ChallengeResponder, Failure, Limits};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    version::{TLS12, TLS13},
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_parser::parse_x509_certificate;

use crate::fixture::{Ca, Server, connect, generation, listener, tls_error};

const NAME: &str = "a.example";
const ADDRESS: &str = "2001:db8::1";
const PATIENCE: Duration = Duration::from_secs(30);
/// id-pe-acmeIdentifier (RFC 8737 section 6.1).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";
const DENIED: Error = Error::AlertReceived(AlertDescription::AccessDenied);

/// Answers by server name.
struct Board(HashMap<String, Answer>);

#[async_trait::async_trait]
impl ChallengeResponder for Board {
    async fn answer(&self, server_name: &str) -> Option<Answer> {
        self.0.get(server_name).cloned()
    }
}

fn answer(kind: ChallengeKind, identifier: &str) -> Answer {
    Answer {
        kind,
        identifier: identifier.parse().unwrap(),
        token: "token".into(),
        key_authorization: "token.thumbprint".into(),
    }
}

/// A server for [`NAME`] that also knows answers for [`NAME`] and [`ADDRESS`], and wrong ones.
async fn server(ca: &Ca) -> Server {
    let mut answers = HashMap::new();
    for identifier in [NAME, ADDRESS] {
        let answer = answer(ChallengeKind::TlsAlpn01, identifier);
        answers.insert(answer.key(), answer);
    }
    answers.insert(
        "http.example".into(),
        answer(ChallengeKind::Http01, "http.example"),
    );
    answers.insert(
        "other.example".into(),
        answer(ChallengeKind::TlsAlpn01, NAME),
    );
    asking(ca, Arc::new(Board(answers))).await
}

async fn asking(ca: &Ca, responder: Arc<dyn ChallengeResponder>) -> Server {
    let (publisher, listener) = listener(None, Limits::default()).await;
    let server = Server::serve(Arc::new(publisher), listener.with_challenges(responder));
    server.publish(NAME, 1, ca.issue(NAME, 1));
    server
}

/// A client that offers `protocols` and takes any certificate, as a CA does.
fn client(version: &'static SupportedProtocolVersion, protocols: &[&str]) -> ClientConfig {
    let mut client = ClientConfig::builder_with_protocol_versions(&[version])
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(aws_lc_rs::default_provider())))
        .with_no_client_auth();
    client.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    client
}

/// A handshake as a CA makes it, read to the end: nothing may come after it.
async fn ask(
    server: SocketAddr,
    name: &str,
    client: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let exchange = async {
        let tcp = TcpStream::connect(server).await?;
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = connector.connect(name, tcp).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        assert!(rest.is_empty(), "the application was reached");
        Ok(stream)
    };
    timeout(PATIENCE, exchange).await.expect("it ends in time")
}

#[tokio::test]
async fn a_ca_is_shown_the_digest_and_the_connection_is_closed() {
    let ca = Ca::new();
    let server = server(&ca).await;
    for (version, identifier) in [
        (&TLS12, NAME),
        (&TLS13, NAME),
        (&TLS12, ADDRESS),
        (&TLS13, ADDRESS),
    ] {
        let identifier: Identifier = identifier.parse().unwrap();
        let client = client(version, &["acme-tls/1"]);
        let stream = ask(server.address, &identifier.server_name(), client)
            .await
            .unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(&b"acme-tls/1"[..]));
        let [der] = session.peer_certificates().unwrap() else {
            panic!("a self-signed certificate has no chain");
        };
        let names = certfleet_core::Leaf::parse(der).unwrap().names;
        assert_eq!(names, std::slice::from_ref(&identifier), "the only name");
        let (_, certificate) = parse_x509_certificate(der).unwrap();
        certificate.verify_signature(None).unwrap();
        let extension = certificate
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == ACME_IDENTIFIER)
            .unwrap();
        assert!(extension.critical);
        // An OCTET STRING of 32 bytes.
        let digest = answer(ChallengeKind::TlsAlpn01, NAME).digest();
        assert_eq!(extension.value, [&[4, 32], &digest[..]].concat());
    }
    server.until(|stats| stats.challenges() == 4).await;
    let counts: Vec<_> = server.stats.counts().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counts, [("challenge", 4)]);
}

#[tokio::test]
async fn without_an_answer_there_is_an_alert() {
    let ca = Ca::new();
    let with = server(&ca).await;
    let names = [
        "b.example",
        "http.example",  // an answer of another kind
        "other.example", // an answer for another name
        "192.0.2.7",     // no server name
    ];
    for version in [&TLS12, &TLS13] {
        for name in names {
            let refused = ask(with.address, name, client(version, &["acme-tls/1"])).await;
            assert_eq!(tls_error(refused), DENIED, "{name}");
        }
    }
    with.until(|stats| stats.failures(Failure::NoAnswer) == 8)
        .await;

    // Nor is a certificate shown where nobody could answer.
    let without = Server::start(None, Limits::default()).await;
    without.publish(NAME, 1, ca.issue(NAME, 1));
    let refused = ask(without.address, NAME, client(&TLS13, &["acme-tls/1"])).await;
    assert_eq!(tls_error(refused), DENIED);
    without
        .until(|stats| stats.failures(Failure::NoAnswer) == 1)
        .await;
}

#[tokio::test]
async fn a_client_that_offers_more_is_no_ca() {
    let ca = Ca::new();
    let server = server(&ca).await;
    for (offered, agreed) in [
        (&["acme-tls/1", "h2"][..], Some(&b"h2"[..])),
        (&["http/1.1", "acme-tls/1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let mut client = ca.client(&[&TLS13]);
        client.alpn_protocols = offered.iter().map(|p| p.as_bytes().to_vec()).collect();
        let stream = connect(server.address, &Arc::new(client), NAME)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
        assert_eq!(generation(&stream), 1);
    }
    let mixed = client(&TLS13, &["acme-tls/1", "acme-tls/1.1"]);
    assert_eq!(
        tls_error(ask(server.address, NAME, mixed).await),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
    );
    assert_eq!(server.stats.challenges(), 0);
}

/// Never answers, and counts who waits.
#[derive(Default)]
struct Silent {
    waiting: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait::async_trait]
impl ChallengeResponder for Silent {
    async fn answer(&self, _: &str) -> Option<Answer> {
        let waiting = self.waiting.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(waiting, SeqCst);
        let _waits = Waits(&self.waiting);
        std::future::pending().await
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[tokio::test]
async fn a_responder_is_asked_for_64_at_once_and_3_seconds_long() {
    const CLIENTS: usize = 100;
    let ca = Ca::new();
    let silent = Arc::new(Silent::default());
    let server = asking(&ca, Arc::<Silent>::clone(&silent)).await;
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let asked = ask(server.address, NAME, client(&TLS13, &["acme-tls/1"]));
        clients.spawn(async { tls_error(asked.await) });
    }
    for error in clients.join_all().await {
        assert_eq!(error, DENIED);
    }
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert_eq!(silent.most.load(SeqCst), 64);
    server
        .until(|stats| stats.failures(Failure::NoAnswer) == CLIENTS as u64)
        .await;
}

#[tokio::test]
async fn openssl_sees_the_extension() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let script = format!(
        "openssl s_client -alpn acme-tls/1 -connect {} -servername {NAME} </dev/null 2>&1 \
         | tee /dev/stderr | openssl x509 -noout -text",
        server.address
    );
    let output = tokio::task::spawn_blocking(move || {
        Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let session = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "is the Debian package openssl installed? {session}"
    );
    assert!(session.contains("ALPN protocol: acme-tls/1"), "{session}");
    let certificate = String::from_utf8_lossy(&output.stdout);
    let extension = format!("{ACME_IDENTIFIER}: critical");
    assert!(certificate.contains(&extension), "{certificate}");
    assert!(certificate.contains("DNS:a.example\n"), "{certificate}");
}

/// Takes any certificate whose key signed the handshake (TLS 1.3).
#[derive(Debug)]
struct Any(CryptoProvider);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    // rustls has no way to check this one for a certificate with a critical extension.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, certificate) = parse_x509_certificate(certificate).unwrap();
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key().raw);
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
