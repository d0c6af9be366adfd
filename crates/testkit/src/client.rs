//! A TLS client that verifies, always: the chain up to a given root, and the name.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::http;

/// How long one connection with its request may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Connects by TLS and trusts one set of roots; each connection is a full handshake.
#[derive(Clone)]
pub struct Client(TlsConnector);

/// What came back over one connection.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The leaf's serial number, in lower-case hexadecimal.
    pub serial: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Client {
    /// Trusts the certificates of a PEM text and nothing else.
    ///
    /// # Errors
    /// If the text holds no certificate.
    pub fn trusting(roots: &str) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(certificate.context("read the root")?)?;
        }
        ensure!(!store.is_empty(), "there is no certificate in the roots");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// A new connection to `address` for `name`, and GET / over it.
    ///
    /// # Errors
    /// Which step failed: connection, handshake (with verification), or request.
    pub async fn get(&self, address: SocketAddr, name: &str) -> Result<Answer> {
        timeout(LIMIT, self.exchange(address, name))
            .await
            .with_context(|| format!("no answer within {LIMIT:?}"))?
    }

    /// A new connection to `address` for `name`, after the handshake; for as long as it takes.
    ///
    /// # Errors
    /// Which step failed: connection or handshake (with verification).
    pub async fn connect(&self, address: SocketAddr, name: &str) -> Result<TlsStream<TcpStream>> {
        let server = ServerName::try_from(name.to_owned())?;
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        self.0
            .connect(server, stream)
            .await
            .context("TLS handshake")
    }

    async fn exchange(&self, address: SocketAddr, name: &str) -> Result<Answer> {
        let stream = self.connect(address, name).await?;
        let leaf = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(<[_]>::first);
        let serial = serial(leaf.context("a handshake gives a leaf")?)?;
        let (status, body) = http::exchange(stream, name, "/").await.context("request")?;
        Ok(Answer {
            serial,
            status,
            body,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

fn serial(leaf: &CertificateDer<'_>) -> Result<String> {
    Ok(certfleet_core::Leaf::parse(leaf)?.serial)
}
