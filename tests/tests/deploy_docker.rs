//! The files that `docker-compose.yml` mounts, as far as they can be judged without Docker.
//!
//! What they do together on an engine is `cargo xtask compose-check`'s to show.

use std::{fs, path::PathBuf, process::Command};

use certfleet_redis::acl;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

#[test]
fn a_nodes_rights_in_redis_are_those_the_code_needs() {
    let template = fs::read_to_string(file("deploy/docker/init/users.acl")).unwrap();
    let line = template
        .lines()
        .find_map(|line| line.strip_prefix("user node on #NODE "));
    let line = line.unwrap().replace("{FLEET}", "{local}");
    let rules = acl::rules(&"local".parse().unwrap());
    assert_eq!(line.split(' ').collect::<Vec<_>>(), rules);
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
