//! What the CA's rate limits leave the fleet, by issuer and limit, and where a CA has asked to be
//! left alone.
//!
//! Of the buckets of one limit, the one with the least in it is shown: an order that finds enough
//! there finds enough in all others.

use std::collections::BTreeMap;

use certfleet::{Config, config::IssuerKind};
use certfleet_core::{
    IssuerName, Timestamp,
    budget::{LimitKind, Limits},
};
use certfleet_store::{Backend, StoreError, budget::Balance};
use serde::Serialize;

use crate::{table::Table, when};

/// What is left of every limit.
#[derive(Debug, Serialize)]
pub(crate) struct Budget {
    pub(crate) limits: Vec<Line>,
    pub(crate) pauses: Vec<Pause>,
}

/// What is left of one limit.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    issuer: IssuerName,
    limit: LimitKind,
    /// Of the bucket with the least in it.
    left: u32,
    capacity: u32,
    /// Whose bucket that is, if it is anyone's and not full.
    subject: Option<String>,
    /// When it is full again.
    full_at: Option<Timestamp>,
    /// How many buckets are not full.
    used: usize,
}

/// A CA that has asked to be left alone.
#[derive(Debug, Serialize)]
pub(crate) struct Pause {
    issuer: String,
    until: Timestamp,
}

impl Budget {
    /// Reads it from the store.
    pub(crate) async fn read(
        config: &Config,
        store: &dyn Backend,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let balances = store.balances(now).await?;
        let pauses = store.pauses(now).await?;
        Ok(Self::new(&limits(config), &balances, pauses, now))
    }

    fn new(
        issuers: &BTreeMap<&IssuerName, (&str, &Limits)>,
        balances: &[Balance],
        pauses: Vec<(String, Timestamp)>,
        now: Timestamp,
    ) -> Self {
        let mut lines = Vec::new();
        for (issuer, (ca, limits)) in issuers {
            for kind in LimitKind::ALL {
                let Some(limit) = limits.of(kind) else {
                    continue;
                };
                let mut used: Vec<_> = balances
                    .iter()
                    .filter(|balance| balance.issuer == *ca && balance.kind == kind)
                    .collect();
                used.sort_by_key(|balance| std::cmp::Reverse(balance.full));
                let least = used.first();
                lines.push(Line {
                    issuer: (*issuer).clone(),
                    limit: kind,
                    left: limit.left(least.map(|balance| balance.full), now),
                    capacity: limit.capacity,
                    subject: least
                        .map(|balance| balance.subject.clone())
                        .filter(|subject| !subject.is_empty()),
                    full_at: least.map(|balance| balance.full),
                    used: used.len(),
                });
            }
        }
        Self {
            limits: lines,
            pauses: pauses
                .into_iter()
                .map(|(issuer, until)| Pause { issuer, until })
                .collect(),
        }
    }

    /// As people read it; empty if nothing is limited.
    pub(crate) fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        if !self.limits.is_empty() {
            let mut table = Table::new(["issuer", "limit", "left", "least for", "full again"]);
            for line in &self.limits {
                table.row(line.cells(now));
            }
            text = table.to_string();
        }
        for pause in &self.pauses {
            let until = when::moment(pause.until, now);
            text.push_str(&format!("{} is left alone until {until}\n", pause.issuer));
        }
        text
    }
}

impl Line {
    fn cells(&self, now: Timestamp) -> [String; 5] {
        let others = self.used.saturating_sub(1);
        let subject = match (&self.subject, others) {
            (None, _) => "-".to_owned(),
            (Some(subject), 0) => subject.clone(),
            (Some(subject), others) => format!("{subject} and {others} more"),
        };
        [
            self.issuer.to_string(),
            self.limit.as_str().to_owned(),
            format!("{}/{}", self.left, self.capacity),
            subject,
            self.full_at
                .map_or_else(|| "-".to_owned(), |at| when::moment(at, now)),
        ]
    }
}

/// The limits of each issuer that has some, by the name the store knows it by.
fn limits(config: &Config) -> BTreeMap<&IssuerName, (&str, &Limits)> {
    config
        .issuers
        .iter()
        .map(|(name, issuer)| {
            let ca = match &issuer.kind {
                IssuerKind::Acme(acme) => acme.directory.name(),
                IssuerKind::BuiltIn { .. } => "built-in",
            };
            (name, (ca, &issuer.limits))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_bucket_with_the_least_in_it() {
        let now: Timestamp = "2026-02-02T00:00:00Z".parse().unwrap();
        let after = |minutes| now.after(std::time::Duration::from_secs(minutes * 60));
        let balance = |kind, subject: &str, minutes| Balance {
            issuer: "ca.example/dir".into(),
            kind,
            subject: subject.into(),
            full: after(minutes),
        };
        let name: IssuerName = "le".parse().unwrap();
        let limits = Limits {
            duplicate_certificates: None,
            failed_authorizations: None,
            ..Limits::lets_encrypt()
        };
        let issuers = BTreeMap::from([(&name, ("ca.example/dir", &limits))]);
        let balances = [
            balance(LimitKind::CertificatesPerDomain, "a.example", 202),
            balance(LimitKind::CertificatesPerDomain, "b.example", 606),
        ];
        let pauses = vec![("ca.example/dir".to_owned(), after(2))];
        let budget = Budget::new(&issuers, &balances, pauses, now);
        let wanted = "\
ISSUER  LIMIT                    LEFT     LEAST FOR             FULL AGAIN
le      new_orders               300/300  -                     -
le      certificates_per_domain  47/50    b.example and 1 more  2026-02-02 10:06Z (in 10h)
ca.example/dir is left alone until 2026-02-02 00:02Z (in 2m)
";
        assert_eq!(budget.text(now), wanted);
        let json = serde_json::to_value(&budget).unwrap();
        assert_eq!(json["limits"][1]["left"], 47);
        assert_eq!(json["limits"][1]["limit"], "certificates_per_domain");
    }
}
