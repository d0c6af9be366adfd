//! The seam between a fleet that wants certificates and whatever issues them.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use certfleet_core::{
    Answer, Bundle, ChallengeKind, KeyType, NameSet, RevocationReason, ari::Window,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::{IssueError, Progress};

/// Any error, as the other side of a seam hands it over.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Issues certificates.
#[async_trait]
pub trait Issuer: Send + Sync + Debug {
    /// Names the issuer in keys, metrics and logs: `acme-v02.api.letsencrypt.org/directory`, or
    /// `built-in`.
    fn name(&self) -> &str;

    /// Gets a certificate on the terms of `order`.
    ///
    /// The bundle covers every name and no other, holds the key to its leaf and is valid now. The
    /// answers that were presented are withdrawn whatever comes out, also when the future is
    /// dropped.
    ///
    /// # Errors
    /// [`IssueError`]; nothing was changed but what the CA itself remembers.
    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError>;

    /// When the issuer suggests to renew a certificate (RFC 9773).
    ///
    /// # Errors
    /// [`IssueError`]; whether it is worth asking again, its [`advice`](IssueError::advice) says.
    async fn renewal_info(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<RenewalInfo, IssueError> {
        let _ = certificate;
        Ok(RenewalInfo::Unsupported)
    }

    /// Has a certificate revoked (RFC 8555 section 7.6). One that is revoked already is as good.
    ///
    /// # Errors
    /// [`IssueError`].
    async fn revoke(&self, revocation: Revocation<'_>) -> Result<(), IssueError>;

    /// How far this machine's clock was behind (positive) or ahead of (negative) the issuer's when
    /// the issuer last answered, in seconds; `None` if that is not known.
    fn clock_skew(&self) -> Option<i64> {
        None
    }
}

/// What is wanted of an issuer, and whom it may turn to meanwhile.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The names that the certificate is to cover.
    pub names: &'a NameSet,
    /// The key it is to be for.
    pub key: Key<'a>,
    /// The profile, if one is wanted; the CA must have it.
    pub profile: Option<&'a str>,
    /// The common name of the topmost issuer of the preferred chain; the CA's default is taken
    /// where it has no such chain.
    pub chain: Option<&'a str>,
    /// The validity to ask for, from now on (RFC 8555 section 7.4).
    pub validity: Option<Duration>,
    /// The certificate that this one is to replace (RFC 9773 section 5). It is left out where the
    /// CA has no renewal information, and the order is made without it where the CA says that it
    /// was replaced already.
    pub replaces: Option<&'a CertificateDer<'a>>,
    /// The ways of validation, the preferred one first.
    pub challenges: &'a [ChallengeKind],
    /// Those that have failed lately: tried only where no other is left.
    pub failed_challenges: &'a [ChallengeKind],
    /// Where answers to the CA's challenges go.
    pub answers: &'a dyn ChallengeAnswers,
    /// Who is told how far it has come.
    pub progress: &'a dyn Progress,
}

impl Debug for Order<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order")
            .field("names", self.names)
            .finish_non_exhaustive()
    }
}

/// The key of a new certificate.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// A fresh one.
    Fresh(KeyType),
    /// This one.
    Given(&'a PrivatePkcs8KeyDer<'a>),
}

impl Debug for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fresh(kind) => f.debug_tuple("Fresh").field(kind).finish(),
            Self::Given(_) => f.write_str("Given(..)"),
        }
    }
}

/// What an issuer suggests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewalInfo {
    /// It makes no suggestions, or not for this certificate.
    Unsupported,
    /// When to renew.
    Suggested {
        /// Between these times.
        window: Window,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

/// A certificate that is to be revoked.
#[derive(Clone, Copy)]
pub struct Revocation<'a> {
    /// The certificate.
    pub certificate: &'a CertificateDer<'a>,
    /// Why.
    pub reason: RevocationReason,
    /// Its private key, to sign with where the account may not revoke it.
    pub key: Option<&'a PrivatePkcs8KeyDer<'a>>,
}

impl Debug for Revocation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocation")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// Makes answers to challenges visible to the CA, through every node or in the DNS.
#[async_trait]
pub trait ChallengeAnswers: Send + Sync {
    /// Puts an answer where the CA will look, on every node.
    async fn present(&self, answer: &Answer) -> Result<(), BoxError>;

    /// Makes sure that what was presented can be read, and returns only then: the CA is told next,
    /// and may ask any node, or any of the name servers.
    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError>;

    /// Takes an answer away, as far as that is possible.
    ///
    /// When an order's future is dropped this is polled only once, so whatever does not happen in
    /// the first poll is left to the time to live of the answer.
    async fn withdraw(&self, answer: &Answer);
}
