//! Steady, verified load on one address: a fixed number of requests a second, ten over each TLS
//! connection, until standard input ends; then what came of it as `key value` lines.
//!
//! The rate does not depend on the answers, so a server that stalls meets a queue and not a client
//! that waits. Nothing is tried again but what every HTTP client tries again: a request on a kept
//! connection that the server closed without beginning an answer (RFC 9112 section 9.3.1); how often is
//! printed. Requests that were under way between the lines `open` and `close` on standard input, and
//! failed, are counted apart: whoever writes these lines kills a server in between.
//!
//! `load ADDRESS RATE ROOTS NAME...`

use std::{
    collections::BTreeMap,
    io::BufRead,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use certfleet_testkit::client::Client;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, timeout},
};

/// How many connections may be under way; the next one counts as failed.
const MOST: usize = 200;

/// How many requests go over one connection.
const EACH: u32 = 10;

/// How long one request may take, with the connection it may need.
const LIMIT: Duration = Duration::from_secs(5);

/// How many different reasons of failure are printed.
const REASONS: usize = 20;

/// What a connection needs to know.
#[derive(Clone)]
struct Job {
    client: Client,
    address: SocketAddr,
    name: String,
    killing: Arc<Killing>,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Default)]
struct Tally {
    succeeded: u64,
    failed: u64,
    in_flight: u64,
    again: u64,
    reasons: BTreeMap<String, u64>,
    latencies: Vec<Duration>,
}

/// How often a time of killing began and ended.
#[derive(Default)]
struct Killing {
    opened: AtomicUsize,
    closed: AtomicUsize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, rate, roots, names @ ..] = args.as_slice() else {
        anyhow::bail!("usage: load ADDRESS RATE ROOTS NAME...");
    };
    ensure!(!names.is_empty(), "a name is wanted to ask for");
    let rate: u32 = rate.parse().context("RATE")?;
    let mut job = Job {
        client: Client::trusting(&std::fs::read_to_string(roots).context("ROOTS")?)?,
        address: address.parse().context("ADDRESS")?,
        name: String::new(),
        killing: Arc::default(),
        tally: Arc::default(),
    };
    let stop = listen(Arc::clone(&job.killing));
    let free = Arc::new(Semaphore::new(MOST));

    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * EACH / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for name in names.iter().cycle() {
        ticks.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        job.name.clone_from(name);
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            for _ in 0..EACH {
                job.note(
                    Err(format!("{MOST} connections are under way already")),
                    false,
                );
            }
            continue;
        };
        let job = job.clone();
        tokio::spawn(async move {
            job.connection().await;
            drop(permit);
        });
    }
    let took = start.elapsed();
    let _all = free.acquire_many(u32::try_from(MOST)?).await?;
    print(&job.tally, took);
    Ok(())
}

impl Job {
    /// One connection's requests, on as many connections as it takes.
    async fn connection(&self) {
        let mut kept = None;
        for _ in 0..EACH {
            let closed = self.killing.closed.load(Ordering::SeqCst);
            let begun = Instant::now();
            let result = match timeout(LIMIT, self.request(&mut kept)).await {
                Ok(Ok(())) => Ok(begun.elapsed()),
                Ok(Err(error)) => Err(format!("{error:#}")),
                Err(_) => Err(format!("no answer within {LIMIT:?}")),
            };
            if result.is_err() {
                kept = None;
            }
            let during = self.killing.opened.load(Ordering::SeqCst) > closed;
            self.note(result, during);
        }
    }

    /// One request, on the kept connection if there is one.
    async fn request(&self, kept: &mut Option<http1::SendRequest<Empty<Bytes>>>) -> Result<()> {
        let request = Request::get("/")
            .header(header::HOST, &self.name)
            .body(Empty::<Bytes>::new())?;
        if let Some(mut sender) = kept.take() {
            match answer(&mut sender, request.clone()).await {
                Ok(()) => {
                    *kept = Some(sender);
                    return Ok(());
                }
                Err(error) if unanswered(&error) => self.tally().again += 1,
                Err(error) => return Err(error),
            }
        }
        let stream = self.client.connect(self.address, &self.name).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is the request's too.
        tokio::spawn(connection);
        answer(&mut sender, request).await?;
        *kept = Some(sender);
        Ok(())
    }

    fn note(&self, result: Result<Duration, String>, during: bool) {
        let mut tally = self.tally();
        match result {
            Ok(latency) => {
                tally.succeeded += 1;
                tally.latencies.push(latency);
            }
            Err(reason) => {
                if during {
                    tally.in_flight += 1;
                } else {
                    tally.failed += 1;
                }
                let during = if during {
                    " (under way during a kill)"
                } else {
                    ""
                };
                let reason = format!("{reason}{during}");
                if tally.reasons.len() < REASONS || tally.reasons.contains_key(&reason) {
                    *tally.reasons.entry(reason).or_default() += 1;
                }
            }
        }
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole answer, which must be 200.
async fn answer(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> Result<()> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    response
        .into_body()
        .collect()
        .await
        .context("read the body")?;
    ensure!(status == 200, "status {status}");
    Ok(())
}

/// Whether the server closed the connection without beginning an answer.
fn unanswered(error: &anyhow::Error) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(|error| {
        error.is_closed() || error.is_canceled() || error.is_incomplete_message()
    })
}

/// Reads standard input on a thread of its own; the flag is up once it has ended.
fn listen(killing: Arc<Killing>) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.as_str() {
                "open" => killing.opened.fetch_add(1, Ordering::SeqCst),
                "close" => killing.closed.fetch_add(1, Ordering::SeqCst),
                _ => continue,
            };
        }
        flag.store(true, Ordering::Relaxed);
    });
    ended
}

#[expect(clippy::print_stdout, reason = "this is a command-line program")]
fn print(tally: &Mutex<Tally>, took: Duration) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.latencies.sort_unstable();
    let all = tally.succeeded + tally.failed + tally.in_flight;
    let at = |percent: usize| tally.latencies.get(tally.latencies.len() * percent / 100);
    println!("succeeded {}", tally.succeeded);
    println!("failed {}", tally.failed);
    println!("in-flight {}", tally.in_flight);
    println!("again {}", tally.again);
    println!(
        "rate {:.0}/s for {:.0?}",
        all as f64 / took.as_secs_f64(),
        took
    );
    println!("p50 {:.1?}", at(50).unwrap_or(&Duration::ZERO));
    println!("p99 {:.1?}", at(99).unwrap_or(&Duration::ZERO));
    for (reason, count) in &tally.reasons {
        println!("reason {count} times: {reason}");
    }
}
