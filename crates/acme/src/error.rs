//! Why no certificate came, by who must act.

use std::{fmt, path::PathBuf, time::Duration};

use certfleet_core::{ChallengeKind, Identifier, NameSet};

use crate::{
    Directory,
    issuer::BoxError,
    problem::{Problem, words},
    transport::Fault,
};

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
    /// None of the ways of validation that are allowed can be had for this name.
    #[error("{ca} cannot validate {name}: {}", NoWay { name, allowed, offered: offered.as_deref() })]
    NoChallenge {
        /// Which CA.
        ca: String,
        /// The name.
        name: Identifier,
        /// The ways that configuration allows.
        allowed: Vec<ChallengeKind>,
        /// Those the CA offers; `None` if it was not asked, because none allowed fits the name.
        offered: Option<Vec<ChallengeKind>>,
    },
    /// Answers to challenges could not be put where the CA can read them; it was not told.
    #[error("the challenge answer for {} ({}) could not be presented: {source}", names.join(", "), listed(kinds))]
    NotPresented {
        /// The names.
        names: Vec<String>,
        /// Their ways of validation.
        kinds: Vec<ChallengeKind>,
        /// The words of the store or the DNS provider.
        source: BoxError,
    },
    /// The certificate would have more names than a CA allows; it was not asked.
    #[error(
        "{names} names are too many for one certificate, {most} are allowed; take {} certificates: {}",
        split.len(), sets(split)
    )]
    TooManyNames {
        /// How many there are.
        names: usize,
        /// How many are allowed.
        most: usize,
        /// Sets that are small enough, by registered domain.
        split: Vec<NameSet>,
    },
    /// The CA has no such profile; nothing was ordered.
    #[error("{ca} has no profile {profile:?}; {}", profiles(known))]
    UnknownProfile {
        /// Which CA.
        ca: String,
        /// What was wanted.
        profile: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The CA makes accounts only for those that it knows already.
    #[error(
        "{ca} wants an external account binding: configure the key id and the MAC key that it \
         gives its customers"
    )]
    ExternalAccountRequired {
        /// Which CA.
        ca: String,
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
    /// The key that was given for the certificate is of no use.
    #[error("the key given for the certificate cannot be used: {0}; let a new one be made")]
    Key(String),
    /// It cannot be had from this issuer.
    #[error("{ca} has no {what}")]
    Unsupported {
        /// Which issuer.
        ca: String,
        /// What was wanted.
        what: &'static str,
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
    /// one or would have, else `refused`, or one of `connection`, `timeout`, `challenge`, `board`, `directory`,
    /// `answer`, `certificate`, `credentials`, `names`, `key`, `unsupported`, `crypto`.
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
            Self::TooManyNames { .. } => "names",
            Self::UnknownProfile { .. } => "invalidProfile",
            Self::ExternalAccountRequired { .. } => "externalAccountRequired",
            Self::Key(_) => "key",
            Self::Unsupported { .. } => "unsupported",
            Self::Crypto { .. } => "crypto",
        }
    }

    /// The names that the CA has tried to validate, in vain.
    pub fn failed_names(&self) -> impl Iterator<Item = &str> {
        let failures = match self {
            Self::Challenge { failures, .. } => &failures[..],
            _ => &[],
        };
        failures.iter().map(|failed| failed.name.as_str())
    }

    /// The CA's own words, if it gave any for the whole.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            Self::Challenge { failures, .. } => failures.first().map(|failed| &failed.problem),
            _ => None,
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
    /// The way that was tried, if the CA says so.
    pub challenge: Option<ChallengeKind>,
    /// The CA's words.
    pub problem: Problem,
}

struct List<'a>(&'a [FailedName]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, failed) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}", failed.name)?;
            if let Some(challenge) = failed.challenge {
                write!(f, " by {challenge}")?;
            }
            write!(f, ": {}", failed.problem)?;
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
        "{value:?} {problem}; wanted: {}, or the https:// URL of an ACME directory (http:// only \
         on loopback)", Directory::known().join(", ")
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
    /// The external account cannot be used.
    #[error("the external account: {0}; take both as the CA has given them")]
    ExternalAccount(&'static str),
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

/// Why a name cannot be validated, and what to do.
struct NoWay<'a> {
    name: &'a Identifier,
    allowed: &'a [ChallengeKind],
    offered: Option<&'a [ChallengeKind]>,
}

impl fmt::Display for NoWay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed: {}; ", listed(self.allowed))?;
        let (source, ways) = match self.offered {
            Some(offered) => ("offered by the CA", offered.to_vec()),
            None => ("possible for it", ChallengeKind::ALL.to_vec()),
        };
        let ways: Vec<_> = ways.into_iter().filter(|w| w.fits(self.name)).collect();
        write!(f, "{source}: {}", listed(&ways))?;
        match ways.first() {
            Some(way) => write!(f, "; add {way} to its challenges"),
            None => f.write_str("; leave it out, or take another CA"),
        }
    }
}

fn sets(sets: &[NameSet]) -> String {
    let texts: Vec<_> = sets.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn profiles(known: &[String]) -> String {
    if known.is_empty() {
        return "it has no profiles: leave it out".into();
    }
    let known: Vec<_> = known.iter().map(|name| words(name)).collect();
    format!("there are {}", known.join(", "))
}

fn listed(kinds: &[ChallengeKind]) -> String {
    if kinds.is_empty() {
        return "none".into();
    }
    let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    names.join(", ")
}
