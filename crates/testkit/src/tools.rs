//! Where the programs are that the tests need newer than Debian 12 has them.
//!
//! `cargo xtask setup` unpacks their packages below `target/debian` of the workspace, whatever
//! `CARGO_TARGET_DIR` says, so that worktrees and build folders do not mix. What is unpacked there
//! comes before the path. This file is compiled into xtask too: who unpacks and who looks must not
//! differ. It starts nothing but `pebble -version`, and installs nothing.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The oldest Pebble with ARI's `replaces` and with `retryAfter`.
const OLDEST_PEBBLE: (u32, u32) = (2, 6);

/// A program whose version is known to do.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Where it is.
    pub program: PathBuf,
    /// What it says its version is; the builds of distributions say `dev`.
    pub version: String,
}

/// Where a Debian package is unpacked, by its name.
#[must_use]
pub fn unpacked(package: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a crate of this workspace is in the folder `crates`");
    crates.with_file_name("target").join("debian").join(package)
}

/// A program of `package`: the one that was unpacked, or else the first on the path.
///
/// # Errors
/// If there is none; the error names the cure.
pub fn find(package: &str, program: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(unpacked(package).join("usr/bin")).chain(env::split_paths(&path));
    let mut programs = folders.map(|folder| folder.join(program));
    let found = programs.find(|program| program.is_file());
    found.with_context(|| format!("{program} is not there: run `cargo xtask setup`"))
}

/// Pebble, in a version that is new enough.
///
/// # Errors
/// If there is none, or only an older one; the error names the cure.
pub fn pebble() -> Result<Tool> {
    let program = find("pebble", "pebble")?;
    let output = Command::new(&program).arg("-version").output();
    let output = output.with_context(|| format!("run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match new_enough(&said) {
        Some(version) => Ok(Tool {
            version: version.to_owned(),
            program,
        }),
        None => bail!(
            "{} is older than {}.{}: run `cargo xtask setup`",
            program.display(),
            OLDEST_PEBBLE.0,
            OLDEST_PEBBLE.1
        ),
    }
}

/// The version that `pebble -version` names, if it is new enough.
///
/// Debian's build calls itself `dev`. No package of Debian has the flag and is too old: 2.4, the
/// one before 2.6, does not know it and prints nothing to its standard output.
fn new_enough(said: &str) -> Option<&str> {
    let version = said.trim().strip_prefix("Pebble version: ")?;
    if version == "dev" {
        return Some(version);
    }
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    ((major, minor) >= OLDEST_PEBBLE).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_new_enough_or_not() {
        for (said, want) in [
            ("Pebble version: dev\n", Some("dev")),
            ("Pebble version: v2.6.0\n", Some("v2.6.0")),
            ("Pebble version: 2.10.1\n", Some("2.10.1")),
            ("Pebble version: v3.0.0\n", Some("v3.0.0")),
            ("Pebble version: v2.5.1\n", None),
            ("Pebble version: 1.9\n", None),
            ("Pebble version: nonsense\n", None),
            ("", None),
        ] {
            assert_eq!(new_enough(said), want, "{said:?}");
        }
    }

    #[test]
    fn a_program_that_is_nowhere_is_an_error_with_a_cure() {
        let error = find("pebble", "no-such-program").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program is not there: run `cargo xtask setup`"
        );
    }
}
