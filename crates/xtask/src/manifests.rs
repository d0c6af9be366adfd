//! The Kubernetes manifests: validated by tools that no Debian 12 package brings, and so kept
//! apart from the tests that every machine runs.

use std::{env, path::PathBuf};

use anyhow::{Result, bail};

use crate::cargo::{cargo, program};

/// Installs the validator beside the build, and runs the tests of `deploy/kubernetes`.
pub(crate) fn validate() -> Result<()> {
    if !program("kubectl").args(["version", "--client"]).succeeds() {
        bail!(
            "kubectl is missing: install version 1.24 or later from https://kubernetes.io/docs/tasks/tools/"
        );
    }
    let tools = target().join("tools");
    if !tools.join("bin/kubernetes-validate").is_file() {
        let dir = tools.to_string_lossy();
        if !program("python3").args(["-m", "venv", &dir]).succeeds() {
            bail!("a Python environment is missing: install the Debian package \"python3-venv\"");
        }
        let pip = tools.join("bin/pip");
        program(&pip.to_string_lossy())
            .args([
                "install",
                "--quiet",
                "-r",
                "deploy/kubernetes/requirements.txt",
            ])
            .run()?;
    }
    cargo([
        "test",
        "--package",
        "certfleet-tests",
        "--test",
        "deploy_kubernetes",
    ])
    .run()
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo takes its target folder from here too"
)]
fn target() -> PathBuf {
    env::var("CARGO_TARGET_DIR").map_or_else(|_| "target".into(), PathBuf::from)
}
