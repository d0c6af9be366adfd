//! The Debian packages whose programs the tests and the demo run.
//!
//! They are installed where the rights are there; where not, they are named and the task ends.
//! Pebble alone is not installed but unpacked ([`unpack`]). A test is never passed over because a
//! program is missing.

mod sources;
mod unpack;

use std::{env, path::Path};

use anyhow::{Result, bail};

use crate::cargo::program;

/// A program, and the package that brings it (Debian 12 and later).
const PROGRAMS: [(&str, &str); 9] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("haproxy", "haproxy"),
    ("openssl", "openssl"),
    ("named", "bind9"),
    ("rndc", "bind9-utils"),
    ("nginx", "nginx"),
    (NGINX_STREAM, "libnginx-mod-stream"),
    ("systemd-analyze", "systemd"),
];

/// A module has no name on the path.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Installs or unpacks what the tests and the demo run.
pub(crate) fn install() -> Result<()> {
    ensure(&PROGRAMS)?;
    unpack::pebble()
}

/// Installs what is missing of these programs, each with the package that brings it.
pub(crate) fn ensure(programs: &[(&str, &'static str)]) -> Result<()> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing programs; on Debian 12 or later these packages bring them: {list}");
    }
    let apt: &[&str] = if program("sh").args(["-c", "test $(id -u) = 0"]).succeeds() {
        &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    } else if program("sudo").args(["-n", "true"]).succeeds() {
        &[
            "sudo",
            "-n",
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
        ]
    } else {
        bail!("missing Debian packages; install them by: sudo apt-get install {list}");
    };
    let apt = |args: &[&str]| program(apt[0]).args(&apt[1..]).args(args).run();
    apt(&["update", "-q"])?;
    apt(&[
        &["install", "-q", "-y", "--no-install-recommends"],
        missing.as_slice(),
    ]
    .concat())?;
    match self::missing(programs).as_slice() {
        [] => Ok(()),
        still => bail!(
            "apt-get succeeded, and these are missing still: {}",
            still.join(" ")
        ),
    }
}

fn missing(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    let mut packages: Vec<_> = programs
        .iter()
        .filter(|(name, _)| !found(name))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}

/// Whether a program is on the path, or where Debian keeps programs for root.
#[expect(
    clippy::disallowed_methods,
    reason = "PATH is the environment's by nature"
)]
fn found(name: &str) -> bool {
    if name.starts_with('/') {
        return Path::new(name).is_file();
    }
    let path = env::var("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(name).is_file())
}
