//! A server, a fleet on it, and certificates to commit.

use std::time::Duration;

use certfleet_core::{
    Bundle, CertificateId, Generation, KeyRing, NameSet, NodeId, Record, Timestamp, record::Draft,
    seal::MasterKey,
};
use certfleet_redis::{Config, Redis};
use certfleet_store::{
    CertificateStore, Lease, Leases, Stored,
    feed::{Signal, Subscription},
    lease::Resource,
};
use certfleet_testkit::redis::RedisServer;
use tokio::time::timeout;

pub(crate) const TTL: Duration = Duration::from_secs(30);

/// A server of its own, with one fleet named `test` on it.
pub(crate) struct Fixture {
    pub(crate) server: RedisServer,
    pub(crate) redis: Redis,
    certificate: rcgen::Certificate,
    key: Vec<u8>,
}

/// Short times, so that outages are found out soon.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new(url, "test".parse().unwrap());
    config.connect_timeout = Duration::from_millis(500);
    config.response_timeout = Duration::from_millis(500);
    config.ping_interval = Duration::from_millis(200);
    config
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let server = RedisServer::start().await.unwrap();
        let redis = Redis::new(config(&server.url())).unwrap();
        let (certificate, key) = self_signed();
        Self {
            server,
            redis,
            certificate,
            key,
        }
    }

    pub(crate) async fn cli(&self, args: &[&str]) -> String {
        self.server.cli(args).await.unwrap()
    }

    /// A record of `names`; what is sealed in it is always the same bundle.
    pub(crate) fn record(&self, names: &str, generation: u64, lease: &Lease) -> Record {
        let bundle = Bundle::new(
            vec![self.certificate.der().clone()],
            self.key.clone().into(),
        )
        .unwrap();
        let leaf = certfleet_core::Leaf::parse(self.certificate.der()).unwrap();
        let draft = Draft {
            names: names.parse().unwrap(),
            generation: Generation::new(generation),
            fencing: lease.fencing,
            issued_by: node(),
            renew_at: "2027-01-31T12:00:00.5Z".parse().unwrap(),
        };
        let ring = KeyRing::new(MasterKey::from_bytes(&[7; 32]), vec![]);
        Record::seal(draft, &bundle, leaf, &"test".parse().unwrap(), &ring)
    }

    pub(crate) async fn lease(&self, names: &str) -> Lease {
        let granted = self.redis.acquire(&resource(names), &node(), TTL).await;
        granted.unwrap().expect("nobody holds it")
    }

    /// Leases, commits and releases.
    pub(crate) async fn commit(&self, names: &str, generation: u64) -> Stored {
        let lease = self.lease(names).await;
        let record = self.record(names, generation, &lease);
        let stored = self.redis.commit(&lease, &record).await.unwrap();
        assert!(self.redis.release(&lease).await.unwrap());
        stored
    }
}

pub(crate) fn node() -> NodeId {
    "node-1".parse().unwrap()
}

pub(crate) fn id(names: &str) -> CertificateId {
    names.parse::<NameSet>().unwrap().id()
}

pub(crate) fn resource(names: &str) -> Resource {
    Resource::Certificate(id(names))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next signal, which must come soon.
pub(crate) async fn next(subscription: &mut Box<dyn Subscription>) -> Signal {
    timeout(Duration::from_secs(15), subscription.next())
        .await
        .expect("a signal comes in time")
}

fn self_signed() -> (rcgen::Certificate, Vec<u8>) {
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "a.example");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate, key.serialize_der())
}
