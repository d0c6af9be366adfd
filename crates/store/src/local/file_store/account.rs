//! The account vault of a [`FileStore`]: a file for each issuer, read anew each time.

use async_trait::async_trait;
use certfleet_core::seal::Sealed;
use serde::{Deserialize, Serialize};

use super::FileStore;
use crate::{AccountVault, CommitError, Lease, StoreError, lease::Resource};

/// An account as it is written.
#[derive(Serialize, Deserialize)]
struct Account {
    issuer: String,
    sealed: Sealed,
}

#[async_trait]
impl AccountVault for FileStore {
    async fn account(&self, issuer: &str) -> Result<Option<Sealed>, StoreError> {
        let issuer = issuer.to_owned();
        self.durably("account", move |_, disk| {
            let name = account_file(&issuer);
            let Some(bytes) = disk.accounts.read(&name)? else {
                return Ok(None);
            };
            let account: Account = serde_json::from_slice(&bytes).map_err(|error| {
                StoreError::corrupt(disk.accounts.file(&name).display().to_string(), error)
            })?;
            Ok(Some(account.sealed))
        })
        .await
    }

    async fn keep_account(
        &self,
        lease: &Lease,
        issuer: &str,
        account: &Sealed,
    ) -> Result<(), CommitError> {
        let lease = lease.clone();
        let account = Account {
            issuer: issuer.to_owned(),
            sealed: account.clone(),
        };
        self.durably("keep_account", move |memory, disk| {
            let resource = Resource::Account(account.issuer.clone());
            memory
                .state("keep_account")?
                .check_live(&lease, resource, memory.now())?;
            let text = serde_json::to_vec_pretty(&account).expect("texts are always valid JSON");
            Ok(disk.accounts.write(&account_file(&account.issuer), &text)?)
        })
        .await
    }
}

/// The issuer with whatever a file name had better not hold as `%` and two hexadecimal digits.
fn account_file(issuer: &str) -> String {
    let mut name = String::with_capacity(issuer.len() + 5);
    for byte in issuer.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_files_are_readable_and_apart() {
        for (issuer, name) in [
            ("local", "local.json"),
            (
                "https://ca.example/dir",
                "https%3A%2F%2Fca.example%2Fdir.json",
            ),
            ("a%2F", "a%252F.json"),
            ("..", "...json"),
        ] {
            assert_eq!(account_file(issuer), name);
        }
    }
}
