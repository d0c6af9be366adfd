//! A child process that a fixture owns: its log, its signals, its end.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

/// How long a server may take to answer after it was started.
pub const START_LIMIT: Duration = Duration::from_secs(20);

/// The ports that fixtures listen on.
const PORTS: Range<u16> = 10_000..30_000;

/// The loopback address where ports are reserved.
const RESERVATIONS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A running child; killed and waited for when dropped.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    ///
    /// # Errors
    /// If the program is not installed, with the Debian `package` that brings it.
    pub fn start(
        name: &'static str,
        package: &str,
        mut command: Command,
        log: &Path,
    ) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .context("open the log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| {
                let program = command.get_program().display();
                format!("cannot start {program}: install the Debian package {package:?}")
            })?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends it a signal by name, such as `STOP`, `CONT`, `TERM` or `KILL`.
    ///
    /// # Errors
    /// If it is gone.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.pid().to_string()])
            .stderr(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("{} (pid {}) is gone", self.name, self.pid())
        }
    }

    /// Its exit code, once it has ended by itself or a signal (`None`: by a signal).
    ///
    /// # Errors
    /// If it has not ended within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<i32>> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() > end {
                bail!("{} (pid {}) goes on after {limit:?}", self.name, self.pid());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end (SIGTERM), waits, and gives its exit code.
    ///
    /// # Errors
    /// If it has not ended within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<Option<i32>> {
        self.signal("TERM")?;
        self.wait(limit)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until something listens on `address`.
    ///
    /// # Errors
    /// If the process ends first, or nothing listens within [`START_LIMIT`]; the end of its log is
    /// in the error.
    pub async fn listening(&mut self, address: SocketAddr) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(anyhow!(
                    "{} ended ({status}): {}",
                    self.name,
                    self.last_words()
                ));
            }
            if Instant::now() > end {
                bail!(
                    "{} does not listen on {address}: {}",
                    self.name,
                    self.last_words()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address whose port nobody else on this host is given while this process lives.
///
/// Ports lie below the range that the system gives to outgoing connections, so that a server can
/// be stopped and find its port free again. One is reserved by a UDP socket of the same number on
/// [`RESERVATIONS`], where no fixture listens.
///
/// # Errors
/// If no port is free.
pub fn free_address() -> Result<SocketAddr> {
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    // Processes that start together begin far apart.
    let start = std::process::id().wrapping_mul(97);
    for step in 0..u32::try_from(PORTS.len())? {
        let step = start.wrapping_add(step) % u32::try_from(PORTS.len())?;
        let port = PORTS.start + u16::try_from(step)?;
        let Ok(reservation) = UdpSocket::bind((RESERVATIONS, port)) else {
            continue;
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
            reserved.push(reservation);
            return Ok(address);
        }
    }
    bail!(
        "no loopback port from {} to {} is free",
        PORTS.start,
        PORTS.end
    )
}

/// A folder of its own under the system's temporary folder, removed when dropped.
#[derive(Debug)]
pub struct TestDir(PathBuf);

impl TestDir {
    /// Makes a new empty folder.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn new(name: &str) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("certfleet-{name}-{}-{count}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_though_nobody_listens_yet() {
        let given: BTreeSet<_> = (0..50).map(|_| free_address().unwrap()).collect();
        assert_eq!(given.len(), 50);
        for address in given {
            let again = UdpSocket::bind((RESERVATIONS, address.port()));
            assert!(again.is_err(), "another process could be given {address}");
        }
    }
}
