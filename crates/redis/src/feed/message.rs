//! What goes over the channel: JSON, written by the scripts.
//!
//! A commit carries the whole record, so that a follower need not ask for it. A kind of message that
//! this version does not know is unreadable as garbage is: whatever a newer node tells of, the
//! follower catches up, and is right again.

use std::collections::BTreeMap;

use certfleet_core::CertificateId;
use certfleet_store::{StoreError, feed::Signal};
use serde::Deserialize;

use crate::hash::Hash;

/// No message of ours is near so long: a record is some ten kilobytes.
const LONGEST: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Message {
    Committed { fields: BTreeMap<String, String> },
    Due { id: CertificateId },
    Wanted { id: CertificateId },
    Removed { id: CertificateId },
}

/// What a message on `channel` says.
pub(super) fn signal(channel: &str, payload: &[u8]) -> Signal {
    read(channel, payload).unwrap_or_else(Signal::Unreadable)
}

fn read(channel: &str, payload: &[u8]) -> Result<Signal, StoreError> {
    if payload.len() > LONGEST {
        let problem = format_args!("a message of {} bytes is too long", payload.len());
        return Err(StoreError::corrupt(channel, problem));
    }
    let message = serde_json::from_slice(payload)
        .map_err(|error| StoreError::corrupt(channel, format_args!("a message: {error}")))?;
    Ok(match message {
        Message::Committed { fields } => {
            Signal::Committed(Box::new(Hash::new(channel.to_owned(), fields).stored()?))
        }
        Message::Due { id } => Signal::Due(id),
        Message::Wanted { id } => Signal::Wanted(id),
        Message::Removed { id } => Signal::Removed(id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_unreadable_and_names_the_channel() {
        let long = format!("{{\"kind\":\"{}\"}}", "x".repeat(LONGEST));
        for payload in [
            "",
            "garbage",
            "{}",
            r#"{"kind":"due","id":"../x"}"#,
            r#"{"kind":"of a later version","id":"a.example"}"#,
            r#"{"kind":"committed","fields":{"epoch":"1"}}"#,
            &long,
        ] {
            let Signal::Unreadable(error) = signal("the-channel", payload.as_bytes()) else {
                panic!("{:.40} was taken", payload);
            };
            let text = error.to_string();
            assert!(text.contains("the-channel"), "{text}");
            assert!(text.len() < 200, "{text}");
        }
    }

    #[test]
    fn what_names_a_certificate_is_read() {
        let read = |kind: &str| {
            let text = format!(r#"{{"kind":"{kind}","id":"a.example","more":1}}"#);
            signal("c", text.as_bytes())
        };
        assert!(matches!(read("due"), Signal::Due(id) if id.as_str() == "a.example"));
        assert!(matches!(read("wanted"), Signal::Wanted(id) if id.as_str() == "a.example"));
        assert!(matches!(read("removed"), Signal::Removed(id) if id.as_str() == "a.example"));
    }
}
