//! What a failed attempt comes to: what is written down of it, and when the next one is made.

use certfleet_acme::IssueError;
use certfleet_core::{
    ChallengeKind, Terms, Timestamp,
    retry::{Advice, Attempt, Failure, RetrySchedule},
};
use certfleet_store::{CommitError, StoreError};
use certfleet_tls::Rejected;

use super::dossier::{Dossier, REVOCATION};
use crate::{
    account::AccountError, budget::Waits, installer::InstallError, issuers::IssuerError,
    node::Node, wanted::Goal,
};

/// Why an attempt did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    #[error(transparent)]
    Waits(#[from] Waits),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("the certificate was replaced, and the old one could not be revoked: {0}")]
    Revoke(IssueError),
    #[error("what the CA issued is not fit to serve: {0}")]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is to be revoked does not open: {0}")]
    Sealed(InstallError),
    #[error("this node must not renew what it cannot open: {0}")]
    Unfit(InstallError),
}

impl AttemptError {
    /// The CA's part in it, if it had one.
    pub(super) fn issue(&self) -> Option<&IssueError> {
        match self {
            Self::Issue(error) | Self::Revoke(error) => Some(error),
            Self::Issuer(IssuerError::Account(AccountError::Issue(error))) => Some(error),
            _ => None,
        }
    }

    /// A word of a bounded set, for people and metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Waits(_) => "budget",
            Self::Revoke(_) => REVOCATION,
            Self::Issuer(IssuerError::Clock { .. }) => "clock",
            Self::Issuer(IssuerError::Unknown(_) | IssuerError::Gone(_)) => "configuration",
            Self::Rejected(_) => "certificate",
            Self::Sealed(_) | Self::Unfit(_) => "seal",
            Self::Commit(_) | Self::Store(_) => "store",
            Self::Issue(_) | Self::Issuer(_) => self.issue().map_or("account", IssueError::kind),
        }
    }

    fn advice(&self) -> Advice {
        match self {
            Self::Waits(_) => Advice::Wait,
            Self::Issuer(IssuerError::Unknown(_) | IssuerError::Gone(_)) => Advice::NeedsPerson,
            Self::Issuer(IssuerError::Account(AccountError::Open { .. })) => Advice::NeedsPerson,
            _ => self.issue().map_or(Advice::Retry, IssueError::advice),
        }
    }

    fn not_earlier(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Waits(_) => None,
            _ => self.issue()?.retry_after().map(|wait| now.after(wait)),
        }
    }
}

/// What is written down of a failed attempt.
pub(super) fn attempt(
    node: &Node,
    retry: &RetrySchedule,
    goal: &Goal,
    dossier: &Dossier,
    error: &AttemptError,
) -> Attempt {
    let now = node.clock.now();
    let advice = error.advice();
    let waits = matches!(error, AttemptError::Waits(_));
    let before = dossier.failures();
    let failures = if waits {
        before
    } else {
        before.saturating_add(1)
    };
    let known = dossier.attempt.as_ref();
    let (failed_challenges, another_way) = challenges(
        goal,
        known.map_or(&[][..], |attempt| &attempt.failed_challenges),
        error.issue().map(IssueError::failed_challenges),
        advice,
    );
    let failure = Failure {
        failures,
        advice,
        another_way,
        not_earlier: error.not_earlier(now),
        not_after: dossier.stored.as_ref().map(|s| s.record.not_after),
    };
    let next = match error {
        AttemptError::Waits(waits) => waits.next(jitter()),
        _ => retry.next(&failure, jitter(), now),
    };
    Attempt {
        failures,
        failed_at: now,
        node: node.id.clone(),
        issuer: goal.terms.issuer(before).to_string(),
        kind: error.kind().to_owned(),
        error: with_cure(error, &goal.terms, before),
        advice,
        failed_challenges,
        next,
    }
}

/// The error, with the settings that it is about where those alone can help.
fn with_cure(error: &AttemptError, terms: &Terms, failures: u32) -> String {
    match error.issue() {
        Some(IssueError::ExternalAccountRequired { .. }) => format!(
            "{error}; for the issuer {} the settings are acme_eab_key_id and acme_eab_mac_key, or \
             eab_key_id and eab_mac_key in its table",
            terms.issuer(failures)
        ),
        _ => error.to_string(),
    }
}

/// The ways of validation that have failed, and whether another is left. Once all have failed they
/// are as good as each other again.
fn challenges(
    goal: &Goal,
    before: &[ChallengeKind],
    failed: Option<Vec<ChallengeKind>>,
    advice: Advice,
) -> (Vec<ChallengeKind>, bool) {
    let mut all = before.to_vec();
    all.extend(failed.unwrap_or_default());
    all.sort_unstable();
    all.dedup();
    let left = goal.terms.another_way(&goal.names, &all);
    if advice != Advice::ChangeChallenge {
        (all, false)
    } else if left {
        (all, true)
    } else {
        (Vec::new(), false)
    }
}

/// A number from 0 to 1.
pub(crate) fn jitter() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
