//! The fleet's events told as lines: when, which node, what.

use certfleet_core::Timestamp;
use certfleet_store::event::{Event, EventKind};

use crate::screen::{Screen, Style};

/// Tells events by the time since the first of them.
#[derive(Debug, Default)]
pub(crate) struct Narration {
    start: Option<Timestamp>,
}

impl Narration {
    /// The line for an event.
    pub(crate) fn line(&mut self, screen: &Screen, event: &Event) -> String {
        let start = *self.start.get_or_insert(event.at);
        let time = format!("{:9.3} s", event.at.since(start).as_secs_f64());
        let (style, words) = words(event);
        format!(
            "{}  {}  {}",
            screen.style(Style::Dim, time),
            screen.style(
                colour(event.node.as_str()),
                format_args!("{:8}", event.node.as_str())
            ),
            screen.style(style, words),
        )
    }
}

fn words(event: &Event) -> (Style, String) {
    let Event {
        subject, detail, ..
    } = event;
    match event.kind {
        EventKind::NodeStarted => (Style::Dim, format!("started {detail}")),
        EventKind::NodeStopped => (Style::Dim, format!("stopped {detail}")),
        EventKind::LeaseAcquired => (
            Style::Yellow,
            format!("holds the lease on {subject} ({detail})"),
        ),
        EventKind::LeaseReleased => (Style::Yellow, format!("gave the lease on {subject} back")),
        EventKind::LeaseLost => (Style::Red, format!("lost its lease: {detail}")),
        EventKind::AccountCreated => (
            Style::Bold,
            format!("made the fleet's account at {subject}"),
        ),
        EventKind::OrderStep => (Style::Dim, format!("· {detail}")),
        EventKind::Committed => (Style::Green, format!("committed {subject}: {detail}")),
        EventKind::Installed => (Style::Green, format!("serves {subject}: {detail}")),
        EventKind::CommitRefused => (Style::Red, format!("was refused: {detail}")),
        EventKind::AttemptFailed => (Style::Red, format!("{subject}: {detail}")),
        EventKind::Alarm => (Style::Red, format!("ALARM {subject}: {detail}")),
        EventKind::Waiting => (Style::Yellow, format!("{subject} waits: {detail}")),
        EventKind::Added => (Style::Bold, format!("was told to get {subject} ({detail})")),
        EventKind::Removed => (Style::Bold, format!("removed {subject} {detail}")),
        EventKind::Revoked => (Style::Bold, format!("had {subject} revoked: {detail}")),
        EventKind::Suggested => (
            Style::Dim,
            format!("heard the CA's suggestion for {subject}: {detail}"),
        ),
        EventKind::AccountChanged => (
            Style::Bold,
            format!("changed the fleet's account at {subject}"),
        ),
        EventKind::Cleared => (Style::Dim, format!("cleared away for {subject}: {detail}")),
        EventKind::ClockSkew => (Style::Red, format!("{subject}: {detail}")),
        EventKind::SealRefused => (Style::Red, format!("did not take {subject}: {detail}")),
        EventKind::Restored => (Style::Green, format!("put {subject} back: {detail}")),
    }
}

/// A colour for each node, by the last character of its name.
pub(crate) fn colour(node: &str) -> Style {
    const COLOURS: [Style; 3] = [Style::Cyan, Style::Magenta, Style::Blue];
    let last = node.bytes().last().unwrap_or_default();
    COLOURS[usize::from(last) % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_when_who_and_what() {
        let screen = Screen::plain();
        let mut narration = Narration::default();
        let event = |at: &str, kind| Event {
            at: at.parse().unwrap(),
            node: "node-2".parse().unwrap(),
            kind,
            subject: "a.test".into(),
            detail: "fencing 3".into(),
        };
        let first = event("2026-01-01T00:00:00.500Z", EventKind::NodeStarted);
        narration.line(&screen, &first);
        let second = event("2026-01-01T00:00:02.000Z", EventKind::LeaseAcquired);
        assert_eq!(
            narration.line(&screen, &second),
            "    1.500 s  node-2    holds the lease on a.test (fencing 3)"
        );
    }
}
