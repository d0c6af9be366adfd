//! What a local store holds while its process lives: the ledger, and what is never written down
//! (leases, challenge answers, heart-beats, events).
//!
//! Plain data under someone else's lock; the time is handed in.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use certfleet_core::{FencingToken, NodeId, Record, Timestamp, seal::Sealed};

use super::{
    expiring::Expiring,
    ledger::{Ledger, Verdict},
};
use crate::{
    CommitError, Lease,
    event::{Event, KEPT},
    lease::{Holder, Resource},
    registry::Heartbeat,
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) challenges: Expiring<String, String>,
    pub(super) nodes: Expiring<NodeId, Heartbeat>,
    pub(super) accounts: BTreeMap<String, Sealed>,
    grants: Expiring<Resource, Grant>,
    events: VecDeque<Event>,
}

/// A lease as it was granted.
#[derive(Clone, Debug)]
struct Grant {
    owner: String,
    node: NodeId,
    fencing: FencingToken,
}

impl State {
    pub(super) const fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            challenges: Expiring::new(),
            nodes: Expiring::new(),
            accounts: BTreeMap::new(),
            grants: Expiring::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn acquire(
        &mut self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        now: Timestamp,
    ) -> Option<Lease> {
        if self.grants.get(resource, now).is_some() {
            return None;
        }
        let grant = Grant {
            owner: Lease::new_owner(node),
            node: node.clone(),
            fencing: self.ledger.agenda.next_token(),
        };
        let lease = Lease {
            resource: resource.clone(),
            owner: grant.owner.clone(),
            fencing: grant.fencing,
            ttl,
        };
        self.grants
            .insert(resource.clone(), grant, now.after(ttl), now);
        Some(lease)
    }

    pub(super) fn extend(&mut self, lease: &Lease, now: Timestamp) -> bool {
        let Some(grant) = self.grant(lease, &lease.resource, now).cloned() else {
            return false;
        };
        self.grants
            .insert(lease.resource.clone(), grant, now.after(lease.ttl), now);
        true
    }

    pub(super) fn release(&mut self, lease: &Lease, now: Timestamp) -> bool {
        let live = self.is_live(lease, &lease.resource, now);
        if live {
            self.grants.remove(&lease.resource);
        }
        live
    }

    pub(super) fn holders(&self, now: Timestamp) -> Vec<Holder> {
        let mut holders: Vec<_> = self
            .grants
            .iter(now)
            .map(|(resource, grant, end)| Holder {
                resource: resource.to_string(),
                node: grant.node.clone(),
                fencing: grant.fencing,
                remaining: end.since(now),
            })
            .collect();
        holders.sort_unstable_by(|a, b| a.resource.cmp(&b.resource));
        holders
    }

    pub(super) fn judge(
        &self,
        lease: &Lease,
        record: &Record,
        now: Timestamp,
    ) -> Result<Verdict, CommitError> {
        let live = self.is_live(lease, &lease.resource, now);
        self.ledger.judge(lease, live, record, now)
    }

    /// Whether the owner of `lease` holds `resource`.
    fn is_live(&self, lease: &Lease, resource: &Resource, now: Timestamp) -> bool {
        self.grant(lease, resource, now).is_some()
    }

    pub(super) fn check_live(
        &self,
        lease: &Lease,
        resource: Resource,
        now: Timestamp,
    ) -> Result<(), CommitError> {
        if self.is_live(lease, &resource, now) {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }

    fn grant(&self, lease: &Lease, resource: &Resource, now: Timestamp) -> Option<&Grant> {
        self.grants
            .get(resource, now)
            .filter(|grant| grant.owner == lease.owner)
    }

    pub(super) fn append(&mut self, event: Event) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn events(&self, most: usize) -> Vec<Event> {
        let skipped = self.events.len().saturating_sub(most);
        self.events.iter().skip(skipped).cloned().collect()
    }
}
