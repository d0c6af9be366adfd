//! How far an order has come, for logs, metrics and people who watch.

use std::fmt;

use certfleet_core::ChallengeKind;

/// Hears of each step of an order, in order.
pub trait Progress: Send + Sync {
    /// Called when `step` is done. It must return at once.
    fn step(&self, step: Step);
}

/// Something that has been done towards a certificate. `Display` gives a short sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The CA has accepted the order.
    OrderCreated {
        /// Where the CA keeps it.
        url: String,
        /// How many names are in it.
        names: usize,
    },
    /// The CA did not take it that the order replaces a certificate; it was made without.
    ReplacesRefused {
        /// The CA's words.
        problem: String,
    },
    /// The CA still trusts an earlier validation of this name.
    AuthorizationReused {
        /// The name.
        name: String,
    },
    /// The answer for this name was put where the CA will look.
    ChallengePresented {
        /// The name.
        name: String,
        /// The way of validation.
        kind: ChallengeKind,
        /// The token that the CA will ask for.
        token: String,
    },
    /// All answers can be read where the CA will look.
    AnswersConfirmed {
        /// How many there are.
        answers: usize,
    },
    /// The CA was told to go and look.
    ChallengeReady {
        /// The name.
        name: String,
    },
    /// The CA has found the answer for this name.
    Validated {
        /// The name.
        name: String,
    },
    /// The CA is about to be sent the request for the certificate, and may issue from now on.
    Finalizing,
    /// The CA has the request for the certificate.
    Finalized,
    /// The preferred chain is not to be had; the CA's default was taken.
    ChainMissing {
        /// The topmost issuer that was wanted.
        wanted: String,
        /// The topmost issuers there are.
        found: Vec<String>,
    },
    /// The certificate is here and fits.
    Downloaded {
        /// Its serial number in lower-case hexadecimal.
        serial: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrderCreated { url, names: 1 } => write!(f, "ordered 1 name: {url}"),
            Self::OrderCreated { url, names } => write!(f, "ordered {names} names: {url}"),
            Self::ReplacesRefused { problem } => {
                write!(
                    f,
                    "ordered without naming the certificate to replace: {problem}"
                )
            }
            Self::AuthorizationReused { name } => write!(f, "{name} is validated already"),
            Self::ChallengePresented { name, kind, token } => {
                write!(f, "the {kind} answer for {name} is up (token {token})")
            }
            Self::AnswersConfirmed { answers: 1 } => f.write_str("the answer can be read"),
            Self::AnswersConfirmed { answers } => write!(f, "all {answers} answers can be read"),
            Self::ChallengeReady { name } => write!(f, "the CA was told to validate {name}"),
            Self::Validated { name } => write!(f, "{name} is validated"),
            Self::Finalizing => f.write_str("the certificate is about to be requested"),
            Self::Finalized => f.write_str("the certificate was requested"),
            Self::ChainMissing { wanted, found } => write!(
                f,
                "there is no chain up to {wanted:?}, only to {found:?}; the CA's default was taken"
            ),
            Self::Downloaded { serial } => write!(f, "certificate {serial} was downloaded"),
        }
    }
}
