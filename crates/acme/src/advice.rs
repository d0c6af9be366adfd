//! What is to be done about an error: the same again, wait, another way of validation, or a person.
//!
//! One table for the CA's problem types (RFC 8555 section 6.7 and what came after it), and one for
//! our own errors. An unknown type is tried again: the schedule raises the alarm soon enough.

use std::time::Duration;

use certfleet_core::{ChallengeKind, retry::Advice};

use crate::{FailedName, IssueError, Problem};

/// No CA is left alone for longer because it was overloaded.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A rate limit with a longer wait is one on names, or on orders, and not on whoever asks.
const LONGEST_BUSY: Duration = Duration::from_secs(15 * 60);

impl IssueError {
    /// What is to be done about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Connection { .. } | Self::Answer { .. } | Self::Crypto { .. } => Advice::Retry,
            Self::TimedOut { retry_after, .. } => waiting(retry_after.is_some()),
            Self::Refused {
                status,
                problem,
                retry_after,
                ..
            } => match of_problem(problem) {
                Advice::Retry => waiting(*status == Some(429) || retry_after.is_some()),
                advice => advice,
            },
            Self::Challenge { failures, .. } => most_pressing(failures.iter().map(of_failure)),
            // The store is the same for every way of validation but one.
            Self::NotPresented { kinds, .. } if *kinds == [ChallengeKind::Dns01] => {
                Advice::ChangeChallenge
            }
            Self::NotPresented { .. } => Advice::Retry,
            Self::NoChallenge { .. }
            | Self::TooManyNames { .. }
            | Self::UnknownProfile { .. }
            | Self::ExternalAccountRequired { .. }
            | Self::NotADirectory { .. }
            | Self::Certificate { .. }
            | Self::Credentials { .. }
            | Self::Key(_)
            | Self::Unsupported { .. } => Advice::NeedsPerson,
        }
    }

    /// The ways of validation that have failed, for
    /// [`Order::failed_challenges`](crate::Order::failed_challenges).
    #[must_use]
    pub fn failed_challenges(&self) -> Vec<ChallengeKind> {
        let mut kinds = match self {
            Self::Challenge { failures, .. } => failures
                .iter()
                .filter(|failed| of_failure(failed) == Advice::ChangeChallenge)
                .filter_map(|failed| failed.challenge)
                .collect(),
            Self::NotPresented { kinds, .. } if self.advice() == Advice::ChangeChallenge => {
                kinds.clone()
            }
            _ => Vec::new(),
        };
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// How long the CA wants to be left alone by everybody, whatever they would ask for.
    ///
    /// The Retry-After of an answer 503 always means that, up to an hour. That of a rate limit does
    /// if it is at most 15 minutes: a longer one is a limit on the names or the account's orders,
    /// and holds for what was asked for, by [`Self::retry_after`].
    #[must_use]
    pub fn pauses_issuer(&self) -> Option<Duration> {
        let Self::Refused {
            status,
            problem,
            retry_after: Some(wait),
            ..
        } = self
        else {
            return None;
        };
        let limited = *status == Some(429) || problem.label() == "rateLimited";
        match status {
            Some(503) => Some((*wait).min(LONGEST_PAUSE)),
            _ if limited && *wait <= LONGEST_BUSY => Some(*wait),
            _ => None,
        }
    }
}

fn waiting(until_told: bool) -> Advice {
    if until_told {
        Advice::Wait
    } else {
        Advice::Retry
    }
}

/// By the type of a CA's problem, outside of a challenge.
fn of_problem(problem: &Problem) -> Advice {
    match problem.label() {
        "compound" => most_pressing(problem.subproblems.iter().map(|sub| of_type(&sub.kind))),
        label => of_type(label),
    }
}

fn of_type(kind: &str) -> Advice {
    match kind {
        "rateLimited" => Advice::Wait,
        "connection" | "dns" | "incorrectResponse" | "tls" => Advice::ChangeChallenge,
        "badCSR"
        | "badPublicKey"
        | "badRevocationReason"
        | "badSignatureAlgorithm"
        | "caa"
        | "externalAccountRequired"
        | "invalidContact"
        | "invalidProfile"
        | "rejectedIdentifier"
        | "unauthorized"
        | "unsupportedContact"
        | "unsupportedIdentifier"
        | "userActionRequired" => Advice::NeedsPerson,
        // accountDoesNotExist, alreadyReplaced, alreadyRevoked, badNonce, conflict, malformed,
        // orderNotReady, serverInternal, and what is not known.
        _ => Advice::Retry,
    }
}

/// Inside a challenge what is not known is the fault of the way to us.
fn of_failure(failed: &FailedName) -> Advice {
    match failed.problem.label() {
        "unauthorized" | "malformed" | "refused" => Advice::ChangeChallenge,
        _ => of_problem(&failed.problem),
    }
}

/// The advice that, if it is not followed, leaves the others useless.
fn most_pressing(advice: impl Iterator<Item = Advice>) -> Advice {
    let rank = |advice: &Advice| match advice {
        Advice::Retry => 0,
        Advice::Wait => 1,
        Advice::ChangeChallenge => 2,
        Advice::NeedsPerson => 3,
    };
    advice.max_by_key(rank).unwrap_or(Advice::Retry)
}

#[cfg(test)]
mod tests {
    use super::{Advice::*, *};
    use crate::problem::TYPES;

    fn problem(kind: &str) -> Problem {
        Problem {
            kind: kind.into(),
            ..Problem::default()
        }
    }

    fn refused(status: u16, kind: &str, retry_after: Option<u64>) -> IssueError {
        IssueError::Refused {
            ca: "ca".into(),
            operation: "test",
            status: Some(status),
            problem: Box::new(problem(kind)),
            retry_after: retry_after.map(Duration::from_secs),
            doubtful: false,
        }
    }

    fn challenge(failures: &[(ChallengeKind, &str)]) -> IssueError {
        let failed = |(challenge, kind): &(ChallengeKind, &str)| FailedName {
            name: "a.example".into(),
            challenge: Some(*challenge),
            problem: problem(kind),
        };
        IssueError::Challenge {
            ca: "ca".into(),
            failures: failures.iter().map(failed).collect(),
        }
    }

    /// Each problem type, with the advice for a request and for a challenge.
    const TABLE: [(&str, Advice, Advice); 28] = [
        ("accountDoesNotExist", Retry, Retry),
        ("alreadyReplaced", Retry, Retry),
        ("alreadyRevoked", Retry, Retry),
        ("badCSR", NeedsPerson, NeedsPerson),
        ("badNonce", Retry, Retry),
        ("badPublicKey", NeedsPerson, NeedsPerson),
        ("badRevocationReason", NeedsPerson, NeedsPerson),
        ("badSignatureAlgorithm", NeedsPerson, NeedsPerson),
        ("caa", NeedsPerson, NeedsPerson),
        ("compound", Retry, Retry),
        ("conflict", Retry, Retry),
        ("connection", ChangeChallenge, ChangeChallenge),
        ("dns", ChangeChallenge, ChangeChallenge),
        ("externalAccountRequired", NeedsPerson, NeedsPerson),
        ("incorrectResponse", ChangeChallenge, ChangeChallenge),
        ("invalidContact", NeedsPerson, NeedsPerson),
        ("invalidProfile", NeedsPerson, NeedsPerson),
        ("malformed", Retry, ChangeChallenge),
        ("orderNotReady", Retry, Retry),
        ("rateLimited", Wait, Wait),
        ("rejectedIdentifier", NeedsPerson, NeedsPerson),
        ("serverInternal", Retry, Retry),
        ("tls", ChangeChallenge, ChangeChallenge),
        ("unauthorized", NeedsPerson, ChangeChallenge),
        ("unsupportedContact", NeedsPerson, NeedsPerson),
        ("unsupportedIdentifier", NeedsPerson, NeedsPerson),
        ("userActionRequired", NeedsPerson, NeedsPerson),
        ("somethingNew", Retry, ChangeChallenge),
    ];

    #[test]
    fn every_problem_type_has_its_advice() {
        for (kind, request, in_challenge) in TABLE {
            assert_eq!(refused(400, kind, None).advice(), request, "{kind}");
            let failed = challenge(&[(ChallengeKind::Http01, kind)]);
            assert_eq!(failed.advice(), in_challenge, "{kind} in a challenge");
        }
        for kind in TYPES {
            assert!(TABLE.iter().any(|(known, ..)| *known == kind), "{kind}");
        }
    }

    #[test]
    fn every_error_of_our_own_has_its_advice() {
        let ca = || "ca".to_owned();
        let text = String::new;
        let not_presented = |kinds: &[ChallengeKind]| IssueError::NotPresented {
            names: vec![],
            kinds: kinds.to_vec(),
            source: "away".into(),
        };
        let timed_out = |retry_after| IssueError::TimedOut {
            ca: ca(),
            operation: "test",
            limit: Duration::ZERO,
            retry_after,
        };
        for (error, advice) in [
            (
                IssueError::Connection {
                    ca: ca(),
                    operation: "test",
                    problem: text(),
                    doubtful: false,
                },
                Retry,
            ),
            (timed_out(None), Retry),
            (timed_out(Some(Duration::ZERO)), Wait),
            (challenge(&[]), Retry),
            (
                IssueError::NoChallenge {
                    ca: ca(),
                    name: "a.example".parse().unwrap(),
                    allowed: vec![],
                    offered: None,
                },
                NeedsPerson,
            ),
            (not_presented(&[ChallengeKind::Http01]), Retry),
            (
                not_presented(&[ChallengeKind::Http01, ChallengeKind::Dns01]),
                Retry,
            ),
            (not_presented(&[ChallengeKind::Dns01]), ChangeChallenge),
            (
                IssueError::TooManyNames {
                    names: 101,
                    most: 100,
                    split: vec![],
                },
                NeedsPerson,
            ),
            (
                IssueError::UnknownProfile {
                    ca: ca(),
                    profile: text(),
                    known: vec![],
                },
                NeedsPerson,
            ),
            (
                IssueError::ExternalAccountRequired { ca: ca() },
                NeedsPerson,
            ),
            (
                IssueError::NotADirectory {
                    url: text(),
                    found: text(),
                },
                NeedsPerson,
            ),
            (
                IssueError::Answer {
                    ca: ca(),
                    operation: "test",
                    problem: text(),
                },
                Retry,
            ),
            (
                IssueError::Certificate {
                    ca: ca(),
                    problem: text(),
                },
                NeedsPerson,
            ),
            (
                IssueError::Credentials {
                    ca: ca(),
                    problem: text(),
                },
                NeedsPerson,
            ),
            (IssueError::Key(text()), NeedsPerson),
            (IssueError::Unsupported { ca: ca(), what: "" }, NeedsPerson),
            (
                IssueError::Crypto {
                    operation: "test",
                    problem: text(),
                },
                Retry,
            ),
            (refused(429, "", None), Wait),
            (refused(503, "", Some(5)), Wait),
            (refused(500, "", None), Retry),
        ] {
            assert_eq!(error.advice(), advice, "{error:?}");
        }
    }

    #[test]
    fn of_many_failures_the_most_pressing_decides() {
        let http = |kind| (ChallengeKind::Http01, kind);
        let dns = |kind| (ChallengeKind::Dns01, kind);
        for (failures, advice, failed) in [
            (
                &[http("connection")][..],
                ChangeChallenge,
                &[ChallengeKind::Http01][..],
            ),
            (
                &[dns("dns"), http("tls"), http("tls")],
                ChangeChallenge,
                &[ChallengeKind::Http01, ChallengeKind::Dns01],
            ),
            (
                &[http("connection"), dns("caa")],
                NeedsPerson,
                &[ChallengeKind::Http01],
            ),
            (&[http("serverInternal"), dns("rateLimited")], Wait, &[]),
        ] {
            let error = challenge(failures);
            assert_eq!(error.advice(), advice, "{error}");
            assert_eq!(error.failed_challenges(), failed, "{error}");
        }
    }

    #[test]
    fn only_an_overload_pauses_the_issuer_for_everybody() {
        for (status, kind, wait, pause) in [
            (503, "", Some(30), Some(30)),
            (503, "rateLimited", Some(86_400), Some(3600)),
            (503, "", None, None),
            (429, "rateLimited", Some(120), Some(120)),
            (429, "", Some(900), Some(900)),
            (429, "rateLimited", Some(901), None),
            (403, "rateLimited", Some(60), Some(60)),
            (403, "unauthorized", Some(60), None),
        ] {
            let error = refused(status, kind, wait);
            assert_eq!(error.pauses_issuer().map(|d| d.as_secs()), pause, "{error}");
        }
    }
}
