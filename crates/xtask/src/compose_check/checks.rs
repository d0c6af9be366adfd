//! What the compose file promises, each promise with its figures.
//!
//! The checks run in this order on one fleet, and each leaves it as it found it: three nodes, all
//! healthy.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    fleet::{Fleet, wait_until},
    load::Load,
};
use crate::cargo::program;

/// The names that deploy/docker/local/node.env has a certificate for.
pub(super) const NAMES: [&str; 2] = ["certfleet.localhost", "www.certfleet.localhost"];

/// How many requests a second the load makes.
const RATE: u32 = 500;

/// How long Redis is away while a renewal goes on.
const REDIS_AWAY: Duration = Duration::from_secs(15);

/// A check: figures, or what is wrong.
type Check = fn(&Fleet<'_>) -> Result<String>;

/// All checks, in the order they run in.
pub(super) const ALL: &[(&str, Check)] = &[
    ("up", up),
    ("image", image),
    ("client-address", client_address),
    ("redis-rights", redis_rights),
    ("scale", scale),
    ("kill", kill),
    ("rolling-restart", rolling_restart),
];

/// All is healthy (or there would be no fleet); the certificate verifies; different nodes answer.
fn up(fleet: &Fleet<'_>) -> Result<String> {
    let nodes = fleet.containers("node")?;
    let mut answered = BTreeSet::new();
    for name in NAMES.iter().cycle().take(30) {
        let page = get(fleet, name)?;
        let node = nodes.iter().find(|node| page.contains(node.as_str()));
        let node = node
            .with_context(|| format!("the page names none of the containers {nodes:?}: {page}"))?;
        answered.insert(node.clone());
    }
    ensure!(
        answered.len() == nodes.len(),
        "of {nodes:?} only {answered:?} answered"
    );
    Ok(format!(
        "healthy after {:.0?} with the build; verified for {}; answers came from {}",
        fleet.took,
        NAMES.join(" and "),
        Vec::from_iter(answered).join(" ")
    ))
}

/// Small, not root, no capability, nothing writable, no shell.
fn image(fleet: &Fleet<'_>) -> Result<String> {
    let node = node(fleet)?;
    let image = fleet.inspect(&node, "{{.Image}}")?;
    let size: f64 = fleet.inspect(&image, "{{.Size}}")?.parse()?;
    let host = fleet.inspect(&node, "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} {{.Config.User}}")?;
    ensure!(
        host == "true [ALL] [] 65532:65532" || host == "true [ALL] <no value> 65532:65532",
        "{host}"
    );
    // What the kernel says of the program itself.
    let pid = fleet.inspect(&node, "{{.State.Pid}}")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    ensure!(
        line("Uid:") == "65532 65532 65532 65532",
        "Uid: {}",
        line("Uid:")
    );
    for set in ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        ensure!(
            line(set).trim_matches('0').is_empty(),
            "{set} {}",
            line(set)
        );
    }
    ensure!(
        line("NoNewPrivs:") == "1",
        "NoNewPrivs: {}",
        line("NoNewPrivs:")
    );
    let mounts = fs::read_to_string(format!("/proc/{pid}/mounts"))?;
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some("/"));
    ensure!(
        root.is_some_and(|line| line
            .split(' ')
            .nth(3)
            .is_some_and(|options| options.starts_with("ro"))),
        "{root:?}"
    );
    for shell in ["/bin/sh", "/bin/bash", "/busybox/sh"] {
        ensure!(
            !fleet
                .docker(["exec", &node, shell, "-c", "true"])
                .succeeds(),
            "there is a {shell}"
        );
    }
    Ok(format!(
        "{:.1} MB; read-only root, uid 65532, no capability, no new privileges, no shell",
        size / 1e6
    ))
}

/// The node sees who asked, not the balancer.
fn client_address(fleet: &Fleet<'_>) -> Result<String> {
    let lb = fleet
        .containers("lb")?
        .first()
        .context("there is no lb")?
        .clone();
    let network = "certfleet-check_edge";
    let image = fleet.inspect(&lb, "{{.Config.Image}}")?;
    let balancer = fleet.inspect(
        &lb,
        &format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}"),
    )?;
    let name = NAMES[0];
    let ask = format!(
        "hostname -i; printf 'GET / HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n' | \
         openssl s_client -connect {balancer}:8443 -servername {name} -quiet 2>/dev/null"
    );
    let said = fleet
        .docker([
            "run",
            "--rm",
            "--network",
            network,
            "--entrypoint",
            "sh",
            &image,
            "-c",
            &ask,
        ])
        .output()?;
    let (client, page) = said.split_once('\n').context("nothing was said")?;
    ensure!(
        page.contains(client.trim()),
        "the client is {client}, and the page says: {page}"
    );
    Ok(format!(
        "a client at {} saw its own address on the page, through the balancer at {balancer}",
        client.trim()
    ))
}

/// The operator reads; a node's user has no right beyond its work; nobody comes in without a password.
fn redis_rights(fleet: &Fleet<'_>) -> Result<String> {
    let keys = fleet.inside(
        "redis",
        "operator --scan --pattern 'certfleet:{local}:cert:*'",
    )?;
    let key = keys
        .lines()
        .next()
        .context("the operator sees no certificate")?;
    let names = fleet.inside("redis", &format!("operator hget '{key}' names"))?;
    ensure!(
        NAMES.iter().all(|name| names.contains(name)),
        "{key} names {names}"
    );
    let url = fleet.docker([
        "run",
        "--rm",
        "--user",
        "0",
        "--entrypoint",
        "cat",
        "--volume",
        "certfleet-check_node-secrets:/s:ro",
    ]);
    let redis = fleet
        .containers("redis")?
        .first()
        .context("there is no redis")?
        .clone();
    let password = url
        .args([
            fleet.inspect(&redis, "{{.Config.Image}}")?.as_str(),
            "/s/redis-node.password",
        ])
        .output()?;
    let login = format!("REDISCLI_AUTH={} redis-cli --user node", password.trim());
    ensure!(
        fleet
            .inside("redis", &format!("{login} ping"))?
            .contains("PONG"),
        "the node's user cannot log in"
    );
    let refused = [
        (login.as_str(), "keys '*'", "NOPERM"),
        (&login, "flushall", "NOPERM"),
        (&login, "config get requirepass", "NOPERM"),
        (&login, "acl list", "NOPERM"),
        (&login, "get foreign", "NOPERM"),
        (&login, "get 'certfleet:{other}:epoch'", "NOPERM"),
        (&login, "publish foreign x", "NOPERM"),
        (
            &login,
            "eval 'return redis.call(\"get\",\"foreign\")' 0",
            "NOPERM",
        ),
        ("operator", "set x y", "NOPERM"),
        ("operator", "flushall", "NOPERM"),
        ("redis-cli", "ping", "NOAUTH"),
    ];
    for (login, command, wanted) in refused {
        let said = fleet.inside("redis", &format!("{login} {command} 2>&1"))?;
        ensure!(said.contains(wanted), "{command}: {said}");
    }
    let published = fleet.inspect(&redis, "{{.NetworkSettings.Ports}}")?;
    ensure!(
        !published.contains("HostPort"),
        "Redis is published: {published}"
    );
    Ok(format!(
        "the operator reads {key}; {} commands refused; no port published",
        refused.len()
    ))
}

/// 3, then 6, then 2 nodes under load; new ones are ready by what the fleet has.
fn scale(fleet: &Fleet<'_>) -> Result<String> {
    let orders = orders(fleet)?;
    let load = Load::start(&roots(fleet)?, RATE)?;
    let start = Instant::now();
    sleep(Duration::from_secs(5));
    let old = fleet.containers("node")?;
    fleet.scale(6)?;
    let mut ready = Vec::new();
    for node in fleet
        .containers("node")?
        .iter()
        .filter(|node| !old.contains(node))
    {
        ready.push(format!("{:.1} s", start_to_healthy(fleet, node)?));
    }
    sleep(Duration::from_secs(15));
    fleet.scale(2)?;
    sleep(Duration::from_secs(60).saturating_sub(start.elapsed()));
    let outcome = load.stop()?;
    let after = self::orders(fleet)?;
    fleet.scale(3)?;
    let figures = outcome.check(u64::from(RATE) * 59)?;
    ensure!(
        orders > 0 && after == orders,
        "{orders} orders before, {after} after"
    );
    Ok(format!(
        "3 to 6 to 2 nodes: {figures}; new nodes healthy after {} (asked each 2 s), 0 orders",
        ready.join(", ")
    ))
}

/// A node killed and Redis killed in the middle of a renewal.
fn kill(fleet: &Fleet<'_>) -> Result<String> {
    fleet.scale(3)?;
    let serial = serial(fleet)?;
    let mut load = Load::start(&roots(fleet)?, RATE)?;
    sleep(Duration::from_secs(3));
    let victims = fleet.containers("node")?;
    let (victim, other) = (&victims[0], &victims[1]);
    fleet
        .docker(["exec", other, "/usr/local/bin/certfleet", "renew", "--all"])
        .output()?;
    load.while_killing(|| fleet.docker(["kill", victim]).output())?;
    fleet.compose(["kill", "redis"]).output()?;
    sleep(REDIS_AWAY);
    fleet.compose(["start", "redis"]).output()?;
    let back = Instant::now();
    fleet.docker(["start", victim]).output()?;
    wait_until(Duration::from_secs(90), || {
        Ok(self::serial(fleet)? != serial)
    })
    .context("the renewal did not complete")?;
    let renewed = back.elapsed();
    fleet.settle(3)?;
    let figures = load.stop()?.check(u64::from(RATE) * 15)?;
    Ok(format!(
        "a node killed, Redis away for {REDIS_AWAY:?}: {figures}; renewed {renewed:.1?} after Redis was back"
    ))
}

/// Each node replaced, one after the other.
fn rolling_restart(fleet: &Fleet<'_>) -> Result<String> {
    fleet.scale(3)?;
    let old = fleet.containers("node")?;
    let load = Load::start(&roots(fleet)?, RATE)?;
    sleep(Duration::from_secs(3));
    let start = Instant::now();
    fleet.roll()?;
    fleet.settle(3)?;
    let took = start.elapsed();
    sleep(Duration::from_secs(2));
    let figures = load.stop()?.check(u64::from(RATE) * 5)?;
    let new = fleet.containers("node")?;
    ensure!(
        !new.iter().any(|node| old.contains(node)),
        "still the same: {new:?}"
    );
    Ok(format!("3 nodes in {took:.0?}: {figures}"))
}

/// The first node's container.
fn node(fleet: &Fleet<'_>) -> Result<String> {
    fleet
        .containers("node")?
        .into_iter()
        .next()
        .context("there is no node")
}

/// Pebble's root, in a file, as a user would get it.
fn roots(fleet: &Fleet<'_>) -> Result<PathBuf> {
    let path = std::env::temp_dir().join("certfleet-check-roots.pem");
    let pebble = fleet.containers("pebble")?;
    ensure!(!pebble.is_empty(), "pebble does not run");
    let url = "https://127.0.0.1:15000/roots/0";
    program("curl")
        .args(["-sfk", "-o"])
        .args([path.as_os_str(), url.as_ref()])
        .output()?;
    Ok(path)
}

/// The page, through the balancer, verified.
fn get(fleet: &Fleet<'_>, name: &str) -> Result<String> {
    let (roots, resolve) = (roots(fleet)?, format!("{name}:443:127.0.0.1"));
    program("curl")
        .args(["-sSf", "--max-time", "5", "--resolve", &resolve, "--cacert"])
        .args([roots.as_os_str(), format!("https://{name}/").as_ref()])
        .output()
}

/// The serial number that is served through the balancer.
fn serial(_: &Fleet<'_>) -> Result<String> {
    let ask = format!(
        "openssl s_client -connect 127.0.0.1:443 -servername {} </dev/null 2>/dev/null | openssl x509 -noout -serial",
        NAMES[0]
    );
    program("sh").args(["-c", &ask]).output()
}

/// How many orders the CA has taken.
fn orders(fleet: &Fleet<'_>) -> Result<usize> {
    let pebble = fleet.containers("pebble")?;
    let log = fleet.docker(["logs"]).args(pebble).output()?;
    Ok(log.matches("POST /order-plz").count())
}

/// Seconds from a container's start to its first good health check.
fn start_to_healthy(fleet: &Fleet<'_>, container: &str) -> Result<f64> {
    let started = fleet.inspect(container, "{{.State.StartedAt}}")?;
    let checks = fleet.inspect(container, "{{range .State.Health.Log}}{{.ExitCode}} {{.End.Format \"2006-01-02T15:04:05.999999999Z07:00\"}}\n{{end}}")?;
    let first = checks
        .lines()
        .find_map(|line| line.strip_prefix("0 "))
        .context("no good health check")?;
    let date = |time: &str| -> Result<f64> {
        let seconds = program("date").args(["--date", time, "+%s.%N"]).output()?;
        Ok(seconds.trim().parse()?)
    };
    Ok(date(first)? - date(&started)?)
}
