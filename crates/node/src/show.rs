//! `certfleet show ID`: all that the fleet knows of one certificate.

use std::fmt::Write;

use certfleet::Config;
use certfleet_core::{CertificateId, NameSet, Timestamp, retry::Attempt};
use certfleet_store::{
    Clock, SystemClock,
    event::{self, Event},
    registry::Heartbeat,
};
use serde::Serialize;

use crate::{certificate::Certificate, failure::Failure, output, store, table::printable, when};

/// How many of its last events are shown.
const EVENTS: usize = 20;

/// All that is known of a certificate.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    certificate: Certificate,
    /// When the fleet acts on it next.
    due_at: Option<Timestamp>,
    /// What has failed since the last success.
    failed: Option<Attempt>,
    heartbeats: Vec<Heartbeat>,
    /// Its last events, oldest first.
    events: Vec<Event>,
    /// The chain as PEM.
    chain: Option<String>,
}

/// Prints what is known of one certificate.
pub(crate) async fn show(config: &Config, id: &CertificateId, json: bool) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let stored = store.load(id).await?;
    let names = match &stored {
        Some(stored) => stored.record.names.clone(),
        None => wanted(config, id)?,
    };
    let nodes = store.nodes().await?;
    let holders = store.holders().await?;
    let mut events = store.events(event::KEPT).await?;
    events.retain(|event| event.subject == id.as_str());
    let events = events.split_off(events.len().saturating_sub(EVENTS));
    let detail = Detail {
        certificate: Certificate::new(names, stored.as_ref(), &nodes, &holders),
        due_at: store.due_at(id).await?,
        failed: store.attempt(id).await?,
        heartbeats: nodes,
        events,
        chain: stored.map(|stored| stored.record.chain),
    };
    if json {
        output::json(&detail)
    } else {
        output::text(&detail.text(SystemClock.now()))
    }
}

/// The names of a certificate that was not issued yet.
fn wanted(config: &Config, id: &CertificateId) -> Result<NameSet, Failure> {
    let names = config.certificates.iter().find(|names| names.id() == *id);
    names.cloned().ok_or_else(|| Failure::NoCertificate {
        fleet: config.fleet.clone(),
        id: id.clone(),
    })
}

impl Detail {
    fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:<12} {}", printable(value));
        };
        let at = |at| when::moment(at, now);
        let certificate = &self.certificate;
        line("id", certificate.id.as_str());
        let names: Vec<_> = certificate.names.iter().map(|name| name.as_str()).collect();
        line("names", &names.join(" "));
        match &certificate.issued {
            None => line("issued", "not yet"),
            Some(issued) => {
                line("serial", &issued.serial);
                line("issuer", &issued.issuer);
                line("fingerprint", &issued.fingerprint);
                line("valid from", &at(issued.not_before));
                line("expires", &at(issued.not_after));
                line("renew at", &at(issued.renew_at));
                line("generation", &issued.generation.to_string());
                line("committed", &at(issued.committed_at));
                line("epoch", &issued.epoch.to_string());
                line("issued by", issued.issued_by.as_str());
                line("fencing", &issued.fencing.to_string());
                line("sealed under", &issued.key_id);
            }
        }
        line(
            "due",
            &self.due_at.map_or_else(|| "not scheduled".to_owned(), at),
        );
        if let Some(lease) = &certificate.lease {
            let left = when::span(lease.remaining);
            line(
                "lease",
                &format!("{}, {left} left, fencing {}", lease.node, lease.fencing),
            );
        }
        if let Some(failed) = &self.failed {
            let (times, node) = (failed.failures, &failed.node);
            line(
                "failed",
                &format!("{times} times, last on {node}, {}", at(failed.failed_at)),
            );
            line("", &failed.error);
            line("next try", &at(failed.next));
        }
        for node in &self.heartbeats {
            let serves = if certificate.served_by.contains(&node.node) {
                "serves it"
            } else {
                "does not serve it"
            };
            line(
                "node",
                &format!("{} at epoch {}: {serves}", node.node, node.epoch),
            );
        }
        for event in &self.events {
            let detail = if event.detail.is_empty() { "" } else { ": " };
            line(
                "event",
                &format!(
                    "{} {} {}{detail}{}",
                    event.at, event.node, event.kind, event.detail
                ),
            );
        }
        if let Some(chain) = &self.chain {
            let _ = write!(text, "\n{}", chain.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use certfleet_store::event::EventKind;

    use super::*;
    use crate::certificate::tests::{holder, node, stored};

    #[test]
    fn tells_what_failed_and_who_serves() {
        let stored = stored("a.example", 3, 5);
        let nodes = vec![node("web-1", 5), node("web-2", 4)];
        let at: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let detail = Detail {
            certificate: Certificate::new(
                stored.record.names.clone(),
                Some(&stored),
                &nodes,
                &[holder("a.example", "web-2")],
            ),
            due_at: Some(at),
            failed: Some(Attempt {
                failures: 2,
                failed_at: at,
                node: "web-2".parse().unwrap(),
                error: "the CA said\u{1b}[2J no".into(),
                next: at,
            }),
            heartbeats: nodes,
            events: vec![Event {
                at,
                node: "web-2".parse().unwrap(),
                kind: EventKind::AttemptFailed,
                subject: "a.example".into(),
                detail: "refused".into(),
            }],
            chain: Some(stored.record.chain),
        };
        let text = detail.text(at);
        for line in [
            "expires      2026-04-01 00:00Z (in 30d)",
            "lease        web-2, 12s left, fencing 8",
            "failed       2 times, last on web-2, 2026-03-02 00:00Z (0s ago)",
            "             the CA said\u{fffd}[2J no",
            "node         web-1 at epoch 5: serves it",
            "node         web-2 at epoch 4: does not serve it",
            "event        2026-03-02T00:00:00.000Z web-2 attempt_failed: refused",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert!(text.lines().any(|said| said == line), "{line:?} in\n{text}");
        }
        let json = serde_json::to_value(&detail).unwrap();
        assert_eq!(json["id"], "a.example");
        assert_eq!(json["failed"]["failures"], 2);
    }
}
