//! A node that runs: its tasks, the ways to serve with it, and its orderly end.
//!
//! Stopping has an order: first the node says it is not ready, and a pause lets balancers notice
//! while it still accepts; then the ports close and requests drain while an order in hand may
//! finish, then what is left is dropped and leases go back, and last the journal is written out.

use std::{fmt, sync::Arc};

use axum::Router;
use certfleet_store::event::EventKind;
use certfleet_tls::{Limits, Listener, OnDemandLimits, Resolver};
use rustls::ServerConfig;
use tokio::time::sleep;

use crate::{
    challenge::Responder,
    config::Config,
    error::FleetError,
    handle::Handle,
    on_demand::Hook,
    serve::{HttpsListener, Port, listen, serve},
    tasks::Tasks,
};

/// A node whose tasks run. Dropping it ends them at once; [`Running::stop`] ends them in order.
pub struct Running {
    handle: Handle,
    tls: Arc<ServerConfig>,
    challenge: Router,
    hooks: Hooks,
    tasks: Tasks,
    config: Config,
}

/// What the HTTPS port asks of the fleet within a handshake.
pub(crate) struct Hooks {
    pub(crate) resolver: Resolver,
    pub(crate) challenges: Arc<Responder>,
    pub(crate) on_demand: Option<Arc<Hook>>,
}

impl Running {
    pub(crate) fn new(
        handle: Handle,
        tls: Arc<ServerConfig>,
        challenge: Router,
        hooks: Hooks,
        tasks: Tasks,
        config: Config,
    ) -> Self {
        Self {
            handle,
            tls,
            challenge,
            hooks,
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
        let listener = Listener::new(socket, self.server_config(), self.limits(), stats);
        let proxies = self.config.proxy_protocol_from.clone();
        let listener = listener
            .with_proxy_protocol_from(proxies)
            .with_challenges(Arc::clone(&self.hooks.challenges) as _);
        Ok(Port(
            match (&self.hooks.on_demand, &self.config.on_demand) {
                (Some(hook), Some(config)) => listener.with_on_demand(
                    self.hooks.resolver.clone(),
                    Arc::clone(hook) as _,
                    &OnDemandLimits {
                        max_waiting: config.waiting.get() as usize,
                        timeout: config.wait,
                    },
                ),
                _ => listener,
            },
        ))
    }

    /// The limits of handshakes, with room for those that wait for a certificate.
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(on_demand) = &self.config.on_demand {
            limits.max_handshakes += on_demand.waiting.get() as usize;
            limits.handshake_timeout += on_demand.wait;
        }
        limits
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
