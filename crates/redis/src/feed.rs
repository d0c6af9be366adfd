//! The change feed in Redis: an index of commits by epoch, and a channel that tells of each.

mod backoff;
mod message;
mod subscription;

use async_trait::async_trait;
use certfleet_core::Epoch;
use certfleet_store::{
    ChangeFeed, StoreError,
    feed::{Changes, Position, Subscription},
};

use crate::{Redis, certificate::record_of, scripts};

#[async_trait]
impl ChangeFeed for Redis {
    async fn changes(&self, from: Option<&Position>) -> Result<Changes, StoreError> {
        let keys = self.keys();
        let mut script = scripts::CHANGES.key(&keys.incarnation);
        script
            .key(&keys.epoch)
            .key(&keys.changes)
            .arg(new_incarnation())
            .arg(from.map_or("", |from| &from.incarnation))
            .arg(from.map_or(0, |from| from.epoch.value()));
        let (incarnation, epoch, complete, members): (String, u64, bool, Vec<String>) =
            self.call("changes", &keys.changes, &script).await?;

        // A record read now may be newer than the epoch above; the follower then sees it twice.
        let ids: Vec<_> = members.iter().map(|member| member.parse()).collect();
        let readable = ids.iter().flatten().map(|id| keys.certificate(id));
        let mut hashes = self
            .hashes("changes", readable.collect())
            .await?
            .into_iter();
        let changed = ids.iter().map(|id| match id {
            Ok(id) => {
                let hash = hashes.next().expect("one was read for each id")?;
                let hash = hash.ok_or_else(|| {
                    StoreError::corrupt(
                        keys.certificate(id),
                        format_args!("{} names it, but it is gone", keys.changes),
                    )
                })?;
                record_of(id, &hash)
            }
            Err(error) => Err(StoreError::corrupt(&keys.changes, error)),
        });
        Ok(Changes {
            position: Position {
                incarnation,
                epoch: Epoch::new(epoch),
            },
            complete,
            changed: changed.collect(),
        })
    }

    async fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(subscription::Listener::new(self.clone()))
    }
}

fn new_incarnation() -> String {
    let bits = getrandom::u64().expect("the operating system gives randomness");
    format!("{bits:016x}")
}
