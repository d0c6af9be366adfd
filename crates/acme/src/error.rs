//! Why no certificate came, by who must act.

use std::{fmt, path::PathBuf, time::Duration};

use certfleet_core::DomainName;

use crate::{issuer::BoxError, problem::Problem, transport::Fault};

/// An attempt to get a certificate or an account that failed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The CA was not reached, or the connection broke. It may work later.
    #[error("{ca}: cannot {operation}: {problem}")]
    Connection {
        /// Which CA.
        ca: String,
        /// What was asked of it.
        operation: &'static str,
        /// What happened.
        problem: String,
        /// Whether the CA may have acted on the request nonetheless.
        doubtful: bool,
    },
    /// The CA did not come to an end in time.
    #[error("{ca}: cannot {operation}: not done within {limit:?}")]
    TimedOut {
        /// Which CA.
        ca: String,
        /// What was asked of it.
        operation: &'static str,
        /// The time it had.
        limit: Duration,
        /// How long the CA wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The CA answered with an error.
    #[error("{ca} refused to {operation}: {problem}{}", Status(*status))]
    Refused {
        /// Which CA.
        ca: String,
        /// What was asked of it.
        operation: &'static str,
        /// The HTTP status; `None` if the error stood inside a good answer.
        status: Option<u16>,
        /// Its words.
        problem: Box<Problem>,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether the CA may have acted on the request nonetheless.
        doubtful: bool,
    },
    /// The CA could not validate some names: their DNS, or the way to port 80, needs a look.
    #[error("{ca} could not validate {}", List(failures))]
    Challenge {
        /// Which CA.
        ca: String,
        /// Every name that failed, with the CA's words.
        failures: Vec<FailedName>,
    },
    /// The way of validation in use cannot be had for this name.
    #[error("{ca} cannot validate {name} by {wanted}; it offers {offered}")]
    NoChallenge {
        /// Which CA.
        ca: String,
        /// The name.
        name: String,
        /// The way of validation in use.
        wanted: &'static str,
        /// What there is instead.
        offered: String,
    },
    /// The answer to a challenge could not be put where every node reads it; the CA was not told.
    #[error("the challenge answer for {name} could not be presented: {source}")]
    NotPresented {
        /// The name.
        name: String,
        /// The store's words.
        source: BoxError,
    },
    /// There is no ACME CA at the configured URL.
    #[error("no ACME directory at {url}: found {found}; see the CA's documentation for its URL")]
    NotADirectory {
        /// The configured URL.
        url: String,
        /// What is there.
        found: String,
    },
    /// The CA's answer makes no sense.
    #[error("{ca}: cannot {operation}: the answer makes no sense: {problem}")]
    Answer {
        /// Which CA.
        ca: String,
        /// What was asked of it.
        operation: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The certificate that came is not the one that was asked for; it was thrown away.
    #[error("{ca} issued a certificate that does not fit: {problem}")]
    Certificate {
        /// Which CA.
        ca: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored account credentials are of no use with this CA.
    #[error("the stored account for {ca} cannot be used: {problem}")]
    Credentials {
        /// Which CA.
        ca: String,
        /// What is wrong with them.
        problem: String,
    },
    /// The cryptographic library failed.
    #[error("cannot {operation}: {problem}")]
    Crypto {
        /// What was tried.
        operation: &'static str,
        /// Its words.
        problem: String,
    },
}

impl IssueError {
    /// How long the CA wants to be left alone, by the whole fleet.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::TimedOut { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A metric label out of a bounded set: an ACME error type such as `rateLimited` if the CA gave
    /// one, else `refused`, or one of `connection`, `timeout`, `challenge`, `board`, `directory`,
    /// `answer`, `certificate`, `credentials`, `crypto`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connection { .. } => "connection",
            Self::TimedOut { .. } => "timeout",
            Self::Refused { problem, .. } => problem.label(),
            Self::Challenge { .. } | Self::NoChallenge { .. } => "challenge",
            Self::NotPresented { .. } => "board",
            Self::NotADirectory { .. } => "directory",
            Self::Answer { .. } => "answer",
            Self::Certificate { .. } => "certificate",
            Self::Credentials { .. } => "credentials",
            Self::Crypto { .. } => "crypto",
        }
    }

    /// What went wrong while `ca` was asked to do `operation`.
    pub(crate) fn from_acme(ca: &str, operation: &'static str, error: instant_acme::Error) -> Self {
        let ca = ca.to_owned();
        match error {
            instant_acme::Error::Other(other) => match other.downcast::<Fault>() {
                Ok(fault) => fault.into_error(ca, operation),
                Err(other) => Self::Answer {
                    ca,
                    operation,
                    problem: other.to_string(),
                },
            },
            // Error answers become a `Fault` in the transport; what is left is a nonce that was
            // refused too often, which the CA has not acted on, or an error inside a good answer.
            instant_acme::Error::Api(problem) => Self::Refused {
                ca,
                operation,
                status: None,
                problem: Box::new(problem.into()),
                retry_after: None,
                doubtful: false,
            },
            error @ (instant_acme::Error::Crypto | instant_acme::Error::KeyRejected) => {
                Self::Crypto {
                    operation: "sign a request with the account's key",
                    problem: error.to_string(),
                }
            }
            error => Self::Answer {
                ca,
                operation,
                problem: error.to_string(),
            },
        }
    }
}

/// A name that a CA could not validate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedName {
    /// The name.
    pub name: String,
    /// The CA's words.
    pub problem: Problem,
}

struct List<'a>(&'a [FailedName]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, FailedName { name, problem }) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{name}: {problem}")?;
        }
        Ok(())
    }
}

struct Status(Option<u16>);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, " [HTTP {status}]"),
            None => Ok(()),
        }
    }
}

/// What is wrong with an ACME configuration; the operator must act.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text names no directory.
    #[error(
        "{value:?} {problem}; wanted: letsencrypt, letsencrypt-staging, or the https:// URL of \
         an ACME directory (http:// only on loopback)"
    )]
    Directory {
        /// What was written.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A contact is no e-mail address.
    #[error("the contact {0:?} is no e-mail address such as ops@example.com")]
    Contact(String),
    /// The file with the CA's own root cannot be used.
    #[error("the root certificates in {}: {problem}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to check the CA's TLS certificate against.
    #[error(
        "the system has no trusted root certificates ({0}); install the package ca-certificates, \
         or name a file with the CA's root"
    )]
    NoRoots(String),
}

/// A wildcard cannot be validated by HTTP-01 (RFC 8555 section 7.1.3 leaves it to DNS-01).
pub(crate) fn wildcard(ca: &str, name: &DomainName) -> IssueError {
    IssueError::NoChallenge {
        ca: ca.to_owned(),
        name: name.to_string(),
        wanted: "http-01",
        offered: "wildcards by dns-01 only".into(),
    }
}
