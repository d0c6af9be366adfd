//! `certfleet list`: every certificate that is wanted or was issued, one a line.

use std::fmt::Write;

use certfleet::Config;
use certfleet_core::{FleetName, Timestamp};
use certfleet_store::{Clock, SystemClock, registry::Heartbeat};
use serde::Serialize;

use crate::{
    certificate::{Certificate, Issued},
    failure::Failure,
    inventory::Inventory,
    output, store,
    table::{Table, printable},
    when,
};

/// How much of a serial number is shown in the table.
const SERIAL: usize = 12;
/// How many names are.
const NAMES: usize = 4;

/// What the fleet has.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    fleet: FleetName,
    certificates: Vec<Certificate>,
    nodes: Vec<Heartbeat>,
    /// What cannot be read, by what is wrong with each.
    unreadable: Vec<String>,
}

/// Prints what the fleet has.
pub(crate) async fn list(config: &Config, json: bool) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let now = SystemClock.now();
    let inventory = Inventory::read(config, &*store, now).await?;
    let listing = Listing::new(config.fleet.clone(), inventory);
    if json {
        output::json(&listing)
    } else {
        output::text(&listing.text(now))
    }
}

impl Listing {
    /// A listing of all there is.
    pub(crate) fn new(fleet: FleetName, inventory: Inventory) -> Self {
        Self {
            fleet,
            certificates: inventory.certificates,
            nodes: inventory.nodes,
            unreadable: inventory.unreadable,
        }
    }

    fn text(&self, now: Timestamp) -> String {
        let mut table = Table::new([
            "id", "names", "state", "serial", "issuer", "expires", "gen", "renew at", "served",
            "lease",
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

fn row(certificate: &Certificate, now: Timestamp) -> [String; 10] {
    let issued = certificate.issued.as_ref();
    let of = |show: &dyn Fn(&Issued) -> String| issued.map_or_else(|| "-".to_owned(), show);
    let names: Vec<_> = certificate.names.iter().map(|name| name.as_str()).collect();
    [
        certificate.id.to_string(),
        short_list(&names),
        state(certificate),
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

/// The state, and a mark where a person should look.
fn state(certificate: &Certificate) -> String {
    let mark = if certificate.alarm { "!" } else { "" };
    format!("{}{mark}", certificate.state.as_str())
}

/// The first names, and how many more there are.
fn short_list(names: &[&str]) -> String {
    match names.split_at_checked(NAMES) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(" "), rest.len())
        }
        _ => names.join(" "),
    }
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
    use certfleet_core::retry::Advice;

    use super::*;
    use crate::certificate::tests::{attempt, certificate, holder, node, stored};

    fn listing() -> Listing {
        let nodes = vec![node("web-1", 5), node("web-2", 4)];
        let holders = [holder("new.example", "web-2")];
        let record = stored("a.example", 3, 5);
        let failed = Some(attempt(5, Advice::Retry));
        Listing::new(
            "default".parse().unwrap(),
            Inventory {
                certificates: vec![
                    certificate("a.example", Some(&record), None, &nodes, &[]),
                    certificate("bad.example", None, failed, &nodes, &[]),
                    certificate("new.example", None, None, &nodes, &holders),
                ],
                nodes,
                unreadable: vec!["the value at x cannot be read: no field names".into()],
            },
        )
    }

    #[test]
    fn the_table_has_what_is_wanted_and_what_was_issued() {
        let text = listing().text("2026-02-02T00:00:00Z".parse().unwrap());
        let wanted = "\
ID           NAMES        STATE     SERIAL         ISSUER   EXPIRES                     GEN  RENEW AT                    SERVED  LEASE
a.example    a.example    serving   0123456789ab…  Test CA  2026-04-01 00:00Z (in 58d)  3    2026-03-01 00:00Z (in 27d)  1/2     -
bad.example  bad.example  failing!  -              -        not issued yet              -    -                           0/2     -
new.example  new.example  due       -              -        not issued yet              -    -                           0/2     web-2 (12s left)
unreadable: the value at x cannot be read: no field names
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(short_list(&["a", "b", "c", "d"]), "a b c d");
        assert_eq!(short_list(&["a", "b", "c", "d", "e", "f"]), "a b c d and 2 more");
    }

    #[test]
    fn the_json_has_it_whole() {
        let json = serde_json::to_value(listing()).unwrap();
        assert_eq!(json["fleet"], "default");
        let first = &json["certificates"][0];
        assert_eq!(first["id"], "a.example");
        assert_eq!(first["state"], "serving");
        assert_eq!(first["issued"]["serial"], "0123456789abcdef0123");
        assert_eq!(first["issued"]["ca"], "ca.example/dir");
        assert_eq!(first["served_by"], serde_json::json!(["web-1"]));
        assert_eq!(json["certificates"][1]["failed"]["kind"], "unauthorized");
        assert_eq!(json["certificates"][1]["alarm"], true);
        assert_eq!(json["certificates"][2]["issued"], serde_json::Value::Null);
        assert_eq!(json["certificates"][2]["lease"]["remaining_ms"], 12_500);
        assert_eq!(json["nodes"][1]["node"], "web-2");
        assert_eq!(json["unreadable"].as_array().unwrap().len(), 1);
    }
}
