//! Moments and spans of time for people to read.

use std::time::Duration;

use certfleet_core::Timestamp;

/// A moment to the minute, and how far it is from now: `2026-02-01 12:00Z (in 30d)`.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let text = at.to_string();
    let minute = match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time}Z"),
        _ => text,
    };
    if at > now {
        format!("{minute} (in {})", span(at.since(now)))
    } else {
        format!("{minute} ({} ago)", span(now.since(at)))
    }
}

/// A span in the largest unit of which there are two at least, rounded down.
pub(crate) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] {
        if secs >= 2 * length {
            return format!("{}{unit}", secs / length);
        }
    }
    format!("{secs}s")
}

/// How often something happened: `once`, `2 times`.
pub(crate) fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_says_how_far_it_is() {
        let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        for (at, text) in [
            ("2026-02-01T12:00:00Z", "2026-02-01 12:00Z (in 30d)"),
            ("2026-01-03T12:00:00Z", "2026-01-03 12:00Z (in 24h)"),
            ("2026-01-02T12:01:59Z", "2026-01-02 12:01Z (in 119s)"),
            ("2026-01-02T11:57:00Z", "2026-01-02 11:57Z (3m ago)"),
            ("2026-01-02T12:00:00Z", "2026-01-02 12:00Z (0s ago)"),
        ] {
            assert_eq!(moment(at.parse().unwrap(), now), text);
        }
    }
}
