//! `certfleet status`: the fleet on one screen, and an exit code for monitors.
//!
//! All is well (0) unless a person should look (1): a run of tries has failed or needs somebody, a
//! certificate has expired or soon will, a value cannot be read, or no node takes traffic.

use std::{collections::BTreeMap, fmt::Write};

use certfleet::Config;
use certfleet_core::{Epoch, FleetName, NodeId, Timestamp};
use certfleet_store::{Clock, SystemClock};
use serde::Serialize;

use crate::{
    budget::Budget,
    certificate::{Certificate, State},
    failure::Failure,
    inventory::Inventory,
    output, store,
    table::{Table, printable},
    trouble, when,
};

/// How many certificates in trouble are shown; the JSON has all.
const SHOWN: usize = 20;

/// The fleet as it stands.
#[derive(Debug, Serialize)]
struct Status {
    fleet: FleetName,
    /// What a person should look at; all is well if there is nothing.
    alarms: Vec<String>,
    nodes: Vec<Node>,
    /// How many certificates there are in each state.
    certificates: BTreeMap<&'static str, usize>,
    /// The first of them to end.
    next_to_end: Option<Ends>,
    /// Those that are not simply served or due.
    trouble: Vec<Certificate>,
    budget: Budget,
}

/// A node that lives.
#[derive(Debug, Serialize)]
struct Node {
    node: NodeId,
    version: String,
    ready: bool,
    epoch: Epoch,
    /// How many certificates it does not serve in their newest generation.
    behind: usize,
    certificates: u64,
    started_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Ends {
    id: certfleet_core::CertificateId,
    not_after: Timestamp,
}

/// Prints the fleet's status.
pub(crate) async fn status(config: &Config, json: bool) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let now = SystemClock.now();
    let inventory = Inventory::read(config, &*store, now).await?;
    let budget = Budget::read(config, &*store, now).await?;
    let status = Status::new(config.fleet.clone(), inventory, budget, now);
    if json {
        output::json(&status)?;
    } else {
        output::text(&status.text(now))?;
    }
    match status.alarms.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Alarm {
            first: first.clone(),
            more: status.alarms.len() - 1,
        }),
    }
}

impl Status {
    fn new(fleet: FleetName, inventory: Inventory, budget: Budget, now: Timestamp) -> Self {
        let Inventory {
            certificates,
            nodes,
            unreadable,
        } = inventory;
        let mut alarms = unreadable;
        if !nodes.iter().any(|node| node.ready) {
            alarms.push("no node takes traffic".to_owned());
        }
        alarms.extend(certificates.iter().filter_map(|one| alarm(one, now)));
        let behind = |node: &NodeId| {
            let issued = certificates.iter().filter(|one| one.issued.is_some());
            issued.filter(|one| !one.served_by.contains(node)).count()
        };
        let nodes = nodes
            .iter()
            .map(|beat| Node {
                node: beat.node.clone(),
                version: beat.version.clone(),
                ready: beat.ready,
                epoch: beat.epoch,
                behind: behind(&beat.node),
                certificates: beat.certificates,
                started_at: beat.started_at,
            })
            .collect();
        let mut counts: BTreeMap<_, _> = State::ALL.map(|state| (state.as_str(), 0)).into();
        for one in &certificates {
            *counts.entry(one.state.as_str()).or_default() += 1;
        }
        let ends = certificates.iter().filter_map(|one| {
            let issued = one.issued.as_ref()?;
            Some((issued.not_after, one.id.clone()))
        });
        Self {
            fleet,
            alarms,
            nodes,
            certificates: counts,
            next_to_end: ends.min().map(|(not_after, id)| Ends { id, not_after }),
            trouble: trouble::worst_first(certificates, now),
            budget,
        }
    }

    fn text(&self, now: Timestamp) -> String {
        let mut text = format!("fleet {}\n\n", self.fleet);
        let mut nodes = Table::new([
            "node",
            "ready",
            "epoch",
            "certificates",
            "up since",
            "version",
        ]);
        for node in &self.nodes {
            let certificates = match node.behind {
                0 => node.certificates.to_string(),
                behind => format!("{} ({behind} not yet)", node.certificates),
            };
            nodes.row([
                node.node.to_string(),
                if node.ready { "yes" } else { "no" }.to_owned(),
                node.epoch.to_string(),
                certificates,
                when::moment(node.started_at, now),
                node.version.clone(),
            ]);
        }
        let counts = State::ALL.map(|state| {
            let count = self.certificates.get(state.as_str()).unwrap_or(&0);
            format!("{count} {}", state.as_str())
        });
        let _ = writeln!(text, "{nodes}\ncertificates: {}", counts.join(", "));
        if let Some(ends) = &self.next_to_end {
            let at = when::moment(ends.not_after, now);
            let _ = writeln!(text, "first to end: {} {at}", ends.id);
        }
        if !self.trouble.is_empty() {
            let _ = write!(text, "\n{}", trouble::table(&self.trouble, SHOWN, now));
        }
        let budget = self.budget.text(now);
        if !budget.is_empty() {
            let _ = write!(text, "\n{budget}");
        }
        if !self.alarms.is_empty() {
            text.push('\n');
        }
        for alarm in &self.alarms {
            let _ = writeln!(text, "ALARM: {}", printable(alarm));
        }
        text
    }
}

/// Why a person should look at a certificate.
fn alarm(one: &Certificate, now: Timestamp) -> Option<String> {
    let id = &one.id;
    match (&one.issued, &one.failed) {
        (Some(issued), _) if issued.not_after <= now => Some(format!("{id} has expired")),
        (_, Some(failed)) if one.alarm => Some(format!(
            "{id} has failed {}, {}",
            when::times(failed.failures),
            trouble::advice(failed.advice)
        )),
        (Some(issued), _) if issued.ends_soon(now) => Some(format!(
            "{id} ends {} and is not renewed",
            when::moment(issued.not_after, now)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use certfleet_core::retry::Advice;

    use super::*;
    use crate::certificate::tests::{attempt, certificate, node, stored};

    fn text(certificates: Vec<Certificate>, nodes: &[&str]) -> (Status, String) {
        let now = "2026-02-02T00:00:00Z".parse().unwrap();
        let inventory = Inventory {
            certificates,
            nodes: nodes.iter().map(|name| node(name, 5)).collect(),
            unreadable: vec![],
        };
        let budget = Budget {
            limits: vec![],
            pauses: vec![],
        };
        let status = Status::new("prod".parse().unwrap(), inventory, budget, now);
        let text = status.text(now);
        (status, text)
    }

    #[test]
    fn tells_a_fleet_that_is_well() {
        let stored = stored("a.example", 3, 5);
        let nodes = [node("web-1", 5)];
        let one = certificate("a.example", Some(&stored), None, &nodes, &[]);
        let (status, text) = text(vec![one], &["web-1"]);
        assert!(status.alarms.is_empty());
        let wanted = "\
fleet prod

NODE   READY  EPOCH  CERTIFICATES  UP SINCE                        VERSION
web-1  yes    5      1             1970-01-01 00:00Z (20486d ago)  0.1.0

certificates: 1 serving, 0 due, 0 waiting, 0 failing
first to end: a.example 2026-04-01 00:00Z (in 58d)
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn tells_what_fails_and_what_waits() {
        let stored = stored("a.example", 3, 5);
        let failing = attempt(5, Advice::Retry);
        let (status, text) = text(
            vec![
                certificate("a.example", Some(&stored), Some(failing), &[], &[]),
                certificate("b.example", None, Some(attempt(0, Advice::Wait)), &[], &[]),
            ],
            &["web-1"],
        );
        for line in [
            "web-1  yes    5      1 (1 not yet)  1970-01-01 00:00Z (20486d ago)  0.1.0",
            "certificates: 0 serving, 0 due, 1 waiting, 1 failing",
            "ALARM: a.example has failed 5 times, it is tried again",
        ] {
            assert!(text.lines().any(|said| said == line), "{line:?} in\n{text}");
        }
        let failing = text.lines().position(|line| line.starts_with("a.example"));
        let waiting = text.lines().position(|line| line.starts_with("b.example"));
        assert!(failing < waiting, "the worst comes first:\n{text}");
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["certificates"]["failing"], 1);
        assert_eq!(json["trouble"][0]["failed"]["failures"], 5);
        assert_eq!(json["alarms"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_fleet_without_a_ready_node_is_not_well() {
        let (status, _) = text(vec![], &[]);
        assert_eq!(status.alarms, ["no node takes traffic"]);
    }
}
