//! The account vault: one sealed ACME account for each issuer, shared by the fleet.

use async_trait::async_trait;
use certfleet_core::seal::Sealed;

use crate::{CommitError, Lease, StoreError};

/// Sealed account credentials by issuer.
#[async_trait]
pub trait AccountVault: Send + Sync {
    /// The account at `issuer`, if the fleet has one.
    async fn account(&self, issuer: &str) -> Result<Option<Sealed>, StoreError>;

    /// Keeps the account; only for who holds the lease on
    /// [`Resource::Account`](crate::lease::Resource::Account) of that issuer.
    ///
    /// # Errors
    /// [`CommitError::LeaseLost`] if the lease is not this owner's any more.
    async fn keep_account(
        &self,
        lease: &Lease,
        issuer: &str,
        account: &Sealed,
    ) -> Result<(), CommitError>;
}
