//! A node of a fleet, from configuration to start.
//!
//! [`Fleet::start`] opens what can fail (store, snapshot, issuer, HTTP port), installs what there
//! is, and only then starts the tasks; from there on the node is [`Running`].

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum::Router;
use certfleet_acme::Issuer;
use certfleet_core::IssuerName;
use certfleet_store::{
    Backend, Clock, StoreError, SystemClock, event::EventKind, snapshot::Snapshot,
};
use certfleet_tls::{Limits, Listener};
use tokio::time::timeout;

use crate::{
    account::Keeper,
    assembly, backend, budget,
    builder::Builder,
    challenge::{self, Admission, Answers, Responder},
    config::{BackendConfig, Config},
    error::FleetError,
    follower::Follower,
    handle::Handle,
    health::Health,
    heartbeat::Heart,
    installer::Installer,
    issuance::{Issuance, Rules},
    issuers::Issuers,
    journal::Journal,
    metrics::Metrics,
    node::Node,
    on_demand::{Hook, OnDemand},
    progress::Progress,
    redirect,
    renewer::{Pace, Renewer},
    running::{Hooks, Running},
    serve::{Port, listen, serve},
    settings::Settings,
    shutdown,
    suggestions::Asker,
    tasks::Tasks,
    wanted::WantedSet,
};

/// How often the follower compares with the store by itself.
const FOLLOW_CHECK: Duration = Duration::from_secs(10);
/// How long the first catch-up may take before the node starts with what it has.
const FIRST_CATCH_UP: Duration = Duration::from_secs(10);

/// One node of a fleet, configured and not yet started.
pub struct Fleet {
    pub(crate) config: Config,
    pub(crate) parts: Parts,
}

/// What a node is made of beside its configuration, where the caller has something of its own.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) backend: Option<Arc<dyn Backend>>,
    /// In place of those that the configuration has by these names.
    pub(crate) issuers: BTreeMap<IssuerName, Arc<dyn Issuer>>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl Fleet {
    /// A node as `config` describes it.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            parts: Parts::default(),
        }
    }

    /// A node as the `CERTFLEET_*` environment variables describe it.
    ///
    /// # Errors
    /// [`FleetError::Settings`], which names the variable that is missing or wrong.
    pub fn from_env() -> Result<Self, FleetError> {
        Ok(Self::new(Settings::from_env()?.config()?))
    }

    /// A node described in code.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Serves `router` over HTTPS, and challenges and redirects over HTTP, until SIGTERM or SIGINT;
    /// then drains.
    ///
    /// # Errors
    /// If the node cannot start or does not go on.
    pub async fn serve(self, router: Router) -> Result<(), FleetError> {
        self.start().await?.serve(router, shutdown::signal()).await
    }

    /// Starts the node: its HTTP port and its tasks, with everything installed that there is.
    ///
    /// # Errors
    /// If a part cannot be opened, or the store is away and there is no local copy to serve.
    pub async fn start(self) -> Result<Running, FleetError> {
        let Self { config, parts } = self;
        let clock = parts.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let backend = match parts.backend {
            Some(backend) => backend,
            None => backend::open(&config, Arc::clone(&clock)).await?,
        };
        let issuers = assembly::issuers(&config, parts.issuers)?;
        let dns = assembly::dns(&config)?;
        let http = listen(config.http_addr, "CERTFLEET_HTTP_ADDR").await?;

        let wanted = WantedSet::new(&config.certificates, config.terms.clone());
        let default = config.certificates.first().map(|wanted| wanted.names.id());
        let (publisher, resolver) = certfleet_tls::watch(default);
        let (journal, writer) = Journal::new(config.node.clone());
        let node = Arc::new(Node {
            fleet: config.fleet.clone(),
            id: config.node.clone(),
            keys: Arc::clone(&config.keys),
            backend: Arc::clone(&backend),
            metrics: Metrics::new(&wanted.ids()),
            journal,
            installer: Installer::new(
                config.fleet.clone(),
                Arc::clone(&config.keys),
                Arc::clone(&clock),
                publisher,
                snapshot(&config).await?,
            ),
            wanted,
            clock,
        });
        let progress = Arc::new(Progress::default());
        let health = Arc::new(Health::new(Arc::clone(&node), Arc::clone(&progress)));
        let answers = Arc::new(Answers::new(Arc::clone(&backend), dns));
        let mut follower = Follower::new(Arc::clone(&node), Arc::clone(&progress));
        first_catch_up(&node, &mut follower).await?;
        node.note(
            EventKind::NodeStarted,
            "",
            format!("version {}", env!("CARGO_PKG_VERSION")),
        );

        let keeper = Keeper::new(&config, Arc::clone(&backend));
        let issuers = Arc::new(Issuers::new(Arc::clone(&node), keeper, issuers));
        let (gate, on_demand) = match &config.on_demand {
            Some(settings) => {
                let gate = Arc::new(assembly::gate(&node, settings));
                let on_demand = OnDemand::new(
                    Arc::clone(&node),
                    Arc::clone(&progress),
                    Arc::clone(&gate),
                    settings.wait,
                );
                (Some(gate), Some(on_demand))
            }
            None => (None, None),
        };
        let issuance = Issuance::new(
            Arc::clone(&node),
            Arc::clone(&issuers),
            Arc::clone(&answers),
            gate,
            Rules {
                retry: config.retry.clone(),
                lease_ttl: config.lease_ttl,
                per_fleet: config.orders_per_fleet.get(),
            },
        );
        let renewer = Renewer::new(
            Arc::clone(&node),
            Arc::clone(&issuers),
            issuance,
            Arc::clone(&progress),
            Pace {
                pause: config.start_pause,
                check: config.renew_check_interval,
                at_once: config.orders_per_node.get() as usize,
            },
        );
        let asker = Asker::new(
            Arc::clone(&node),
            Arc::clone(&issuers),
            Arc::clone(&progress),
        );
        let heart = Heart::new(
            Arc::clone(&node),
            Arc::clone(&progress),
            Arc::clone(&health),
        );
        let admission = Admission::new(
            config.challenge_allow.clone(),
            config.challenge_rate,
            config.challenge_burst,
        );
        let hooks = Hooks {
            resolver: resolver.clone(),
            challenges: Arc::new(Responder(Arc::clone(&answers))),
            on_demand: on_demand.map(|on_demand| Arc::new(Hook(on_demand))),
        };
        let challenge = challenge::router(answers, admission);
        let redirect = redirect::router(challenge.clone(), config.public_https_port);
        let handle = Handle::new(Arc::clone(&node), health);
        let http = Listener::plain(http, Limits::default(), handle.http())
            .with_proxy_protocol_from(config.proxy_protocol_from.clone());

        let mut tasks = Tasks::default();
        let (stop, abort) = (tasks.stop.clone(), tasks.abort.clone());
        let check = config.renew_check_interval;
        tasks.spawn("follower", follower.run(FOLLOW_CHECK, stop.clone()));
        tasks.spawn("renewer", renewer.run(stop.clone(), abort));
        tasks.spawn("suggestions", asker.run(check, stop.clone()));
        tasks.spawn("budget", budget::watch(node, issuers, stop.clone()));
        tasks.spawn("heart-beat", heart.run(stop.clone()));
        tasks.spawn("http", async move {
            if let Err(error) = serve(Port(http), redirect, stop, config.drain_timeout).await {
                tracing::error!(%error, "the HTTP port is gone");
            }
        });
        tasks.spawn_last(|stop| writer.run(backend, stop));
        Ok(Running::new(
            handle,
            certfleet_tls::server_config(resolver),
            challenge,
            hooks,
            tasks,
            config,
        ))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// With Redis, a node keeps a copy of its own; a file store is its own copy.
async fn snapshot(config: &Config) -> Result<Option<Snapshot>, FleetError> {
    match (&config.backend, &config.data_dir) {
        (BackendConfig::Redis { .. }, Some(dir)) => Ok(Some(Snapshot::open(dir.join("snapshot"))?)),
        _ => Ok(None),
    }
}

/// Installs the local copy, and then what the store has. Without either there is no start.
async fn first_catch_up(node: &Node, follower: &mut Follower) -> Result<(), FleetError> {
    for error in node.installer.install_snapshot().await {
        tracing::warn!(%error, "a local copy is not served");
    }
    let source = match timeout(FIRST_CATCH_UP, follower.catch_up()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(elapsed) => StoreError::Unavailable {
            store: "the store".to_owned(),
            operation: "the first catch-up",
            source: elapsed.into(),
        },
    };
    if node.installer.publisher().served().is_empty() {
        return Err(FleetError::NothingToServe { source });
    }
    tracing::warn!(error = %source, "starting from the local copy");
    Ok(())
}
