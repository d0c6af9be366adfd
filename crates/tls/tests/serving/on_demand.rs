//! Certificates on demand as clients meet them: who waits, for how long, and what comes of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use certfleet_core::{DomainName, Generation, NameSet};
use certfleet_tls::{Demand, Failure, Limits, OnDemand, OnDemandLimits, Publisher, Verified};
use rustls::{AlertDescription, ClientConfig, Error, version::TLS13};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::fixture::{Ca, Server, connect, generation, tls_error, with_resolver};

/// Served from the start; its certificate holds [`SPARE`] too.
const KNOWN: &str = "known.example";
/// Published by no certificate.
const SPARE: &str = "spare.example";
const DENIED: Error = Error::AlertReceived(AlertDescription::AccessDenied);

/// Publishes what it is asked for as generation 2, or refuses, once it is told which.
struct Desk {
    publisher: Arc<Publisher>,
    goods: Verified,
    verdict: watch::Receiver<Option<bool>>,
    calls: AtomicU64,
}

#[async_trait::async_trait]
impl OnDemand for Desk {
    async fn obtain(&self, server_name: &DomainName) -> bool {
        self.calls.fetch_add(1, SeqCst);
        let mut verdict = self.verdict.clone();
        let verdict = verdict.wait_for(Option::is_some).await.unwrap().unwrap();
        if verdict {
            let names: NameSet = server_name.as_str().parse().unwrap();
            // All but the first to come find it published.
            let _ =
                self.publisher
                    .publish(names.id(), names, Generation::new(2), self.goods.clone());
        }
        verdict
    }
}

struct Scene {
    server: Server,
    desk: Arc<Desk>,
    verdict: watch::Sender<Option<bool>>,
    client: Arc<ClientConfig>,
}

impl Scene {
    async fn new(default: Option<&str>, limits: Limits, on_demand: OnDemandLimits) -> Self {
        let ca = Ca::new();
        let (publisher, resolver, listener) = with_resolver(default, limits).await;
        let publisher = Arc::new(publisher);
        let (verdict, told) = watch::channel(None);
        let desk = Arc::new(Desk {
            publisher: Arc::clone(&publisher),
            goods: ca.issue(SPARE, 2),
            verdict: told,
            calls: AtomicU64::new(0),
        });
        let listener = listener.with_on_demand(resolver, Arc::<Desk>::clone(&desk), &on_demand);
        let server = Server::serve(publisher, listener);
        server.publish(KNOWN, 1, ca.issue(&format!("{KNOWN}+{SPARE}"), 1));
        Self {
            server,
            desk,
            verdict,
            client: Arc::new(ca.client(&[&TLS13])),
        }
    }

    async fn usual(default: Option<&str>) -> Self {
        Self::new(default, Limits::default(), OnDemandLimits::default()).await
    }

    /// The generation a client for `name` is shown, or the error it meets.
    fn connect(&self, name: &'static str) -> JoinHandle<Result<u64, Error>> {
        let (address, client) = (self.server.address, Arc::clone(&self.client));
        tokio::spawn(async move {
            match connect(address, &client, name).await {
                Ok(stream) => Ok(generation(&stream)),
                error => Err(tls_error(error)),
            }
        })
    }

    async fn until_called(&self, times: u64) {
        self.server.until(|_| self.calls() == times).await;
    }

    fn calls(&self) -> u64 {
        self.desk.calls.load(SeqCst)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.server.stats.demand_counts();
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

#[tokio::test]
async fn the_first_handshake_waits_and_the_next_does_not() {
    // That there is a default certificate makes no difference.
    for default in [None, Some(KNOWN)] {
        let scene = Scene::usual(default).await;
        let first = scene.connect(SPARE);
        scene.until_called(1).await;
        assert_eq!(
            scene.connect(KNOWN).await.unwrap(),
            Ok(1),
            "served meanwhile"
        );
        assert!(!first.is_finished());
        scene.verdict.send_replace(Some(true));
        assert_eq!(first.await.unwrap(), Ok(2));
        assert_eq!(scene.connect(SPARE).await.unwrap(), Ok(2));
        assert_eq!(scene.calls(), 1);
        assert_eq!(scene.counts(), [("obtained", 1)]);
    }
}

#[tokio::test]
async fn a_hundred_first_handshakes_at_once_are_all_served() {
    let scene = Scene::usual(None).await;
    let mut clients = JoinSet::new();
    for _ in 0..100 {
        let client = scene.connect(SPARE);
        clients.spawn(async { client.await.unwrap() });
    }
    scene.until_called(100).await;
    scene.verdict.send_replace(Some(true));
    assert_eq!(clients.join_all().await, vec![Ok(2); 100]);
    assert_eq!(scene.calls(), 100);
    assert_eq!(scene.server.stats.demands(Demand::Obtained), 100);
}

#[tokio::test]
async fn refused_or_too_late_a_client_gets_what_it_would_get_otherwise() {
    let soon = OnDemandLimits {
        timeout: Duration::from_millis(200),
        ..OnDemandLimits::default()
    };
    for (verdict, outcome) in [(Some(false), "refused"), (None, "timeout")] {
        for (default, expected) in [(Some(KNOWN), Ok(1)), (None, Err(DENIED))] {
            let scene = Scene::new(default, Limits::default(), soon.clone()).await;
            scene.verdict.send_replace(verdict);
            assert_eq!(scene.connect(SPARE).await.unwrap(), expected, "{outcome}");
            assert_eq!(scene.counts(), [(outcome, 1)]);
        }
    }
}

#[tokio::test]
async fn beyond_the_bound_nobody_waits() {
    let one = OnDemandLimits {
        max_waiting: 1,
        ..OnDemandLimits::default()
    };
    let scene = Scene::new(Some(KNOWN), Limits::default(), one).await;
    let first = scene.connect(SPARE);
    scene.until_called(1).await;
    for _ in 0..3 {
        assert_eq!(scene.connect(SPARE).await.unwrap(), Ok(1), "the default");
    }
    assert!(!first.is_finished());
    scene.verdict.send_replace(Some(true));
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(scene.calls(), 1);
    assert_eq!(scene.counts(), [("obtained", 1), ("busy", 3)]);
}

#[tokio::test]
async fn the_time_of_the_handshake_is_the_last_word() {
    let limits = Limits {
        handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let on_demand = OnDemandLimits {
        max_waiting: 1,
        timeout: Duration::from_secs(3600),
    };
    let scene = Scene::new(Some(KNOWN), limits, on_demand).await;
    let start = Instant::now();
    // The second finds the place of the first free.
    for call in 1..=2 {
        let ended = connect(scene.server.address, &scene.client, SPARE).await;
        assert!(ended.is_err(), "the connection is closed");
        let timed_out = |stats: &certfleet_tls::Stats| stats.failures(Failure::Timeout) == call;
        scene.server.until(timed_out).await;
        assert_eq!(scene.calls(), call);
    }
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(scene.counts(), []);
}

#[tokio::test]
async fn a_known_name_or_none_at_all_never_asks() {
    let scene = Scene::usual(Some(KNOWN)).await;
    let wild: NameSet = "*.wild.example".parse().unwrap();
    scene
        .server
        .publisher
        .publish(
            wild.id(),
            wild,
            Generation::new(2),
            scene.desk.goods.clone(),
        )
        .unwrap();
    assert_eq!(scene.connect(KNOWN).await.unwrap(), Ok(1));
    assert_eq!(scene.connect("KNOWN.example").await.unwrap(), Ok(1));
    for (name, why) in [
        ("x.wild.example", "a wildcard has it"),
        ("127.0.0.1", "no server name"),
        ("a_b.example", "no name for a certificate"),
    ] {
        let error = scene.connect(name).await.unwrap().unwrap_err();
        assert!(
            matches!(error, Error::InvalidCertificate(_)),
            "{name}: {why}"
        );
    }
    let mut ca = ClientConfig::clone(&scene.client);
    ca.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let refused = connect(scene.server.address, &Arc::new(ca), SPARE).await;
    assert_eq!(tls_error(refused), DENIED);
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.counts(), []);
}
