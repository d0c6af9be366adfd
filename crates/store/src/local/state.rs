//! What a local store holds while its process lives: the ledger, and what is never written down
//! (leases, challenge answers, permissions, heart-beats, events).
//!
//! Plain data under someone else's lock; the time is handed in.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use certfleet_core::{DomainName, FencingToken, NodeId, Record, Timestamp, seal::Sealed};

use super::{
    board::Board,
    expiring::Expiring,
    ledger::{Ledger, Verdict},
};
use crate::{
    CommitError, Lease,
    event::{Event, KEPT},
    lease::{Grant, Holder, Resource},
    permission::Permission,
    registry::Heartbeat,
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) board: Board,
    permissions: Expiring<DomainName, Permission>,
    pub(super) nodes: Expiring<NodeId, Heartbeat>,
    pub(super) accounts: BTreeMap<String, Sealed>,
    /// Apart from those on accounts, so that they can be counted at once.
    certificate_leases: Expiring<Resource, Held>,
    account_leases: Expiring<Resource, Held>,
    events: VecDeque<Event>,
}

/// A lease as it was granted.
#[derive(Clone, Debug)]
struct Held {
    owner: String,
    node: NodeId,
    fencing: FencingToken,
}

impl State {
    pub(super) const fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            board: Board::new(),
            permissions: Expiring::new(),
            nodes: Expiring::new(),
            accounts: BTreeMap::new(),
            certificate_leases: Expiring::new(),
            account_leases: Expiring::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn acquire(
        &mut self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        most: u32,
        now: Timestamp,
    ) -> Grant {
        let leases = self.leases_mut(resource);
        if leases.get(resource, now).is_some() {
            return Grant::Held;
        }
        let bounded = matches!(resource, Resource::Certificate(_));
        if bounded && u32::try_from(leases.count(now)).unwrap_or(u32::MAX) >= most {
            return Grant::Full;
        }
        let held = Held {
            owner: Lease::new_owner(node),
            node: node.clone(),
            fencing: self.ledger.agenda.next_token(),
        };
        let lease = Lease {
            resource: resource.clone(),
            owner: held.owner.clone(),
            fencing: held.fencing,
            ttl,
        };
        self.leases_mut(resource)
            .insert(resource.clone(), held, now.after(ttl), now);
        Grant::Granted(lease)
    }

    pub(super) fn extend(&mut self, lease: &Lease, now: Timestamp) -> bool {
        let Some(held) = self.held(lease, &lease.resource, now).cloned() else {
            return false;
        };
        let (resource, end) = (lease.resource.clone(), now.after(lease.ttl));
        self.leases_mut(&lease.resource)
            .insert(resource, held, end, now);
        true
    }

    pub(super) fn release(&mut self, lease: &Lease, now: Timestamp) -> bool {
        let live = self.is_live(lease, &lease.resource, now);
        if live {
            self.leases_mut(&lease.resource).remove(&lease.resource);
        }
        live
    }

    pub(super) fn holders(&self, now: Timestamp) -> Vec<Holder> {
        let all = self.certificate_leases.iter(now);
        let mut holders: Vec<_> = all
            .chain(self.account_leases.iter(now))
            .map(|(resource, held, end)| Holder {
                resource: resource.to_string(),
                node: held.node.clone(),
                fencing: held.fencing,
                remaining: end.since(now),
            })
            .collect();
        holders.sort_unstable_by(|a, b| a.resource.cmp(&b.resource));
        holders
    }

    const fn leases(&self, resource: &Resource) -> &Expiring<Resource, Held> {
        match resource {
            Resource::Certificate(_) => &self.certificate_leases,
            Resource::Account(_) => &self.account_leases,
        }
    }

    const fn leases_mut(&mut self, resource: &Resource) -> &mut Expiring<Resource, Held> {
        match resource {
            Resource::Certificate(_) => &mut self.certificate_leases,
            Resource::Account(_) => &mut self.account_leases,
        }
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
        self.held(lease, resource, now).is_some()
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

    fn held(&self, lease: &Lease, resource: &Resource, now: Timestamp) -> Option<&Held> {
        self.leases(resource)
            .get(resource, now)
            .filter(|held| held.owner == lease.owner)
    }

    pub(super) fn permission(
        &mut self,
        name: &DomainName,
        asking: Duration,
        now: Timestamp,
    ) -> Permission {
        if let Some(known) = self.permissions.get(name, now) {
            return *known;
        }
        let end = now.after(asking);
        self.permissions
            .insert(name.clone(), Permission::Asking, end, now);
        Permission::Ask
    }

    pub(super) fn answer_permission(
        &mut self,
        name: &DomainName,
        allowed: bool,
        ttl: Duration,
        now: Timestamp,
    ) {
        let answer = if allowed {
            Permission::Allowed
        } else {
            Permission::Denied
        };
        self.permissions
            .insert(name.clone(), answer, now.after(ttl), now);
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
