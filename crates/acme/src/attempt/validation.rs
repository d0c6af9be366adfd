//! The middle of an attempt: getting the names validated (RFC 8555 section 7.5).
//!
//! Every answer is presented and confirmed before the CA is told of the first; then it validates
//! all at once. Each name is validated its own way: the preferred one that fits and has not failed.
//! A name that the CA still trusts is left alone. What failed is told by name, in the CA's words.

use certfleet_core::{Answer, ChallengeKind, Identifier};
use instant_acme::{
    AuthorizationState, AuthorizationStatus, ChallengeHandle, ChallengeStatus, ChallengeType,
    Error, Order, OrderStatus,
};

use super::Attempt;
use crate::{
    IssueError, Problem, Step,
    answers::Answers,
    error::FailedName,
    problem::words,
    retry::{Repeat, Tries},
};

const AUTHORIZATIONS: &str = "read the authorizations";
const READY: &str = "start the validation";
const VALIDATE: &str = "validate the names";

impl Attempt<'_> {
    /// Refuses names that cannot be validated in any of the ways allowed, before an order is spent
    /// on them.
    pub(super) fn accept_names(&self) -> Result<(), IssueError> {
        let allowed = self.wanted.challenges;
        match self
            .wanted
            .names
            .iter()
            .find(|name| !allowed.iter().any(|kind| kind.fits(name)))
        {
            None => Ok(()),
            Some(name) => Err(self.no_challenge(name, None)),
        }
    }

    /// Gets every name validated.
    pub(super) async fn authorize(
        &self,
        order: &mut Order,
        answers: &mut Answers<'_>,
    ) -> Result<(), IssueError> {
        self.read(order).await?;
        let pending = self.present(order, answers).await?;
        if !pending.is_empty() {
            answers.confirm().await?;
            self.step(Step::AnswersConfirmed {
                answers: pending.len(),
            });
        }
        self.tell_ready(order, answers).await?;
        if order.state().status != OrderStatus::Ready {
            self.await_ready(order, answers).await?;
        }
        for name in pending {
            self.step(Step::Validated { name });
        }
        Ok(())
    }

    /// Reads every authorization (RFC 8555 section 7.5); `order` keeps what was read.
    async fn read(&self, order: &mut Order) -> Result<(), IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        'again: loop {
            let mut authorizations = order.authorizations();
            while let Some(authorization) = authorizations.next().await {
                if let Err(error) = authorization {
                    tries.pause(self.error(AUTHORIZATIONS, error)).await?;
                    continue 'again;
                }
            }
            return Ok(());
        }
    }

    /// Presents the answers for all names that are not validated yet, and returns these.
    async fn present(
        &self,
        order: &mut Order,
        answers: &mut Answers<'_>,
    ) -> Result<Vec<String>, IssueError> {
        let mut pending = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| self.error(AUTHORIZATIONS, error))?;
            let identifier = self.identifier(&authorization)?;
            let name = identifier.to_string();
            match authorization.status {
                AuthorizationStatus::Valid => {
                    self.step(Step::AuthorizationReused { name });
                    continue;
                }
                AuthorizationStatus::Pending => {}
                _ => return Err(self.failed(vec![failed_name(&authorization, None)])),
            }
            let offered = offered(&authorization);
            let kind = ChallengeKind::choose(
                self.wanted.challenges,
                &identifier,
                &offered,
                self.wanted.failed_challenges,
            );
            let chosen =
                kind.and_then(|kind| Some((kind, authorization.challenge(type_of(kind))?)));
            let Some((kind, challenge)) = chosen else {
                return Err(self.no_challenge(&identifier, Some(offered)));
            };
            let token = challenge.token.clone();
            let answer = Answer {
                kind,
                identifier,
                token: token.clone(),
                key_authorization: challenge.key_authorization().as_str().to_owned(),
            };
            answers.present(self.ca(), answer).await?;
            self.step(Step::ChallengePresented {
                name: name.clone(),
                kind,
                token,
            });
            pending.push(name);
        }
        Ok(pending)
    }

    /// What an authorization is about, which must be one of the names that were ordered.
    fn identifier(&self, state: &AuthorizationState) -> Result<Identifier, IssueError> {
        let text = state.identifier().to_string();
        text.parse()
            .ok()
            .filter(|identifier| self.wanted.names.iter().any(|name| name == identifier))
            .ok_or_else(|| IssueError::Answer {
                ca: self.ca().to_owned(),
                operation: AUTHORIZATIONS,
                problem: format!("{:?} was not ordered", words(&text)),
            })
    }

    /// Tells the CA to go and look, for every name that is not validated yet.
    async fn tell_ready(&self, order: &mut Order, answers: &Answers<'_>) -> Result<(), IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        let mut told = 0;
        while let Err(error) = self
            .tell_rest_ready(order, answers, &mut told, tries.again())
            .await
        {
            tries.pause(error).await?;
        }
        Ok(())
    }

    /// Goes on behind the first `told` authorizations, and counts there. With `again`, the first
    /// of the rest may have reached the CA after all.
    async fn tell_rest_ready(
        &self,
        order: &mut Order,
        answers: &Answers<'_>,
        told: &mut usize,
        mut again: bool,
    ) -> Result<(), IssueError> {
        let mut authorizations = order.authorizations();
        let mut index = 0;
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| self.error(AUTHORIZATIONS, error))?;
            index += 1;
            if index <= *told {
                continue;
            }
            if std::mem::take(&mut again) {
                authorization
                    .refresh()
                    .await
                    .map_err(|error| self.error(AUTHORIZATIONS, error))?;
            }
            let identifier = self.identifier(&authorization)?;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(kind) = answers.kind(&identifier)
                && let Some(mut challenge) = authorization.challenge(type_of(kind))
                && challenge.status == ChallengeStatus::Pending
            {
                let name = identifier.to_string();
                self.set_ready(&name, kind, &mut challenge).await?;
                self.step(Step::ChallengeReady { name });
            }
            *told = index;
        }
        Ok(())
    }

    async fn set_ready(
        &self,
        name: &str,
        kind: ChallengeKind,
        challenge: &mut ChallengeHandle<'_>,
    ) -> Result<(), IssueError> {
        match challenge.set_ready().await {
            Ok(()) => Ok(()),
            // An error inside the challenge: the CA has looked already.
            Err(Error::Api(problem)) if !is_bad_nonce(&problem) => {
                Err(self.failed(vec![FailedName {
                    name: name.to_owned(),
                    challenge: Some(kind),
                    problem: problem.into(),
                }]))
            }
            Err(error) => Err(self.error(READY, error)),
        }
    }

    async fn await_ready(
        &self,
        order: &mut Order,
        answers: &Answers<'_>,
    ) -> Result<(), IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        let problem = loop {
            match order.poll_ready(&self.polling()).await {
                Ok(OrderStatus::Ready) => return Ok(()),
                Ok(_) => break None,
                // The order as a whole has failed; the authorizations say why.
                Err(Error::Api(problem)) if !is_bad_nonce(&problem) => break Some(problem),
                Err(error) => tries.pause(self.error(VALIDATE, error)).await?,
            }
        };
        Err(self.why_invalid(order, answers, problem).await)
    }

    /// What the CA says of each name that failed.
    async fn why_invalid(
        &self,
        order: &mut Order,
        answers: &Answers<'_>,
        problem: Option<instant_acme::Problem>,
    ) -> IssueError {
        let mut tries = Tries::new(Repeat::Safe);
        let read = loop {
            match self.failures(order, answers).await {
                Ok(failures) => break Ok(failures),
                Err(error) => {
                    if let Err(error) = tries.pause(error).await {
                        break Err(error);
                    }
                }
            }
        };
        match read {
            Err(error) => error,
            Ok(failures) if failures.is_empty() => IssueError::Refused {
                ca: self.ca().to_owned(),
                operation: VALIDATE,
                status: None,
                problem: Box::new(problem.map(Into::into).unwrap_or_default()),
                retry_after: None,
                doubtful: false,
            },
            Ok(failures) => self.failed(failures),
        }
    }

    /// Every name that is neither validated nor open.
    async fn failures(
        &self,
        order: &mut Order,
        answers: &Answers<'_>,
    ) -> Result<Vec<FailedName>, IssueError> {
        let mut failures = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| self.error(AUTHORIZATIONS, error))?;
            let state = authorization
                .refresh()
                .await
                .map_err(|error| self.error(AUTHORIZATIONS, error))?;
            if !matches!(
                state.status,
                AuthorizationStatus::Valid | AuthorizationStatus::Pending
            ) {
                let identifier = self.identifier(state)?;
                failures.push(failed_name(state, answers.kind(&identifier)));
            }
        }
        Ok(failures)
    }

    fn failed(&self, failures: Vec<FailedName>) -> IssueError {
        IssueError::Challenge {
            ca: self.ca().to_owned(),
            failures,
        }
    }

    fn no_challenge(&self, name: &Identifier, offered: Option<Vec<ChallengeKind>>) -> IssueError {
        IssueError::NoChallenge {
            ca: self.ca().to_owned(),
            name: name.clone(),
            allowed: self.wanted.challenges.to_vec(),
            offered,
        }
    }
}

/// What the CA says of a name, of the challenge that was `tried` if it says it there.
fn failed_name(state: &AuthorizationState, tried: Option<ChallengeKind>) -> FailedName {
    let with_error = |kind: Option<ChallengeKind>| {
        state
            .challenges
            .iter()
            .filter(move |challenge| kind.is_none_or(|kind| challenge.r#type == type_of(kind)))
            .find_map(|challenge| Some((kind_of(&challenge.r#type), challenge.error.clone()?)))
    };
    let found = tried
        .and_then(|kind| with_error(Some(kind)))
        .or_else(|| with_error(None));
    let name = state.identifier().to_string();
    match found {
        Some((challenge, problem)) => FailedName {
            name,
            challenge,
            problem: problem.into(),
        },
        None => FailedName {
            name,
            challenge: tried,
            problem: Problem {
                detail: format!("the authorization is {:?}", state.status).to_lowercase(),
                ..Problem::default()
            },
        },
    }
}

/// The ways of validation that are open, of those certfleet knows.
fn offered(state: &AuthorizationState) -> Vec<ChallengeKind> {
    let open = |status| {
        matches!(
            status,
            ChallengeStatus::Pending | ChallengeStatus::Processing
        )
    };
    state
        .challenges
        .iter()
        .filter(|challenge| open(challenge.status))
        .filter_map(|challenge| kind_of(&challenge.r#type))
        .collect()
}

fn type_of(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::Http01 => ChallengeType::Http01,
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        ChallengeKind::Dns01 => ChallengeType::Dns01,
    }
}

fn kind_of(r#type: &ChallengeType) -> Option<ChallengeKind> {
    ChallengeKind::ALL
        .into_iter()
        .find(|kind| type_of(*kind) == *r#type)
}

fn is_bad_nonce(problem: &instant_acme::Problem) -> bool {
    problem
        .r#type
        .as_deref()
        .is_some_and(|kind| kind.ends_with(":badNonce"))
}
