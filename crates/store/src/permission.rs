//! Whether a name may have a certificate on demand, asked once for the whole fleet.
//!
//! The first node that needs to know asks the operator's service and writes the answer down; the
//! others wait for it. Both the right to ask and the answer have a time to live, so that a node that
//! dies while it asks blocks nobody for long, and the list is no longer than what was asked within
//! the longest time to live.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::DomainName;

use crate::StoreError;

/// What the fleet knows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may have a certificate.
    Allowed,
    /// It may not.
    Denied,
    /// Nobody knows, and the caller has the right to ask now.
    Ask,
    /// A peer is asking.
    Asking,
}

/// Permissions by name.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// What is known of `name`; if nothing is, the caller gets the right to ask for `asking`.
    async fn permission(
        &self,
        name: &DomainName,
        asking: Duration,
    ) -> Result<Permission, StoreError>;

    /// Writes an answer down for `ttl`.
    async fn answer_permission(
        &self,
        name: &DomainName,
        allowed: bool,
        ttl: Duration,
    ) -> Result<(), StoreError>;
}
