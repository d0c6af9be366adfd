//! The list of certificates wanted in Redis: a hash of JSON by certificate id.

use std::collections::BTreeMap;

use async_trait::async_trait;
use certfleet_core::{CertificateId, Wanted};
use certfleet_store::{StoreError, WantedList};
use redis::cmd;

use crate::{Redis, json, scripts};

#[async_trait]
impl WantedList for Redis {
    async fn wanted(&self) -> Result<Vec<Result<Wanted, StoreError>>, StoreError> {
        let at = &self.keys().wanted;
        let fields: BTreeMap<String, String> =
            self.run("wanted", at, cmd("HGETALL").arg(at)).await?;
        let wanted = fields.iter().map(|(id, text)| read(at, id, text));
        Ok(wanted.collect())
    }

    async fn wanted_one(&self, id: &CertificateId) -> Result<Option<Wanted>, StoreError> {
        let at = &self.keys().wanted;
        let mut command = cmd("HGET");
        command.arg(at).arg(id.as_str());
        let text: Option<String> = self.run("wanted_one", at, &command).await?;
        text.map(|text| read(at, id.as_str(), &text)).transpose()
    }

    async fn want(&self, wanted: &Wanted) -> Result<(), StoreError> {
        let keys = self.keys();
        let mut script = scripts::WANT.key(&keys.wanted);
        script
            .key(&keys.due)
            .key(&keys.feed)
            .arg(wanted.names.id().as_str())
            .arg(json::write(wanted));
        self.call("want", &keys.wanted, &script).await
    }
}

/// The certificate that the field `id` of the hash `at` wants.
fn read(at: &str, id: &str, text: &str) -> Result<Wanted, StoreError> {
    let field = format!("{at} {id}");
    let wanted: Wanted = json::read(&field, text)?;
    let held = wanted.names.id();
    if held.as_str() == id {
        Ok(wanted)
    } else {
        Err(StoreError::corrupt(
            field,
            format_args!("it holds what is wanted of {held}"),
        ))
    }
}
