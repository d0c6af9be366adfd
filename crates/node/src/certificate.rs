//! One certificate as commands show it: its record beside how it fares, who serves it and who works
//! on it.

use std::time::Duration;

use certfleet_core::{
    CertificateId, Epoch, FencingToken, Generation, NameSet, NodeId, OwnTerms, Timestamp, Wanted,
    retry::{Advice, Attempt, RetrySchedule},
};
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
    /// What is different about its terms; nothing is known of one that is wanted no more.
    pub(crate) terms: OwnTerms,
    pub(crate) on_demand: bool,
    pub(crate) state: State,
    /// Whether an operator must look: a run of tries has failed, a person is needed, or it expired.
    pub(crate) alarm: bool,
    /// `None` until it was issued for the first time.
    pub(crate) issued: Option<Issued>,
    /// What has failed since the last success, or what it waits for.
    pub(crate) failed: Option<Attempt>,
    /// The nodes that serve this generation, and so none before it was issued.
    pub(crate) served_by: Vec<NodeId>,
    /// How many nodes live.
    pub(crate) nodes: usize,
    /// Who works on it now.
    pub(crate) lease: Option<Lease>,
}

/// How a certificate fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing is to be done.
    Serving,
    /// It is to be issued or renewed, and nothing is in the way.
    Due,
    /// It waits for what was foreseen: the budget, or a time that the CA gave.
    Waiting,
    /// The last try failed.
    Failing,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Serving, Self::Due, Self::Waiting, Self::Failing];

    /// As people read it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
        }
    }

    fn of(issued: Option<&Issued>, failed: Option<&Attempt>, now: Timestamp) -> Self {
        match (failed, issued) {
            (Some(attempt), _) if attempt.failures == 0 => Self::Waiting,
            (Some(attempt), _) if attempt.advice == Advice::Wait => Self::Waiting,
            (Some(_), _) => Self::Failing,
            (None, Some(issued)) if issued.renew_at > now => Self::Serving,
            (None, _) => Self::Due,
        }
    }
}

/// The newest generation of a certificate.
#[derive(Debug, Serialize)]
pub(crate) struct Issued {
    pub(crate) serial: String,
    /// The issuer it was ordered from, by its name.
    pub(crate) ca: String,
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

impl Issued {
    /// Whether so little of its lifetime is left that its renewal is late: a tenth.
    pub(crate) fn ends_soon(&self, now: Timestamp) -> bool {
        self.not_after.since(now) < self.not_after.since(self.not_before) / 10
    }
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

/// What the whole fleet has in common.
pub(crate) struct Fleet<'a> {
    pub(crate) nodes: &'a [Heartbeat],
    pub(crate) holders: &'a [Holder],
    pub(crate) retry: &'a RetrySchedule,
    pub(crate) now: Timestamp,
}

impl Certificate {
    /// Puts together what the store says of a certificate.
    pub(crate) fn new(
        wanted: Wanted,
        stored: Option<&Stored>,
        failed: Option<Attempt>,
        fleet: &Fleet<'_>,
    ) -> Self {
        let id = wanted.names.id();
        let resource = Resource::Certificate(id.clone()).to_string();
        let mut holders = fleet.holders.iter();
        let lease = holders.find(|holder| holder.resource == resource);
        // A node has everything up to the epoch it reports.
        let serves = |node: &&Heartbeat| stored.is_some_and(|stored| node.epoch >= stored.epoch);
        let issued = stored.map(Issued::new);
        let expired = issued.as_ref().is_some_and(|issued| issued.not_after <= fleet.now);
        let run_failed = failed
            .as_ref()
            .is_some_and(|attempt| fleet.retry.run_failed(attempt.failures, attempt.advice));
        Self {
            id,
            names: wanted.names,
            terms: wanted.terms,
            on_demand: wanted.on_demand,
            state: State::of(issued.as_ref(), failed.as_ref(), fleet.now),
            alarm: expired || run_failed,
            issued,
            failed,
            served_by: fleet
                .nodes
                .iter()
                .filter(serves)
                .map(|n| n.node.clone())
                .collect(),
            nodes: fleet.nodes.len(),
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
            ca: record.ca.clone(),
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
                ca: "ca.example/dir".into(),
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

    /// An attempt that failed, or waits if it never has.
    pub(crate) fn attempt(failures: u32, advice: Advice) -> Attempt {
        Attempt {
            failures,
            failed_at: "2026-03-01T00:00:00Z".parse().unwrap(),
            node: "web-2".parse().unwrap(),
            issuer: "le".into(),
            kind: "unauthorized".into(),
            error: "the CA said\u{1b}[2J no".into(),
            advice,
            failed_challenges: vec![certfleet_core::ChallengeKind::Http01],
            next: "2026-03-02T01:00:00Z".parse().unwrap(),
        }
    }

    /// A certificate in a fleet of these nodes, two days into March.
    pub(crate) fn certificate(
        names: &str,
        stored: Option<&Stored>,
        failed: Option<Attempt>,
        nodes: &[Heartbeat],
        holders: &[Holder],
    ) -> Certificate {
        let fleet = Fleet {
            nodes,
            holders,
            retry: &RetrySchedule::default(),
            now: "2026-02-02T00:00:00Z".parse().unwrap(),
        };
        Certificate::new(Wanted::new(names.parse().unwrap()), stored, failed, &fleet)
    }

    #[test]
    fn a_node_serves_what_its_epoch_has_reached() {
        let stored = stored("a.example", 3, 5);
        let nodes = [node("web-1", 5), node("web-2", 4), node("web-3", 9)];
        let holders = [holder("b.example", "web-1"), holder("a.example", "web-2")];
        let one = certificate("a.example", Some(&stored), None, &nodes, &holders);
        let serving: Vec<_> = one.served_by.iter().map(NodeId::as_str).collect();
        assert_eq!(serving, ["web-1", "web-3"]);
        assert_eq!(one.nodes, 3);
        assert_eq!(one.lease.unwrap().node.as_str(), "web-2");

        let wanted = certificate("a.example", None, None, &nodes, &[]);
        assert!(wanted.served_by.is_empty() && wanted.issued.is_none() && wanted.lease.is_none());
    }

    #[test]
    fn tells_how_it_fares_and_whether_someone_must_look() {
        let old = stored("a.example", 3, 5);
        let mut due = old.clone();
        due.record.renew_at = Timestamp::UNIX_EPOCH;
        let mut expired = due.clone();
        expired.record.not_after = Timestamp::UNIX_EPOCH;
        for (stored, failed, state, alarm) in [
            (Some(&old), None, State::Serving, false),
            (Some(&due), None, State::Due, false),
            (None, None, State::Due, false),
            (Some(&due), Some(attempt(0, Advice::Wait)), State::Waiting, false),
            (Some(&due), Some(attempt(2, Advice::Wait)), State::Waiting, false),
            (Some(&due), Some(attempt(4, Advice::Retry)), State::Failing, false),
            (Some(&due), Some(attempt(5, Advice::Retry)), State::Failing, true),
            (None, Some(attempt(1, Advice::NeedsPerson)), State::Failing, true),
            (Some(&expired), None, State::Due, true),
        ] {
            let failures = failed.as_ref().map(|failed| failed.failures);
            let one = certificate("a.example", stored, failed, &[], &[]);
            assert_eq!((one.state, one.alarm), (state, alarm), "{failures:?}");
        }
        assert!(due.record.not_after > Timestamp::UNIX_EPOCH);
    }
}
