//! Repository tasks: `cargo xtask setup|test|manifests|lint|ci|demo|compose-check`.
//!
//! What CI does is what a developer does: `.ci/run` calls these commands and adds nothing to them.
//! This crate depends on `anyhow` alone, so that it builds in seconds on a fresh clone.

mod cargo;
mod compose_check;
mod deny;
mod manifests;
mod packages;
#[path = "../../testkit/src/tools.rs"]
#[expect(unreachable_pub, reason = "it is public in testkit")]
mod tools;

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use crate::cargo::{cargo, program};

const USAGE: &str = "\
cargo xtask setup                  install the Debian packages that the tests run, unpack Pebble
cargo xtask test [CARGO TEST ARGS] set up, build the program, run all tests
cargo xtask manifests              validate deploy/kubernetes (needs kubectl and python3)
cargo xtask lint                   rustfmt, clippy, rustdoc and cargo-deny, warnings denied
cargo xtask ci                     test, then lint
cargo xtask demo [--check]         a real fleet on loopback in a terminal; --check proves it instead
cargo xtask compose-check [CHECK]  the image and docker-compose.yml on a Docker engine";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is a command-line program")]
fn run(args: &[String]) -> Result<()> {
    let (task, rest) = args
        .split_first()
        .map_or(("help", &[][..]), |(task, rest)| (task, rest));
    match (task, rest) {
        ("setup", []) => packages::install(),
        ("test", rest) => test(rest),
        ("manifests", []) => manifests::validate(),
        ("lint", []) => lint(),
        ("ci", []) => test(&[])
            .and_then(|()| manifests::validate())
            .and_then(|()| lint()),
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
    // The end-to-end tests run the program itself, which a filter in the arguments must not leave
    // unbuilt.
    cargo(["test", "--workspace", "--no-run"]).run()?;
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
    cargo(["build", "--workspace", "--bins"]).run()?;
    // Cargo has put it beside this program; started by cargo, it might be built once more.
    let built = std::env::current_exe()?.with_file_name("certfleet-demo");
    program(built).args(args).replace_self()
}
