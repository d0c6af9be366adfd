//! Steady, verified load on one address: a fixed number of requests a second, each over a TLS
//! connection of its own, until standard input ends; then what came of it as `key value` lines.
//!
//! The rate does not depend on the answers, so a server that stalls meets a queue and not a client
//! that waits. There are no retries. Requests that were under way between the lines `open` and
//! `close` on standard input, and failed, are counted apart: whoever writes these lines kills a server
//! in between.
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
use certfleet_testkit::client::Client;
use tokio::{sync::Semaphore, time::MissedTickBehavior};

/// How many requests may be under way; the next one counts as failed.
const MOST: usize = 1000;

/// How many different reasons of failure are printed.
const REASONS: usize = 20;

#[derive(Default)]
struct Tally {
    succeeded: u64,
    failed: u64,
    in_flight: u64,
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
    let address: SocketAddr = address.parse().context("ADDRESS")?;
    let rate: u32 = rate.parse().context("RATE")?;
    let client = Client::trusting(&std::fs::read_to_string(roots).context("ROOTS")?)?;
    let killing = Arc::new(Killing::default());
    let stop = listen(Arc::clone(&killing));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let free = Arc::new(Semaphore::new(MOST));

    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for name in names.iter().cycle() {
        ticks.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            note(
                &tally,
                Err(format!("{MOST} requests are under way already")),
                false,
            );
            continue;
        };
        let (client, name) = (client.clone(), name.clone());
        let (tally, killing) = (Arc::clone(&tally), Arc::clone(&killing));
        tokio::spawn(async move {
            let closed = killing.closed.load(Ordering::SeqCst);
            let begun = Instant::now();
            let result = match client.get(address, &name).await {
                Ok(answer) if answer.status == 200 => Ok(begun.elapsed()),
                Ok(answer) => Err(format!("status {}", answer.status)),
                Err(error) => Err(format!("{error:#}")),
            };
            let during = killing.opened.load(Ordering::SeqCst) > closed;
            note(&tally, result, during);
            drop(permit);
        });
    }
    let took = start.elapsed();
    let _all = free.acquire_many(u32::try_from(MOST)?).await?;
    print(&tally, took);
    Ok(())
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

fn note(tally: &Mutex<Tally>, result: Result<Duration, String>, during: bool) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
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

#[expect(clippy::print_stdout, reason = "this is a command-line program")]
fn print(tally: &Mutex<Tally>, took: Duration) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.latencies.sort_unstable();
    let all = tally.succeeded + tally.failed + tally.in_flight;
    let at = |percent: usize| tally.latencies.get(tally.latencies.len() * percent / 100);
    println!("succeeded {}", tally.succeeded);
    println!("failed {}", tally.failed);
    println!("in-flight {}", tally.in_flight);
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
