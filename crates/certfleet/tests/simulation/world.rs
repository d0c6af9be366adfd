//! A fleet's world in memory: the store, the CA, the time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use certfleet::{Fleet, Handle, Running, Status};
use certfleet_acme::{IssueError, Issuer, Order, Problem};
use certfleet_core::{Bundle, CertificateId, Generation, NameSet, Timestamp};
use certfleet_store::{
    Clock, EventLog, Lease, Leases, event::EventKind, lease::Resource, local::Memory,
};
use tokio::time::Instant;

/// How long leases last here.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(30);
const NAMES: &str = "a.example+b.example";

/// A store, a CA and a clock that nodes share.
pub(crate) struct World {
    /// The store.
    pub(crate) backend: Arc<Memory>,
    /// The CA.
    pub(crate) issuer: Arc<FakeIssuer>,
    clock: Arc<VirtualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(VirtualClock {
            base: "2026-01-01T00:00:00Z".parse().unwrap(),
            start: Instant::now(),
        });
        let issuer = FakeIssuer {
            clock: Arc::clone(&clock),
            plan: Mutex::new(Plan::Issue),
            orders: AtomicUsize::new(0),
        };
        Self {
            backend: Arc::new(Memory::new(clock.clone())),
            issuer: Arc::new(issuer),
            clock,
        }
    }

    pub(crate) async fn node(&self, name: &str) -> SimulatedNode {
        self.node_with(name, &[]).await
    }

    /// A node with further settings.
    pub(crate) async fn node_with(&self, name: &str, more: &[(&str, &str)]) -> SimulatedNode {
        let fleet = Fleet::builder()
            .node_id(name)
            .certificate(NAMES)
            .master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .acme_directory("built-in")
            .data_dir("/nonexistent")
            .http_addr("127.0.0.1:0")
            .https_addr("127.0.0.1:0")
            .setting("lease_ttl", "30s")
            .setting("renew_check_interval", "1m")
            .backend(self.backend.clone())
            .issuer(self.issuer.clone())
            .clock(self.clock.clone());
        let fleet = more
            .iter()
            .fold(fleet, |fleet, (name, value)| fleet.setting(name, *value));
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

    /// Lets time pass until `met`; a day of it at the most.
    pub(crate) async fn until(&self, met: impl Fn() -> bool) {
        let limit = self.now().after(2 * 86_400 * Duration::from_secs(1));
        while !met() {
            assert!(self.now() < limit, "it did not happen");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
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

/// What the CA does with orders.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// Issues after three seconds.
    Issue,
    /// Never answers the next order; the ones after that are issued.
    Hang,
    /// Refuses.
    Fail { retry_after: Option<Duration> },
}

/// A CA that issues 90-day certificates signed by nobody.
#[derive(Debug)]
pub(crate) struct FakeIssuer {
    clock: Arc<VirtualClock>,
    plan: Mutex<Plan>,
    orders: AtomicUsize,
}

impl FakeIssuer {
    pub(crate) fn plan(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    pub(crate) fn orders(&self) -> usize {
        self.orders.load(Ordering::SeqCst)
    }

    fn bundle(&self, names: &NameSet) -> Bundle {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        let start = std::time::UNIX_EPOCH + self.clock.now().since(Timestamp::UNIX_EPOCH);
        params.not_before = start.into();
        params.not_after = (start + Duration::from_secs(90 * 86_400)).into();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Bundle::new(vec![certificate.der().clone()], key.serialize_der().into()).unwrap()
    }
}

#[async_trait]
impl Issuer for FakeIssuer {
    fn name(&self) -> &str {
        "simulated"
    }

    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError> {
        self.orders.fetch_add(1, Ordering::SeqCst);
        let plan = *self.plan.lock().unwrap();
        match plan {
            Plan::Issue => tokio::time::sleep(Duration::from_secs(3)).await,
            Plan::Hang => {
                self.plan(Plan::Issue);
                std::future::pending::<()>().await;
            }
            Plan::Fail { retry_after } => {
                return Err(IssueError::Refused {
                    ca: "simulated".into(),
                    operation: "create the order",
                    status: Some(429),
                    problem: Box::new(Problem::default()),
                    retry_after,
                    doubtful: false,
                });
            }
        }
        Ok(self.bundle(order.names))
    }
}
