//! A BIND name server of a test's own, from the Debian package `bind9`.
//!
//! It is authoritative for the zones it is given, on a free loopback port, and recurses for nobody
//! unless it is a [resolver](Bind::resolver).
//! Updates signed with its TSIG key are taken for every zone that is not read-only. Because all
//! names a test needs lie in its zones, it can stand in for a resolver too, such as Pebble's
//! `-dnsserver`. Every file of it lies in its own folder. It runs as whoever runs the test.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RData, RecordType},
};
use tokio::{
    net::UdpSocket,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use crate::process::{Process, START_LIMIT, TestDir, free_address};

const PACKAGE: &str = "bind9";

/// How long it may take to end after SIGTERM, and `rndc` to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Where secondaries are reached, on the port of their primary. BIND listens on addresses of
/// interfaces alone, which this is not, so a [`Relay`] stands there.
const SECONDARY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A zone of a [`Bind`]: its SOA, the server `ns1` at 127.0.0.1, and what a test adds.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    records: Vec<String>,
    updates: bool,
}

impl Zone {
    /// A zone called `name`, without a trailing dot.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let records = [
            "@ SOA ns1 hostmaster 1 3600 900 604800 5",
            "@ NS ns1",
            "ns1 A 127.0.0.1",
        ];
        Self {
            name: name.to_owned(),
            records: records.map(str::to_owned).into(),
            updates: true,
        }
    }

    /// The same with a line of a zone file more, such as `www A 127.0.0.1`; names without a
    /// trailing dot lie in the zone.
    #[must_use]
    pub fn record(mut self, line: &str) -> Self {
        self.records.push(line.to_owned());
        self
    }

    /// The same with a second server, `ns2`, where [`Bind::secondary`] is reached.
    #[must_use]
    pub fn with_secondary(self) -> Self {
        self.record("@ NS ns2")
            .record(&format!("ns2 A {SECONDARY}"))
    }

    /// The same, taking no updates.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.updates = false;
        self
    }
}

/// A running BIND; killed and its folder removed when dropped.
#[derive(Debug)]
pub struct Bind {
    // Before the folder, so that it is gone when the folder is removed.
    process: Process,
    address: SocketAddr,
    control: SocketAddr,
    zones: Vec<Zone>,
    relay: Option<Relay>,
    dir: TestDir,
}

impl Bind {
    /// Starts a primary server for `zones` and waits until it answers.
    ///
    /// # Errors
    /// If the Debian package `bind9` is not installed, or it does not start; the end of its log is
    /// in the error.
    pub async fn start(zones: Vec<Zone>) -> Result<Self> {
        Self::start_at(free_address()?, Role::Primary, zones).await
    }

    /// The same, but it follows an alias from one of its zones into another, as a resolver does: an
    /// authoritative server leaves that to who asks.
    ///
    /// # Errors
    /// Those of [`Bind::start`].
    pub async fn resolver(zones: Vec<Zone>) -> Result<Self> {
        Self::start_at(free_address()?, Role::Resolver, zones).await
    }

    /// Starts a secondary for the same zones and waits until it has them. It is not told of
    /// changes: it lags until [`Self::catch_up`]. It is reached by UDP alone.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn secondary(&self) -> Result<Self> {
        let role = Role::Secondary(self.address);
        let mut server = Self::start_at(free_address()?, role, self.zones.clone()).await?;
        let front = SocketAddr::from((SECONDARY, self.address.port()));
        server.relay = Some(Relay::start(front, server.address).await?);
        Ok(server)
    }

    async fn start_at(address: SocketAddr, role: Role, zones: Vec<Zone>) -> Result<Self> {
        let dir = TestDir::new("bind")?;
        let control = free_address()?;
        if !matches!(role, Role::Secondary(_)) {
            for zone in &zones {
                let text = format!("$TTL 5\n{}\n", zone.records.join("\n"));
                fs::write(dir.path().join(file(zone)), text)?;
            }
        }
        let config = config(dir.path(), address, control, role, &zones);
        fs::write(dir.path().join("named.conf"), config)?;
        fs::write(dir.path().join("rndc.key"), key(CONTROL_KEY))?;
        let mut server = Self {
            process: spawn(dir.path())?,
            address,
            control,
            zones,
            relay: None,
            dir,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.relay
            .as_ref()
            .map_or(self.address, |relay| relay.front)
    }

    /// The name of the TSIG key that updates are to be signed with, by hmac-sha256.
    #[must_use]
    pub fn key_name(&self) -> &'static str {
        UPDATE_KEY
    }

    /// The TSIG key, in base64.
    #[must_use]
    pub fn key(&self) -> &'static str {
        SECRET
    }

    /// The settings of a fleet whose records are here, and which asks it for everything else too.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<&'static str, String> {
        let address = self.address();
        let options = format!("nameserver={address},key_name={UPDATE_KEY},key={SECRET}");
        let port = address.port().to_string();
        BTreeMap::from([
            ("CERTFLEET_DNS_PROVIDER", "rfc2136".to_owned()),
            ("CERTFLEET_DNS_OPTIONS", options),
            ("CERTFLEET_DNS_RESOLVERS", address.to_string()),
            ("CERTFLEET_DNS_AUTHORITATIVE_PORT", port),
        ])
    }

    /// The folder with its configuration, zones and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where its log is.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.process.log()
    }

    /// The TXT values that stand at `name`, in order.
    ///
    /// # Errors
    /// If it does not answer, or not for this name.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>> {
        let answers = ask(self.address, name, RecordType::TXT).await?;
        let mut values: Vec<_> = answers
            .into_iter()
            .filter_map(|data| match data {
                RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into()),
                _ => None,
            })
            .collect();
        values.sort();
        Ok(values)
    }

    /// Makes a secondary fetch `zone` from its primary now.
    ///
    /// # Errors
    /// If it refuses or does not answer; the transfer itself may end later.
    pub async fn catch_up(&self, zone: &str) -> Result<()> {
        let mut command = tokio::process::Command::new("rndc");
        command
            .args(["-s", &self.control.ip().to_string()])
            .args(["-p", &self.control.port().to_string()])
            .arg("-k")
            .arg(self.dir.path().join("rndc.key"))
            .args(["retransfer", zone])
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = timeout(LIMIT, command.output())
            .await
            .context("rndc does not answer")?
            .context("cannot run rndc: install the Debian package \"bind9-utils\"")?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            bail!("rndc retransfer {zone}: {problem}");
        }
        Ok(())
    }

    /// Ends it in order (SIGTERM); its zones stay.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.terminate(LIMIT).map(drop)
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it once more after [`Self::stop`] or [`Self::kill`], on the same port and zones.
    ///
    /// # Errors
    /// If it does not start; the end of its log is in the error.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.dir.path())?;
        self.ready().await
    }

    /// Makes it hang (SIGSTOP): nothing answers.
    ///
    /// # Errors
    /// If it is gone.
    pub fn pause(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`Self::pause`] (SIGCONT).
    ///
    /// # Errors
    /// If it is gone.
    pub fn resume(&self) -> Result<()> {
        self.process.signal("CONT")
    }

    /// Waits until it answers for all of its zones.
    async fn ready(&mut self) -> Result<()> {
        self.process.listening(self.address).await?;
        let end = Instant::now() + START_LIMIT;
        for zone in &self.zones {
            while let Err(problem) = ask(self.address, &zone.name, RecordType::SOA).await {
                if Instant::now() > end {
                    let log = self.process.last_words();
                    bail!("named is not ready for {}: {problem}\n{log}", zone.name);
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// What a server is to its zones.
#[derive(Clone, Copy, Debug)]
enum Role {
    Primary,
    /// A primary that answers for others as well; it knows none.
    Resolver,
    Secondary(SocketAddr),
}

/// Passes datagrams on from `front`, each answer to who asked.
#[derive(Debug)]
struct Relay {
    front: SocketAddr,
    task: AbortHandle,
}

impl Relay {
    async fn start(front: SocketAddr, back: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(front)
            .await
            .with_context(|| format!("cannot listen on {front}"))?;
        let task = tokio::spawn(pass_on(Arc::new(socket), back)).abort_handle();
        Ok(Self { front, task })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(front: Arc<UdpSocket>, back: SocketAddr) {
    let mut question = [0; 4096];
    while let Ok((length, asker)) = front.recv_from(&mut question).await {
        let (front, question) = (front.clone(), question[..length].to_vec());
        tokio::spawn(async move {
            let exchange = async {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                socket.send_to(&question, back).await?;
                let mut answer = [0; 4096];
                let length = socket.recv(&mut answer).await?;
                front.send_to(&answer[..length], asker).await
            };
            // An unanswered question stays unanswered.
            let _ = timeout(LIMIT, exchange).await;
        });
    }
}

const UPDATE_KEY: &str = "update.certfleet.test";
const CONTROL_KEY: &str = "rndc";

/// The secret of both keys: no secret, for it guards nothing but a test's own server.
const SECRET: &str = "dGhpcyBndWFyZHMgbm90aGluZyBidXQgYSB0ZXN0IHNlcnZlcg==";

fn spawn(dir: &Path) -> Result<Process> {
    let mut command = Command::new("named");
    command.arg("-g").arg("-c").arg(dir.join("named.conf"));
    Process::start("named", PACKAGE, command, &dir.join("named.log"))
}

fn config(
    dir: &Path,
    address: SocketAddr,
    control: SocketAddr,
    role: Role,
    zones: &[Zone],
) -> String {
    let recursion = match role {
        Role::Resolver => "yes; allow-recursion { any; }",
        Role::Primary | Role::Secondary(_) => "no",
    };
    let mut text = format!(
        "options {{\n\
         directory {dir:?};\n\
         managed-keys-directory {dir:?};\n\
         pid-file none; lock-file none; session-keyfile none;\n\
         listen-on port {} {{ {}; }}; listen-on-v6 {{ none; }};\n\
         recursion {recursion}; notify no; dnssec-validation no; empty-zones-enable no;\n\
         allow-query {{ any; }}; allow-transfer {{ any; }};\n\
         }};\n\
         controls {{ inet {} port {} allow {{ 127.0.0.0/8; }} keys {{ {CONTROL_KEY}; }}; }};\n\
         {}{}",
        address.port(),
        address.ip(),
        control.ip(),
        control.port(),
        key(UPDATE_KEY),
        key(CONTROL_KEY),
    );
    for zone in zones {
        let name = &zone.name;
        let role = match role {
            Role::Secondary(primary) => format!(
                "type secondary; primaries {{ {} port {}; }};",
                primary.ip(),
                primary.port()
            ),
            _ if zone.updates => {
                format!("type primary; allow-update {{ key {UPDATE_KEY:?}; }};")
            }
            _ => "type primary;".to_owned(),
        };
        text += &format!("zone {name:?} {{ {role} file {:?}; }};\n", file(zone));
    }
    text
}

fn key(name: &str) -> String {
    format!("key {name:?} {{ algorithm hmac-sha256; secret {SECRET:?}; }};\n")
}

fn file(zone: &Zone) -> String {
    format!("{}.zone", zone.name)
}

/// What the server at `address` answers; nothing if the name or type does not exist.
async fn ask(address: SocketAddr, name: &str, kind: RecordType) -> Result<Vec<RData>> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    let ip: IpAddr = address.ip();
    let server = NameServerConfig::new(ip, true, connections.into());
    let mut builder = TokioResolver::builder_with_config(
        ResolverConfig::from_name_servers(vec![server]),
        TokioRuntimeProvider::default(),
    );
    builder.options_mut().cache_size = 0;
    let resolver = builder.build()?;
    let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.')))?;
    match resolver.lookup(name, kind).await {
        Ok(answer) => Ok(answer.answers().iter().map(|r| r.data.clone()).collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serves_its_zones_over_a_restart_and_to_a_secondary() {
        let zone = Zone::new("example.test")
            .with_secondary()
            .record("@ TXT \"one\"")
            .record("@ TXT \"two\"");
        let mut primary = Bind::start(vec![zone]).await.unwrap();
        assert_eq!(primary.txt("example.test").await.unwrap(), ["one", "two"]);
        assert!(primary.txt("none.example.test").await.unwrap().is_empty());
        let error = primary.txt("example.com").await.unwrap_err().to_string();
        assert!(error.contains("Refused"), "{error}");

        let secondary = primary.secondary().await.unwrap();
        assert_ne!(secondary.address(), primary.address());
        primary.stop().unwrap();
        assert_eq!(secondary.txt("example.test").await.unwrap(), ["one", "two"]);
        primary.start_again().await.unwrap();
        assert_eq!(primary.txt("example.test").await.unwrap(), ["one", "two"]);
    }
}
