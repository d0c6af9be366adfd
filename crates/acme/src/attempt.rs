//! One order from names to bundle (RFC 8555 section 7.4), within a time limit.
//!
//! Whatever comes out, the challenge answers are withdrawn. Nothing outlives the attempt.

mod chain;
mod ordering;
mod validation;

use std::time::Duration;

use certfleet_core::Bundle;
use instant_acme::{Error, OrderStatus, RetryPolicy};
use tokio::time::Instant;

use crate::{
    AcmeIssuer, IssueError, Issuer, Order, Step,
    answers::Answers,
    certificate::{self, Expected},
    clock,
    retry::{Repeat, Tries},
};

const WHOLE: &str = "get the certificate";
const FINALIZE: &str = "finalize the order";
const DOWNLOAD: &str = "issue the certificate";

/// The wait before the first poll; the CA's Retry-After goes before this.
const FIRST_POLL: Duration = Duration::from_millis(250);
/// How each wait grows for the next: then a wait is about a quarter of the time already waited.
const POLL_GROWTH: f32 = 1.25;

/// One order at one CA.
pub(crate) struct Attempt<'a> {
    issuer: &'a AcmeIssuer,
    end: Instant,
    wanted: Order<'a>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(issuer: &'a AcmeIssuer, wanted: Order<'a>) -> Self {
        Self {
            issuer,
            end: Instant::now() + issuer.limits.order,
            wanted,
        }
    }

    pub(crate) async fn run(&self) -> Result<Bundle, IssueError> {
        self.accept()?;
        let mut answers = Answers::new(self.wanted.answers);
        let result = tokio::time::timeout_at(self.end, self.steps(&mut answers)).await;
        answers.withdraw().await;
        result.unwrap_or_else(|_| Err(self.timed_out(WHOLE, None)))
    }

    async fn steps(&self, answers: &mut Answers<'_>) -> Result<Bundle, IssueError> {
        // First, since a key that was given may be of no use.
        let key = certificate::key(self.wanted.key).await?;
        let request = certificate::request(self.wanted.names, &key)?;

        let mut order = self.create().await?;
        self.authorize(&mut order, answers).await?;
        self.step(Step::Finalizing);
        self.finalize(&mut order, &request).await?;
        self.step(Step::Finalized);

        let unfit = |problem| IssueError::Certificate {
            ca: self.ca().to_owned(),
            problem,
        };
        let pem = self.download(&mut order).await?;
        let mut chain = chain::read_pem(&pem).map_err(unfit)?;
        if let Some(preferred) = self.wanted.chain {
            let url = order.state().certificate.clone();
            chain = self.choose_chain(preferred, chain, url.as_deref()).await;
        }
        let bundle = Bundle::new(chain, certificate::pkcs8(&key))
            .map_err(|error| unfit(error.to_string()))?;
        let expected = Expected {
            names: self.wanted.names,
            replaces: self.wanted.replaces,
        };
        let leaf = certificate::check(&bundle, &expected, clock::now())
            .map_err(|problem| unfit(problem + &self.wrong_clock()))?;
        self.step(Step::Downloaded {
            serial: leaf.serial,
        });
        Ok(bundle)
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

    /// What a certificate that seems not to be valid now may be due to.
    fn wrong_clock(&self) -> String {
        match self.issuer.clock_skew() {
            Some(skew) if skew.unsigned_abs() > certificate::SKEW.as_secs() => format!(
                "; this machine's clock is {} s {} the CA's",
                skew.unsigned_abs(),
                if skew > 0 { "behind" } else { "ahead of" }
            ),
            _ => String::new(),
        }
    }

    fn polling(&self) -> RetryPolicy {
        RetryPolicy::new()
            .initial_delay(FIRST_POLL)
            .backoff(POLL_GROWTH)
            .timeout(self.end.saturating_duration_since(Instant::now()))
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
            error => IssueError::from_acme(self.ca(), operation, error),
        }
    }

    fn timed_out(&self, operation: &'static str, retry_after: Option<Duration>) -> IssueError {
        IssueError::TimedOut {
            ca: self.ca().to_owned(),
            operation,
            limit: self.issuer.limits.order,
            retry_after,
        }
    }

    fn ca(&self) -> &str {
        self.issuer.name()
    }

    fn step(&self, step: Step) {
        self.wanted.progress.step(step);
    }
}
