//! The account vault in Redis: a sealed string for each issuer.

use async_trait::async_trait;
use certfleet_core::seal::Sealed;
use certfleet_store::{AccountVault, CommitError, Lease, StoreError, lease::Resource};
use redis::cmd;

use crate::{Redis, scripts};

#[async_trait]
impl AccountVault for Redis {
    async fn account(&self, issuer: &str) -> Result<Option<Sealed>, StoreError> {
        let at = self.keys().account(issuer);
        let text: Option<String> = self.run("account", &at, cmd("GET").arg(&at)).await?;
        text.map(|text| {
            text.parse()
                .map_err(|error| StoreError::corrupt(&at, error))
        })
        .transpose()
    }

    async fn keep_account(
        &self,
        lease: &Lease,
        issuer: &str,
        account: &Sealed,
    ) -> Result<(), CommitError> {
        let resource = Resource::Account(issuer.to_owned());
        let at = self.keys().account(issuer);
        let mut script = scripts::KEEP_ACCOUNT.key(self.keys().lease(&resource));
        script.key(&at).arg(&lease.owner).arg(account.as_str());
        if self.call("keep_account", &at, &script).await? {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }
}
