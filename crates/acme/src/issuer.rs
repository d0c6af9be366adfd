//! The seam between a fleet that wants certificates and whatever issues them.

use std::fmt::Debug;

use async_trait::async_trait;
use certfleet_core::{Bundle, NameSet};

use crate::{IssueError, Progress};

/// Any error, as the other side of a seam hands it over.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Issues certificates.
#[async_trait]
pub trait Issuer: Send + Sync + Debug {
    /// Names the issuer in keys, metrics and logs: `acme-v02.api.letsencrypt.org/directory`, or
    /// `built-in`.
    fn name(&self) -> &str;

    /// Gets a certificate with a fresh key for the names of `order`.
    ///
    /// The bundle covers every name, holds the key to its leaf and is valid now. The answers that
    /// were presented are withdrawn whatever comes out, also when the future is dropped.
    ///
    /// # Errors
    /// [`IssueError`]; nothing was changed but what the CA itself remembers.
    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError>;
}

/// What is wanted of an issuer, and whom it may turn to meanwhile.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The names that the certificate is to cover.
    pub names: &'a NameSet,
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

/// Makes HTTP-01 answers (RFC 8555 section 8.3) readable under
/// `/.well-known/acme-challenge/TOKEN` on every node.
#[async_trait]
pub trait ChallengeAnswers: Send + Sync {
    /// Puts the answer where every node can read it, and returns only then: the CA is told next,
    /// and may ask any node.
    async fn present(&self, token: &str, key_authorization: &str) -> Result<(), BoxError>;

    /// Takes the answer away, as far as that is possible.
    ///
    /// When an order's future is dropped this is polled only once, so whatever does not happen in
    /// the first poll is left to the time to live of the answer.
    async fn withdraw(&self, token: &str);
}
