//! The change feed in Redis: an index of commits by epoch, one of removals, and a channel that tells
//! of each.

mod backoff;
mod message;
mod subscription;

use async_trait::async_trait;
use certfleet_core::{CertificateId, Epoch};
use certfleet_store::{
    ChangeFeed, StoreError, Stored,
    feed::{Changes, Position, Subscription},
};
use redis::cmd;

use crate::{
    Redis,
    certificate::{readable_ids, record_of},
    scripts,
};

/// How often a record that comes and goes is looked for.
const READ_AGAIN: usize = 3;

#[async_trait]
impl ChangeFeed for Redis {
    async fn changes(&self, from: Option<&Position>) -> Result<Changes, StoreError> {
        let keys = self.keys();
        let mut script = scripts::CHANGES.key(&keys.incarnation);
        script
            .key(&keys.epoch)
            .key(&keys.changes)
            .key(&keys.removed)
            .arg(new_incarnation())
            .arg(from.map_or("", |from| &from.incarnation))
            .arg(from.map_or(0, |from| from.epoch.value()));
        let (incarnation, epoch, complete, members, removed): (_, u64, _, Vec<String>, _) =
            self.call("changes", &keys.changes, &script).await?;
        Ok(Changes {
            position: Position {
                incarnation,
                epoch: Epoch::new(epoch),
            },
            complete,
            changed: self.changed(members).await?,
            removed: readable_ids(&keys.removed, removed),
        })
    }

    async fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(subscription::Listener::new(self.clone()))
    }
}

impl Redis {
    /// The records that the change index has named, in its order. One read now may be newer than
    /// what the index was read for; the follower then sees it twice.
    async fn changed(
        &self,
        members: Vec<String>,
    ) -> Result<Vec<Result<Stored, StoreError>>, StoreError> {
        let keys = self.keys();
        let ids: Vec<Result<CertificateId, _>> = members.iter().map(|m| m.parse()).collect();
        let readable = ids.iter().flatten().map(|id| keys.certificate(id));
        let mut hashes = self
            .hashes("changes", readable.collect())
            .await?
            .into_iter();
        let mut changed = Vec::with_capacity(ids.len());
        for id in ids {
            let id = match id {
                Ok(id) => id,
                Err(error) => {
                    changed.push(Err(StoreError::corrupt(&keys.changes, error)));
                    continue;
                }
            };
            match hashes.next().expect("one was read for each id") {
                Ok(Some(hash)) => changed.push(record_of(&id, &hash)),
                Ok(None) => changed.extend(self.read_again(&id).await?),
                Err(error) => changed.push(Err(error)),
            }
        }
        Ok(changed)
    }

    /// A record that the index has named and that was gone: lost, if the index stands as it is.
    ///
    /// `None` if it was removed since, or comes and goes: the follower hears of that next.
    async fn read_again(
        &self,
        id: &CertificateId,
    ) -> Result<Option<Result<Stored, StoreError>>, StoreError> {
        let keys = self.keys();
        let mut indexed = self.indexed_at(id).await?;
        for _ in 0..READ_AGAIN {
            if indexed.is_none() {
                return Ok(None);
            }
            if let Some(hash) = self.hash("changes", keys.certificate(id)).await? {
                return Ok(Some(record_of(id, &hash)));
            }
            let now = self.indexed_at(id).await?;
            if now == indexed {
                return Ok(Some(Err(StoreError::corrupt(
                    keys.certificate(id),
                    format_args!("{} names it, but it is gone", keys.changes),
                ))));
            }
            indexed = now;
        }
        Ok(None)
    }

    /// The epoch under which the index names a certificate.
    async fn indexed_at(&self, id: &CertificateId) -> Result<Option<f64>, StoreError> {
        let index = &self.keys().changes;
        let mut command = cmd("ZSCORE");
        command.arg(index).arg(id.as_str());
        self.run("changes", index, &command).await
    }
}

fn new_incarnation() -> String {
    let bits = getrandom::u64().expect("the operating system gives randomness");
    format!("{bits:016x}")
}
