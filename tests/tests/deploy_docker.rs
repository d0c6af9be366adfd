//! The files that `docker-compose.yml` mounts, as far as they can be judged without Docker.
//!
//! What they do together on an engine is `cargo xtask compose-check`'s to show.

use std::{path::PathBuf, process::Command};

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

#[test]
fn haproxy_takes_its_configuration() {
    let output = Command::new("haproxy")
        .args(["-c", "-f"])
        .arg(file("deploy/haproxy/haproxy.cfg"))
        .output()
        .expect("haproxy is Debian's package haproxy");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
}
