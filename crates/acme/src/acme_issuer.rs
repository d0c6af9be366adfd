//! An account at an ACME CA as an issuer: orders, renewal information, revocation.

use std::fmt;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use certfleet_core::Bundle;
use instant_acme::Account;
use rustls_pki_types::CertificateDer;
use serde_json::json;

use crate::{
    Credentials, IssueError, Issuer, Limits, Order, RenewalInfo, Revocation,
    account::Parts,
    attempt::Attempt,
    jws::Signer,
    renewal_info,
    retry::{Repeat, Tries},
    wire::{By, Post, Wire},
};

const REVOKE: &str = "revoke the certificate";

/// An account at an ACME CA, ready for orders.
pub struct AcmeIssuer {
    pub(crate) account: Account,
    pub(crate) signer: Signer,
    pub(crate) wire: Wire,
    pub(crate) limits: Limits,
    credentials: Credentials,
    directory: String,
    contact: Vec<String>,
}

impl AcmeIssuer {
    pub(crate) fn new(
        account: Account,
        parts: Parts,
        wire: Wire,
        contact: Vec<String>,
        limits: Limits,
    ) -> Result<Self, IssueError> {
        Ok(Self {
            signer: parts.key.signer(wire.ca())?,
            credentials: parts.write(),
            directory: parts.directory,
            account,
            wire,
            limits,
            contact,
        })
    }

    /// The account's URL at the CA.
    #[must_use]
    pub fn account_url(&self) -> &str {
        self.account.id()
    }

    /// The credentials in use. They differ from those that were signed in with where these had a
    /// roll-over under way, and are then to be stored in their place.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Tells the CA the contact that is configured (RFC 8555 section 7.3.2): `credentials` that
    /// know of it, to be stored in place of those given.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn update_contact(
        &self,
        credentials: &Credentials,
    ) -> Result<Credentials, IssueError> {
        const OPERATION: &str = "update the account's contact";
        let mut parts = credentials.read(self.name(), &self.directory)?;
        let contact: Vec<_> = self.contact.iter().map(String::as_str).collect();
        let mut tries = Tries::new(Repeat::Safe);
        while let Err(error) = self.account.update_contacts(&contact).await {
            let error = IssueError::from_acme(self.name(), OPERATION, error);
            tries.pause(error).await?;
        }
        parts.contact = Some(self.contact.clone());
        Ok(parts.write())
    }

    /// Has the certificate revoked, by the account or by its own key.
    async fn revoke_by(
        &self,
        revocation: &Revocation<'_>,
        signer: &Signer,
        by: By<'_>,
    ) -> Result<(), IssueError> {
        let url = self.wire.resources().revoke_cert.as_deref();
        let url = url.ok_or_else(|| IssueError::Unsupported {
            ca: self.name().to_owned(),
            what: "way to revoke a certificate",
        })?;
        let request = Post {
            operation: REVOKE,
            url,
            signer,
            by,
            repeat: Repeat::Safe,
        };
        let payload = json!({
            "certificate": URL_SAFE_NO_PAD.encode(revocation.certificate),
            "reason": revocation.reason.code(),
        });
        match self.wire.post(request, Some(&payload)).await {
            Err(error) if error.kind() != "alreadyRevoked" => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Issuer for AcmeIssuer {
    fn name(&self) -> &str {
        self.wire.ca()
    }

    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError> {
        Attempt::new(self, order).run().await
    }

    async fn renewal_info(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<RenewalInfo, IssueError> {
        renewal_info::ask(&self.wire, certificate).await
    }

    /// By the account; if that may not, by the certificate's key, where it is given.
    async fn revoke(&self, revocation: Revocation<'_>) -> Result<(), IssueError> {
        let by = By::Account(self.account.id());
        let refused = match self.revoke_by(&revocation, &self.signer, by).await {
            Err(error) if error.kind() == "unauthorized" => error,
            result => return result,
        };
        let Some(key) = revocation.key else {
            return Err(refused);
        };
        let signer = Signer::from_pkcs8(key).ok_or_else(|| {
            IssueError::Key("it is neither ECDSA on P-256 or P-384 nor RSA".into())
        })?;
        self.revoke_by(&revocation, &signer, By::Key).await
    }

    fn clock_skew(&self) -> Option<i64> {
        self.wire.transport().clock_skew()
    }
}

impl fmt::Debug for AcmeIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeIssuer")
            .field("name", &self.name())
            .field("account", &self.account.id())
            .finish_non_exhaustive()
    }
}
