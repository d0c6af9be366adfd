//! kill -9 of the node that works on a certificate, at each arrow of its life: another node
//! finishes within the lease's time to live and a few seconds, by two orders at the most, and
//! nothing is left on the board, in the DNS or in Redis.
//!
//! All that the nodes and the CA say to each other arrives late, so that each step lasts longer
//! than it takes to see it and to kill; and what the dead node was saying is lost with it.

use std::time::Duration;

use anyhow::{Result, ensure};
use certfleet_store::event::{Event, EventKind};
use certfleet_testkit::{
    bind::{Bind, Zone},
    fleet::{LocalFleet, Options},
    node::Node,
    pebble::{PebbleOptions, RetryAfter},
};
use tokio::time::{Instant, sleep};

const STEP: Duration = Duration::from_secs(30);
const LEASE_TTL: Duration = Duration::from_secs(3);
/// What the fleet has beside the lease's time to live: an attempt of its own.
const GRACE: Duration = Duration::from_secs(8);
/// How late everything is that passes between nodes and CA.
const DELAY: Duration = Duration::from_millis(150);
/// How long an answer lingers on the board, and a little more.
const LINGER: Duration = Duration::from_secs(40);

/// A moment in a certificate's life.
struct Point {
    name: &'static str,
    /// The way of validation.
    challenge: &'static str,
    /// The event that comes with it, and words in it.
    event: (EventKind, &'static str),
    /// How many orders the CA has then been sent by the node that dies.
    orders: usize,
}

const fn point(
    name: &'static str,
    challenge: &'static str,
    event: (EventKind, &'static str),
    orders: usize,
) -> Point {
    Point {
        name,
        challenge,
        event,
        orders,
    }
}

const POINTS: [Point; 11] = {
    use EventKind::{Committed, LeaseAcquired, OrderStep};
    [
        point("lease acquired", "http-01", (LeaseAcquired, "fencing"), 0),
        point("order created", "http-01", (OrderStep, "ordered"), 1),
        point("order created", "dns-01", (OrderStep, "ordered"), 1),
        point("challenge presented", "http-01", (OrderStep, " is up"), 1),
        point("challenge presented", "dns-01", (OrderStep, " is up"), 1),
        point("challenge ready", "http-01", (OrderStep, "was told to"), 1),
        point("challenge ready", "dns-01", (OrderStep, "was told to"), 1),
        point("validated", "http-01", (OrderStep, "is validated"), 1),
        point("finalizing", "http-01", (OrderStep, "was requested"), 1),
        point("downloaded", "http-01", (OrderStep, "was downloaded"), 1),
        point("committed", "http-01", (Committed, "generation"), 1),
    ]
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_node_finishes_and_nothing_is_left() -> Result<()> {
    let mut zone = Zone::new("certfleet.test").record("base A 127.0.0.1");
    for number in 0..POINTS.len() {
        zone = zone.record(&format!("p{number} A 127.0.0.1"));
    }
    let bind = Bind::start(vec![zone]).await?;
    // A record is waited for a while, so that the moment before the CA is told lasts.
    let mut environment = bind.settings();
    environment.insert("CERTFLEET_DNS_PROPAGATION", "1s".to_owned());
    let mut fleet = LocalFleet::serving(Options {
        certificates: vec!["base.certfleet.test"],
        lease_ttl: LEASE_TTL,
        ca: PebbleOptions {
            dns_server: Some(bind.address()),
            retry_after: RetryAfter {
                authorization: Duration::from_secs(1),
                order: Duration::from_secs(1),
            },
            ..PebbleOptions::new(0)
        },
        ca_delay: Some(DELAY),
        environment,
        ..Options::default()
    })
    .await?;
    let mut table = Vec::new();
    for (number, point) in POINTS.iter().enumerate() {
        let (took, dead, by) = kill_at(&mut fleet, number, point).await?;
        let name = format!("_acme-challenge.p{number}.certfleet.test");
        let left = bind.txt(&name).await?;
        ensure!(left.is_empty(), "{}: left at {name}: {left:?}", point.name);
        let (name, challenge) = (point.name, point.challenge);
        table.push(format!(
            "{name:<20} {challenge:<8} {:>5.1} s  {by} for {dead}",
            took.as_secs_f64()
        ));
    }
    fleet.cleared(LINGER).await?;
    println!(
        "killed at                            served\n{}",
        table.join("\n")
    );
    Ok(())
}

/// Kills the node that works on a new certificate at `point`, and starts it again once another has
/// finished; gives how long that took, who died and who finished.
async fn kill_at(
    fleet: &mut LocalFleet,
    number: usize,
    point: &Point,
) -> Result<(Duration, String, String)> {
    let orders = fleet.pebble.orders();
    let mut watch = fleet.watch_from_now().await?;
    let names = format!("p{number}.certfleet.test");
    let added = fleet.add(&names, &["--challenge", point.challenge]).await?;
    let id = fleet.id(added);
    let (kind, words) = point.event;
    let reached = |event: &Event| {
        event.subject == id.as_str() && event.kind == kind && event.detail.contains(words)
    };
    let seen = watch.until(&fleet.redis, point.name, STEP, reached).await?;
    let dead = seen.node.to_string();
    let config = fleet.kill(&dead)?;
    let killed = Instant::now();
    let sent = fleet.pebble.orders() - orders;
    ensure!(
        sent == point.orders,
        "{}: {sent} orders were sent before the kill",
        point.name
    );

    let serial = fleet.converged(added, "", STEP).await?;
    let took = killed.elapsed();
    ensure!(
        took <= LEASE_TTL + GRACE,
        "{} ({}): served {took:?} after the kill",
        point.name,
        point.challenge
    );
    let record = fleet.record(added).await?;
    ensure!(
        record.serial == serial,
        "{serial} is served, not {}",
        record.serial
    );
    // The lease of a node that died after its commit ends by itself.
    let end = Instant::now() + LEASE_TTL * 2;
    while !fleet.leases().await?.is_empty() {
        ensure!(Instant::now() < end, "{}: a lease is left", point.name);
        sleep(Duration::from_millis(100)).await;
    }
    let orders = fleet.pebble.orders() - orders;
    ensure!(
        orders <= 2,
        "{}: {orders} orders for one certificate",
        point.name
    );
    let mut node = Node::start(config)?;
    node.ready().await?;
    fleet.nodes.push(node);
    let again = fleet.converged(added, "", STEP).await?;
    ensure!(again == serial, "{serial} is not the newest: {again}");
    fleet.balanced().await?;
    Ok((took, dead, record.issued_by.to_string()))
}
