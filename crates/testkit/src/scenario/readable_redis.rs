//! An operator reads a certificate in Redis by the commands that README shows.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::{process::Command, time::timeout};

use super::{STEP, orderly};
use crate::fleet::{LocalFleet, Options};

/// Runs it.
///
/// # Errors
/// What a command printed instead.
pub async fn run() -> Result<String> {
    let fleet = LocalFleet::serving(Options::default()).await?;
    let serial = fleet.converged(0, "", STEP).await?;
    let key = fleet.key(&format!("cert:{}", fleet.id(0)));
    let port = fleet.redis.address().port();
    let names = fleet.names(0);

    let hash = shell(&format!("redis-cli -p {port} HGETALL '{key}'")).await?;
    let lines: Vec<_> = hash.lines().collect();
    for wanted in [
        "names",
        &names.join(" "),
        "serial",
        &serial,
        "renew_at",
        "issued_by",
        "sealed",
    ] {
        ensure!(
            lines.contains(&wanted),
            "HGETALL does not print a line {wanted}: {hash}"
        );
    }
    let text = shell(&format!(
        "redis-cli -p {port} HGET '{key}' chain | openssl x509 -noout -text"
    ))
    .await?;
    for name in &names {
        ensure!(
            text.contains(&format!("DNS:{name}")),
            "openssl does not print {name}: {text}"
        );
    }
    orderly(&fleet).await?;
    Ok(format!(
        "HGETALL {key} and HGET … chain | openssl x509 -noout -text"
    ))
}

async fn shell(line: &str) -> Result<String> {
    let mut command = Command::new("bash");
    command
        .args(["-o", "pipefail", "-c", line])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(STEP, command.output())
        .await
        .with_context(|| line.to_owned())??;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line}: {problem}");
    Ok(String::from_utf8(output.stdout)?)
}
