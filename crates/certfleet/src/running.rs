//! A node that runs: its tasks, the ways to serve with it, and its orderly end.
//!
//! Stopping has an order: first the node says it is not ready, and a pause lets balancers notice
//! while it still accepts; then the ports close and requests drain while an order in hand may
//! finish, then what is left is dropped and leases go back, and last the journal is written out.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use axum::Router;
use certfleet_store::event::EventKind;
use certfleet_tls::{Limits, Listener};
use rustls::ServerConfig;
use tokio::{
    task::{Id, JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    config::Config,
    error::FleetError,
    fleet::listen,
    handle::Handle,
    serve::{HttpsListener, Port, serve},
};

/// How long tasks may take to end once everything they wait for is cancelled.
const END: Duration = Duration::from_secs(5);

/// A node whose tasks run. Dropping it ends them at once; [`Running::stop`] ends them in order.
pub struct Running {
    handle: Handle,
    tls: Arc<ServerConfig>,
    challenge: Router,
    tasks: Tasks,
    config: Config,
}

impl Running {
    pub(crate) fn new(
        handle: Handle,
        tls: Arc<ServerConfig>,
        challenge: Router,
        tasks: Tasks,
        config: Config,
    ) -> Self {
        Self {
            handle,
            tls,
            challenge,
            tasks,
            config,
        }
    }

    /// Reads the node's status and metrics, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A rustls configuration that always serves the newest certificates.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The challenge route, for a server of one's own on port 80. Give it the client's address, as
    /// `ConnectInfo` of [`ClientAddr`](crate::ClientAddr) or `SocketAddr`; without, all clients
    /// are one to its limits, and one whom no `challenge_allow` of your own lets in.
    pub fn challenge_router(&self) -> Router {
        self.challenge.clone()
    }

    /// A listener on the configured HTTPS address, for `axum::serve`.
    ///
    /// # Errors
    /// [`FleetError::Listen`] if the address cannot be had.
    pub async fn listener(&self) -> Result<HttpsListener, FleetError> {
        let socket = listen(self.config.https_addr, "CERTFLEET_HTTPS_ADDR").await?;
        let stats = self.handle.https();
        let listener = Listener::new(socket, self.server_config(), Limits::default(), stats);
        let proxies = self.config.proxy_protocol_from.clone();
        Ok(Port(listener.with_proxy_protocol_from(proxies)))
    }

    /// Serves `router` over HTTPS until `shutdown` is ready, then stops in order.
    ///
    /// # Errors
    /// If the address cannot be had, serving fails, or a task dies.
    pub async fn serve(
        mut self,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), FleetError> {
        let listener = self.listener().await?;
        // A CA that follows the redirect to HTTPS finds the answer there too.
        let router = self.challenge_router().fallback_service(router);
        let drain = self.config.drain_timeout;
        let serving = serve(listener, router, self.tasks.stop.clone(), drain);
        tokio::pin!(serving);
        let paused = async {
            shutdown.await;
            self.handle.stopping();
            sleep(self.config.drain_pause).await;
        };
        let (outcome, served) = tokio::select! {
            () = paused => (Ok(()), None),
            served = &mut serving => (Ok(()), Some(served)),
            name = self.tasks.died() => (Err(FleetError::TaskDied(name)), None),
        };
        self.handle.stopping();
        self.tasks.stop.cancel();
        let drained = async {
            match served {
                Some(served) => served,
                None => serving.await,
            }
        };
        let (drained, ()) = tokio::join!(drained, self.tasks.end(drain));
        self.close_journal().await;
        outcome.and_then(|()| drained.map_err(FleetError::Serve))
    }

    /// Stops in order, where [`Running::serve`] is not used. A server of one's own goes on
    /// accepting for as long as `drain_pause` says from now.
    pub async fn stop(mut self) {
        self.handle.stopping();
        sleep(self.config.drain_pause).await;
        self.tasks.end(self.config.drain_timeout).await;
        self.close_journal().await;
    }

    async fn close_journal(mut self) {
        self.handle.note(EventKind::NodeStopped);
        self.tasks.end_last().await;
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("https_addr", &self.config.https_addr)
            .finish_non_exhaustive()
    }
}

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
    async fn died(&mut self) -> &'static str {
        let id = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return "all",
        };
        self.names.get(&id).copied().unwrap_or("unknown")
    }

    /// Waits for all tasks but the last: `drain` for them to finish, then they are told to drop
    /// what they do.
    async fn end(&mut self, drain: Duration) {
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

    async fn end_last(&mut self) {
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
