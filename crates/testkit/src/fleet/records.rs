//! What a fleet has in Redis, and what it has written elsewhere.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certfleet_core::{Bundle, FleetName, KeyRing, Record, seal::MasterKey};
use tokio::time::{Instant, sleep};

use super::{LocalFleet, NAME};
use crate::{secrets::Secrets, watch::Watch};

impl LocalFleet {
    /// A key of the fleet in Redis, such as `cert:ID`.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("certfleet:{{{NAME}}}:{name}")
    }

    /// A reader of the fleet's events, at their beginning.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(NAME)
    }

    /// A reader of the events that are still to come.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn watch_from_now(&self) -> Result<Watch> {
        let mut watch = self.watch();
        watch.skip(&self.redis).await?;
        Ok(watch)
    }

    /// A certificate's record in Redis, as `redis-cli HGETALL` gives it.
    ///
    /// # Errors
    /// If there is none.
    pub async fn record(&self, certificate: usize) -> Result<Record> {
        let key = self.key(&format!("cert:{}", self.id(certificate)));
        let fields = self.redis.cli(&["--json", "HGETALL", &key]).await?;
        let fields = serde_json::from_str(&fields).context("read the hash")?;
        Record::from_fields(&fields).with_context(|| key)
    }

    /// A certificate's chain and key, opened with the fleet's master key.
    ///
    /// # Errors
    /// If there is no record, or it does not open.
    pub async fn bundle(&self, certificate: usize) -> Result<Bundle> {
        let fleet: FleetName = NAME.parse()?;
        let ring = KeyRing::new(MasterKey::from_base64(&self.master_key)?, vec![]);
        Ok(self.record(certificate).await?.open(&fleet, &ring)?)
    }

    /// The leases that are held, by their keys.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn leases(&self) -> Result<Vec<String>> {
        self.keys("lease:").await
    }

    /// Waits until nothing is left of any work: no lease, no answer on the challenge board nor a
    /// note of one, no failed attempt.
    ///
    /// # Errors
    /// What is left after `limit`.
    pub async fn cleared(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let mut left = Vec::new();
            for kind in ["lease:", "challenge:", "answers:", "attempt:"] {
                left.extend(self.keys(kind).await?);
            }
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "left after {limit:?}: {left:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The fleet's keys in Redis whose names begin so.
    async fn keys(&self, begin: &str) -> Result<Vec<String>> {
        let pattern = self.key(&format!("{begin}*")).replace(['{', '}'], "?");
        let keys = self.redis.cli(&["KEYS", &pattern]).await?;
        Ok(keys
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// What must be in no log and no dump: the keys of the certificates that stand now, the
    /// master key, and the markers of private keys.
    ///
    /// # Errors
    /// If a record does not open.
    pub async fn secrets(&self) -> Result<Secrets> {
        let mut secrets = Secrets::markers();
        secrets.add_text("the master key", self.master_key.trim_end_matches('='));
        for certificate in 0..self.certificates.len() {
            let bundle = self.bundle(certificate).await?;
            let name = format!("the key of {}", self.id(certificate));
            secrets.add_key(&name, bundle.key().secret_der())?;
        }
        Ok(secrets)
    }

    /// Searches all that the run has written (logs, local copies, Redis's files) for `secrets`;
    /// gives how many files and bytes that was.
    ///
    /// # Errors
    /// The first secret found, by name, with its file.
    pub fn search(&self, secrets: &Secrets) -> Result<(usize, u64)> {
        // Pebble's folder has the key of its own endpoint in it, so its logs alone are searched.
        let mut paths = vec![
            self.dir.path(),
            self.haproxy.dir(),
            self.redis.dir(),
            self.pebble.log_path(),
        ];
        paths.extend(self.pebble.dns_log_path());
        secrets.search(&paths)
    }
}
