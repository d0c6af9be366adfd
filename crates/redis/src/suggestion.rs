//! The CA's suggestions in Redis: a hash for each certificate, and a sorted set of questions.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{
    CertificateId, Generation, Timestamp,
    ari::{Suggestion, Window},
};
use certfleet_store::{StoreError, Suggestions};

use crate::{Redis, certificate::readable_ids, scripts};

/// How many questions are claimed at once.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Suggestions for Redis {
    async fn claim_questions(
        &self,
        now: Timestamp,
        most: usize,
        hold: Duration,
    ) -> Result<Vec<CertificateId>, StoreError> {
        let questions = &self.keys().questions;
        let mut script = scripts::CLAIM_QUESTIONS.key(questions);
        script
            .arg(now.as_millis())
            .arg(most.min(AT_ONCE))
            .arg(now.after(hold).as_millis());
        let members = self.call("claim_questions", questions, &script).await?;
        Ok(readable_ids(questions, members))
    }

    async fn suggestion(&self, id: &CertificateId) -> Result<Option<Suggestion>, StoreError> {
        let key = self.keys().suggestion(id);
        let Some(hash) = self.hash("suggestion", key).await? else {
            return Ok(None);
        };
        Ok(Some(Suggestion {
            generation: Generation::new(hash.field("generation")?),
            window: Window {
                start: hash.field("start")?,
                end: hash.field("end")?,
                explanation: hash.optional("explanation")?,
            },
            selected: hash.field("selected")?,
            asked_at: hash.field("asked_at")?,
        }))
    }

    async fn suggest(
        &self,
        id: &CertificateId,
        suggestion: &Suggestion,
        again: Timestamp,
    ) -> Result<bool, StoreError> {
        let keys = self.keys();
        let at = keys.suggestion(id);
        let window = &suggestion.window;
        let mut script = scripts::SUGGEST.key(keys.certificate(id));
        script
            .key(&at)
            .key(&keys.questions)
            .key(&keys.due)
            .key(keys.attempt(id))
            .arg(id.as_str())
            .arg(suggestion.generation.value())
            .arg(again.as_millis())
            .arg(suggestion.selected.as_millis())
            .arg("generation")
            .arg(suggestion.generation.value())
            .arg("start")
            .arg(window.start.to_string())
            .arg("end")
            .arg(window.end.to_string())
            .arg("selected")
            .arg(suggestion.selected.to_string())
            .arg("asked_at")
            .arg(suggestion.asked_at.to_string());
        if let Some(explanation) = &window.explanation {
            script.arg("explanation").arg(explanation);
        }
        self.call("suggest", &at, &script).await
    }

    async fn ask_again(
        &self,
        id: &CertificateId,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let keys = self.keys();
        let mut script = scripts::ASK_AGAIN.key(keys.certificate(id));
        script.key(&keys.questions).arg(id.as_str());
        if let Some(again) = again {
            script.arg(again.as_millis());
        }
        self.call("ask_again", &keys.questions, &script).await
    }
}
