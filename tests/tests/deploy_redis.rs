//! The files of `deploy/redis`, loaded by real servers: rights, durability, TLS, and Sentinel.
//!
//! What certfleet does with Redis is tested beside its code; here it is what an operator sets up.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use certfleet_redis::Config;
use certfleet_store::{Leases, lease::Resource};
use certfleet_testkit::process::{Process, TestDir, free_address};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// The passwords that fill the places the files leave for them.
const NODE: &str = "node-password";
const OPERATOR: &str = "operator-password";

#[test]
fn a_node_has_the_rights_the_program_needs() {
    let line = users()
        .lines()
        .find_map(|line| line.strip_prefix("user node on ").map(str::to_owned))
        .unwrap();
    let rules = line.strip_prefix("#NODE ").unwrap();
    let fleet = "default".parse().unwrap();
    assert_eq!(
        rules.replace("{FLEET}", "{default}"),
        certfleet_redis::acl::rules(&fleet).join(" ")
    );
}

#[tokio::test]
async fn each_user_may_do_its_own_and_no_more() {
    let dir = TestDir::new("acl").unwrap();
    let redis = Redis::start(dir.path(), "").await.unwrap();
    let node = |args: &[&str]| redis.cli(&["--user", "node", "-a", NODE], args).unwrap();
    let operator = |args: &[&str]| {
        redis
            .cli(&["--user", "operator", "-a", OPERATOR], args)
            .unwrap()
    };

    let key = "certfleet:{default}:cert:x";
    assert_eq!(node(&["HSET", key, "names", "a.example"]), "1");
    assert_eq!(operator(&["HGETALL", key]), "names\na.example");
    assert_eq!(operator(&["KEYS", "certfleet:*"]), key);
    assert!(operator(&["INFO", "memory"]).contains("maxmemory_policy:noeviction\r"));
    assert!(operator(&["INFO", "persistence"]).contains("aof_enabled:1\r"));

    for command in [
        &["KEYS", "*"][..],
        &["FLUSHALL"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["SHUTDOWN"],
        &["EVAL", "return 1", "0"],
        &["GET", "other"],
        &["SET", "certfleet:{other}:epoch", "1"],
        &["PUBLISH", "other", "x"],
        &["SUBSCRIBE", "other"],
    ] {
        let answer = node(command);
        assert!(answer.starts_with("NOPERM"), "node {command:?}: {answer}");
    }
    for command in [
        &["HSET", key, "names", "b.example"][..],
        &["DEL", key],
        &["FLUSHALL"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["GET", "other"],
    ] {
        let answer = operator(command);
        assert!(
            answer.starts_with("NOPERM"),
            "operator {command:?}: {answer}"
        );
    }
    let nobody = redis.cli(&[], &["PING"]).unwrap();
    assert!(nobody.starts_with("NOAUTH"), "{nobody}");
}

#[tokio::test]
async fn a_template_that_was_not_filled_in_lets_nobody_in() {
    let dir = TestDir::new("acl").unwrap();
    // It listens before it reads who its users are, and may be found listening for that moment.
    let said = match Redis::start_with(dir.path(), &users(), "").await {
        Err(error) => error.to_string(),
        Ok(mut redis) => {
            assert_eq!(redis.process.wait(LIMIT).unwrap(), Some(1));
            redis.process.last_words()
        }
    };
    assert!(said.contains("users.acl:3"), "{said}");
}

/// By the program's own scripts: Redis logs what a script wrote as a transaction, and replays that
/// with the rights of the default user. Without any, all of it would be refused and lost.
#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill() {
    let dir = TestDir::new("aof").unwrap();
    let mut redis = Redis::start(dir.path(), "").await.unwrap();
    let fleet = "default".parse().unwrap();
    let url = format!("redis://node:{NODE}@{}", redis.address);
    let node = certfleet_redis::Redis::new(Config::new(url, fleet)).unwrap();
    let resource = Resource::Account("ca.example".into());
    let minute = Duration::from_secs(60);
    let lease = node
        .acquire(&resource, &"web-1".parse().unwrap(), minute)
        .await;
    let lease = lease.unwrap().expect("nobody holds it");
    redis.process.kill();

    let mut process = Redis::start_as_it_is(dir.path(), redis.address)
        .await
        .unwrap()
        .process;
    let kept = async {
        // The first connections of the pool are those of the server that is gone.
        loop {
            match node.extend(&lease).await {
                Err(error) if error.is_unavailable() => {}
                answer => return answer,
            }
        }
    };
    assert!(
        timeout(LIMIT, kept).await.expect("Redis answers").unwrap(),
        "the lease was lost"
    );
    process.kill();
    let log = fs::read_to_string(dir.path().join("redis.log")).unwrap();
    assert!(!log.contains("NOPERM"), "{log}");
}

#[tokio::test]
async fn with_tls_the_plain_port_is_closed() {
    let dir = TestDir::new("tls").unwrap();
    let place = dir.path();
    openssl(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
         -subj /CN=redis -addext subjectAltName=IP:127.0.0.1 -out {0}/redis.crt -keyout {0}/redis.key",
        place.display()
    ))
    .unwrap();
    fs::copy(place.join("redis.crt"), place.join("ca.crt")).unwrap();
    let tls = file("tls.conf").replace("/etc/redis/tls/", &format!("{}/", place.display()));
    let redis = Redis::start(place, &tls).await.unwrap();
    let ca = place.join("ca.crt");
    let login = ["--user", "node", "-a", NODE];
    let over_tls = [&login[..], &["--tls", "--cacert", ca.to_str().unwrap()]].concat();
    assert_eq!(redis.cli(&over_tls, &["PING"]).unwrap(), "PONG");
    let plain = redis.cli(&login, &["PING"]).unwrap();
    assert!(!plain.contains("PONG"), "{plain}");
}

/// Three servers, three Sentinels, and the HAProxy that follows the master: the master is killed,
/// and a node's writes go on at the same address.
#[tokio::test]
async fn sentinel_moves_the_master_and_haproxy_follows() {
    let dir = TestDir::new("sentinel").unwrap();
    let replication =
        file("sentinel/replication.conf").replace("CHANGE-ME-replica", "replica-password");
    let mut servers = Vec::new();
    for number in 0..3 {
        let place = dir.path().join(format!("redis{number}"));
        fs::create_dir(&place).unwrap();
        let mut more = replication.clone();
        if let Some(Redis { address, .. }) = servers.first() {
            more += &format!("replicaof {} {}\n", address.ip(), address.port());
        }
        servers.push(Redis::start(&place, &more).await.unwrap());
    }
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let mut sentinels = Vec::new();
    for number in 0..3 {
        sentinels.push(sentinel(dir.path(), number, addresses[0]).await.unwrap());
    }
    let proxy = haproxy(dir.path(), &addresses).await.unwrap();

    let epoch = "certfleet:{default}:epoch";
    let answers = |command: &[&str], wanted: &str| {
        let login = ["--user", "node", "-a", NODE];
        let start = Instant::now();
        loop {
            let answer = cli(proxy.1, &login, command).unwrap();
            if answer == wanted {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{command:?}: {answer}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    answers(&["SET", epoch, "7"], "OK");
    for (_, address) in &sentinels {
        let known = || cli(*address, &[], &["SENTINEL", "CKQUORUM", "certfleet"]).unwrap();
        wait_for(|| known().starts_with("OK 3 usable"), &known);
    }
    let synced = || {
        let info = cli(
            addresses[0],
            &["--user", "haproxy", "-a", "haproxy-password"],
            &["INFO", "replication"],
        );
        info.unwrap()
    };
    wait_for(|| synced().matches("state=online").count() == 2, &synced);

    servers[0].process.kill();
    answers(&["SET", epoch, "8"], "OK");
    let master = || {
        cli(
            sentinels[0].1,
            &[],
            &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "certfleet"],
        )
        .unwrap()
    };
    wait_for(
        || !master().contains(&addresses[0].port().to_string()),
        &master,
    );

    // The old master comes back on its old port, and is not taken for the master.
    servers[0] = Redis::start_as_it_is(&dir.path().join("redis0"), addresses[0])
        .await
        .unwrap();
    let role = || {
        cli(
            addresses[0],
            &["--user", "haproxy", "-a", "haproxy-password"],
            &["INFO", "replication"],
        )
        .unwrap()
    };
    wait_for(
        || {
            answers(&["GET", epoch], "8");
            role().contains("role:slave")
        },
        &role,
    );
}

fn wait_for(done: impl Fn() -> bool, state: &dyn Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", state());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A Redis with the configuration of `deploy/redis`.
struct Redis {
    process: Process,
    address: SocketAddr,
}

impl Redis {
    /// With passwords for the users, and `more` at the configuration's end.
    async fn start(dir: &Path, more: &str) -> Result<Self> {
        let users = (users() + &file("sentinel/users.acl"))
            .replace("{FLEET}", "{default}")
            .replace("#NODE", &format!(">{NODE}"))
            .replace("#OPERATOR", &format!(">{OPERATOR}"))
            .replace("#REPLICA", ">replica-password")
            .replace("#SENTINEL", ">sentinel-password")
            .replace("#HAPROXY", ">haproxy-password");
        Self::start_with(dir, &users, more).await
    }

    async fn start_with(dir: &Path, users: &str, more: &str) -> Result<Self> {
        let address = free_address()?;
        let place = dir.display();
        fs::write(dir.join("users.acl"), users)?;
        let conf = file("redis.conf") + "\n" + more;
        let conf = conf
            .replace("port 6379", &format!("port {}", address.port()))
            .replace("dir /var/lib/redis", &format!("dir {place}"))
            .replace("/etc/redis/users.acl", &format!("{place}/users.acl"));
        fs::write(dir.join("redis.conf"), conf)?;
        Self::start_as_it_is(dir, address).await
    }

    async fn start_as_it_is(dir: &Path, address: SocketAddr) -> Result<Self> {
        let mut command = Command::new("redis-server");
        command.arg(dir.join("redis.conf"));
        let log = dir.join("redis.log");
        let mut process = Process::start("redis-server", "redis-server", command, &log)?;
        process.listening(address).await?;
        Ok(Self { process, address })
    }

    fn cli(&self, options: &[&str], command: &[&str]) -> Result<String> {
        cli(self.address, options, command)
    }
}

/// What `redis-cli` prints, errors of Redis included, less the last line end.
fn cli(address: SocketAddr, options: &[&str], command: &[&str]) -> Result<String> {
    let output = Command::new("timeout")
        .args([
            &LIMIT.as_secs().to_string(),
            "redis-cli",
            "--no-auth-warning",
        ])
        .args([
            "-h",
            &address.ip().to_string(),
            "-p",
            &address.port().to_string(),
        ])
        .args(options)
        .args(command)
        .output()
        .context("cannot run redis-cli: install the Debian package \"redis-tools\"")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // What `redis-cli` says when the login it was given is refused comes before the answer.
    let text = text.trim_start_matches("AUTH failed: ");
    Ok(text.trim_end_matches('\n').to_owned())
}

async fn sentinel(dir: &Path, number: usize, master: SocketAddr) -> Result<(Process, SocketAddr)> {
    let dir = dir.join(format!("sentinel{number}"));
    fs::create_dir(&dir)?;
    let address = free_address()?;
    let conf = file("sentinel/sentinel.conf")
        .replace("port 26379", &format!("port {}", address.port()))
        .replace("dir /var/lib/redis", &format!("dir {}", dir.display()))
        .replace(
            "192.0.2.21 6379",
            &format!("{} {}", master.ip(), master.port()),
        )
        .replace("CHANGE-ME-sentinel", "sentinel-password");
    let path = dir.join("sentinel.conf");
    fs::write(&path, conf)?;
    let mut command = Command::new("redis-server");
    command.arg(&path).arg("--sentinel");
    let mut process = Process::start("redis-sentinel", "redis-server", command, &dir.join("log"))?;
    process.listening(address).await?;
    Ok((process, address))
}

async fn haproxy(dir: &Path, servers: &[SocketAddr]) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    let mut conf = file("sentinel/haproxy.cfg")
        .replace("127.0.0.1:6379", &address.to_string())
        .replace("CHANGE-ME-haproxy", "haproxy-password");
    for (number, server) in servers.iter().enumerate() {
        conf = conf.replace(
            &format!("192.0.2.2{}:6379", number + 1),
            &server.to_string(),
        );
    }
    let path = dir.join("haproxy.cfg");
    fs::write(&path, conf)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(&path);
    let mut process = Process::start("haproxy", "haproxy", command, &dir.join("haproxy.log"))?;
    process.listening(address).await?;
    Ok((process, address))
}

fn openssl(args: &str) -> Result<()> {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .output()
        .context("cannot run openssl: install the Debian package \"openssl\"")?;
    if !output.status.success() {
        bail!(
            "openssl {args}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn users() -> String {
    file("users.acl")
}

/// A file of `deploy/redis`.
fn file(name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/redis")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
