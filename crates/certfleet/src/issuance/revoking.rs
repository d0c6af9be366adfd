//! Carrying out what was asked to be revoked, once something newer is served in its place.

use certfleet_acme::{IssueError, Revocation as Request};
use certfleet_core::Generation;
use certfleet_store::{Lease, event::EventKind, revocation::Revocation};
use rustls::pki_types::PrivateKeyDer;

use super::{Issuance, failure::AttemptError};
use crate::issuers::IssuerError;

impl Issuance {
    /// Revokes every generation older than `standing` that was asked to be.
    pub(super) async fn revoke(
        &self,
        lease: &Lease,
        revocations: &[Revocation],
        standing: Generation,
    ) -> Result<(), AttemptError> {
        for revocation in revocations {
            if revocation.record.generation < standing {
                self.revoke_one(lease, revocation).await?;
            }
        }
        Ok(())
    }

    async fn revoke_one(&self, lease: &Lease, revocation: &Revocation) -> Result<(), AttemptError> {
        let node = &*self.node;
        let record = &revocation.record;
        if record.not_after > node.clock.now() {
            let which = format!(
                "generation {} serial {} for {}",
                record.generation, record.serial, revocation.reason
            );
            match self.ask(revocation).await {
                Ok(()) => node.note(EventKind::Revoked, record.id(), which),
                // It will be no other way the next time.
                Err(AttemptError::Revoke(error @ IssueError::Unsupported { .. })) => {
                    node.note(
                        EventKind::AttemptFailed,
                        record.id(),
                        format!("{which}: {error}"),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(node.backend.revoked(lease, revocation).await?)
    }

    async fn ask(&self, revocation: &Revocation) -> Result<(), AttemptError> {
        let record = &revocation.record;
        let Some(entry) = self.issuers.by_ca(&record.ca) else {
            return Err(AttemptError::Issuer(IssuerError::Gone(record.ca.clone())));
        };
        let issuer = self.issuers.open(entry).await?;
        let bundle = self.open(record)?;
        let key = match bundle.key() {
            PrivateKeyDer::Pkcs8(key) => Some(key),
            _ => None,
        };
        let request = Request {
            certificate: &bundle.chain()[0],
            reason: revocation.reason,
            key: key.as_ref(),
        };
        issuer.revoke(request).await.map_err(AttemptError::Revoke)
    }
}
