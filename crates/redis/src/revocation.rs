//! Requests to revoke in Redis: a hash for each generation, and an index of them for each
//! certificate.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Generation};
use certfleet_store::{
    CommitError, Lease, Revocations, StoreError, lease::Resource, revocation::Revocation,
};
use redis::cmd;

use crate::{Redis, hash::Hash, scripts};

#[async_trait]
impl Revocations for Redis {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let (id, generation) = (revocation.record.id(), revocation.record.generation);
        let keys = self.keys();
        let at = keys.revocation(&id, generation);
        let mut script = scripts::REVOKE.key(&at);
        script
            .key(keys.revocations(&id))
            .key(&keys.due)
            .key(&keys.feed)
            .arg(id.as_str())
            .arg(generation.value())
            .arg("reason")
            .arg(revocation.reason.as_str())
            .arg("asked_at")
            .arg(revocation.asked_at.to_string());
        for (name, text) in revocation.record.fields() {
            script.arg(name).arg(text);
        }
        self.call("revoke", &at, &script).await
    }

    async fn revocations(&self, id: &CertificateId) -> Result<Vec<Revocation>, StoreError> {
        let index = self.keys().revocations(id);
        let generations: Vec<u64> = self
            .run(
                "revocations",
                &index,
                cmd("ZRANGE").arg(&index).arg(0).arg(-1),
            )
            .await?;
        let requests = generations
            .into_iter()
            .map(|generation| self.keys().revocation(id, Generation::new(generation)));
        let hashes = self.hashes("revocations", requests.collect()).await?;
        // One that was carried out meanwhile is gone.
        let present = hashes.into_iter().filter_map(Result::transpose);
        present.map(|hash| request(id, &hash?)).collect()
    }

    async fn revoked(&self, lease: &Lease, revocation: &Revocation) -> Result<(), CommitError> {
        let (id, generation) = (revocation.record.id(), revocation.record.generation);
        let resource = Resource::Certificate(id.clone());
        let keys = self.keys();
        let at = keys.revocation(&id, generation);
        let mut script = scripts::REVOKED.key(keys.lease(&resource));
        script
            .key(&at)
            .key(keys.revocations(&id))
            .arg(&lease.owner)
            .arg(generation.value());
        if self.call("revoked", &at, &script).await? {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }
}

fn request(id: &CertificateId, hash: &Hash) -> Result<Revocation, StoreError> {
    let record = hash.record()?;
    hash.expect(id, &record)?;
    Ok(Revocation {
        record,
        reason: hash.field("reason")?,
        asked_at: hash.field("asked_at")?,
    })
}
