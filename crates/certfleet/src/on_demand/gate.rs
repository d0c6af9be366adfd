//! Who may have a certificate on demand: asked of the operator's service once for the whole fleet.
//!
//! A yes and a no are both remembered in the fleet's store; a no also here, so that a client that
//! asks again and again for a name that is not permitted costs nothing but a look into a small map.
//! A service that does not answer is a no that is not remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use certfleet_core::{DomainName, NameSet, Timestamp, budget::Limit};
use certfleet_store::{StoreError, permission::Permission};
use tokio::time::sleep;

use super::PermissionUrl;
use crate::node::Node;

/// How often to look whether a peer has the answer.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How many names that are not permitted are remembered here.
const REMEMBERED: usize = 4096;

/// Decides who may have one.
pub(crate) struct Gate {
    node: Arc<Node>,
    service: PermissionUrl,
    allowed_for: Duration,
    denied_for: Duration,
    /// How many new names the service is asked for in a time, by this node.
    rate: Limit,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Names that are not permitted, until then.
    denied: HashMap<DomainName, Timestamp>,
    /// When the bucket of new names is full again.
    full: Option<Timestamp>,
}

/// How the service is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memories {
    /// How long a yes is remembered.
    pub(crate) allowed_for: Duration,
    /// How long a no is remembered.
    pub(crate) denied_for: Duration,
}

impl Gate {
    /// A gate that asks `service`, for no more new names than `rate` allows.
    pub(crate) fn new(
        node: Arc<Node>,
        service: PermissionUrl,
        memories: Memories,
        rate: Limit,
    ) -> Self {
        Self {
            node,
            service,
            allowed_for: memories.allowed_for,
            denied_for: memories.denied_for,
            rate,
            memory: Mutex::default(),
        }
    }

    /// Whether `name` may have a certificate. What cannot be found out is a no.
    pub(crate) async fn allows(&self, name: &DomainName) -> bool {
        if self.is_known_denied(name) {
            return false;
        }
        self.look(name, true).await.unwrap_or_else(|error| {
            tracing::warn!(%error, %name, "whether it may have a certificate is not known");
            false
        })
    }

    /// Whether names that have a certificate may have another. What cannot be found out is a yes: a
    /// service that is away must not take certificates away.
    pub(crate) async fn still_allows(&self, names: &NameSet) -> bool {
        for name in names {
            let Ok(name) = name.as_str().parse() else {
                continue;
            };
            if matches!(self.look(&name, false).await, Ok(false)) {
                return false;
            }
        }
        true
    }

    async fn look(&self, name: &DomainName, new: bool) -> Result<bool, GateError> {
        let asking = self.service.limit() + LOOK_AGAIN;
        let end = tokio::time::Instant::now() + asking * 2;
        loop {
            match self.node.backend.permission(name, asking).await? {
                Permission::Allowed => return Ok(true),
                Permission::Denied => {
                    self.remember_denied(name);
                    return Ok(false);
                }
                Permission::Ask => return self.ask(name, new).await,
                Permission::Asking if tokio::time::Instant::now() > end => {
                    return Err(GateError::Late);
                }
                Permission::Asking => sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn ask(&self, name: &DomainName, new: bool) -> Result<bool, GateError> {
        if new && !self.may_ask() {
            return Err(GateError::TooMany);
        }
        let allowed = self.service.ask(name).await.map_err(GateError::Service)?;
        let ttl = if allowed {
            self.allowed_for
        } else {
            self.remember_denied(name);
            self.denied_for
        };
        let kept = self
            .node
            .backend
            .answer_permission(name, allowed, ttl)
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the fleet does not know the service's answer");
        }
        self.node.metrics.permissions(allowed);
        Ok(allowed)
    }

    fn may_ask(&self) -> bool {
        let now = self.node.clock.now();
        let mut memory = self.memory();
        match self.rate.take(memory.full, 0, now) {
            Ok(full) => {
                memory.full = Some(full);
                true
            }
            Err(_) => false,
        }
    }

    fn is_known_denied(&self, name: &DomainName) -> bool {
        let now = self.node.clock.now();
        let memory = self.memory();
        memory.denied.get(name).is_some_and(|end| *end > now)
    }

    fn remember_denied(&self, name: &DomainName) {
        let now = self.node.clock.now();
        let mut memory = self.memory();
        if memory.denied.len() >= REMEMBERED {
            memory.denied.retain(|_, end| *end > now);
        }
        if memory.denied.len() < REMEMBERED {
            memory
                .denied
                .insert(name.clone(), now.after(self.denied_for));
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why it is not known whether a name may have a certificate.
#[derive(Debug, thiserror::Error)]
enum GateError {
    #[error("too many new names are asked for at a time")]
    TooMany,
    #[error("a peer has asked the permission service, and no answer came")]
    Late,
    #[error("the permission service: {0}")]
    Service(#[source] super::permission_url::AskError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
