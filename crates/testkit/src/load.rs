//! Load: clients that each make one new TLS connection after the other, with one request each.
//!
//! Every connection is verified and every failure is counted with its reason; there are no
//! retries, so a number of failures of zero means what it says.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{task::JoinSet, time::sleep};

use crate::{client::Client, latency::Latencies};

/// How many different reasons of failure are kept.
const REASONS: usize = 10;

/// What load is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// The names asked for, in turn.
    pub names: Vec<String>,
    /// How many clients work at the same time.
    pub workers: usize,
    /// How long a client rests after each connection.
    pub pause: Duration,
    /// How many connections are made at the most.
    pub most: usize,
}

/// Load that goes on until it is stopped or has made its most connections.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<Outcome>,
    start: Instant,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    plan: Plan,
    begun: AtomicUsize,
    done: AtomicUsize,
    stop: AtomicBool,
}

/// What came of the load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Connections whose request was answered 200.
    pub succeeded: usize,
    /// Those that failed in any way.
    pub failed: usize,
    /// Reasons of failure, with how often each came.
    pub reasons: BTreeMap<String, usize>,
    /// How often each serial number was served.
    pub serials: BTreeMap<String, usize>,
    /// From connecting to the whole answer.
    pub latencies: Latencies,
    /// How long it all took.
    pub took: Duration,
}

impl Load {
    /// Starts it.
    #[must_use]
    pub fn start(client: Client, plan: Plan) -> Self {
        let count = plan.workers;
        let [begun, done] = [const { AtomicUsize::new(0) }; 2];
        let shared = Arc::new(Shared {
            client,
            plan,
            begun,
            done,
            stop: AtomicBool::new(false),
        });
        let mut workers = JoinSet::new();
        for _ in 0..count {
            workers.spawn(work(Arc::clone(&shared)));
        }
        Self {
            shared,
            workers,
            start: Instant::now(),
        }
    }

    /// How many connections are over.
    #[must_use]
    pub fn done(&self) -> usize {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Waits until `count` connections are over.
    ///
    /// # Errors
    /// If they are not within `limit`.
    pub async fn reach(&self, count: usize, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        while self.done() < count {
            ensure!(
                Instant::now() < end,
                "{} of {count} connections in {limit:?}",
                self.done()
            );
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Lets the connections in hand finish and gives the outcome.
    ///
    /// # Errors
    /// If a worker died.
    pub async fn stop(mut self) -> Result<Outcome> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::default();
        while let Some(done) = self.workers.join_next().await {
            outcome.merge(done?);
        }
        outcome.took = self.start.elapsed();
        Ok(outcome)
    }
}

async fn work(shared: Arc<Shared>) -> Outcome {
    let Shared {
        client,
        plan,
        begun,
        done,
        stop,
    } = &*shared;
    let mut outcome = Outcome::default();
    while !stop.load(Ordering::Relaxed) {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        if number >= plan.most {
            break;
        }
        let name = &plan.names[number % plan.names.len()];
        let start = Instant::now();
        match client.get(plan.address, name).await {
            Ok(answer) if answer.status == 200 => {
                outcome.succeeded += 1;
                outcome.latencies.add(start.elapsed());
                *outcome.serials.entry(answer.serial).or_default() += 1;
            }
            Ok(answer) => outcome.fail(format!("status {}: {}", answer.status, answer.body)),
            Err(error) => outcome.fail(format!("{error:#}")),
        }
        done.fetch_add(1, Ordering::Relaxed);
        sleep(plan.pause).await;
    }
    outcome
}

impl Outcome {
    /// Fails unless all of at least `least` connections succeeded.
    ///
    /// # Errors
    /// With the counts and the reasons.
    pub fn check(&self, least: usize) -> Result<()> {
        ensure!(self.failed == 0, "{self}: {:#?}", self.reasons);
        ensure!(self.succeeded >= least, "{self}; wanted at least {least}");
        Ok(())
    }

    fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.note(reason, 1);
    }

    fn note(&mut self, reason: String, count: usize) {
        if self.reasons.len() < REASONS || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    fn merge(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.latencies.extend(other.latencies);
        for (reason, count) in other.reasons {
            self.note(reason, count);
        }
        for (serial, count) in other.serials {
            *self.serials.entry(serial).or_default() += count;
        }
    }
}

/// `2000 new TLS connections in 4.1 s, 0 failed, each p50 … p99 …`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} new TLS connections in {:.1} s, {} failed, each {}",
            self.succeeded + self.failed,
            self.took.as_secs_f64(),
            self.failed,
            self.latencies
        )
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A TLS server for a.test that answers `ok` times and then closes at once; its root as PEM.
    async fn server(ok: usize) -> (SocketAddr, String) {
        let signed = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut served = 0;
            while let Ok((stream, _)) = listener.accept().await {
                served += 1;
                if served > ok {
                    continue;
                }
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    let _request = stream.read(&mut [0; 1024]).await?;
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        .await?;
                    stream.shutdown().await
                });
            }
        });
        (address, signed.cert.pem())
    }

    fn plan(address: SocketAddr, name: &str) -> Plan {
        let names = vec![name.to_owned()];
        Plan {
            address,
            names,
            workers: 2,
            pause: Duration::ZERO,
            most: 12,
        }
    }

    async fn run(client: &Client, plan: Plan) -> Outcome {
        let load = Load::start(client.clone(), plan);
        load.reach(12, Duration::from_secs(10)).await.unwrap();
        load.stop().await.unwrap()
    }

    #[tokio::test]
    async fn counts_what_succeeds_and_why_the_rest_fails() {
        let (address, root) = server(10).await;
        let client = Client::trusting(&root).unwrap();
        let outcome = run(&client, plan(address, "a.test")).await;
        assert_eq!((outcome.succeeded, outcome.failed), (10, 2), "{outcome}");
        assert_eq!(outcome.serials.values().sum::<usize>(), 10);
        let error = outcome.check(10).unwrap_err().to_string();
        assert!(error.contains("TLS handshake"), "{error}");
    }

    #[tokio::test]
    async fn another_name_or_root_is_a_failure() {
        let (address, root) = server(100).await;
        let (_, other) = server(0).await;
        for (root, name) in [(&root, "b.test"), (&other, "a.test")] {
            let client = Client::trusting(root).unwrap();
            let outcome = run(&client, plan(address, name)).await;
            assert_eq!((outcome.succeeded, outcome.failed), (0, 12), "{outcome}");
        }
    }
}
