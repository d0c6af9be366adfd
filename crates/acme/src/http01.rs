//! Answering HTTP-01 challenges (RFC 8555 section 8.3): presented, and always withdrawn.
//!
//! This is all that `attempt` knows of a way of validation. Another way, such as DNS-01, is
//! another type with the same four functions.

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use certfleet_core::NameSet;
use instant_acme::{ChallengeHandle, ChallengeType};

use crate::{ChallengeAnswers, IssueError, error, problem::words};

const WITHDRAW_LIMIT: Duration = Duration::from_secs(10);

/// The answers of one attempt.
pub(crate) struct Http01<'a> {
    answers: &'a dyn ChallengeAnswers,
    presented: Vec<String>,
}

impl<'a> Http01<'a> {
    /// What the CA calls it.
    pub(crate) const NAME: &'static str = "http-01";
    /// What instant-acme calls it.
    pub(crate) const TYPE: ChallengeType = ChallengeType::Http01;

    pub(crate) fn new(answers: &'a dyn ChallengeAnswers) -> Self {
        Self {
            answers,
            presented: Vec::new(),
        }
    }

    /// Refuses names that cannot be validated this way, before an order is spent on them.
    pub(crate) fn accept(ca: &str, names: &NameSet) -> Result<(), IssueError> {
        match names.iter().find(|name| name.wildcard_base().is_some()) {
            Some(name) => Err(error::wildcard(ca, name)),
            None => Ok(()),
        }
    }

    /// Presents the answer to `challenge`.
    pub(crate) async fn present(
        &mut self,
        ca: &str,
        name: &str,
        challenge: &ChallengeHandle<'_>,
    ) -> Result<(), IssueError> {
        if !is_token(&challenge.token) {
            return Err(IssueError::Answer {
                ca: ca.to_owned(),
                operation: "present a challenge's answer",
                problem: format!("{:?} is no token", words(&challenge.token)),
            });
        }
        // Noted first: an answer whose presentation was cut off may be up nonetheless.
        self.presented.push(challenge.token.clone());
        let authorization = challenge.key_authorization();
        self.answers
            .present(&challenge.token, authorization.as_str())
            .await
            .map_err(|source| IssueError::NotPresented {
                name: name.to_owned(),
                source,
            })
    }

    /// Withdraws every answer, within bounds.
    pub(crate) async fn withdraw(&mut self) {
        let all = async {
            while let Some(token) = self.presented.last() {
                self.answers.withdraw(token).await;
                self.presented.pop();
            }
        };
        if tokio::time::timeout(WITHDRAW_LIMIT, all).await.is_err() {
            self.presented.clear();
        }
    }
}

/// A dropped future cannot wait, so each withdrawal gets one poll.
impl Drop for Http01<'_> {
    fn drop(&mut self) {
        // Without a runtime the store's client has nothing to work with.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        for token in &self.presented {
            let _ = pin!(self.answers.withdraw(token))
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// Whether this is base64url (RFC 8555 section 8.3), as what goes into paths and keys must be.
fn is_token(token: &str) -> bool {
    (1..=128).contains(&token.len())
        && token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_leave_its_place() {
        assert!(is_token("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"));
        for bad in ["", "../key", "a/b", "a b", "a:b", "a\r\nb", "é"] {
            assert!(!is_token(bad), "{bad:?}");
        }
        assert!(!is_token(&"x".repeat(129)));
    }
}
