//! The schedule in Redis: a sorted set of due times, and a hash for what has failed.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_core::{
    CertificateId, ChallengeKind, Timestamp,
    retry::{Advice, Attempt},
};
use certfleet_store::{CommitError, Lease, Schedule, StoreError, lease::Resource};
use redis::cmd;

use crate::{
    Redis,
    certificate::readable_ids,
    hash::Hash,
    scripts::{self, millis, timestamp},
};

/// How long an attempt is remembered after the next one was due. If nobody has made that by then,
/// the fleet no longer wants the certificate.
const ATTEMPT_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How many entries one command takes: it holds up all others by less than a millisecond.
const AT_ONCE: usize = 500;

#[async_trait]
impl Schedule for Redis {
    async fn enter(&self, entries: &[(CertificateId, Timestamp)]) -> Result<(), StoreError> {
        let due = &self.keys().due;
        for entries in entries.chunks(AT_ONCE) {
            let mut command = cmd("ZADD");
            command.arg(due).arg("NX");
            for (id, at) in entries {
                command.arg(at.as_millis()).arg(id.as_str());
            }
            self.run::<()>("enter", due, &command).await?;
        }
        Ok(())
    }

    async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<CertificateId>, StoreError> {
        let due = &self.keys().due;
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(due).arg("-inf").arg(now.as_millis());
        command.arg("LIMIT").arg(0).arg(most);
        let members = self.run("due", due, &command).await?;
        Ok(readable_ids(due, members))
    }

    async fn due_at(&self, id: &CertificateId) -> Result<Option<Timestamp>, StoreError> {
        let due = &self.keys().due;
        let score: Option<f64> = self
            .run("due_at", due, cmd("ZSCORE").arg(due).arg(id.as_str()))
            .await?;
        Ok(score.map(timestamp))
    }

    async fn advance(&self, id: &CertificateId, at: Timestamp) -> Result<(), StoreError> {
        let keys = self.keys();
        let mut script = scripts::ADVANCE.key(&keys.due);
        script
            .key(keys.attempt(id))
            .arg(id.as_str())
            .arg(at.as_millis());
        self.call("advance", &keys.due, &script).await
    }

    async fn hasten(&self, id: &CertificateId) -> Result<(), StoreError> {
        let keys = self.keys();
        let mut script = scripts::HASTEN.key(&keys.due);
        script
            .key(keys.attempt(id))
            .key(&keys.feed)
            .arg(id.as_str());
        self.call("hasten", &keys.due, &script).await
    }

    async fn postpone(
        &self,
        lease: &Lease,
        id: &CertificateId,
        attempt: &Attempt,
    ) -> Result<(), CommitError> {
        let resource = Resource::Certificate(id.clone());
        let keys = self.keys();
        let at = keys.attempt(id);
        let mut script = scripts::POSTPONE.key(keys.lease(&resource));
        script
            .key(&at)
            .key(&keys.due)
            .arg(id.as_str())
            .arg(&lease.owner)
            .arg(attempt.next.as_millis())
            .arg(millis(ATTEMPT_KEPT))
            .arg("failures")
            .arg(attempt.failures)
            .arg("failed_at")
            .arg(attempt.failed_at.to_string())
            .arg("node")
            .arg(attempt.node.as_str())
            .arg("issuer")
            .arg(&attempt.issuer)
            .arg("kind")
            .arg(&attempt.kind)
            .arg("error")
            .arg(&attempt.error)
            .arg("advice")
            .arg(attempt.advice.as_str())
            .arg("failed_challenges")
            .arg(words(&attempt.failed_challenges))
            .arg("next")
            .arg(attempt.next.to_string());
        if self.call("postpone", &at, &script).await? {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }

    async fn settle(
        &self,
        lease: &Lease,
        id: &CertificateId,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let resource = Resource::Certificate(id.clone());
        let keys = self.keys();
        let mut script = scripts::SETTLE.key(keys.lease(&resource));
        script
            .key(keys.attempt(id))
            .key(&keys.due)
            .arg(id.as_str())
            .arg(&lease.owner)
            .arg(at.as_millis());
        if self.call("settle", &keys.due, &script).await? {
            Ok(())
        } else {
            Err(CommitError::LeaseLost { resource })
        }
    }

    async fn attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError> {
        let Some(hash) = self.hash("attempt", self.keys().attempt(id)).await? else {
            return Ok(None);
        };
        Ok(Some(Attempt {
            failures: hash.field("failures")?,
            failed_at: hash.field("failed_at")?,
            node: hash.field("node")?,
            // These four came later: an attempt that an older node wrote down lacks them.
            issuer: hash.optional("issuer")?.unwrap_or_default(),
            kind: hash.optional("kind")?.unwrap_or_default(),
            error: hash.field("error")?,
            advice: hash.optional("advice")?.unwrap_or(Advice::Retry),
            failed_challenges: challenges(&hash)?,
            next: hash.field("next")?,
        }))
    }
}

fn words(challenges: &[ChallengeKind]) -> String {
    let words: Vec<_> = challenges.iter().map(|kind| kind.as_str()).collect();
    words.join(" ")
}

fn challenges(attempt: &Hash) -> Result<Vec<ChallengeKind>, StoreError> {
    let words: String = attempt.optional("failed_challenges")?.unwrap_or_default();
    let challenges: Result<Vec<_>, _> = words.split_ascii_whitespace().map(str::parse).collect();
    challenges.map_err(|problem| attempt.corrupt(problem))
}
