//! Certificates obtained while the first client waits in its handshake.
//!
//! Only a server name that no published certificate has is asked for; for any other, the cost is
//! one look-up in the table. A handshake waits for a limited time, and a limited number of them at
//! once; in every other case the client gets at once what it would get without all this: the
//! default certificate, or an alert. Whether a name may be had, and that many handshakes for one
//! name make one order, is for the [`OnDemand`] to see to.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use certfleet_core::DomainName;
use tokio::{sync::Semaphore, time::timeout};

use crate::{resolver::Resolver, stats::Demand};

/// Who can get a certificate for a name that has none.
#[async_trait]
pub trait OnDemand: Send + Sync {
    /// Whether a certificate for `server_name`, never a wildcard, is published by now.
    ///
    /// It is called in each handshake for such a name, and dropped when the time of the handshake
    /// is over: what is to go on then belongs in a task of its own.
    async fn obtain(&self, server_name: &DomainName) -> bool;
}

/// What handshakes that wait for a certificate may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemandLimits {
    /// How many of a listener's handshakes may wait at a time. They take up places among its
    /// [`max_handshakes`](crate::Limits); keep it well below, or known names wait too.
    pub max_waiting: usize,
    /// How long one may wait. It is part of the time of the handshake: with no less than
    /// [`handshake_timeout`](crate::Limits), a client that waits in vain sees no alert and no
    /// default certificate, only the end of the connection.
    pub timeout: Duration,
}

impl Default for OnDemandLimits {
    /// 256 handshakes of 8 seconds.
    fn default() -> Self {
        Self {
            max_waiting: 256,
            timeout: Duration::from_secs(8),
        }
    }
}

/// Asks for certificates within the limits.
#[derive(Clone)]
pub(crate) struct Demands {
    resolver: Resolver,
    on_demand: Arc<dyn OnDemand>,
    timeout: Duration,
    places: Arc<Semaphore>,
}

impl Demands {
    pub(crate) fn new(
        resolver: Resolver,
        on_demand: Arc<dyn OnDemand>,
        limits: &OnDemandLimits,
    ) -> Self {
        let places = limits.max_waiting.min(Semaphore::MAX_PERMITS);
        Self {
            resolver,
            on_demand,
            timeout: limits.timeout,
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// The name to ask for, if a client asks for one that no certificate has.
    pub(crate) fn missing(&self, server_name: Option<&str>) -> Option<DomainName> {
        let name = server_name.filter(|name| !self.resolver.knows(name))?;
        let name: DomainName = name.parse().ok()?;
        (!name.as_str().starts_with("*.")).then_some(name)
    }

    /// Asks for a certificate for `name`, if there is room to wait for it.
    pub(crate) async fn obtain(&self, name: &DomainName) -> Demand {
        let Ok(_place) = self.places.try_acquire() else {
            return Demand::Busy;
        };
        match timeout(self.timeout, self.on_demand.obtain(name)).await {
            Ok(true) => Demand::Obtained,
            Ok(false) => Demand::Refused,
            Err(_) => Demand::Timeout,
        }
    }
}
