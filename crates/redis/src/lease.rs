//! Leases in Redis: a hash each, which ends by itself.
//!
//! An index of what is held, one for each kind of lease, lets an operator see the leases without a
//! search over all keys, and those on certificates be counted.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{FencingToken, NodeId};
use certfleet_store::{
    Clock, Lease, Leases, StoreError, SystemClock,
    lease::{Grant, Holder, Resource},
};
use redis::cmd;

use crate::{
    Redis,
    hash::Hash,
    scripts::{self, millis},
};

#[async_trait]
impl Leases for Redis {
    async fn acquire_within(
        &self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        most: u32,
    ) -> Result<Grant, StoreError> {
        let owner = Lease::new_owner(node);
        let keys = self.keys();
        let at = keys.lease(resource);
        let mut script = scripts::ACQUIRE.prepare_invoke();
        script
            .key(&at)
            .key(keys.leases(resource))
            .key(&keys.fencing);
        if let Resource::Certificate(id) = resource {
            script.key(keys.certificate(id));
        }
        script
            .arg(resource.to_string())
            .arg(&owner)
            .arg(node.as_str())
            .arg(millis(ttl))
            .arg(SystemClock.now().to_string())
            .arg(most);
        let reply: String = self.call("acquire", &at, &script).await?;
        match reply.as_str() {
            "held" => Ok(Grant::Held),
            "full" => Ok(Grant::Full),
            fencing => Ok(Grant::Granted(Lease {
                resource: resource.clone(),
                owner,
                fencing: FencingToken::new(fencing.parse().map_err(|problem| {
                    StoreError::corrupt(&keys.fencing, format_args!("{fencing:?}: {problem}"))
                })?),
                ttl,
            })),
        }
    }

    async fn extend(&self, lease: &Lease) -> Result<bool, StoreError> {
        let at = self.keys().lease(&lease.resource);
        let mut script = scripts::EXTEND.key(&at);
        script
            .key(self.keys().leases(&lease.resource))
            .arg(lease.resource.to_string())
            .arg(&lease.owner)
            .arg(millis(lease.ttl));
        self.call("extend", &at, &script).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let at = self.keys().lease(&lease.resource);
        let mut script = scripts::RELEASE.key(&at);
        script
            .key(self.keys().leases(&lease.resource))
            .arg(lease.resource.to_string())
            .arg(&lease.owner);
        self.call("release", &at, &script).await
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        let keys = self.keys();
        let mut resources: Vec<String> = Vec::new();
        for index in [&keys.certificate_leases, &keys.account_leases] {
            let mut command = cmd("ZRANGE");
            command.arg(index).arg(0).arg(-1);
            let of_a_kind: Vec<String> = self.run("holders", index, &command).await?;
            resources.extend(of_a_kind);
        }
        resources.sort();
        let held: Vec<_> = resources
            .iter()
            .map(|resource| keys.lease_named(resource))
            .collect();
        let remaining = self.each::<i64>("holders", "PTTL", &held).await?;
        let hashes = self.hashes("holders", held).await?;

        let mut holders = Vec::with_capacity(resources.len());
        for ((resource, remaining), hash) in resources.into_iter().zip(remaining).zip(hashes) {
            // A lease that has ended may still be in the index.
            if let (Some(hash), Ok(remaining)) = (hash?, u64::try_from(remaining?)) {
                holders.push(holder(resource, &hash, Duration::from_millis(remaining))?);
            }
        }
        Ok(holders)
    }
}

fn holder(resource: String, hash: &Hash, remaining: Duration) -> Result<Holder, StoreError> {
    Ok(Holder {
        resource,
        node: hash.field("node")?,
        fencing: FencingToken::new(hash.field("fencing")?),
        remaining,
    })
}
