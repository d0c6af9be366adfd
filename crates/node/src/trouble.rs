//! Certificates that fail or wait, and the words for it.

use certfleet_core::{Timestamp, retry::Advice};

use crate::{
    certificate::{Certificate, State},
    table::Table,
    when,
};

/// How much of an error is shown in the table; `certfleet show` has it whole.
const ERROR: usize = 100;

/// What will be done about a failure, in words.
pub(crate) const fn advice(advice: Advice) -> &'static str {
    match advice {
        Advice::Retry => "it is tried again",
        Advice::Wait => "it waits for a time that the CA or the budget gave",
        Advice::ChangeChallenge => "another way of validation is tried, if there is one",
        Advice::NeedsPerson => "a person must change something",
    }
}

/// Those in trouble, the worst first: those a person should look at, then those that end soonest.
pub(crate) fn worst_first(certificates: Vec<Certificate>, now: Timestamp) -> Vec<Certificate> {
    let mut all: Vec<_> = certificates
        .into_iter()
        .filter(|one| one.alarm || one.state > State::Due || ends_soon(one, now))
        .collect();
    all.sort_by_key(|one| {
        let end = one.issued.as_ref().map(|issued| issued.not_after);
        (!one.alarm, one.state != State::Failing, end)
    });
    all
}

fn ends_soon(one: &Certificate, now: Timestamp) -> bool {
    one.issued
        .as_ref()
        .is_some_and(|issued| issued.ends_soon(now))
}

/// The first `most` of them, one a line.
pub(crate) fn table(trouble: &[Certificate], most: usize, now: Timestamp) -> String {
    let mut table = Table::new(["id", "state", "expires", "next try", "issuer", "why"]);
    for one in trouble.iter().take(most) {
        table.row(row(one, now));
    }
    let mut text = table.to_string();
    let more = trouble.len().saturating_sub(most);
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

fn row(one: &Certificate, now: Timestamp) -> [String; 6] {
    let none = || "-".to_owned();
    let failed = one.failed.as_ref();
    let state = match failed.map_or(0, |failed| failed.failures) {
        0 => one.state.as_str().to_owned(),
        failures => format!("{} ({failures})", one.state.as_str()),
    };
    [
        one.id.to_string(),
        state,
        one.issued.as_ref().map_or_else(
            || "not issued yet".to_owned(),
            |issued| when::moment(issued.not_after, now),
        ),
        failed.map_or_else(none, |failed| when::moment(failed.next, now)),
        failed.map_or_else(none, |failed| failed.issuer.clone()),
        failed.map_or_else(none, |failed| {
            let kind = if failed.kind.is_empty() { "" } else { ": " };
            short(&format!("{}{kind}{}", failed.kind, failed.error))
        }),
    ]
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(ERROR).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
