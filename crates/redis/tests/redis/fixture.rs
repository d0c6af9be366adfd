//! A server, a fleet on it, and what the tests ask for again and again.

use std::time::Duration;

use certfleet_core::{CertificateId, Timestamp};
use certfleet_redis::{Config, Redis};
use certfleet_store::{
    Lease, Stored,
    contract::{PATIENCE, sample},
    feed::{Signal, Subscription},
};
use certfleet_testkit::redis::RedisServer;
use tokio::time::timeout;

/// A time to live that no test outlives.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// A server of its own, with one fleet named `test` on it.
pub(crate) struct Fixture {
    pub(crate) server: RedisServer,
    pub(crate) redis: Redis,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let server = RedisServer::start().await.unwrap();
        let redis = Redis::new(config(&server.url())).unwrap();
        Self { server, redis }
    }

    pub(crate) async fn cli(&self, args: &[&str]) -> String {
        self.server.cli(args).await.unwrap()
    }

    pub(crate) async fn lease(&self, names: &str) -> Lease {
        sample::lease(&self.redis, names).await
    }

    /// Leases, commits and releases.
    pub(crate) async fn commit(&self, names: &str, generation: u64) -> Stored {
        sample::commit(&self.redis, names, generation).await
    }
}

/// Short times, so that outages are found out soon.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new(url, "test".parse().unwrap());
    config.connect_timeout = Duration::from_millis(500);
    config.response_timeout = Duration::from_millis(500);
    config.ping_interval = Duration::from_millis(200);
    config
}

pub(crate) fn id(names: &str) -> CertificateId {
    sample::names(names).id()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next signal, which must come soon.
pub(crate) async fn next(subscription: &mut Box<dyn Subscription>) -> Signal {
    timeout(PATIENCE, subscription.next())
        .await
        .expect("a signal comes in time")
}
