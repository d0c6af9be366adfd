//! The event log in Redis: a stream, cut off at its old end.

use std::collections::BTreeMap;

use async_trait::async_trait;
use certfleet_store::{
    EventLog, StoreError,
    event::{Event, EventKind, KEPT},
};
use redis::cmd;
use serde::{
    Deserialize,
    de::value::{Error, StrDeserializer},
};

use crate::{Redis, hash::Hash};

#[async_trait]
impl EventLog for Redis {
    async fn append(&self, event: &Event) -> Result<(), StoreError> {
        let at = &self.keys().events;
        let mut command = cmd("XADD");
        command
            .arg(at)
            .arg("MAXLEN")
            .arg("~")
            .arg(KEPT)
            .arg("*")
            .arg("at")
            .arg(event.at.to_string())
            .arg("node")
            .arg(event.node.as_str())
            .arg("kind")
            .arg(event.kind.to_string())
            .arg("subject")
            .arg(&event.subject)
            .arg("detail")
            .arg(&event.detail);
        self.run("append", at, &command).await
    }

    async fn events(&self, most: usize) -> Result<Vec<Event>, StoreError> {
        let at = &self.keys().events;
        let mut command = cmd("XREVRANGE");
        command
            .arg(at)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(most.min(KEPT));
        let entries: Vec<(String, BTreeMap<String, String>)> =
            self.run("events", at, &command).await?;
        entries
            .into_iter()
            .rev()
            .map(|(entry, fields)| event(&Hash::new(format!("{at} {entry}"), fields)))
            .collect()
    }
}

fn event(entry: &Hash) -> Result<Event, StoreError> {
    let kind: String = entry.field("kind")?;
    Ok(Event {
        at: entry.field("at")?,
        node: entry.field("node")?,
        kind: EventKind::deserialize(StrDeserializer::<Error>::new(&kind))
            .map_err(|problem| entry.corrupt(problem))?,
        subject: entry.field("subject")?,
        detail: entry.field("detail")?,
    })
}
