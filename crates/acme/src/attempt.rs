//! One order from names to bundle (RFC 8555 section 7.4), within a time limit.
//!
//! Every answer is presented before the CA is told of the first, then all names are validated at
//! once. Whatever comes out, the answers are withdrawn. Nothing outlives the attempt.

use std::time::Duration;

use certfleet_core::Bundle;
use instant_acme::{
    Account, AuthorizationState, AuthorizationStatus, ChallengeStatus, ChallengeType, Error,
    Identifier, NewOrder, OrderStatus, RetryPolicy,
};
use tokio::time::Instant;

use crate::{
    IssueError, Limits, Order, Problem, Step, certificate, clock,
    error::FailedName,
    http01::Http01,
    retry::{Repeat, Tries},
};

const WHOLE: &str = "get the certificate";
const CREATE: &str = "create the order";
const AUTHORIZATIONS: &str = "read the authorizations";
const READY: &str = "start the validation";
const VALIDATE: &str = "validate the names";
const FINALIZE: &str = "finalize the order";
const DOWNLOAD: &str = "issue the certificate";

/// The wait before the first poll; the CA's Retry-After goes before this.
const FIRST_POLL: Duration = Duration::from_millis(250);
/// How each wait grows for the next: then a wait is about a quarter of the time already waited.
const POLL_GROWTH: f32 = 1.25;

/// One order at one CA.
pub(crate) struct Attempt<'a> {
    ca: &'a str,
    account: &'a Account,
    limit: Duration,
    end: Instant,
    wanted: Order<'a>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        ca: &'a str,
        account: &'a Account,
        limits: &Limits,
        wanted: Order<'a>,
    ) -> Self {
        Self {
            ca,
            account,
            limit: limits.order,
            end: Instant::now() + limits.order,
            wanted,
        }
    }

    pub(crate) async fn run(&self) -> Result<Bundle, IssueError> {
        Http01::accept(self.ca, self.wanted.names)?;
        let mut solver = Http01::new(self.wanted.answers);
        let result = tokio::time::timeout_at(self.end, self.steps(&mut solver)).await;
        solver.withdraw().await;
        result.unwrap_or_else(|_| Err(self.timed_out(WHOLE, None)))
    }

    async fn steps(&self, solver: &mut Http01<'_>) -> Result<Bundle, IssueError> {
        let mut order = self.create().await?;
        self.authorize(&mut order, solver).await?;

        let key = certificate::fresh_key()?;
        let request = certificate::request(self.wanted.names, &key)?;
        self.finalize(&mut order, &request).await?;
        self.step(Step::Finalized);

        let chain = self.download(&mut order).await?;
        let unfit = |problem| IssueError::Certificate {
            ca: self.ca.to_owned(),
            problem,
        };
        let bundle = Bundle::from_chain_pem(&chain, certificate::pkcs8(&key))
            .map_err(|error| unfit(error.to_string()))?;
        let leaf = certificate::check(&bundle, self.wanted.names, clock::now()).map_err(unfit)?;
        self.step(Step::Downloaded {
            serial: leaf.serial,
        });
        Ok(bundle)
    }

    async fn create(&self) -> Result<instant_acme::Order, IssueError> {
        let names: Vec<_> = self
            .wanted
            .names
            .iter()
            .map(|name| Identifier::Dns(name.to_string()))
            .collect();
        let request = NewOrder::new(&names);
        let mut tries = Tries::new(Repeat::Doubles);
        let order = loop {
            match self.account.new_order(&request).await {
                Ok(order) => break order,
                Err(error) => tries.pause(self.error(CREATE, error)).await?,
            }
        };
        self.step(Step::OrderCreated {
            url: order.url().to_owned(),
            names: names.len(),
        });
        Ok(order)
    }

    /// Gets every name validated.
    async fn authorize(
        &self,
        order: &mut instant_acme::Order,
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
    async fn read(&self, order: &mut instant_acme::Order) -> Result<(), IssueError> {
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
        order: &mut instant_acme::Order,
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
    async fn tell_ready(&self, order: &mut instant_acme::Order) -> Result<(), IssueError> {
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
        order: &mut instant_acme::Order,
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
        challenge: &mut instant_acme::ChallengeHandle<'_>,
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

    async fn await_ready(&self, order: &mut instant_acme::Order) -> Result<(), IssueError> {
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
        order: &mut instant_acme::Order,
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
    async fn failures(
        &self,
        order: &mut instant_acme::Order,
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
                failures.push(failed_name(state));
            }
        }
        Ok(failures)
    }

    async fn finalize(
        &self,
        order: &mut instant_acme::Order,
        request: &[u8],
    ) -> Result<(), IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        loop {
            let result = if tries.again() {
                // An answer that was lost leaves the order finalized.
                match order.refresh().await {
                    Ok(state) if state.status != OrderStatus::Ready => return Ok(()),
                    Ok(_) => order.finalize_csr(request).await,
                    Err(error) => Err(error),
                }
            } else {
                order.finalize_csr(request).await
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) => tries.pause(self.error(FINALIZE, error)).await?,
            }
        }
    }

    /// The chain as PEM.
    async fn download(&self, order: &mut instant_acme::Order) -> Result<String, IssueError> {
        let mut tries = Tries::new(Repeat::Safe);
        loop {
            let result = if order.state().status == OrderStatus::Valid {
                order.certificate().await
            } else {
                order.poll_certificate(&self.polling()).await.map(Some)
            };
            match result {
                Ok(Some(chain)) => return Ok(chain),
                Ok(None) => {}
                Err(error) => tries.pause(self.error(DOWNLOAD, error)).await?,
            }
        }
    }

    fn polling(&self) -> RetryPolicy {
        RetryPolicy::new()
            .initial_delay(FIRST_POLL)
            .backoff(POLL_GROWTH)
            .timeout(self.end.saturating_duration_since(Instant::now()))
    }

    fn failed(&self, failures: Vec<FailedName>) -> IssueError {
        IssueError::Challenge {
            ca: self.ca.to_owned(),
            failures,
        }
    }

    fn error(&self, operation: &'static str, error: Error) -> IssueError {
        match error {
            Error::Timeout(next) => {
                let now = std::time::Instant::now();
                self.timed_out(
                    operation,
                    next.map(|next| next.saturating_duration_since(now)),
                )
            }
            error => IssueError::from_acme(self.ca, operation, error),
        }
    }

    fn timed_out(&self, operation: &'static str, retry_after: Option<Duration>) -> IssueError {
        IssueError::TimedOut {
            ca: self.ca.to_owned(),
            operation,
            limit: self.limit,
            retry_after,
        }
    }

    fn step(&self, step: Step) {
        self.wanted.progress.step(step);
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
