//! The DNS records of dns-01 challenges (RFC 8555 section 8.4), at the fleet's DNS providers.
//!
//! `_acme-challenge.NAME` may be an alias (CNAME) of a name elsewhere, so that the fleet needs rights
//! over that alone: the record goes where the alias points.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use certfleet_core::{Answer, ProviderName};
use certfleet_dns::{DnsError, DnsProvider, Lookup, TxtRecord, challenge_name};

/// The fleet's DNS providers, and how the DNS is asked.
pub(crate) struct Dns {
    providers: BTreeMap<ProviderName, Arc<dyn DnsProvider>>,
    lookup: Lookup,
    limit: Duration,
}

/// Why a record is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("no DNS provider is set for this certificate, so dns-01 cannot be answered")]
    NoProvider,
    #[error("no DNS provider is called {0} in this node's configuration")]
    Unknown(ProviderName),
    #[error(transparent)]
    Dns(#[from] DnsError),
}

impl Dns {
    /// Records at `providers`, looked up by `lookup`; one may take `limit` until every name server
    /// shows it.
    pub(crate) fn new(
        providers: BTreeMap<ProviderName, Arc<dyn DnsProvider>>,
        lookup: Lookup,
        limit: Duration,
    ) -> Self {
        Self {
            providers,
            lookup,
            limit,
        }
    }

    /// Whether there is a provider of that name.
    pub(crate) fn has(&self, name: &ProviderName) -> bool {
        self.providers.contains_key(name)
    }

    /// Adds the record of an answer.
    pub(super) async fn set(
        &self,
        provider: Option<&ProviderName>,
        answer: &Answer,
    ) -> Result<(), RecordError> {
        let record = self.record(answer).await?;
        Ok(self.provider(provider)?.set(&record).await?)
    }

    /// Takes the record of an answer away; one that is not there is as good.
    pub(super) async fn remove(
        &self,
        provider: Option<&ProviderName>,
        answer: &Answer,
    ) -> Result<(), RecordError> {
        let record = self.record(answer).await?;
        Ok(self.provider(provider)?.remove(&record).await?)
    }

    /// Waits until every name server shows the records of all `answers`.
    pub(super) async fn await_published(
        &self,
        provider: Option<&ProviderName>,
        answers: &[&Answer],
    ) -> Result<(), RecordError> {
        if answers.is_empty() {
            return Ok(());
        }
        self.provider(provider)?;
        for answer in answers {
            let record = self.record(answer).await?;
            self.lookup.await_published(&record, self.limit).await?;
        }
        Ok(())
    }

    async fn record(&self, answer: &Answer) -> Result<TxtRecord, RecordError> {
        let name = challenge_name(answer.domain());
        Ok(TxtRecord {
            name: self.lookup.delegate(&name).await?,
            value: answer.record(),
        })
    }

    fn provider(&self, name: Option<&ProviderName>) -> Result<&Arc<dyn DnsProvider>, RecordError> {
        let name = name.ok_or(RecordError::NoProvider)?;
        self.providers
            .get(name)
            .ok_or_else(|| RecordError::Unknown(name.clone()))
    }
}
