//! The journal: events go to the log at once, and to the fleet's event log when it can take them.
//!
//! Noting an event never waits and never fails: what the backend cannot take in time is only
//! logged. Nothing acts on an event.

use std::{sync::Arc, time::Duration};

use certfleet_core::{NodeId, Timestamp};
use certfleet_store::{
    Backend,
    event::{Event, EventKind},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

/// How many events may wait for the backend.
const WAITING: usize = 256;
/// How long one event may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(2);

/// Takes events.
#[derive(Debug)]
pub(crate) struct Journal {
    node: NodeId,
    queue: mpsc::Sender<Event>,
}

/// Writes events to the backend, one after the other.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Receiver<Event>);

impl Journal {
    /// The journal of `node`, and the task that writes it.
    pub(crate) fn new(node: NodeId) -> (Self, Writer) {
        let (queue, events) = mpsc::channel(WAITING);
        (Self { node, queue }, Writer(events))
    }

    /// Notes what happened.
    pub(crate) fn note(&self, at: Timestamp, kind: EventKind, subject: String, detail: String) {
        match kind {
            EventKind::Alarm => tracing::error!(%kind, %subject, "{detail}"),
            EventKind::LeaseLost
            | EventKind::CommitRefused
            | EventKind::AttemptFailed
            | EventKind::SealRefused => tracing::warn!(%kind, %subject, "{detail}"),
            _ => tracing::info!(%kind, %subject, "{detail}"),
        }
        let event = Event {
            at,
            node: self.node.clone(),
            kind,
            subject,
            detail,
        };
        if self.queue.try_send(event).is_err() {
            tracing::debug!("the journal is full; the event is in the log alone");
        }
    }
}

impl Writer {
    /// Writes until told to stop, and then what still waits.
    pub(crate) async fn run(mut self, backend: Arc<dyn Backend>, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => break,
                event = self.0.recv() => event,
            };
            let Some(event) = event else { return };
            write(&*backend, &event).await;
        }
        while let Ok(event) = self.0.try_recv() {
            if !write(&*backend, &event).await {
                return;
            }
        }
    }
}

async fn write(backend: &dyn Backend, event: &Event) -> bool {
    match timeout(WRITE_LIMIT, backend.append(event)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "an event is in the log alone");
            false
        }
        Err(_) => false,
    }
}
