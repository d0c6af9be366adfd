//! The answers of one order: presented for its certificate, with its DNS provider.

use std::sync::Arc;

use async_trait::async_trait;
use certfleet_acme::{BoxError, ChallengeAnswers};
use certfleet_core::{Answer, CertificateId, ProviderName};

use super::Answers;

/// Presents the answers of one order.
pub(crate) struct Presenter {
    answers: Arc<Answers>,
    id: CertificateId,
    provider: Option<ProviderName>,
}

impl Presenter {
    /// For an order for the certificate `id`, with records at `provider`.
    pub(crate) fn new(
        answers: &Arc<Answers>,
        id: &CertificateId,
        provider: Option<&ProviderName>,
    ) -> Self {
        Self {
            answers: Arc::clone(answers),
            id: id.clone(),
            provider: provider.cloned(),
        }
    }
}

#[async_trait]
impl ChallengeAnswers for Presenter {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        let provider = self.provider.as_ref();
        self.answers.present(&self.id, provider, answer).await
    }

    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError> {
        self.answers.confirm(self.provider.as_ref(), answers).await
    }

    async fn withdraw(&self, answer: &Answer) {
        // A task of its own: who withdraws may be about to be dropped.
        let (answers, id) = (Arc::clone(&self.answers), self.id.clone());
        let (provider, answer) = (self.provider.clone(), answer.clone());
        let task = tokio::spawn(async move {
            answers.withdraw(&id, provider.as_ref(), &answer).await;
        });
        if let Err(error) = task.await {
            tracing::warn!(%error, "an answer is left behind until it expires");
        }
    }
}
