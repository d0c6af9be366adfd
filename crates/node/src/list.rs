//! `certfleet list`: every certificate that is wanted or was issued, one a line.

use std::{collections::BTreeMap, fmt::Write};

use certfleet::Config;
use certfleet_core::{FleetName, NameSet, Timestamp};
use certfleet_store::{
    Clock, Stored, SystemClock, feed::Changes, lease::Holder, registry::Heartbeat,
};
use serde::Serialize;

use crate::{
    certificate::{Certificate, Issued},
    failure::Failure,
    output, store,
    table::{Table, printable},
    when,
};

/// How much of a serial number is shown in the table.
const SERIAL: usize = 12;

/// What the fleet has.
#[derive(Debug, Serialize)]
struct Listing {
    fleet: FleetName,
    certificates: Vec<Certificate>,
    nodes: Vec<Heartbeat>,
    /// Records that cannot be read, by what is wrong with each.
    unreadable: Vec<String>,
}

/// Prints what the fleet has.
pub(crate) async fn list(config: &Config, json: bool) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let listing = Listing::new(
        config,
        store.changes(None).await?,
        store.nodes().await?,
        &store.holders().await?,
    );
    if json {
        output::json(&listing)
    } else {
        output::text(&listing.text(SystemClock.now()))
    }
}

impl Listing {
    fn new(config: &Config, all: Changes, nodes: Vec<Heartbeat>, holders: &[Holder]) -> Self {
        let mut stored: BTreeMap<_, Option<Stored>> = BTreeMap::new();
        let mut names: BTreeMap<_, NameSet> = BTreeMap::new();
        let mut unreadable = Vec::new();
        for record in all.changed {
            match record {
                Ok(record) => {
                    let id = record.record.id();
                    names.insert(id.clone(), record.record.names.clone());
                    stored.insert(id, Some(record));
                }
                Err(error) => unreadable.push(error.to_string()),
            }
        }
        for wanted in &config.certificates {
            names.entry(wanted.id()).or_insert_with(|| wanted.clone());
        }
        let certificates = names
            .into_iter()
            .map(|(id, names)| {
                let stored = stored.get(&id).and_then(Option::as_ref);
                Certificate::new(names, stored, &nodes, holders)
            })
            .collect();
        Self {
            fleet: config.fleet.clone(),
            certificates,
            nodes,
            unreadable,
        }
    }

    fn text(&self, now: Timestamp) -> String {
        let mut table = Table::new([
            "id", "names", "serial", "issuer", "expires", "gen", "renew at", "served", "lease",
        ]);
        for certificate in &self.certificates {
            table.row(row(certificate, now));
        }
        let mut text = table.to_string();
        for problem in &self.unreadable {
            let _ = writeln!(text, "unreadable: {}", printable(problem));
        }
        text
    }
}

fn row(certificate: &Certificate, now: Timestamp) -> [String; 9] {
    let issued = certificate.issued.as_ref();
    let of = |show: &dyn Fn(&Issued) -> String| issued.map_or_else(|| "-".to_owned(), show);
    let names: Vec<_> = certificate.names.iter().map(|name| name.as_str()).collect();
    [
        certificate.id.to_string(),
        names.join(" "),
        of(&|issued| short(&issued.serial)),
        of(&|issued| common_name(&issued.issuer).to_owned()),
        issued.map_or_else(
            || "not issued yet".to_owned(),
            |issued| when::moment(issued.not_after, now),
        ),
        of(&|issued| issued.generation.to_string()),
        of(&|issued| when::moment(issued.renew_at, now)),
        format!("{}/{}", certificate.served_by.len(), certificate.nodes),
        certificate.lease.as_ref().map_or_else(
            || "-".to_owned(),
            |lease| format!("{} ({} left)", lease.node, when::span(lease.remaining)),
        ),
    ]
}

fn short(serial: &str) -> String {
    match serial.get(..SERIAL) {
        Some(start) if serial.len() > SERIAL => format!("{start}…"),
        _ => serial.to_owned(),
    }
}

/// The common name in a distinguished name (RFC 4514), or all of it if there is none.
fn common_name(issuer: &str) -> &str {
    issuer
        .split(',')
        .find_map(|part| part.trim().strip_prefix("CN="))
        .unwrap_or(issuer)
}

#[cfg(test)]
mod tests {
    use certfleet::settings::Settings;
    use certfleet_core::Epoch;
    use certfleet_store::{StoreError, feed::Position};

    use super::*;
    use crate::certificate::tests::{holder, node, stored};

    fn listing() -> Listing {
        let entries = [
            ("data_dir", "/nowhere"),
            ("domains", "a.example,new.example"),
            ("acme_directory", "built-in"),
            ("master_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let settings = Settings::default().with_file("test", entries).unwrap();
        let all = Changes {
            position: Position {
                incarnation: "one".into(),
                epoch: Epoch::new(5),
            },
            complete: true,
            changed: vec![
                Ok(stored("a.example", 3, 5)),
                Err(StoreError::corrupt(
                    "certfleet:{default}:cert:bad.example",
                    "no field names",
                )),
            ],
        };
        let nodes = vec![node("web-1", 5), node("web-2", 4)];
        Listing::new(
            &settings.config().unwrap(),
            all,
            nodes,
            &[holder("new.example", "web-2")],
        )
    }

    #[test]
    fn the_table_has_what_is_wanted_and_what_was_issued() {
        let text = listing().text("2026-03-02T00:00:00Z".parse().unwrap());
        let wanted = "\
ID           NAMES        SERIAL         ISSUER   EXPIRES                     GEN  RENEW AT                     SERVED  LEASE
a.example    a.example    0123456789ab…  Test CA  2026-04-01 00:00Z (in 30d)  3    2026-03-01 00:00Z (24h ago)  1/2     -
new.example  new.example  -              -        not issued yet              -    -                            0/2     web-2 (12s left)
unreadable: the value at certfleet:{default}:cert:bad.example cannot be read: no field names
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_json_has_it_whole() {
        let json = serde_json::to_value(listing()).unwrap();
        assert_eq!(json["fleet"], "default");
        assert_eq!(json["certificates"][0]["id"], "a.example");
        assert_eq!(
            json["certificates"][0]["issued"]["serial"],
            "0123456789abcdef0123"
        );
        assert_eq!(
            json["certificates"][0]["served_by"],
            serde_json::json!(["web-1"])
        );
        assert_eq!(json["certificates"][1]["issued"], serde_json::Value::Null);
        assert_eq!(json["certificates"][1]["lease"]["remaining_ms"], 12_500);
        assert_eq!(json["nodes"][1]["node"], "web-2");
        assert_eq!(json["unreadable"].as_array().unwrap().len(), 1);
    }
}
