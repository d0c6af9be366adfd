//! The middle of an attempt: getting the names validated (RFC 8555 section 7.5).
//!
//! Every answer is presented before the CA is told of the first; then it validates all at once. A
//! name that the CA still trusts is left alone. What failed is told by name, in the CA's words.

use instant_acme::{
    AuthorizationState, AuthorizationStatus, ChallengeHandle, ChallengeStatus, ChallengeType,
    Error, Order, OrderStatus,
};

use super::Attempt;
use crate::{
    IssueError, Problem, Step,
    error::FailedName,
    http01::Http01,
    retry::{Repeat, Tries},
};

const AUTHORIZATIONS: &str = "read the authorizations";
const READY: &str = "start the validation";
const VALIDATE: &str = "validate the names";

impl Attempt<'_> {
    /// Gets every name validated.
    pub(super) async fn authorize(
        &self,
        order: &mut Order,
        solver: &mut Http01<'_>,
    ) -> Result<(), IssueError> {
        self.read(order).await?;
        let pending = self.present(order, solver).await?;
        self.tell_ready(order).await?;
        if order.state().status != OrderStatus::Ready {
            self.await_ready(order).await?;
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
        solver: &mut Http01<'_>,
    ) -> Result<Vec<String>, IssueError> {
        let mut pending = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| self.error(AUTHORIZATIONS, error))?;
            let name = authorization.identifier().to_string();
            match authorization.status {
                AuthorizationStatus::Valid => {
                    self.step(Step::AuthorizationReused { name });
                    continue;
                }
                AuthorizationStatus::Pending => {}
                _ => return Err(self.failed(vec![failed_name(&authorization)])),
            }
            let offered = offered(&authorization);
            let challenge =
                authorization
                    .challenge(Http01::TYPE)
                    .ok_or_else(|| IssueError::NoChallenge {
                        ca: self.ca.to_owned(),
                        name: name.clone(),
                        wanted: Http01::NAME,
                        offered,
                    })?;
            solver.present(self.ca, &name, &challenge).await?;
            self.step(Step::ChallengePresented {
                name: name.clone(),
                token: challenge.token.clone(),
            });
            pending.push(name);
        }
        Ok(pending)
    }

    /// Tells the CA to go and look, for every name that is not validated yet.
    async fn tell_ready(&self, order: &mut Order) -> Result<(), IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        let mut told = 0;
        while let Err(error) = self.tell_rest_ready(order, &mut told, tries.again()).await {
            tries.pause(error).await?;
        }
        Ok(())
    }

    /// Goes on behind the first `told` authorizations, and counts there. With `again`, the first
    /// of the rest may have reached the CA after all.
    async fn tell_rest_ready(
        &self,
        order: &mut Order,
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
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(Http01::TYPE)
                && challenge.status == ChallengeStatus::Pending
            {
                let name = challenge.identifier().to_string();
                self.set_ready(&name, &mut challenge).await?;
                self.step(Step::ChallengeReady { name });
            }
            *told = index;
        }
        Ok(())
    }

    async fn set_ready(
        &self,
        name: &str,
        challenge: &mut ChallengeHandle<'_>,
    ) -> Result<(), IssueError> {
        match challenge.set_ready().await {
            Ok(()) => Ok(()),
            // An error inside the challenge: the CA has looked already.
            Err(Error::Api(problem)) if !is_bad_nonce(&problem) => {
                Err(self.failed(vec![FailedName {
                    name: name.to_owned(),
                    problem: problem.into(),
                }]))
            }
            Err(error) => Err(self.error(READY, error)),
        }
    }

    async fn await_ready(&self, order: &mut Order) -> Result<(), IssueError> {
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
        Err(self.why_invalid(order, problem).await)
    }

    /// What the CA says of each name that failed.
    async fn why_invalid(
        &self,
        order: &mut Order,
        problem: Option<instant_acme::Problem>,
    ) -> IssueError {
        let mut tries = Tries::new(Repeat::Safe);
        let read = loop {
            match self.failures(order).await {
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
                ca: self.ca.to_owned(),
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
    async fn failures(&self, order: &mut Order) -> Result<Vec<FailedName>, IssueError> {
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
                failures.push(failed_name(state));
            }
        }
        Ok(failures)
    }

    fn failed(&self, failures: Vec<FailedName>) -> IssueError {
        IssueError::Challenge {
            ca: self.ca.to_owned(),
            failures,
        }
    }
}

fn failed_name(state: &AuthorizationState) -> FailedName {
    let problem = state.challenges.iter().find_map(|c| c.error.clone());
    FailedName {
        name: state.identifier().to_string(),
        problem: problem.map_or_else(
            || Problem {
                detail: format!("the authorization is {:?}", state.status).to_lowercase(),
                ..Problem::default()
            },
            Into::into,
        ),
    }
}

fn offered(state: &AuthorizationState) -> String {
    let types: Vec<_> = state
        .challenges
        .iter()
        .map(|challenge| match &challenge.r#type {
            ChallengeType::Http01 => "http-01",
            ChallengeType::Dns01 => "dns-01",
            ChallengeType::TlsAlpn01 => "tls-alpn-01",
            _ => "another",
        })
        .collect();
    types.join(", ")
}

fn is_bad_nonce(problem: &instant_acme::Problem) -> bool {
    problem
        .r#type
        .as_deref()
        .is_some_and(|kind| kind.ends_with(":badNonce"))
}
