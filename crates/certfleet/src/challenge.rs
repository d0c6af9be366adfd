//! The answers to a CA's challenges, from any node or in the DNS.
//!
//! A CA validates from several places at once, and a balancer spreads those requests over the nodes:
//! so every answer is on the fleet's board before the CA is told. Each node answers from its own
//! memory first and from the board otherwise. DNS records are on the board as well, where whoever
//! takes up a dead node's work finds them. An answer lingers for a while after it was withdrawn, for
//! a CA's vantage point that is late.

mod admission;
mod alpn;
mod buckets;
mod dns;
mod http;
mod presenter;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use certfleet_acme::BoxError;
use certfleet_core::{Answer, CertificateId, ChallengeKind, ProviderName, Terms};
use certfleet_store::{Backend, StoreError};
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use self::{
    admission::Admission, alpn::Responder, dns::Dns, http::router, presenter::Presenter,
};

/// How long an answer stays on the board, at the longest.
const TTL: Duration = Duration::from_secs(600);
/// How long a DNS record is remembered there, for a node that comes later to take it away.
const DNS_TTL: Duration = Duration::from_secs(7 * 86_400);
/// How long an answer can be read after it was withdrawn.
const LINGER: Duration = Duration::from_secs(30);
/// How many requests may ask the board at a time.
const ASKING: usize = 64;
/// How long the board may take to answer one.
const ASK_LIMIT: Duration = Duration::from_secs(3);

/// Presents answers to the fleet, and finds those that peers have presented.
pub(crate) struct Answers {
    backend: Arc<dyn Backend>,
    dns: Dns,
    own: Mutex<HashMap<(ChallengeKind, String), Answer>>,
    asking: Semaphore,
}

/// Why an answer cannot be looked up now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookUpError {
    #[error("too many ask the challenge board at a time")]
    Busy,
    #[error("the challenge board did not answer in {ASK_LIMIT:?}")]
    Late,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Answers {
    /// No answers yet.
    pub(crate) fn new(backend: Arc<dyn Backend>, dns: Dns) -> Self {
        Self {
            backend,
            dns,
            own: Mutex::default(),
            asking: Semaphore::new(ASKING),
        }
    }

    /// The ways of validation of `terms` that this node can go: dns-01 needs a provider.
    pub(crate) fn possible(&self, terms: &Terms) -> Vec<ChallengeKind> {
        let has_dns = terms.dns.as_ref().is_some_and(|name| self.dns.has(name));
        terms
            .challenges
            .iter()
            .copied()
            .filter(|kind| *kind != ChallengeKind::Dns01 || has_dns)
            .collect()
    }

    /// Puts an answer up for the certificate `id`.
    async fn present(
        &self,
        id: &CertificateId,
        provider: Option<&ProviderName>,
        answer: &Answer,
    ) -> Result<(), BoxError> {
        if answer.kind == ChallengeKind::Dns01 {
            // Noted first: a record that nobody knows of would stay for ever.
            self.backend.post(id, answer, DNS_TTL).await?;
            return Ok(self.dns.set(provider, answer).await?);
        }
        self.backend.post(id, answer, TTL).await?;
        let key = (answer.kind, answer.key());
        self.own().insert(key, answer.clone());
        Ok(())
    }

    /// Makes sure that every answer can be read where the CA will look.
    async fn confirm(
        &self,
        provider: Option<&ProviderName>,
        answers: &[Answer],
    ) -> Result<(), BoxError> {
        let (records, others): (Vec<_>, Vec<_>) = answers
            .iter()
            .partition(|answer| answer.kind == ChallengeKind::Dns01);
        for answer in others {
            let found = self.backend.answer(answer.kind, &answer.key()).await?;
            if found.as_ref() != Some(answer) {
                return Err(format!(
                    "the answer for {} was put on the challenge board and is not there",
                    answer.identifier
                )
                .into());
            }
        }
        Ok(self.dns.await_published(provider, &records).await?)
    }

    /// Takes an answer away; it lingers, but for a DNS record.
    async fn withdraw(&self, id: &CertificateId, provider: Option<&ProviderName>, answer: &Answer) {
        let mut linger = LINGER;
        if answer.kind == ChallengeKind::Dns01 {
            linger = Duration::ZERO;
            if let Err(error) = self.dns.remove(provider, answer).await {
                tracing::warn!(%error, "a DNS record is left behind; it stays noted on the board");
                return;
            }
        }
        self.own().remove(&(answer.kind, answer.key()));
        if let Err(error) = self.backend.withdraw(id, answer, linger).await {
            tracing::debug!(%error, "the answer stays on the board until it expires");
        }
    }

    /// Clears away what an attempt that died has left behind.
    pub(crate) async fn clear(
        &self,
        id: &CertificateId,
        provider: Option<&ProviderName>,
        answers: &[Answer],
    ) {
        for answer in answers {
            self.withdraw(id, provider, answer).await;
        }
    }

    /// The answer that any node presented.
    async fn find(&self, kind: ChallengeKind, key: &str) -> Result<Option<Answer>, LookUpError> {
        if let Some(answer) = self.presented(kind, key) {
            return Ok(Some(answer));
        }
        self.on_board(kind, key).await
    }

    /// The answer that this node presented itself.
    fn presented(&self, kind: ChallengeKind, key: &str) -> Option<Answer> {
        self.own().get(&(kind, key.to_owned())).cloned()
    }

    async fn on_board(
        &self,
        kind: ChallengeKind,
        key: &str,
    ) -> Result<Option<Answer>, LookUpError> {
        let _permit = self.asking.try_acquire().map_err(|_| LookUpError::Busy)?;
        match timeout(ASK_LIMIT, self.backend.answer(kind, key)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(LookUpError::Late),
        }
    }

    fn own(&self) -> MutexGuard<'_, HashMap<(ChallengeKind, String), Answer>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
