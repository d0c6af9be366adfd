//! The fleet's event stream in Redis, read as it grows.
//!
//! It is read with `redis-cli`, as an operator would, so that what people are told to type is
//! what the tests rely on.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use certfleet_store::event::{Event, EventKind};
use serde_json::Value;
use tokio::time::Instant;

use crate::redis::RedisServer;

/// How long one look waits for something new.
const BLOCK: Duration = Duration::from_millis(500);
/// How many events one look takes at the most.
const MOST: usize = 500;

/// How long after its commit a node served a certificate, if that is what the event tells.
#[must_use]
pub fn live_after(event: &Event) -> Option<Duration> {
    if event.kind != EventKind::Installed {
        return None;
    }
    let (_, time) = event.detail.split_once(" live ")?;
    let millis = time.strip_suffix(" ms after commit")?;
    Some(Duration::from_millis(millis.parse().ok()?))
}

/// An entry of a stream: its id, then names and values in turn.
type Entry = (String, Vec<String>);

/// A reader of the stream, at a place in it.
#[derive(Debug)]
pub struct Watch {
    key: String,
    last: String,
    read: VecDeque<Event>,
}

impl Watch {
    /// Reads the stream of `fleet` from its beginning.
    #[must_use]
    pub fn new(fleet: &str) -> Self {
        let key = format!("certfleet:{{{fleet}}}:events");
        Self {
            key,
            last: "0-0".to_owned(),
            read: VecDeque::new(),
        }
    }

    /// The next event, or `None` if there is none within half a second.
    ///
    /// # Errors
    /// If Redis does not answer, or an entry is no event.
    pub async fn next(&mut self, redis: &RedisServer) -> Result<Option<Event>> {
        if self.read.is_empty() {
            self.read(redis).await?;
        }
        Ok(self.read.pop_front())
    }

    /// The first event from here on that is `wanted`, passing over others.
    ///
    /// # Errors
    /// If there is none within `limit`; `what` says what was waited for, and the events that came
    /// instead are named.
    pub async fn until(
        &mut self,
        redis: &RedisServer,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        let end = Instant::now() + limit;
        let mut others = Vec::new();
        while Instant::now() < end {
            match self.next(redis).await? {
                Some(event) if wanted(&event) => return Ok(event),
                Some(event) => {
                    others.push(format!("{} {}: {}", event.node, event.kind, event.detail))
                }
                None => {}
            }
        }
        bail!("not within {limit:?}: {what}; instead: {others:#?}")
    }

    /// Passes over all that is in the stream by now.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn skip(&mut self, redis: &RedisServer) -> Result<()> {
        self.read.clear();
        let newest = redis
            .cli(&["--json", "XREVRANGE", &self.key, "+", "-", "COUNT", "1"])
            .await?;
        let newest: Vec<(String, Value)> = serde_json::from_str(&newest)?;
        if let Some((id, _)) = newest.into_iter().next() {
            self.last = id;
        }
        Ok(())
    }

    async fn read(&mut self, redis: &RedisServer) -> Result<()> {
        let block = BLOCK.as_millis().to_string();
        let most = MOST.to_string();
        let command = [
            "--json", "XREAD", "BLOCK", &block, "COUNT", &most, "STREAMS", &self.key, &self.last,
        ];
        let text = redis.cli(&command).await?;
        let streams: Option<BTreeMap<String, Vec<Entry>>> =
            serde_json::from_str(&text).with_context(|| format!("no stream: {text}"))?;
        for (id, fields) in streams.unwrap_or_default().into_values().flatten() {
            self.read
                .push_back(event(&fields).with_context(|| format!("event {id}"))?);
            self.last = id;
        }
        Ok(())
    }
}

fn event(fields: &[String]) -> Result<Event> {
    let object = fields
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone().into()));
    Ok(serde_json::from_value(Value::Object(object.collect()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn add(redis: &RedisServer, kind: &str, detail: &str) {
        let key = "certfleet:{t}:events";
        let at = "2026-01-01T00:00:00.000Z";
        let fields = [
            "at", at, "node", "n1", "kind", kind, "subject", "", "detail", detail,
        ];
        redis
            .cli(&[&["XADD", key, "*"], fields.as_slice()].concat())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn gives_each_event_once_and_says_what_came_instead() {
        let redis = RedisServer::start().await.unwrap();
        let mut watch = Watch::new("t");
        add(&redis, "node_started", "one").await;
        add(&redis, "order_step", "a \"quoted\" word").await;
        assert_eq!(
            watch.next(&redis).await.unwrap().unwrap().kind,
            EventKind::NodeStarted
        );
        let step = watch.next(&redis).await.unwrap().unwrap();
        assert_eq!(step.detail, "a \"quoted\" word");
        assert!(watch.next(&redis).await.unwrap().is_none());

        add(&redis, "committed", "passed over").await;
        watch.skip(&redis).await.unwrap();
        add(&redis, "lease_lost", "three").await;
        let limit = Duration::from_millis(100);
        let error = watch
            .until(&redis, "the end", limit, |_| false)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the end") && error.contains("n1 lease_lost: three"),
            "{error}"
        );
        assert!(!error.contains("passed over"), "{error}");
    }
}
