//! Repository tasks: `cargo xtask setup|test|lint|ci|demo|compose-check`.
//!
//! What CI does is what a developer does: `.ci/run` calls these commands and adds nothing to them.
//! This crate depends on `anyhow` alone, so that it builds in seconds on a fresh clone.

mod cargo;
mod compose_check;
mod deny;
mod packages;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::cargo::cargo;

const USAGE: &str = "\
cargo xtask setup                  install the Debian packages that the tests run
cargo xtask test [CARGO TEST ARGS] set up, build the program, run all tests
cargo xtask lint                   rustfmt, clippy, rustdoc and cargo-deny, warnings denied
cargo xtask ci                     test, then lint
cargo xtask demo [--check]         a real fleet on loopback in a terminal; --check proves it instead
cargo xtask compose-check [CHECK]  the image and docker-compose.yml on a Docker engine";

#[expect(clippy::print_stdout, reason = "this is a command-line program")]
fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = args
        .split_first()
        .map_or(("help", &[][..]), |(task, rest)| (task, rest));
    match (task, rest) {
        ("setup", []) => packages::install(),
        ("test", rest) => test(rest),
        ("lint", []) => lint(),
        ("ci", []) => test(&[]).and_then(|()| lint()),
        ("demo", []) => demo(&[]),
        ("demo", [check]) if check == "--check" => demo(rest),
        ("compose-check", []) => compose_check::run(None),
        ("compose-check", [only]) => compose_check::run(Some(only)),
        ("help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!(
            "there is no task {:?}; wanted one of:\n{USAGE}",
            args.join(" ")
        ),
    }
}

#[expect(clippy::print_stdout, reason = "this is a command-line program")]
fn test(args: &[String]) -> Result<()> {
    let start = Instant::now();
    packages::install()?;
    build_program()?;
    cargo(["test", "--workspace"]).args(args).run()?;
    println!("xtask: all tests passed in {:.0?}", start.elapsed());
    Ok(())
}

fn lint() -> Result<()> {
    cargo(["fmt", "--all", "--check"]).run()?;
    cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
    .run()?;
    cargo(["doc", "--no-deps", "--workspace"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    deny::check()
}

fn demo(args: &[String]) -> Result<()> {
    packages::install()?;
    build_program()?;
    cargo(["run", "--quiet", "--package", "certfleet-demo", "--"])
        .args(args)
        .replace_self()
}

/// The end-to-end tests and the demo run the program itself, which cargo does not know.
fn build_program() -> Result<()> {
    cargo(["build", "--package", "certfleet-node"]).run()
}
