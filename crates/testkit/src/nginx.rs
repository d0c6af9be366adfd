//! nginx in front of a fleet, from the Debian packages `nginx` and `libnginx-mod-stream`.
//!
//! It runs the files of `deploy/nginx` as they are, but for what differs on every host: the
//! addresses it listens on, the nodes', and the places of its files. Each replaced text must be in
//! the file, so that a file that no longer says it fails here. It makes no configuration of its
//! own.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    haproxy::Server,
    process::{Process, TestDir, free_address},
};

const PACKAGES: &str = "nginx libnginx-mod-stream";

/// Debian keeps it where an ordinary user's path does not lead.
const PROGRAM: &str = "/usr/sbin/nginx";

/// How long it may take to end after SIGTERM.
const LIMIT: Duration = Duration::from_secs(10);

/// A running nginx; ended and its folder removed when dropped.
#[derive(Debug)]
pub struct Nginx {
    // Before the folder, so that it is gone when the folder is removed.
    process: Process,
    addresses: Addresses,
    dir: TestDir,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    https: SocketAddr,
    http: SocketAddr,
    hop: SocketAddr,
}

impl Nginx {
    /// Checks the configuration for `servers` (`nginx -t`), starts it, and waits until it listens.
    ///
    /// Whether the servers answer is not asked.
    ///
    /// # Errors
    /// If the configuration is refused or nginx does not start, with what it says.
    pub async fn start(servers: &[Server]) -> Result<Self> {
        let dir = TestDir::new("nginx")?;
        let addresses = Addresses {
            https: free_address()?,
            http: free_address()?,
            hop: free_address()?,
        };
        write(dir.path(), servers, &addresses)?;
        check(dir.path())?;
        let mut command = nginx(dir.path());
        command.args(["-g", "daemon off;"]);
        let process = Process::start("nginx", PACKAGES, command, &dir.path().join("nginx.log"))?;
        let mut nginx = Self {
            process,
            addresses,
            dir,
        };
        for address in [addresses.https, addresses.http] {
            nginx.process.listening(address).await?;
        }
        Ok(nginx)
    }

    /// Where it takes HTTPS: what port 443 is to the world.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.addresses.https
    }

    /// Where it takes HTTP: what port 80 is to the world.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.addresses.http
    }

    /// Puts it in front of other servers without ending a connection (SIGHUP).
    ///
    /// New connections go to the new ones from some moment soon after.
    ///
    /// # Errors
    /// If the configuration is refused or nginx is gone.
    pub fn reload(&self, servers: &[Server]) -> Result<()> {
        write(self.dir.path(), servers, &self.addresses)?;
        check(self.dir.path())?;
        self.process.signal("HUP")
    }

    /// What it wrote about connections and errors so far.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub fn log(&self) -> Result<String> {
        let read = |name| fs::read_to_string(self.dir.path().join(name));
        Ok(read("access.log")? + &read("error.log")?)
    }
}

impl Drop for Nginx {
    /// The workers end with the master only if it is asked to end.
    fn drop(&mut self) {
        let _ = self.process.terminate(LIMIT);
    }
}

fn nginx(dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    // No `-p`: modules are found from nginx's own prefix.
    command.arg("-c").arg(dir.join("nginx.conf"));
    command.arg("-e").arg(dir.join("error.log"));
    command
}

fn check(dir: &Path) -> Result<()> {
    let output = nginx(dir)
        .arg("-t")
        .output()
        .with_context(|| format!("cannot start nginx: install the Debian packages {PACKAGES}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let cure = if said.contains("unknown directive \"stream\"") {
            ": install the Debian package libnginx-mod-stream"
        } else {
            ""
        };
        bail!("nginx refuses its configuration{cure}\n{said}");
    }
    Ok(())
}

/// Writes the files of `deploy/nginx`, made for this host into `dir`.
fn write(dir: &Path, servers: &[Server], addresses: &Addresses) -> Result<()> {
    let place = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
        .iter()
        .map(|kind| format!("\n    {kind}_temp_path {place}/{kind};"))
        .collect();
    let https: Vec<_> = servers.iter().map(|server| server.https).collect();
    let http: Vec<_> = servers.iter().map(|server| server.http).collect();
    let hop = addresses.hop.to_string();
    let conf = Template::new(include_str!("../../../deploy/nginx/nginx.conf"))
        .replace("/run/nginx.pid", &format!("{place}/nginx.pid"))?
        .replace("/var/log/nginx/error.log", &format!("{place}/error.log"))?
        .replace("http {", &format!("http {{{temporary}"))?
        .replace("/etc/nginx/certfleet/", &format!("{place}/"))?;
    let stream = Template::new(include_str!("../../../deploy/nginx/stream.conf"))
        .servers("192.0.2.", ":8443", &https)?
        .servers("192.0.2.", ":8080", &http)?
        .replace("listen 443;", &format!("listen {};", addresses.https))?
        .replace("listen [::]:443;", "")?
        .replace("127.0.0.1:8079;", &format!("{hop};"))?
        .replace(
            "/var/log/nginx/certfleet.log",
            &format!("{place}/access.log"),
        )?;
    let port_80 = Template::new(include_str!("../../../deploy/nginx/http.conf"))
        .replace(
            "listen 80 default_server;",
            &format!("listen {} default_server;", addresses.http),
        )?
        .replace("listen [::]:80 default_server;", "")?
        .replace("/etc/nginx/certfleet/", &format!("{place}/"))?;
    let challenge = Template::new(include_str!("../../../deploy/nginx/challenge.conf"))
        .replace("127.0.0.1:8079;", &format!("{hop};"))?;
    for (name, template) in [
        ("nginx.conf", conf),
        ("stream.conf", stream),
        ("http.conf", port_80),
        ("challenge.conf", challenge),
    ] {
        fs::write(dir.join(name), template.0)?;
    }
    Ok(())
}

/// A file of `deploy/nginx` on its way to this host.
struct Template(String);

impl Template {
    fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn replace(self, from: &str, to: &str) -> Result<Self> {
        if !self.0.contains(from) {
            bail!("deploy/nginx no longer says {from:?}");
        }
        Ok(Self(self.0.replace(from, to)))
    }

    /// Puts `nodes` in the place of the example's `server` lines, keeping what follows the address.
    fn servers(self, network: &str, port: &str, nodes: &[SocketAddr]) -> Result<Self> {
        let mut lines = Vec::new();
        let mut options = None;
        for line in self.0.lines() {
            let rest = line
                .trim_start()
                .strip_prefix("server ")
                .filter(|rest| rest.starts_with(network))
                .and_then(|rest| rest.split_once(port));
            match rest {
                Some((_, rest)) if options.is_none() => {
                    options = Some(rest);
                    lines.extend(nodes.iter().map(|node| format!("    server {node}{rest}")));
                }
                Some(_) => {}
                None => lines.push(line.to_owned()),
            }
        }
        if options.is_none() {
            bail!("deploy/nginx no longer names a server {network}…{port}");
        }
        Ok(Self(lines.join("\n") + "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_gone_is_an_error() {
        let template = Template::new("listen 444;\n");
        assert!(template.replace("listen 443;", "listen 1;").is_err());
        let template = Template::new("server 10.0.0.1:8443;\n");
        assert!(template.servers("192.0.2.", ":8443", &[]).is_err());
    }

    #[test]
    fn nodes_take_the_place_of_the_example() {
        let template = Template::new(
            "a {\n    server 192.0.2.1:8443 x=1;\n    server 192.0.2.2:8443 x=1;\n}\n\
             b {\n    server 192.0.2.1:8080;\n}\n",
        );
        let nodes = ["127.0.0.1:7".parse().unwrap()];
        let text = template.servers("192.0.2.", ":8443", &nodes).unwrap().0;
        assert_eq!(
            text,
            "a {\n    server 127.0.0.1:7 x=1;\n}\nb {\n    server 192.0.2.1:8080;\n}\n"
        );
    }
}
