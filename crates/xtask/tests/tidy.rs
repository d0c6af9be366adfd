//! What ARCHITECTURE.md promises of the code's shape, checked on the code itself.
//!
//! A crate cannot name what it does not depend on, so the boundaries are checked in the manifests.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each crate of the product with the crates of this workspace it may depend on.
const INWARD: [(&str, &[&str]); 8] = [
    ("core", &[]),
    ("store", &["certfleet-core"]),
    ("redis", &["certfleet-core", "certfleet-store"]),
    ("acme", &["certfleet-core"]),
    ("tls", &["certfleet-core"]),
    ("dns", &[]),
    (
        "certfleet",
        &[
            "certfleet-acme",
            "certfleet-core",
            "certfleet-dns",
            "certfleet-redis",
            "certfleet-store",
            "certfleet-tls",
        ],
    ),
    ("node", &["certfleet", "certfleet-core", "certfleet-store"]),
];

/// Crates that only developers run.
const DEVELOPMENT: [&str; 4] = ["crates/testkit/", "crates/demo/", "crates/xtask/", "tests/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The names in `[dependencies]` of `crates/NAME`, and those in `[dev-dependencies]`.
fn dependencies(name: &str) -> (Vec<String>, Vec<String>) {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let (mut normal, mut dev, mut table) = (vec![], vec![], "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            table = line;
        } else if let Some((left, _)) = line.split_once('=') {
            let dependency = left.trim().split('.').next().unwrap_or_default().to_owned();
            match table {
                "[dependencies]" | "[build-dependencies]" => normal.push(dependency),
                "[dev-dependencies]" => dev.push(dependency),
                _ => {}
            }
        }
    }
    (normal, dev)
}

/// Every Rust source of the workspace: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut found = vec![];
    let mut folders = vec![root.join("crates"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "found the sources: {}", found.len());
    found
}

#[test]
fn dependencies_point_one_way() {
    for (name, allowed) in INWARD {
        let (normal, _) = dependencies(name);
        let outward: Vec<_> = normal
            .iter()
            .filter(|d| d.starts_with("certfleet") && !allowed.contains(&d.as_str()))
            .collect();
        assert!(
            outward.is_empty(),
            "crates/{name} may not depend on {outward:?}"
        );
    }
}

#[test]
fn only_the_redis_crate_knows_redis() {
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let (normal, dev) = dependencies(&name);
        let knows = normal
            .iter()
            .chain(&dev)
            .any(|d| d.contains("redis") && d != "certfleet-redis");
        assert_eq!(knows, name == "redis", "crates/{name} by its manifest");
    }
}

#[test]
fn the_core_does_no_io_and_does_not_wait() {
    let (normal, _) = dependencies("core");
    for foreign in ["tokio", "async-trait", "futures-util", "tracing"] {
        assert!(
            !normal.iter().any(|d| d == foreign),
            "crates/core may not depend on {foreign}"
        );
    }
}

#[test]
fn acme_and_tls_never_meet() {
    for (name, other) in [("acme", "certfleet-tls"), ("tls", "certfleet-acme")] {
        let (normal, dev) = dependencies(name);
        assert!(
            !normal.iter().chain(&dev).any(|d| d == other),
            "crates/{name} depends on {other}"
        );
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "no //! line at the head of {silent:?}");
}

#[test]
fn only_clocks_read_the_time() {
    let mut readers: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| {
            text.contains("SystemTime::now")
                && !DEVELOPMENT.iter().any(|folder| name.starts_with(folder))
        })
        .map(|(name, _)| name)
        .collect();
    readers.sort();
    // acme knows nothing of the store, so it has a clock of its own.
    assert_eq!(
        readers,
        ["crates/acme/src/clock.rs", "crates/store/src/clock.rs"]
    );
}

#[test]
fn backoff_is_named_in_one_module() {
    let namers: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| {
            name.starts_with("crates/acme/") && text.lines().any(|l| l.contains("backoff::"))
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(namers, ["crates/acme/src/retry.rs"]);
    for name in ["core", "store", "redis", "tls", "certfleet", "node"] {
        let (normal, dev) = dependencies(name);
        assert!(
            !normal.iter().chain(&dev).any(|d| d == "backoff"),
            "crates/{name} depends on backoff"
        );
    }
}
