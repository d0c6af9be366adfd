//! The program's commands as a shell sees them: output, the one line of an error, exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use certfleet_core::seal::MasterKey;
use certfleet_testkit::process::{TestDir, free_address};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Settings that are good in form; nothing listens where they point.
const GOOD: [(&str, &str); 4] = [
    ("CERTFLEET_REDIS_URL", "redis://:hunter2@127.0.0.1:1"),
    ("CERTFLEET_DOMAINS", "a.example+b.example"),
    ("CERTFLEET_ACME_DIRECTORY", "letsencrypt-staging"),
    ("CERTFLEET_MASTER_KEY", KEY),
];

struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

/// Runs the program with the good settings, some of them set otherwise or taken away (`""`).
fn certfleet(args: &[&str], other: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certfleet"));
    command.args(args).env_clear().stdin(Stdio::null());
    for (name, value) in GOOD.iter().chain(other) {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn each_generated_key_is_a_new_master_key() {
    let keys: Vec<_> = (0..2)
        .map(|_| certfleet(&["key", "generate"], &[]).out)
        .collect();
    assert_ne!(keys[0], keys[1]);
    let ids = keys
        .iter()
        .map(|key| MasterKey::from_base64(key).unwrap().id());
    assert_eq!(ids.collect::<Vec<_>>().len(), 2);
    let said = certfleet(
        &["config", "check"],
        &[("CERTFLEET_MASTER_KEY", keys[0].trim())],
    );
    assert_eq!(said.code, Some(0), "{}", said.error);
}

#[test]
fn a_bad_configuration_is_one_line_and_exit_code_2() {
    for (name, value, found) in [
        (
            "CERTFLEET_MASTER_KEY",
            "",
            "CERTFLEET_MASTER_KEY is not set",
        ),
        (
            "CERTFLEET_MASTER_KEY",
            "hunter2",
            "CERTFLEET_MASTER_KEY: the value (not shown): key 1: it is not base64",
        ),
        (
            "CERTFLEET_MASTER_KEY",
            "aGk=",
            "CERTFLEET_MASTER_KEY: the value (not shown): key 1: it holds 2 bytes of base64 instead of 32",
        ),
        (
            "CERTFLEET_MASTER_KEY_FILE",
            "/nowhere",
            "CERTFLEET_MASTER_KEY_FILE are both set",
        ),
        ("CERTFLEET_DOMAINS", "", "CERTFLEET_DOMAINS is not set"),
        (
            "CERTFLEET_DOMAINS",
            "a_b.example",
            "CERTFLEET_DOMAINS: \"a_b.example\" is not a domain name: the character '_' is not allowed",
        ),
        (
            "CERTFLEET_ACME_DIRECTORY",
            "",
            "CERTFLEET_ACME_DIRECTORY is not set",
        ),
        (
            "CERTFLEET_ACME_DIRECTORY",
            "letsencrypt-prod",
            "CERTFLEET_ACME_DIRECTORY: found \"letsencrypt-prod\"",
        ),
        (
            "CERTFLEET_ACME_DIRECTORY",
            "http://ca.example/dir",
            "CERTFLEET_ACME_DIRECTORY: found \"http://ca.example/dir\"",
        ),
        (
            "CERTFLEET_REDIS_URL",
            "http://:hunter2@cache",
            "CERTFLEET_REDIS_URL: the value (not shown, it may hold a password)",
        ),
        (
            "CERTFLEET_REDIS_UR",
            "redis://:hunter2@cache",
            "CERTFLEET_REDIS_UR is not a setting of certfleet; the nearest is CERTFLEET_REDIS_URL",
        ),
        (
            "CERTFLEET_LEASE_TTL",
            "5",
            "CERTFLEET_LEASE_TTL: found \"5\"; wanted: a duration from 1s to 1h, such as 30s",
        ),
        (
            "CERTFLEET_CONFIG",
            "/nowhere.toml",
            "cannot read the configuration file /nowhere.toml",
        ),
        (
            "CERTFLEET_LOG",
            "certfleet=loud",
            "CERTFLEET_LOG: found \"certfleet=loud\"",
        ),
    ] {
        for command in [&["run"][..], &["config", "check"]] {
            let said = certfleet(command, &[(name, value)]);
            assert_eq!(said.code, Some(2), "{name}={value}: {}", said.error);
            assert_eq!(said.error.lines().count(), 1, "{}", said.error);
            assert!(said.error.starts_with("certfleet: "), "{}", said.error);
            assert!(said.error.contains(found), "{found:?} in {}", said.error);
            assert!(!said.error.contains("hunter2"), "{}", said.error);
            assert_eq!(said.out, "");
        }
    }
}

#[test]
fn the_file_is_read_and_the_environment_wins() {
    let dir = TestDir::new("config").unwrap();
    let path = dir.path().join("certfleet.toml");
    let file = path.to_str().unwrap();
    fs::write(
        &path,
        "fleet = \"there\"\nnode_id = \"web-7\"\ndomains = [\"c.example\"]\n",
    )
    .unwrap();
    let said = certfleet(
        &["config", "check", "--json", "--config", file],
        &[("CERTFLEET_FLEET", "here")],
    );
    assert_eq!(said.code, Some(0), "{}", said.error);
    assert!(
        !said.out.contains("hunter2") && !said.out.contains(KEY),
        "{}",
        said.out
    );
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["fleet"], "here");
    assert_eq!(json["node"], "web-7");
    let setting = |key| {
        let all = json["settings"].as_array().unwrap();
        all.iter().find(|line| line["setting"] == key).unwrap()
    };
    assert_eq!(
        setting("fleet")["from"],
        "environment variable CERTFLEET_FLEET"
    );
    assert_eq!(setting("node_id")["from"], format!("{file}, key node_id"));
    assert_eq!(setting("master_key")["value"], "(secret)");
    assert_eq!(setting("lease_ttl")["from"], "default");

    fs::write(&path, "fleet = \"there\"\nlease_tll = \"1s\"\n").unwrap();
    let said = certfleet(&["run"], &[("CERTFLEET_CONFIG", file)]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.error,
        format!(
            "certfleet: {file}, key lease_tll is not a setting of certfleet; the nearest is lease_ttl\n"
        )
    );
}

#[test]
fn an_unreachable_redis_at_the_first_start_is_exit_code_1() {
    let started = Instant::now();
    let [http, https, admin] = [(); 3].map(|()| free_address().unwrap().to_string());
    let said = certfleet(
        &["run"],
        &[
            ("CERTFLEET_HTTP_ADDR", &http),
            ("CERTFLEET_HTTPS_ADDR", &https),
            ("CERTFLEET_ADMIN_ADDR", &admin),
            ("CERTFLEET_LOG", "off"),
        ],
    );
    assert_eq!(said.code, Some(1), "{}", said.error);
    assert_eq!(said.error.lines().count(), 1, "{}", said.error);
    assert!(said.error.contains("127.0.0.1:1"), "{}", said.error);
    assert!(said.error.contains("no local copy"), "{}", said.error);
    assert!(!said.error.contains("hunter2"), "{}", said.error);
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );

    let said = certfleet(&["list"], &[]);
    assert_eq!(said.code, Some(1), "{}", said.error);
    assert!(said.error.contains("127.0.0.1:1"), "{}", said.error);
    assert!(!said.error.contains("hunter2"), "{}", said.error);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = certfleet(
        &["run"],
        &[("CERTFLEET_ADMIN_ADDR", &address), ("CERTFLEET_LOG", "off")],
    );
    assert_eq!(said.code, Some(1), "{}", said.error);
    let line = format!("certfleet: cannot listen on {address} (CERTFLEET_ADMIN_ADDR): ");
    assert!(said.error.starts_with(&line), "{}", said.error);
}
