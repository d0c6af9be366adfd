//! One order from names to bundle (RFC 8555 section 7.4), within a time limit.
//!
//! Whatever comes out, the challenge answers are withdrawn. Nothing outlives the attempt.

mod validation;

use std::time::Duration;

use certfleet_core::Bundle;
use instant_acme::{Account, Error, Identifier, NewOrder, OrderStatus, RetryPolicy};
use tokio::time::Instant;

use crate::{
    IssueError, Limits, Order, Step,
    answers::Answers,
    certificate, clock,
    retry::{Repeat, Tries},
};

const WHOLE: &str = "get the certificate";
const CREATE: &str = "create the order";
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
        self.accept_names()?;
        let mut answers = Answers::new(self.wanted.answers);
        let result = tokio::time::timeout_at(self.end, self.steps(&mut answers)).await;
        answers.withdraw().await;
        result.unwrap_or_else(|_| Err(self.timed_out(WHOLE, None)))
    }

    async fn steps(&self, answers: &mut Answers<'_>) -> Result<Bundle, IssueError> {
        let mut order = self.create().await?;
        self.authorize(&mut order, answers).await?;

        let key = certificate::key(self.wanted.key).await?;
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
            .map(|name| match name.address() {
                Some(address) => Identifier::Ip(address),
                None => Identifier::Dns(name.to_string()),
            })
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
