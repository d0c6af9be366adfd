//! One certificate as commands show it: its record beside who serves it and who works on it.

use std::time::Duration;

use certfleet_core::{CertificateId, Epoch, FencingToken, Generation, NameSet, NodeId, Timestamp};
use certfleet_store::{
    Stored,
    lease::{Holder, Resource},
    registry::Heartbeat,
};
use serde::Serialize;

/// A certificate that is wanted or was issued.
#[derive(Debug, Serialize)]
pub(crate) struct Certificate {
    pub(crate) id: CertificateId,
    pub(crate) names: NameSet,
    /// `None` until it was issued for the first time.
    pub(crate) issued: Option<Issued>,
    /// The nodes that serve this generation, and so none before it was issued.
    pub(crate) served_by: Vec<NodeId>,
    /// How many nodes live.
    pub(crate) nodes: usize,
    /// Who works on it now.
    pub(crate) lease: Option<Lease>,
}

/// The newest generation of a certificate.
#[derive(Debug, Serialize)]
pub(crate) struct Issued {
    pub(crate) serial: String,
    pub(crate) issuer: String,
    pub(crate) fingerprint: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) renew_at: Timestamp,
    pub(crate) generation: Generation,
    pub(crate) fencing: FencingToken,
    pub(crate) issued_by: NodeId,
    pub(crate) key_id: String,
    pub(crate) epoch: Epoch,
    pub(crate) committed_at: Timestamp,
}

/// A lease that is held.
#[derive(Debug, Serialize)]
pub(crate) struct Lease {
    pub(crate) node: NodeId,
    pub(crate) fencing: FencingToken,
    #[serde(rename = "remaining_ms", serialize_with = "millis")]
    pub(crate) remaining: Duration,
}

fn millis<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(span.as_millis())
}

impl Certificate {
    /// Puts together what the store says of the certificate for `names`.
    pub(crate) fn new(
        names: NameSet,
        stored: Option<&Stored>,
        nodes: &[Heartbeat],
        holders: &[Holder],
    ) -> Self {
        let id = names.id();
        let resource = Resource::Certificate(id.clone()).to_string();
        let lease = holders.iter().find(|holder| holder.resource == resource);
        // A node has everything up to the epoch it reports.
        let serves = |node: &&Heartbeat| stored.is_some_and(|stored| node.epoch >= stored.epoch);
        Self {
            id,
            names,
            issued: stored.map(Issued::new),
            served_by: nodes
                .iter()
                .filter(serves)
                .map(|n| n.node.clone())
                .collect(),
            nodes: nodes.len(),
            lease: lease.map(|holder| Lease {
                node: holder.node.clone(),
                fencing: holder.fencing,
                remaining: holder.remaining,
            }),
        }
    }
}

impl Issued {
    fn new(stored: &Stored) -> Self {
        let record = &stored.record;
        Self {
            serial: record.serial.clone(),
            issuer: record.issuer.clone(),
            fingerprint: record.fingerprint.clone(),
            not_before: record.not_before,
            not_after: record.not_after,
            renew_at: record.renew_at,
            generation: record.generation,
            fencing: record.fencing,
            issued_by: record.issued_by.clone(),
            key_id: record.sealed.key_id().to_string(),
            epoch: stored.epoch,
            committed_at: stored.committed_at,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use certfleet_core::Record;

    use super::*;

    /// A record of a generation, committed in an epoch; what is sealed in it does not open.
    pub(crate) fn stored(names: &str, generation: u64, epoch: u64) -> Stored {
        let at = |day| format!("2026-0{day}-01T00:00:00Z").parse().unwrap();
        Stored {
            epoch: Epoch::new(epoch),
            committed_at: at(1),
            record: Record {
                names: names.parse().unwrap(),
                generation: Generation::new(generation),
                fencing: FencingToken::new(7),
                issued_by: "web-1".parse().unwrap(),
                renew_at: at(3),
                not_before: at(1),
                not_after: at(4),
                issuer: "CN=Test CA, O=Test".into(),
                serial: "0123456789abcdef0123".into(),
                fingerprint: "ff".into(),
                chain: "-----BEGIN CERTIFICATE-----\n".into(),
                sealed: "certfleet.v1.0123456789abcdef.AAAA".parse().unwrap(),
            },
        }
    }

    /// A node's heart-beat.
    pub(crate) fn node(name: &str, epoch: u64) -> Heartbeat {
        Heartbeat {
            node: name.parse().unwrap(),
            version: "0.1.0".into(),
            started_at: Timestamp::UNIX_EPOCH,
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch::new(epoch),
            certificates: 1,
            ready: true,
        }
    }

    /// A held lease on a certificate.
    pub(crate) fn holder(id: &str, node: &str) -> Holder {
        Holder {
            resource: format!("certificate:{id}"),
            node: node.parse().unwrap(),
            fencing: FencingToken::new(8),
            remaining: Duration::from_millis(12_500),
        }
    }

    #[test]
    fn a_node_serves_what_its_epoch_has_reached() {
        let stored = stored("a.example", 3, 5);
        let nodes = [node("web-1", 5), node("web-2", 4), node("web-3", 9)];
        let holders = [holder("b.example", "web-1"), holder("a.example", "web-2")];
        let names: NameSet = "a.example".parse().unwrap();
        let certificate = Certificate::new(names.clone(), Some(&stored), &nodes, &holders);
        let serving: Vec<_> = certificate.served_by.iter().map(NodeId::as_str).collect();
        assert_eq!(serving, ["web-1", "web-3"]);
        assert_eq!(certificate.nodes, 3);
        assert_eq!(certificate.lease.unwrap().node.as_str(), "web-2");

        let wanted = Certificate::new(names, None, &nodes, &[]);
        assert!(wanted.served_by.is_empty() && wanted.issued.is_none() && wanted.lease.is_none());
    }
}
