//! The challenge board in Redis: a string for each answer, which goes by itself, and for each
//! certificate an index of its own.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{Answer, CertificateId, ChallengeKind};
use certfleet_store::{ChallengeBoard, StoreError};
use redis::cmd;

use crate::{
    Redis, json,
    scripts::{self, millis},
};

#[async_trait]
impl ChallengeBoard for Redis {
    async fn post(
        &self,
        id: &CertificateId,
        answer: &Answer,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let keys = self.keys();
        let at = keys.answer(answer.kind, &answer.key());
        let mut script = scripts::POST.key(&at);
        script
            .key(keys.answers(id))
            .arg(json::write(answer))
            .arg(millis(ttl));
        self.call("post", &at, &script).await
    }

    async fn answer(&self, kind: ChallengeKind, key: &str) -> Result<Option<Answer>, StoreError> {
        let at = self.keys().answer(kind, key);
        let text: Option<String> = self.run("answer", &at, cmd("GET").arg(&at)).await?;
        text.map(|text| json::read(&at, &text)).transpose()
    }

    async fn withdraw(
        &self,
        id: &CertificateId,
        answer: &Answer,
        linger: Duration,
    ) -> Result<(), StoreError> {
        let keys = self.keys();
        let at = keys.answer(answer.kind, &answer.key());
        let mut script = scripts::WITHDRAW.key(&at);
        script
            .key(keys.answers(id))
            .arg(json::write(answer))
            .arg(linger.as_millis());
        self.call("withdraw", &at, &script).await
    }

    async fn posted(&self, id: &CertificateId) -> Result<Vec<Answer>, StoreError> {
        let at = self.keys().answers(id);
        let script = scripts::POSTED.key(&at);
        let texts: Vec<String> = self.call("posted", &at, &script).await?;
        let answers = texts.iter().map(|text| json::read(&at, text));
        let mut answers: Vec<Answer> = answers.collect::<Result<_, _>>()?;
        answers.sort_by_cached_key(|answer| (answer.kind, answer.key()));
        Ok(answers)
    }
}
