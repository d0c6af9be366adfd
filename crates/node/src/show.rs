//! `certfleet show ID`: all that the fleet knows of one certificate.

use std::fmt::Write;

use certfleet::Config;
use certfleet_core::{
    CertificateId, Generation, OwnTerms, RevocationReason, Timestamp, Wanted, ari::Suggestion,
    retry::Attempt,
};
use certfleet_store::{
    Backend, Clock, Stored, SystemClock,
    event::{self, Event},
    registry::Heartbeat,
    revocation::Revocation,
};
use serde::Serialize;

use crate::{
    certificate::{Certificate, Fleet},
    failure::Failure,
    output, store,
    table::printable,
    trouble, when,
};

/// How many of its last events are shown.
const EVENTS: usize = 20;

/// All that is known of a certificate.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    certificate: Certificate,
    /// When the fleet acts on it next.
    due_at: Option<Timestamp>,
    /// When the CA suggests to renew it (RFC 9773).
    suggestion: Option<Suggestion>,
    /// What of it is to be revoked.
    revocations: Vec<Pending>,
    heartbeats: Vec<Heartbeat>,
    /// Its last events, oldest first.
    events: Vec<Event>,
    /// The chain as PEM.
    chain: Option<String>,
}

/// A generation that is to be revoked.
#[derive(Debug, Serialize)]
struct Pending {
    generation: Generation,
    serial: String,
    reason: RevocationReason,
    asked_at: Timestamp,
}

/// Prints what is known of one certificate.
pub(crate) async fn show(config: &Config, id: &CertificateId, json: bool) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let now = SystemClock.now();
    let stored = store.load(id).await?;
    let wanted = wanted(config, &*store, id, stored.as_ref()).await?;
    let nodes = store.nodes().await?;
    let holders = store.holders().await?;
    let mut events = store.events(event::KEPT).await?;
    events.retain(|event| event.subject == id.as_str());
    let events = events.split_off(events.len().saturating_sub(EVENTS));
    let fleet = Fleet {
        nodes: &nodes,
        holders: &holders,
        retry: &config.retry,
        now,
    };
    let attempt = store.attempt(id).await?;
    let detail = Detail {
        certificate: Certificate::new(wanted, stored.as_ref(), attempt, &fleet),
        due_at: store.due_at(id).await?,
        suggestion: store.suggestion(id).await?,
        revocations: store
            .revocations(id)
            .await?
            .into_iter()
            .map(Pending::from)
            .collect(),
        heartbeats: nodes,
        events,
        chain: stored.map(|stored| stored.record.chain),
    };
    if json {
        output::json(&detail)
    } else {
        output::text(&detail.text(now))
    }
}

/// The certificate as it is wanted: added at run time, else configured, else merely issued.
async fn wanted(
    config: &Config,
    store: &dyn Backend,
    id: &CertificateId,
    stored: Option<&Stored>,
) -> Result<Wanted, Failure> {
    if let Some(added) = store.wanted_one(id).await? {
        return Ok(added);
    }
    let mut configured = config.certificates.iter();
    configured
        .find(|one| one.names.id() == *id)
        .cloned()
        .or_else(|| Some(Wanted::new(stored?.record.names.clone())))
        .ok_or_else(|| Failure::NoCertificate {
            fleet: config.fleet.clone(),
            id: id.clone(),
        })
}

impl From<Revocation> for Pending {
    fn from(revocation: Revocation) -> Self {
        Self {
            generation: revocation.record.generation,
            serial: revocation.record.serial,
            reason: revocation.reason,
            asked_at: revocation.asked_at,
        }
    }
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
        line("state", certificate.state.as_str());
        for (key, value) in own_terms(&certificate.terms) {
            line("own term", &format!("{key} = {value}"));
        }
        match &certificate.issued {
            None => line("issued", "not yet"),
            Some(issued) => {
                line("serial", &issued.serial);
                line("ca", &issued.ca);
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
        if let Some(suggestion) = &self.suggestion {
            let Suggestion {
                window, selected, ..
            } = suggestion;
            line(
                "suggested",
                &format!("{} to {}", at(window.start), at(window.end)),
            );
            line("", &format!("drawn {}", at(*selected)));
            if let Some(url) = &window.explanation {
                line("", &format!("why: {url}"));
            }
        }
        for (label, value) in certificate.failed.iter().flat_map(|one| attempt(one, now)) {
            line(label, &value);
        }
        for pending in &self.revocations {
            line(
                "to revoke",
                &format!(
                    "generation {}, serial {}, for {}, asked {}",
                    pending.generation,
                    pending.serial,
                    pending.reason,
                    at(pending.asked_at)
                ),
            );
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

/// What failed, or is waited for, as lines with labels.
fn attempt(failed: &Attempt, now: Timestamp) -> Vec<(&'static str, String)> {
    let at = when::moment(failed.failed_at, now);
    let node = &failed.node;
    let mut lines = vec![match failed.failures {
        0 => ("waits", format!("since {at}, told by {node}")),
        count => {
            let times = when::times(count);
            ("failed", format!("{times}, last on {node}, {at}"))
        }
    }];
    if !failed.issuer.is_empty() {
        lines.push(("", format!("at the issuer {}", failed.issuer)));
    }
    let kind = if failed.kind.is_empty() { "" } else { ": " };
    lines.push(("", format!("{}{kind}{}", failed.kind, failed.error)));
    lines.push(("", trouble::advice(failed.advice).to_owned()));
    if !failed.failed_challenges.is_empty() {
        let kinds: Vec<_> = failed
            .failed_challenges
            .iter()
            .map(|kind| kind.as_str())
            .collect();
        lines.push(("", format!("failed challenges: {}", kinds.join(", "))));
    }
    lines.push(("next try", when::moment(failed.next, now)));
    lines
}

/// The terms that differ from the fleet's.
fn own_terms(terms: &OwnTerms) -> Vec<(String, String)> {
    let json = serde_json::to_value(terms).unwrap_or_default();
    let fields = json.as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => {
            let texts: Vec<_> = all.iter().filter_map(|one| one.as_str()).collect();
            texts.join(", ")
        }
        other => other.to_string(),
    };
    fields
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use certfleet_core::{ari::Window, retry::Advice};
    use certfleet_store::event::EventKind;

    use super::*;
    use crate::certificate::tests::{attempt, certificate, holder, node, stored};

    #[test]
    fn tells_what_failed_and_who_serves() {
        let stored = stored("a.example", 3, 5);
        let nodes = vec![node("web-1", 5), node("web-2", 4)];
        let at: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let mut certificate = certificate(
            "a.example",
            Some(&stored),
            Some(attempt(2, Advice::ChangeChallenge)),
            &nodes,
            &[holder("a.example", "web-2")],
        );
        certificate.terms.issuers = Some(vec!["le".parse().unwrap(), "zero".parse().unwrap()]);
        certificate.terms.reuse_key = Some(true);
        let detail = Detail {
            certificate,
            due_at: Some(at),
            suggestion: Some(Suggestion {
                generation: Generation::new(3),
                window: Window {
                    start: at,
                    end: "2026-03-04T00:00:00Z".parse().unwrap(),
                    explanation: Some("https://ca.example/why".into()),
                },
                selected: "2026-03-03T00:00:00Z".parse().unwrap(),
                asked_at: at,
            }),
            revocations: vec![Pending {
                generation: Generation::new(2),
                serial: "02".into(),
                reason: RevocationReason::KeyCompromise,
                asked_at: at,
            }],
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
            "state        failing",
            "own term     issuers = le, zero",
            "own term     reuse_key = true",
            "ca           ca.example/dir",
            "expires      2026-04-01 00:00Z (in 30d)",
            "lease        web-2, 12s left, fencing 8",
            "suggested    2026-03-02 00:00Z (0s ago) to 2026-03-04 00:00Z (in 2d)",
            "             drawn 2026-03-03 00:00Z (in 24h)",
            "             why: https://ca.example/why",
            "failed       2 times, last on web-2, 2026-03-01 00:00Z (24h ago)",
            "             at the issuer le",
            "             unauthorized: the CA said\u{fffd}[2J no",
            "             another way of validation is tried, if there is one",
            "             failed challenges: http-01",
            "next try     2026-03-02 01:00Z (in 60m)",
            "to revoke    generation 2, serial 02, for keyCompromise, asked 2026-03-02 00:00Z (0s ago)",
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
        assert_eq!(json["revocations"][0]["reason"], "keyCompromise");
    }
}
