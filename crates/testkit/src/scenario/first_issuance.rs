//! A certificate for two names: the chain is verified up to the CA's root by openssl and by
//! rustls, through the balancer, and every node serves the same one.

use std::{net::SocketAddr, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::{process::Command, time::timeout};

use super::{STEP, orderly};
use crate::fleet::{LocalFleet, Options};

/// Runs it.
///
/// # Errors
/// What did not verify, or the serials that differ.
pub async fn run() -> Result<String> {
    let fleet = LocalFleet::serving(Options::default()).await?;
    let serial = fleet.converged(0, "", STEP).await?;
    let names = fleet.names(0);
    ensure!(names.len() == 2, "a certificate for two names: {names:?}");
    for name in &names {
        openssl(fleet.haproxy.https(), name, &fleet.root_file()).await?;
        // As many connections as it takes to meet each node at least once.
        for _ in 0..fleet.nodes.len() * 2 {
            let answer = fleet.client.get(fleet.haproxy.https(), name).await?;
            ensure!(
                answer.serial == serial,
                "{name}: {} instead of {serial}",
                answer.serial
            );
            ensure!(
                answer.body.contains(&serial),
                "the page does not say {serial}: {}",
                answer.body
            );
        }
    }
    orderly(&fleet).await?;
    Ok(format!(
        "{} verified by openssl and rustls, serial {serial} on {} nodes",
        names.join(" and "),
        fleet.nodes.len()
    ))
}

/// Has `openssl s_client` verify chain and name.
async fn openssl(address: SocketAddr, name: &str, root: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command
        .args([
            "s_client",
            "-connect",
            &address.to_string(),
            "-servername",
            name,
        ])
        .args(["-verify_hostname", name, "-verify_return_error", "-CAfile"])
        .arg(root)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(STEP, command.output())
        .await
        .context("openssl s_client does not end")?
        .context("cannot run openssl: install the Debian package \"openssl\"")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let verified = output.status.success() && text.contains("Verify return code: 0 (ok)");
    ensure!(
        verified,
        "{name}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
