//! The event log.

use certfleet_core::Timestamp;

use super::sample::node;
use crate::{
    Backend,
    event::{Event, EventKind, KEPT},
};

fn event(number: usize, kind: EventKind) -> Event {
    Event {
        at: Timestamp::from_millis(1_900_000_000_123),
        node: node("node-a"),
        kind,
        subject: format!("{number}.example"),
        detail: "said \"so\"\nand more".to_owned(),
    }
}

/// Events come back as they went in, oldest first; a part of them is the newest part.
pub async fn come_back_oldest_first(backend: &dyn Backend) {
    assert_eq!(backend.events(10).await.unwrap(), []);
    let events = [
        event(1, EventKind::LeaseAcquired),
        event(2, EventKind::OrderStep),
        event(3, EventKind::Committed),
    ];
    for event in &events {
        backend.append(event).await.unwrap();
    }
    assert_eq!(backend.events(10).await.unwrap(), events);
    assert_eq!(backend.events(2).await.unwrap(), events[1..]);
}

/// Only the newest are kept.
pub async fn are_capped(backend: &dyn Backend) {
    let more = 5;
    for number in 0..KEPT + more {
        let event = event(number, EventKind::OrderStep);
        backend.append(&event).await.unwrap();
    }
    let kept = backend.events(2 * KEPT).await.unwrap();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(kept[0], event(more, EventKind::OrderStep));
    assert_eq!(kept[KEPT - 1], event(KEPT + more - 1, EventKind::OrderStep));
}
