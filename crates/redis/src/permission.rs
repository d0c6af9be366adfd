//! Permissions in Redis: a word for each name, which goes by itself.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::DomainName;
use certfleet_store::{Permissions, StoreError, permission::Permission};
use redis::cmd;

use crate::{
    Redis,
    scripts::{self, millis},
};

const ALLOWED: &str = "allowed";
const DENIED: &str = "denied";

#[async_trait]
impl Permissions for Redis {
    async fn permission(
        &self,
        name: &DomainName,
        asking: Duration,
    ) -> Result<Permission, StoreError> {
        let at = self.keys().permission(name);
        let mut script = scripts::PERMISSION.key(&at);
        script.arg(millis(asking));
        let reply: String = self.call("permission", &at, &script).await?;
        match reply.as_str() {
            "ask" => Ok(Permission::Ask),
            "asking" => Ok(Permission::Asking),
            ALLOWED => Ok(Permission::Allowed),
            DENIED => Ok(Permission::Denied),
            other => Err(StoreError::corrupt(
                &at,
                format_args!("{other:?} is none of allowed, denied and asking"),
            )),
        }
    }

    async fn answer_permission(
        &self,
        name: &DomainName,
        allowed: bool,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let at = self.keys().permission(name);
        let mut command = cmd("SET");
        command
            .arg(&at)
            .arg(if allowed { ALLOWED } else { DENIED })
            .arg("PX")
            .arg(millis(ttl));
        self.run("answer_permission", &at, &command).await
    }
}
