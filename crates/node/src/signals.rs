//! SIGTERM and SIGINT: the first asks the node to end in order, a second ends it at once.

use std::process;

use certfleet::shutdown;

/// What a shell reports for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Ready at the first signal; from then on the next one ends the process.
#[expect(
    clippy::exit,
    reason = "who signals twice does not want to wait for anything"
)]
pub(crate) async fn stop() {
    shutdown::signal().await;
    tokio::spawn(async {
        shutdown::signal().await;
        tracing::warn!("a second signal: ending at once");
        process::exit(INTERRUPTED);
    });
}
