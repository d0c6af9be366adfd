//! The certificates that were added at run time, beside those of the configuration.
//!
//! The list is the fleet's. Adding announces; a node that missed the message reads the list on its
//! timer. Taking off the list is [`CertificateStore::remove`](crate::CertificateStore::remove),
//! since it takes the record away as well.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Wanted};

use crate::StoreError;

/// Certificates to have, added at run time.
#[async_trait]
pub trait WantedList: Send + Sync {
    /// All of them, in order of id. One that cannot be read is an error in its place and does not
    /// hide the others.
    async fn wanted(&self) -> Result<Vec<Result<Wanted, StoreError>>, StoreError>;

    /// One of them.
    async fn wanted_one(&self, id: &CertificateId) -> Result<Option<Wanted>, StoreError>;

    /// Adds one, or puts it in the place of the one with its id; makes it due at once if it is not
    /// on the schedule; wakes the fleet by [`Signal::Wanted`](crate::feed::Signal::Wanted).
    async fn want(&self, wanted: &Wanted) -> Result<(), StoreError>;
}
