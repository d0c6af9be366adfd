//! Certificates on demand: the first handshake for a permitted name waits for its certificate.
//!
//! Off unless configured. A name is permitted by a service of the operator's, whose answers the fleet
//! shares; what is permitted is put on the list of wanted certificates, and from there on it is got
//! and renewed as any other. However many clients ask for a name at once, on however many nodes: the
//! service is asked once and one certificate is ordered. The number of handshakes that wait, and of
//! new names in a time, is bounded.

mod gate;
mod permission_url;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use certfleet_core::{CertificateId, DomainName, NameSet, Wanted};
use certfleet_store::{StoreError, event::EventKind};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

pub(crate) use self::{
    gate::{Gate, Memories},
    permission_url::PermissionUrl,
};
use crate::{node::Node, progress::Progress};

/// How often a certificate that has failed lately is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Gets certificates for names that clients ask for.
pub(crate) struct OnDemand {
    node: Arc<Node>,
    progress: Arc<Progress>,
    gate: Arc<Gate>,
    wait: Duration,
    flights: Mutex<HashMap<DomainName, watch::Receiver<Option<bool>>>>,
}

impl OnDemand {
    /// For names that `gate` permits; a handshake waits for `wait` at the most.
    pub(crate) fn new(
        node: Arc<Node>,
        progress: Arc<Progress>,
        gate: Arc<Gate>,
        wait: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            progress,
            gate,
            wait,
            flights: Mutex::default(),
        })
    }

    /// What comes of the one flight for `name`, begun if there is none.
    fn flight(self: &Arc<Self>, name: &DomainName) -> watch::Receiver<Option<bool>> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(name) {
            return flight.clone();
        }
        let (done, flight) = watch::channel(None);
        flights.insert(name.clone(), flight.clone());
        let (this, name) = (Arc::clone(self), name.clone());
        tokio::spawn(async move {
            let served = timeout(this.wait, this.get(&name)).await.unwrap_or(false);
            let mut flights = this.flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.remove(&name);
            drop(flights);
            // An error says that nobody waits any more, which is fine.
            let _ = done.send(Some(served));
        });
        flight
    }

    /// Has the certificate for `name` served here, if that is permitted and can be done.
    async fn get(&self, name: &DomainName) -> bool {
        if !self.gate.allows(name).await {
            return false;
        }
        match self.want(name).await {
            Ok(id) => self.await_served(&id).await,
            Err(error) => {
                tracing::warn!(%error, %name, "no certificate on demand");
                false
            }
        }
    }

    async fn want(&self, name: &DomainName) -> Result<CertificateId, StoreError> {
        let names = NameSet::new([name.clone().into()]).expect("one name is a name");
        let id = names.id();
        let backend = &*self.node.backend;
        let wanted = match backend.wanted_one(&id).await? {
            Some(wanted) => wanted,
            None => {
                let wanted = Wanted {
                    on_demand: true,
                    ..Wanted::new(names)
                };
                backend.want(&wanted).await?;
                self.node.note(EventKind::Added, &id, "on demand");
                wanted
            }
        };
        self.node.wanted.add(wanted);
        self.progress.due.notify_one();
        Ok(id)
    }

    /// Waits until the certificate is served here, unless it has failed and is to be tried later.
    async fn await_served(&self, id: &CertificateId) -> bool {
        let mut installed = self.node.installer.installed();
        loop {
            if self.node.installer.served(id).is_some() {
                return true;
            }
            tokio::select! {
                changed = installed.changed() => if changed.is_err() {
                    return false;
                },
                () = sleep(LOOK_AGAIN) => {
                    let attempt = self.node.backend.attempt(id).await.ok().flatten();
                    if attempt.is_some_and(|attempt| attempt.next > self.node.clock.now()) {
                        return false;
                    }
                }
            }
        }
    }
}

/// The hook of the TLS listener.
pub(crate) struct Hook(pub(crate) Arc<OnDemand>);

#[async_trait]
impl certfleet_tls::OnDemand for Hook {
    async fn obtain(&self, server_name: &DomainName) -> bool {
        let mut flight = self.0.flight(server_name);
        let served = flight.wait_for(Option::is_some).await;
        served.is_ok_and(|served| *served == Some(true))
    }
}
