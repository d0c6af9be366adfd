//! The unit of `deploy/systemd`, judged by Debian's `systemd-analyze`.
//!
//! No unit is started here: that takes a host that systemd has booted.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use certfleet_testkit::process::TestDir;

/// The override that `README.md` gives for nodes behind a balancer.
const HIGH_PORTS: &str = "\
[Service]
AmbientCapabilities=
CapabilityBoundingSet=
PrivateUsers=yes
";

#[test]
fn systemd_finds_nothing_wrong() {
    for drop_in in ["", HIGH_PORTS] {
        let dir = TestDir::new("unit").unwrap();
        let unit = installed(dir.path(), drop_in).unwrap();
        let (ok, said) = analyze(&["verify", "--man=no", unit.to_str().unwrap()]).unwrap();
        assert!(ok && said.is_empty(), "{said}");
    }
}

#[test]
fn a_wrong_unit_would_be_found() {
    let dir = TestDir::new("unit").unwrap();
    let unit = installed(dir.path(), "[Service]\nProtectSystems=strict\n").unwrap();
    let (_, said) = analyze(&["verify", "--man=no", unit.to_str().unwrap()]).unwrap();
    assert!(said.contains("ProtectSystems"), "{said}");
}

#[test]
fn its_exposure_is_what_the_readme_says() {
    let unit = repository("deploy/systemd/certfleet.service");
    let readme = fs::read_to_string(repository("deploy/systemd/README.md")).unwrap();
    let (stated, _) = readme
        .split_once(" OK**")
        .and_then(|(before, rest)| Some((before.rsplit_once("**")?.1, rest)))
        .expect("the README states the exposure as **N.N OK**");
    let stated: f64 = stated.parse().unwrap();
    let threshold = format!("--threshold={:.0}", stated * 10.0);
    let security = ["security", "--offline=true", "--no-pager", &threshold];
    let (ok, said) = analyze(&[&security[..], &[unit.to_str().unwrap()]].concat()).unwrap();
    assert!(
        ok,
        "more exposed than {stated}, the README's figure:\n{said}"
    );
}

#[test]
fn the_readme_gives_the_override_that_is_tested() {
    let readme = fs::read_to_string(repository("deploy/systemd/README.md")).unwrap();
    let text: String = readme
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect();
    assert!(text.contains(HIGH_PORTS));
}

/// The unit as it would lie on a host where the program is installed under `root`.
fn installed(root: &Path, drop_in: &str) -> Result<PathBuf> {
    let program = root.join("certfleet");
    fs::write(&program, "#!/bin/sh\n")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let unit = fs::read_to_string(repository("deploy/systemd/certfleet.service"))?;
    let start = "ExecStart=/usr/bin/certfleet ";
    assert!(unit.contains(start), "the unit no longer says {start:?}");
    let unit = unit.replace(start, &format!("ExecStart={} ", program.display()));
    let path = root.join("certfleet.service");
    // An override is read after the unit, as if it stood at its end.
    fs::write(&path, unit + drop_in)?;
    Ok(path)
}

/// Whether `systemd-analyze` is content, and what it said.
fn analyze(args: &[&str]) -> Result<(bool, String)> {
    let output = Command::new("systemd-analyze")
        .args(args)
        .env("SYSTEMD_COLORS", "0")
        .output()
        .context("cannot run systemd-analyze: install the Debian package \"systemd\"")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    Ok((output.status.success(), text))
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
