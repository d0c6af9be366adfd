//! TLS-ALPN-01 (RFC 8737): a CA's question is the handshake itself, and so is the answer.
//!
//! A client that offers the protocol `acme-tls/1` and no other asks for a self-signed certificate
//! that holds the digest of an answer. It gets that or a fatal alert; nothing of it ever reaches
//! the application. Since CAs ask from several places at once and a balancer spreads them, any
//! node must know the answer: where from is for the [`ChallengeResponder`] to say, who is asked
//! within a limit of time and of questions at once, because anybody can offer the protocol.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use certfleet_core::{Answer, ChallengeKind};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs::sign::any_ecdsa_type},
    pki_types::PrivateKeyDer,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::StartHandshake;
use zeroize::Zeroizing;

use crate::table::lower_case;

/// The protocol's name in ALPN (RFC 8737 section 6.2).
const PROTOCOL: &[u8] = b"acme-tls/1";

/// How long an answer is looked for, the wait for a place included.
const LIMIT: Duration = Duration::from_secs(3);

/// How many answers of one listener are looked for at once; more wait.
const PLACES: usize = 64;

/// Who knows what a CA is to be answered.
#[async_trait]
pub trait ChallengeResponder: Send + Sync {
    /// The answer to a TLS-ALPN-01 challenge that is asked for as `server_name`: a DNS name in
    /// lower case or, for an address, its reverse name (RFC 8738 section 6). `None` if there is no
    /// such challenge.
    ///
    /// It may look far, but is dropped after 3 seconds, which counts as `None`. Anybody can ask.
    async fn answer(&self, server_name: &str) -> Option<Answer>;
}

/// A responder asked within bounds.
#[derive(Clone)]
pub(crate) struct Challenges {
    responder: Arc<dyn ChallengeResponder>,
    places: Arc<Semaphore>,
}

impl Challenges {
    pub(crate) fn new(responder: Arc<dyn ChallengeResponder>) -> Self {
        Self {
            responder,
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// The answer for `server_name`, if there is one in time and it is for that name.
    async fn answer(&self, server_name: &str) -> Option<Answer> {
        let asking = async {
            let _place = self.places.acquire().await.ok()?;
            self.responder.answer(server_name).await
        };
        let answer = timeout(LIMIT, asking).await.unwrap_or_else(|_| {
            tracing::debug!(server_name, "no answer to a challenge was found in time");
            None
        })?;
        (answer.kind == ChallengeKind::TlsAlpn01 && answer.key() == server_name).then_some(answer)
    }
}

/// Whether a client asks for a challenge's answer: it offers `acme-tls/1` and nothing else.
pub(crate) fn is_asked(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|protocols| protocols.eq([PROTOCOL]))
}

/// Ends a handshake that asks for an answer: with the answer, or with a fatal alert.
///
/// # Errors
/// [`NoAnswer`], or what went wrong with the connection.
pub(crate) async fn respond<T: AsyncRead + AsyncWrite + Unpin>(
    start: StartHandshake<T>,
    challenges: Option<&Challenges>,
    provider: &Arc<CryptoProvider>,
) -> io::Result<()> {
    let name = start
        .client_hello()
        .server_name()
        .map(|name| lower_case(name).into_owned());
    let answer = match (challenges, &name) {
        (Some(challenges), Some(name)) => challenges.answer(name).await,
        _ => None,
    };
    let shown = Shown(answer.as_ref().map(certificate));
    let handshake = start.into_stream(config(provider, shown)).await;
    let Some(answer) = answer else {
        return Err(io::Error::other(NoAnswer));
    };
    let mut stream = handshake?;
    tracing::debug!(identifier = %answer.identifier, "a challenge is answered");
    // The client has all it asked for; that it may be gone by now is no failure.
    let _ = stream.shutdown().await;
    Ok(())
}

/// A server that shows one certificate, agrees on `acme-tls/1`, and offers no session to resume.
fn config(provider: &Arc<CryptoProvider>, shown: Shown) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider serves other handshakes too")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// The self-signed certificate for an answer (RFC 8737 section 3): its identifier as the only
/// subject alternative name, and the digest in a critical extension. Its key is used once.
fn certificate(answer: &Answer) -> Arc<CertifiedKey> {
    let mut params = CertificateParams::new([answer.identifier.as_str().to_owned()])
        .expect("an identifier is ASCII");
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "acme-tls/1");
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&answer.digest())];
    let key = KeyPair::generate().expect("the system gives random numbers");
    let certificate = params
        .self_signed(&key)
        .expect("a new key signs what is well formed");
    let key = Zeroizing::new(PrivateKeyDer::Pkcs8(key.serialize_der().into()));
    let key = any_ecdsa_type(&key).expect("the key that was just made is P-256");
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// What every client is shown, whatever it asks for.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

/// A client asked for the answer to a challenge that is not known here.
#[derive(Debug, thiserror::Error)]
#[error("the client asks for the answer to a challenge, and none is known")]
pub(crate) struct NoAnswer;
