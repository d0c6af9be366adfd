//! A thousand certificates, three nodes, one CA: each is ordered once, the work is shared, and what
//! a renewal costs the CA and Redis is counted there. How fast it went is told, not judged.

#![expect(
    clippy::print_stdout,
    reason = "the figures are what a reader asks for"
)]

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use certfleet_core::Timestamp;
use certfleet_redis::Redis;
use certfleet_store::{ChangeFeed, Clock, Stored, SystemClock};
use certfleet_testkit::{
    fleet::{LocalFleet, NAME, Options},
    node::Node,
    pebble::Endpoint,
    plain_client::PlainClient,
};
use tokio::time::{Instant, sleep};

/// How many certificates there are.
const CERTIFICATES: usize = 1000;
/// How many the bare loop gets.
const PLAIN: usize = 30;
/// How long all of them may take to be issued, or renewed.
const LIMIT: Duration = Duration::from_secs(180);
/// How long Redis is looked at while nothing is due.
const IDLE: Duration = Duration::from_secs(5);
/// A renewal asks the CA this often at the most: nonce, order, authorization, challenge, polls,
/// finalization, certificate, renewal information, and one nonce in twenty refused.
const MOST_REQUESTS: f64 = 15.0;
/// A renewal takes this many commands at the most, those in scripts included.
const MOST_COMMANDS: f64 = 120.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_ordered_once_and_the_work_is_shared() -> Result<()> {
    let names = (1..=CERTIFICATES).map(|n| &*format!("n{n:04}.certfleet.test").leak());
    let mut fleet = LocalFleet::start(Options {
        certificates: names.collect(),
        lease_ttl: Duration::from_secs(30),
        ..Options::default()
    })
    .await?;
    let store = Redis::new(certfleet_redis::Config::new(
        fleet.redis.url(),
        NAME.parse()?,
    ))?;

    let first_order = until_ordered(&fleet).await?;
    let last_commit = until_committed(&fleet, &store, 1).await?;
    let took = last_commit.since(first_order);
    issued_once(&fleet, &store).await?;
    told("issued", &fleet, CERTIFICATES, took);
    shares(&fleet, &store).await?;
    costs(&fleet)?;

    let alone = alone(&fleet).await?;
    let pace = |count: usize, took: Duration| count as f64 / took.as_secs_f64();
    println!(
        "certificates per second: fleet {:.1}, instant-acme alone {:.1}: {:.1} times",
        pace(CERTIFICATES, took),
        pace(PLAIN, alone),
        pace(CERTIFICATES, took) / pace(PLAIN, alone),
    );

    renewed(&fleet, &store).await?;
    restarted(&mut fleet).await
}

/// When the CA took the first order.
async fn until_ordered(fleet: &LocalFleet) -> Result<Timestamp> {
    let end = Instant::now() + LIMIT;
    while fleet.pebble.orders() == 0 {
        ensure!(Instant::now() < end, "no order within {LIMIT:?}");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(SystemClock.now())
}

/// Waits until every node serves every certificate in this generation; gives when the last was
/// committed.
async fn until_committed(fleet: &LocalFleet, store: &Redis, generation: u64) -> Result<Timestamp> {
    let end = Instant::now() + LIMIT;
    loop {
        let mut behind = Vec::new();
        for node in &fleet.nodes {
            let served = generations(node).await?;
            if served != (CERTIFICATES as u64 * generation) as f64 {
                behind.push(format!("{} {served}", node.id()));
            }
        }
        if behind.is_empty() {
            break;
        }
        if Instant::now() > end {
            let failed = failed(fleet).await?;
            bail!("the sum of generations that each serves, after {LIMIT:?}: {behind:?}; {failed}");
        }
        sleep(Duration::from_millis(500)).await;
    }
    let commits = records(store).await?;
    let last = commits.iter().map(|stored| stored.committed_at).max();
    last.context("nothing is committed")
}

/// How many certificates have failed, and how one of them did.
async fn failed(fleet: &LocalFleet) -> Result<String> {
    let pattern = fleet.key("attempt:*").replace(['{', '}'], "?");
    let keys = fleet.redis.cli(&["KEYS", &pattern]).await?;
    let Some(first) = keys.lines().next() else {
        return Ok("none has failed".to_owned());
    };
    let attempt = fleet.redis.cli(&["--json", "HGETALL", first]).await?;
    Ok(format!("{} have failed: {attempt}", keys.lines().count()))
}

async fn generations(node: &Node) -> Result<f64> {
    let metrics = node.metrics().await?;
    Ok(metrics
        .sum("certfleet_certificate_generation")
        .unwrap_or_default())
}

async fn records(store: &Redis) -> Result<Vec<Stored>> {
    let changes = store.changes(None).await?;
    Ok(changes.changed.into_iter().collect::<Result<_, _>>()?)
}

/// As many orders as certificates, one certificate for each name, no failure, no lease.
async fn issued_once(fleet: &LocalFleet, store: &Redis) -> Result<()> {
    let (orders, issued) = (fleet.pebble.orders(), fleet.pebble.issued());
    ensure!(
        (orders, issued) == (CERTIFICATES, CERTIFICATES),
        "{orders} orders, {issued} certificates"
    );
    let by_names = fleet.pebble.issued_by_names().await?;
    let twice: Vec<_> = by_names.iter().filter(|(_, count)| **count > 1).collect();
    ensure!(twice.is_empty(), "issued more than once: {twice:?}");
    ensure!(by_names.len() == CERTIFICATES, "{} names", by_names.len());
    ensure!(records(store).await?.len() == CERTIFICATES);
    orderly(fleet, CERTIFICATES).await
}

/// No attempt has failed, no lease is left, and the nodes count `orders` orders.
async fn orderly(fleet: &LocalFleet, orders: usize) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(2);
    while let [lease, ..] = fleet.leases().await?.as_slice() {
        ensure!(Instant::now() < end, "a lease is left behind: {lease}");
        sleep(Duration::from_millis(100)).await;
    }
    let mut counted = 0.0;
    for node in &fleet.nodes {
        let metrics = node.metrics().await?;
        let sum = |name| metrics.sum(name).unwrap_or_default();
        let failures = sum("certificate_update_failures_total");
        ensure!(failures == 0.0, "{failures} failures on {}", node.id());
        let deaths = sum("certfleet_task_deaths_total");
        ensure!(deaths == 0.0, "{deaths} task deaths on {}", node.id());
        counted += sum("certfleet_orders_total");
    }
    ensure!(counted == orders as f64, "the nodes count {counted} orders");
    Ok(())
}

fn told(what: &str, fleet: &LocalFleet, count: usize, took: Duration) {
    println!(
        "{what} {count} certificates on {} nodes in {:.1} s: {:.1} per second",
        fleet.nodes.len(),
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64()
    );
}

/// Which node did how much; each a tenth at least.
async fn shares(fleet: &LocalFleet, store: &Redis) -> Result<()> {
    let mut shares = BTreeMap::<String, usize>::new();
    for stored in records(store).await? {
        *shares
            .entry(stored.record.issued_by.to_string())
            .or_default() += 1;
    }
    for node in &fleet.nodes {
        let share = shares.get(node.id()).copied().unwrap_or_default();
        println!("  {} {share:4}", node.id());
        ensure!(
            share * 10 >= CERTIFICATES,
            "{} did no more than {share}",
            node.id()
        );
    }
    Ok(())
}

/// What the processes have cost so far.
fn costs(fleet: &LocalFleet) -> Result<()> {
    println!("  process      resident    processor time");
    let nodes = fleet.nodes.iter().map(|node| (node.id(), node.pid()));
    for (name, pid) in nodes.chain([("pebble", fleet.pebble.pid())]) {
        let (resident, seconds) = cost(pid)?;
        println!("  {name:10} {resident:6} KiB {seconds:10.1} s");
    }
    Ok(())
}

/// The resident memory of a process in KiB, and the processor time it has used in seconds.
fn cost(pid: u32) -> Result<(u64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|value| value.trim().strip_suffix(" kB"));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th
    // values behind it, in hundredths of a second.
    let (_, values) = stat.rsplit_once(')').context("read the statistics")?;
    let times = values.split_ascii_whitespace().skip(11).take(2);
    let times: Vec<f64> = times.map(str::parse).collect::<Result<_, _>>()?;
    let resident = resident.context("read the resident memory")?.parse()?;
    Ok((resident, times.iter().sum::<f64>() / 100.0))
}

/// How long a bare loop takes for [`PLAIN`] certificates of the same CA.
async fn alone(fleet: &LocalFleet) -> Result<Duration> {
    let names: Vec<_> = (1..=PLAIN)
        .map(|n| format!("p{n:04}.certfleet.test"))
        .collect();
    let port = fleet.haproxy.http().port();
    let client = PlainClient::new(&fleet.pebble, port, &names).await?;
    let start = Instant::now();
    for name in &names {
        client.issue(name).await?;
    }
    Ok(start.elapsed())
}

/// All are due, and renewed once; what each renewal costs is bounded.
async fn renewed(fleet: &LocalFleet, store: &Redis) -> Result<()> {
    until_asked(fleet, CERTIFICATES).await?;
    println!(
        "before and after {} s in which nothing is due:",
        IDLE.as_secs()
    );
    costs(fleet)?;
    let start = Usage::read(fleet).await?;
    sleep(IDLE).await;
    let begin = Usage::read(fleet).await?;
    let idle = begin.since(&start);
    costs(fleet)?;

    let (orders, issued) = (fleet.pebble.orders(), fleet.pebble.issued());
    let now = SystemClock.now();
    make_due(fleet, now).await?;
    let last_commit = until_committed(fleet, store, 2).await?;
    until_asked(fleet, 2 * CERTIFICATES).await?;
    let used = Usage::read(fleet).await?.since(&begin);
    let renewals = fleet.pebble.issued() - issued;
    ensure!(renewals == CERTIFICATES, "{renewals} renewals");
    let orders = fleet.pebble.orders() - orders;
    ensure!(orders == CERTIFICATES, "{orders} orders");
    orderly(fleet, 2 * CERTIFICATES).await?;
    told("renewed", fleet, CERTIFICATES, last_commit.since(now));
    println!("  {} said what they replace", fleet.pebble.replacements());

    let each = |count: usize| count as f64 / CERTIFICATES as f64;
    let mut requests = 0.0;
    for (endpoint, count) in &used.requests {
        println!("  {:8.2} {endpoint:?}", each(*count));
        requests += each(*count);
    }
    println!("  {requests:8.2} requests to the CA in all, per renewal");
    ensure!(requests <= MOST_REQUESTS, "{requests} requests per renewal");

    let while_idle = used.took.as_secs_f64() / idle.took.as_secs_f64();
    let net = |count: usize, idle: Option<&usize>| {
        let idle = idle.copied().unwrap_or_default() as f64 * while_idle;
        (count as f64 - idle).max(0.0) / CERTIFICATES as f64
    };
    let mut commands = 0.0;
    for (command, count) in &used.commands {
        let count = net(*count, idle.commands.get(command));
        if count >= 0.05 {
            println!("  {count:8.2} {command}");
        }
        commands += count;
    }
    println!("  {commands:8.2} Redis commands in all, per renewal, those in scripts included");
    println!(
        "  {:8.2} messages to Redis with them",
        net(used.messages, Some(&idle.messages))
    );
    println!(
        "  {:8.2} Redis commands a second while idle",
        idle.commands.values().sum::<usize>() as f64 / idle.took.as_secs_f64()
    );
    ensure!(commands <= MOST_COMMANDS, "{commands} commands per renewal");
    Ok(())
}

/// Waits until the CA has been asked so often when to renew.
async fn until_asked(fleet: &LocalFleet, times: usize) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while fleet.pebble.requests_to(Endpoint::RenewalInfo) < times {
        ensure!(
            Instant::now() < end,
            "no {times} questions for renewal information"
        );
        sleep(Duration::from_millis(500)).await;
    }
    // The last answers are being kept.
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Moves every entry of the schedule to `now`, as if time had done it.
async fn make_due(fleet: &LocalFleet, now: Timestamp) -> Result<()> {
    let (due, score) = (fleet.key("due"), now.as_millis().to_string());
    let mut command = vec!["ZADD", &due, "XX"];
    let ids: Vec<_> = (0..CERTIFICATES).map(|n| fleet.id(n)).collect();
    for id in &ids {
        command.extend([score.as_str(), id.as_str()]);
    }
    fleet.redis.cli(&command).await?;
    Ok(())
}

/// What was asked of the CA and of Redis up to a moment.
struct Usage {
    at: Instant,
    took: Duration,
    requests: BTreeMap<Endpoint, usize>,
    commands: BTreeMap<String, usize>,
    /// How often Redis has read from a connection: once for commands that are sent together.
    messages: usize,
}

impl Usage {
    async fn read(fleet: &LocalFleet) -> Result<Self> {
        let stats = fleet.redis.cli(&["INFO", "stats"]).await?;
        let messages = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_reads_processed:"));
        let messages = messages.context("Redis counts what it reads")?;
        let mut commands = BTreeMap::new();
        let text = fleet.redis.cli(&["INFO", "commandstats"]).await?;
        for line in text.lines() {
            let Some((command, counts)) = line
                .strip_prefix("cmdstat_")
                .and_then(|line| line.split_once(":calls="))
            else {
                continue;
            };
            let calls = counts.split(',').next().unwrap_or_default();
            commands.insert(command.to_owned(), calls.parse()?);
        }
        Ok(Self {
            at: Instant::now(),
            took: Duration::ZERO,
            requests: fleet.pebble.requests_by_endpoint(),
            commands,
            messages: messages.trim().parse()?,
        })
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            at: self.at,
            took: self.at - earlier.at,
            requests: less(&self.requests, &earlier.requests),
            commands: less(&self.commands, &earlier.commands),
            messages: self.messages - earlier.messages,
        }
    }
}

fn less<K: Ord + Clone>(
    all: &BTreeMap<K, usize>,
    earlier: &BTreeMap<K, usize>,
) -> BTreeMap<K, usize> {
    let rest = all.iter().map(|(key, count)| {
        let earlier = earlier.get(key).copied().unwrap_or_default();
        (key.clone(), count - earlier)
    });
    rest.filter(|(_, count)| *count > 0).collect()
}

/// A node that is started again serves all of them once it is ready.
async fn restarted(fleet: &mut LocalFleet) -> Result<()> {
    let mut node = fleet.nodes.pop().context("a fleet has a node")?;
    node.process().terminate(Duration::from_secs(20))?;
    let config = node.config().clone();
    drop(node);
    let start = Instant::now();
    let mut node = Node::start(config)?;
    node.ready().await?;
    let ready = start.elapsed();
    let served = generations(&node).await?;
    ensure!(
        served == (2 * CERTIFICATES) as f64,
        "ready with {served} instead of twice {CERTIFICATES}"
    );
    let start = Instant::now();
    node.metrics().await?;
    println!(
        "started again with {CERTIFICATES} certificates: ready after {} ms; metrics take {} ms",
        ready.as_millis(),
        start.elapsed().as_millis()
    );
    fleet.nodes.push(node);
    costs(fleet)
}
