//! The answers of one order to the CA's challenges: presented, confirmed, and always withdrawn.
//!
//! All ways of validation are alike here: an [`Answer`] is made from the challenge's token and the
//! account's key, and where it has to be seen is the business of [`ChallengeAnswers`].

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use certfleet_core::{Answer, ChallengeKind, Identifier};

use crate::{ChallengeAnswers, IssueError, problem::words};

const WITHDRAW_LIMIT: Duration = Duration::from_secs(10);

/// The answers of one order.
pub(crate) struct Answers<'a> {
    home: &'a dyn ChallengeAnswers,
    presented: Vec<Answer>,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(home: &'a dyn ChallengeAnswers) -> Self {
        Self {
            home,
            presented: Vec::new(),
        }
    }

    /// Presents one.
    pub(crate) async fn present(&mut self, ca: &str, answer: Answer) -> Result<(), IssueError> {
        if !is_token(&answer.token) {
            return Err(IssueError::Answer {
                ca: ca.to_owned(),
                operation: "present a challenge's answer",
                problem: format!("{:?} is no token", words(&answer.token)),
            });
        }
        // Noted first: an answer whose presentation was cut off may be up nonetheless.
        self.presented.push(answer);
        let answer = &self.presented[self.presented.len() - 1];
        self.home
            .present(answer)
            .await
            .map_err(|source| IssueError::NotPresented {
                names: vec![answer.identifier.to_string()],
                kinds: vec![answer.kind],
                source,
            })
    }

    /// Makes sure that all of them can be read.
    pub(crate) async fn confirm(&self) -> Result<(), IssueError> {
        self.home
            .confirm(&self.presented)
            .await
            .map_err(|source| IssueError::NotPresented {
                names: self.names(),
                kinds: self.kinds(),
                source,
            })
    }

    /// The way of validation that was chosen for `identifier`.
    pub(crate) fn kind(&self, identifier: &Identifier) -> Option<ChallengeKind> {
        self.presented
            .iter()
            .find(|answer| answer.identifier == *identifier)
            .map(|answer| answer.kind)
    }

    /// In alphabetical order; the CA's own varies.
    fn names(&self) -> Vec<String> {
        let names = self.presented.iter();
        let mut names: Vec<_> = names.map(|answer| answer.identifier.to_string()).collect();
        names.sort();
        names
    }

    fn kinds(&self) -> Vec<ChallengeKind> {
        let mut kinds: Vec<_> = self.presented.iter().map(|answer| answer.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// Withdraws every answer, within bounds.
    pub(crate) async fn withdraw(&mut self) {
        let all = async {
            while let Some(answer) = self.presented.last() {
                self.home.withdraw(answer).await;
                self.presented.pop();
            }
        };
        if tokio::time::timeout(WITHDRAW_LIMIT, all).await.is_err() {
            self.presented.clear();
        }
    }
}

/// A dropped future cannot wait, so each withdrawal gets one poll.
impl Drop for Answers<'_> {
    fn drop(&mut self) {
        // Without a runtime the store's client has nothing to work with.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        for answer in &self.presented {
            let _ = pin!(self.home.withdraw(answer))
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// Whether this is base64url (RFC 8555 section 8.1), as what goes into paths and keys must be.
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
