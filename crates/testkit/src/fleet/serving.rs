//! What clients see of a fleet: who serves which certificate, and whom the balancer knows.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::LocalFleet;
use crate::load::Plan;

/// How long the balancer may take to see what has become of a node.
const BALANCER_LIMIT: Duration = Duration::from_secs(10);

impl LocalFleet {
    /// The serial number each running node serves for a certificate.
    ///
    /// # Errors
    /// If one does not serve it.
    pub async fn serials(&self, certificate: usize) -> Result<Vec<String>> {
        let primary = self.certificates[certificate].primary().as_str();
        let name = primary.replace('*', "any");
        let mut serials = Vec::new();
        for node in &self.nodes {
            serials.push(node.get(&self.client, &name).await?.serial);
        }
        Ok(serials)
    }

    /// Waits until all nodes serve one and the same serial number other than `old`, and gives it.
    ///
    /// # Errors
    /// If they do not within `limit`; what each serves is in the error.
    pub async fn converged(
        &self,
        certificate: usize,
        old: &str,
        limit: Duration,
    ) -> Result<String> {
        let end = Instant::now() + limit;
        loop {
            let serials = self.serials(certificate).await;
            if let Ok(serials) = &serials
                && let Some(first) = serials.first()
                && first != old
                && serials.iter().all(|serial| serial == first)
            {
                return Ok(first.clone());
            }
            if Instant::now() > end {
                bail!("no new serial on all nodes within {limit:?} (old: {old}): {serials:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no node serves a certificate any more.
    ///
    /// # Errors
    /// If one still does after `limit`.
    pub async fn gone(&self, certificate: usize, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let name = self.certificates[certificate].primary().as_str();
        for node in &self.nodes {
            while let Ok(answer) = node.get(&self.client, name).await {
                ensure!(
                    Instant::now() < end,
                    "{} serves {} for {name}",
                    node.id(),
                    answer.serial
                );
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Waits until the balancer sends HTTPS to every node.
    ///
    /// # Errors
    /// If it leaves one out.
    pub async fn balanced(&self) -> Result<()> {
        let end = Instant::now() + BALANCER_LIMIT;
        for node in &self.nodes {
            while !self.haproxy.https_up(node.id()).await? {
                ensure!(
                    Instant::now() < end,
                    "HAProxy sends nothing to {}",
                    node.id()
                );
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Waits until the balancer no longer sends requests to a node that hangs or is gone.
    ///
    /// # Errors
    /// If it goes on doing so.
    pub async fn left_out(&self, name: &str) -> Result<()> {
        let end = Instant::now() + BALANCER_LIMIT;
        while self.haproxy.http_up(name).await? || self.haproxy.https_up(name).await? {
            ensure!(
                Instant::now() < end,
                "HAProxy goes on sending requests to {name}"
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Load through the balancer on the names of all certificates.
    #[must_use]
    pub fn plan(&self, workers: usize, pause: Duration, most: usize) -> Plan {
        let names = self.certificates.iter().flatten().map(ToString::to_string);
        Plan {
            address: self.haproxy.https(),
            names: names.collect(),
            workers,
            pause,
            most,
        }
    }
}
