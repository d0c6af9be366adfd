//! The tasks of a node: each in a span of its name, all told to end in one order.
//!
//! A task that ends though nobody asked it to is seen, by name.

use std::{collections::HashMap, time::Duration};

use tokio::{
    task::{Id, JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long tasks may take to end once everything they wait for is cancelled.
const END: Duration = Duration::from_secs(5);

/// The tasks of a node, and how they are told to end.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Asks tasks to finish what they do.
    pub(crate) stop: CancellationToken,
    /// Tells them to drop it.
    pub(crate) abort: CancellationToken,
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    last: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Tasks {
    /// Starts a task in a span of its name.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let started = self
            .running
            .spawn(task.instrument(tracing::info_span!("task", name)));
        self.names.insert(started.id(), name);
    }

    /// Starts the task that outlives the others.
    pub(crate) fn spawn_last<F>(&mut self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(task(stop.clone()));
        self.last = Some((stop, handle));
    }

    /// The name of a task that ended though nobody asked it to.
    pub(crate) async fn died(&mut self) -> &'static str {
        let id = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return "all",
        };
        self.names.get(&id).copied().unwrap_or("unknown")
    }

    /// Waits for all tasks but the last: `drain` for them to finish, then they are told to drop
    /// what they do.
    pub(crate) async fn end(&mut self, drain: Duration) {
        self.stop.cancel();
        if timeout(drain, self.join_all()).await.is_err() {
            tracing::warn!("work was still in hand when the time to drain was over; it is dropped");
            self.abort.cancel();
            if timeout(END, self.join_all()).await.is_err() {
                self.running.abort_all();
            }
        }
    }

    async fn join_all(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    /// Ends the task that outlives the others.
    pub(crate) async fn end_last(&mut self) {
        if let Some((stop, handle)) = self.last.take() {
            stop.cancel();
            if timeout(END, handle).await.is_err() {
                tracing::debug!("the journal was not written out in time");
            }
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop.cancel();
        self.abort.cancel();
        if let Some((_, handle)) = self.last.take() {
            handle.abort();
        }
    }
}
