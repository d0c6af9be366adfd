//! A fleet's world in memory: the store, the CA, the time.

use std::{sync::Arc, time::Duration};

use certfleet::{Builder, Fleet, Handle, Operator, Running, Status};
use certfleet_core::{CertificateId, Generation, NameSet, Timestamp, Wanted};
use certfleet_store::{
    Clock, EventLog, Lease, Leases, Schedule, event::EventKind, lease::Resource, local::Memory,
};
use tokio::time::Instant;

use crate::ca::Ca;

/// How long leases last here.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(30);
const NAMES: &str = "a.example+b.example";

/// A store, a CA and a clock that nodes share.
pub(crate) struct World {
    /// The store.
    pub(crate) backend: Arc<Memory>,
    /// The CA.
    pub(crate) issuer: Arc<Ca>,
    /// Another one, which no node turns to unless it is told to.
    pub(crate) second: Arc<Ca>,
    clock: Arc<VirtualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(VirtualClock {
            base: "2026-01-01T00:00:00Z".parse().unwrap(),
            start: Instant::now(),
        });
        Self {
            backend: Arc::new(Memory::new(clock.clone())),
            issuer: Arc::new(Ca::new("simulated", clock.clone())),
            second: Arc::new(Ca::new("second", clock.clone())),
            clock,
        }
    }

    pub(crate) async fn node(&self, name: &str) -> SimulatedNode {
        self.node_with(name, &[]).await
    }

    /// A node with further settings.
    pub(crate) async fn node_with(&self, name: &str, more: &[(&str, &str)]) -> SimulatedNode {
        let named = Wanted::new(NAMES.parse().unwrap());
        self.node_for(name, vec![named], more).await
    }

    /// A node that wants these certificates.
    pub(crate) async fn node_for(
        &self,
        name: &str,
        certificates: Vec<Wanted>,
        more: &[(&str, &str)],
    ) -> SimulatedNode {
        let fleet = Fleet::builder()
            .node_id(name)
            .master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .acme_directory("built-in")
            .data_dir("/nonexistent")
            .http_addr("127.0.0.1:0")
            .https_addr("127.0.0.1:0")
            .setting("lease_ttl", "30s")
            .setting("renew_check_interval", "1m")
            .setting("issuer.second.directory", "built-in")
            .setting("issuers", "main")
            .backend(self.backend.clone())
            .issuer(self.issuer.clone())
            .issuer_named("second", self.second.clone())
            .clock(self.clock.clone());
        let fleet = more
            .iter()
            .fold(fleet, |fleet, (name, value)| fleet.setting(name, *value));
        let fleet = certificates.into_iter().fold(fleet, Builder::wanted);
        let running = fleet.build().unwrap().start().await.unwrap();
        SimulatedNode {
            handle: running.handle(),
            running,
        }
    }

    pub(crate) fn id(&self) -> CertificateId {
        NAMES.parse::<NameSet>().unwrap().id()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A lease on the certificate, as a peer would take it.
    pub(crate) async fn lease(&self) -> Lease {
        let resource = Resource::Certificate(self.id());
        self.backend
            .acquire(&resource, &"peer".parse().unwrap(), LEASE_TTL)
            .await
            .unwrap()
            .unwrap()
    }

    /// Lets time pass until `met`; two days of it at the most.
    pub(crate) async fn until(&self, met: impl Fn() -> bool) {
        let limit = self.now().after(Duration::from_secs(2 * 86_400));
        while !met() {
            assert!(self.now() < limit, "it did not happen");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Lets what is due happen.
    pub(crate) async fn let_happen(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let now = self.now();
            let busy = !self.backend.holders().await.unwrap().is_empty();
            if !busy && self.backend.due(now, 1).await.unwrap().is_empty() {
                return;
            }
        }
    }

    /// Lets time pass to what is due next, or to `end`.
    pub(crate) async fn pass_to_next_event(&self, end: Timestamp) {
        let next = self.backend.due(end, 1).await.unwrap();
        let at = match next.first() {
            Some(id) => self.backend.due_at(id).await.unwrap().unwrap_or(end),
            None => end,
        };
        let wait = at.min(end).since(self.now());
        tokio::time::advance(wait + Duration::from_secs(1)).await;
    }

    /// Lets everything that can happen now happen.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// How many events of a kind there were.
    pub(crate) async fn count(&self, kind: EventKind) -> usize {
        self.settle().await;
        let events = self.backend.events(1000).await.unwrap();
        events.iter().filter(|event| event.kind == kind).count()
    }
}

/// A node of the world; dropped, it dies as by SIGKILL.
pub(crate) struct SimulatedNode {
    handle: Handle,
    running: Running,
}

impl SimulatedNode {
    pub(crate) fn status(&self) -> Status {
        self.handle.status()
    }

    pub(crate) fn metrics(&self) -> String {
        self.handle.metrics_text()
    }

    pub(crate) fn serves(&self, generation: Generation) -> bool {
        self.status()
            .certificates
            .iter()
            .any(|served| served.generation == generation)
    }

    pub(crate) fn serial(&self) -> String {
        self.status().certificates[0].serial.clone()
    }

    pub(crate) fn not_after(&self) -> Timestamp {
        self.status().certificates[0].not_after
    }

    pub(crate) fn operator(&self) -> Operator {
        self.handle.operator()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

/// The wall clock of paused time.
#[derive(Debug)]
struct VirtualClock {
    base: Timestamp,
    start: Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.base.after(self.start.elapsed())
    }
}
