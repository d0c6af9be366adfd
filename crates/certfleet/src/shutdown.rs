//! The signals that ask a process to end.

use tokio::signal::unix::{SignalKind, signal as listen};

/// Ready at the first SIGTERM or SIGINT.
///
/// # Panics
/// If the process may not listen to signals, as inside some sandboxes; there it could not be
/// stopped in order at all.
pub async fn signal() {
    let mut terminate = listen(SignalKind::terminate()).expect("SIGTERM can be listened to");
    let mut interrupt = listen(SignalKind::interrupt()).expect("SIGINT can be listened to");
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping in order"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping in order"),
    }
}
