//! A CA, clients that trust it, and a server on loopback, all real.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use certfleet_core::{Bundle, CertificateId, Generation, Leaf, NameSet, Timestamp};
use certfleet_tls::{Limits, Listener, Publisher, Resolver, Stats, Verified, server_config, watch};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Long enough for any of these tests on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            root,
        }
    }

    /// A certificate with a key of its own; its serial number is the generation.
    pub(crate) fn issue(&self, names: &str, generation: u64) -> Verified {
        let names: NameSet = names.parse().unwrap();
        let list: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(list).unwrap();
        params.serial_number = Some(SerialNumber::from(generation));
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let bundle = Bundle::new(vec![der], key.serialize_der().into()).unwrap();
        Verified::check(&bundle, &names, Timestamp::UNIX_EPOCH).unwrap()
    }

    /// A client that trusts this CA.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }
}

/// A listener that greets each client with one byte and closes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) stats: Arc<Stats>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(default: Option<&str>, limits: Limits) -> Self {
        let (publisher, listener) = listener(default, limits).await;
        Self::serve(Arc::new(publisher), listener)
    }

    pub(crate) fn serve(publisher: Arc<Publisher>, mut listener: Listener) -> Self {
        let address = listener.local_addr().unwrap();
        let stats = listener.stats();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await;
                tokio::spawn(async move {
                    stream.write_all(b"!").await?;
                    stream.shutdown().await
                });
            }
        });
        Self {
            address,
            publisher,
            stats,
            task,
        }
    }

    pub(crate) fn publish(&self, names: &str, generation: u64, verified: Verified) {
        publish(&self.publisher, names, generation, verified);
    }

    /// Waits until `reached` holds of the counters.
    pub(crate) async fn until(&self, reached: impl Fn(&Stats) -> bool) {
        let poll = async {
            while !reached(&self.stats) {
                tokio::task::yield_now().await;
            }
        };
        let outcome = timeout(PATIENCE, poll).await;
        assert!(outcome.is_ok(), "never reached; {:?}", self.stats);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn publish(publisher: &Publisher, names: &str, generation: u64, verified: Verified) {
    let names: NameSet = names.parse().unwrap();
    publisher
        .publish(names.id(), names, Generation::new(generation), verified)
        .unwrap();
}

pub(crate) async fn listener(default: Option<&str>, limits: Limits) -> (Publisher, Listener) {
    let (publisher, _, listener) = with_resolver(default, limits).await;
    (publisher, listener)
}

pub(crate) async fn with_resolver(
    default: Option<&str>,
    limits: Limits,
) -> (Publisher, Resolver, Listener) {
    let default: Option<CertificateId> = default.map(|id| id.parse().unwrap());
    let (publisher, resolver) = watch(default);
    let config = server_config(resolver.clone());
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0), config, limits)
        .await
        .unwrap();
    (publisher, resolver, listener)
}

/// A handshake, and the greeting read to its end, so that the client has its session tickets.
pub(crate) async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let exchange = async {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::clone(config));
        let mut stream = connector.connect(name, tcp).await?;
        let mut greeting = Vec::new();
        stream.read_to_end(&mut greeting).await?;
        assert_eq!(greeting, b"!");
        Ok(stream)
    };
    timeout(PATIENCE, exchange)
        .await
        .expect("the exchange ends in time")
}

/// The rustls error that ended a handshake.
pub(crate) fn tls_error(result: std::io::Result<TlsStream<TcpStream>>) -> rustls::Error {
    let error = result.map(|_| ()).expect_err("the handshake fails");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    rustls::Error::clone(inner.unwrap_or_else(|| panic!("not a TLS error: {error}")))
}

/// The generation of the certificate that a client was shown.
pub(crate) fn generation(stream: &TlsStream<TcpStream>) -> u64 {
    let leaf = &stream.get_ref().1.peer_certificates().unwrap()[0];
    u64::from_str_radix(&Leaf::parse(leaf).unwrap().serial, 16).unwrap()
}
