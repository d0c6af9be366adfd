//! The certificate store in Redis: one hash for each record, changed by one script.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{CertificateId, Epoch, FencingToken, Generation, Record};
use certfleet_store::{CertificateStore, CommitError, Lease, StoreError, Stored, lease::Resource};
use redis::cmd;

use crate::{
    Redis,
    hash::Hash,
    scripts::{self, millis},
};

/// How long removals are told of after the last one.
const REMOVAL_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How many removals are told of, the newest; older ones go.
const REMOVALS_KEPT: u32 = 10_000;

#[async_trait]
impl CertificateStore for Redis {
    async fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError> {
        let hash = self.hash("load", self.keys().certificate(id)).await?;
        hash.map(|hash| record_of(id, &hash)).transpose()
    }

    async fn ids(&self) -> Result<Vec<CertificateId>, StoreError> {
        let key = &self.keys().changes;
        let members: Vec<String> = self
            .run("ids", key, cmd("ZRANGE").arg(key).arg(0).arg(-1))
            .await?;
        let mut ids = readable_ids(key, members);
        ids.sort();
        Ok(ids)
    }

    async fn commit(&self, lease: &Lease, record: &Record) -> Result<Stored, CommitError> {
        lease.covers(record)?;
        let id = record.id();
        let resource = Resource::Certificate(id.clone());
        let keys = self.keys();
        let at = keys.certificate(&id);

        let mut script = scripts::COMMIT.prepare_invoke();
        script
            .key(keys.lease(&resource))
            .key(&at)
            .key(&keys.due)
            .key(&keys.changes)
            .key(&keys.epoch)
            .key(keys.attempt(&id))
            .key(keys.suggestion(&id))
            .key(&keys.questions)
            .key(&keys.removed)
            .key(&keys.feed)
            .arg(id.as_str())
            .arg(&lease.owner)
            .arg(record.renew_at.as_millis());
        for (name, text) in record.fields() {
            script.arg(name).arg(text);
        }

        let reply: Vec<String> = self.call("commit", &at, &script).await?;
        let reply: Vec<_> = reply.iter().map(String::as_str).collect();
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|problem| StoreError::corrupt(&at, format_args!("{text:?}: {problem}")))
        };
        match reply[..] {
            ["committed", epoch, committed_at] => Ok(Stored {
                epoch: Epoch::new(number(epoch)?),
                committed_at: committed_at
                    .parse()
                    .map_err(|problem| StoreError::corrupt(&at, problem))?,
                record: record.clone(),
            }),
            ["lost"] => Err(CommitError::LeaseLost { resource }),
            ["fenced", newest] => Err(CommitError::Fenced {
                id,
                held: record.fencing,
                newest: FencingToken::new(number(newest)?),
            }),
            ["stale", newest] => Err(CommitError::Stale {
                id,
                offered: record.generation,
                newest: Generation::new(number(newest)?),
            }),
            _ => Err(StoreError::corrupt(&at, format_args!("commit answered {reply:?}")).into()),
        }
    }

    async fn remove(&self, lease: &Lease, id: &CertificateId) -> Result<(), CommitError> {
        let resource = Resource::Certificate(id.clone());
        let keys = self.keys();
        let at = keys.certificate(id);
        let mut script = scripts::REMOVE.key(keys.lease(&resource));
        script
            .key(&at)
            .key(keys.attempt(id))
            .key(keys.suggestion(id))
            .key(&keys.due)
            .key(&keys.changes)
            .key(&keys.questions)
            .key(&keys.wanted)
            .key(&keys.removed)
            .key(&keys.epoch)
            .key(&keys.feed)
            .arg(id.as_str())
            .arg(&lease.owner)
            .arg(millis(REMOVAL_KEPT))
            .arg(REMOVALS_KEPT);
        if self.call("remove", &at, &script).await? {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }
}

/// The record in `hash`, which must be the one of `id`.
pub(crate) fn record_of(id: &CertificateId, hash: &Hash) -> Result<Stored, StoreError> {
    let stored = hash.stored()?;
    hash.expect(id, &stored.record)?;
    Ok(stored)
}

/// The members of an index that are ids. Any other was not written by us; it is logged and passed
/// over, so that it cannot hide the rest.
pub(crate) fn readable_ids(index: &str, members: Vec<String>) -> Vec<CertificateId> {
    let readable = |member: String| {
        member
            .parse()
            .inspect_err(
                |error| tracing::warn!(index, %error, "a member of an index makes no sense"),
            )
            .ok()
    };
    members.into_iter().filter_map(readable).collect()
}
