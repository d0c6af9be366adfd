//! The challenge board in Redis: a string for each token, which goes by itself.

use std::time::Duration;

use async_trait::async_trait;
use certfleet_store::{ChallengeBoard, StoreError};
use redis::cmd;

use crate::{Redis, scripts::millis};

#[async_trait]
impl ChallengeBoard for Redis {
    async fn post(
        &self,
        token: &str,
        key_authorization: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let at = self.keys().challenge(token);
        let mut command = cmd("SET");
        command
            .arg(&at)
            .arg(key_authorization)
            .arg("PX")
            .arg(millis(ttl));
        self.run("post", &at, &command).await
    }

    async fn answer(&self, token: &str) -> Result<Option<String>, StoreError> {
        let at = self.keys().challenge(token);
        self.run("answer", &at, cmd("GET").arg(&at)).await
    }

    async fn withdraw(&self, token: &str) -> Result<(), StoreError> {
        let at = self.keys().challenge(token);
        self.run("withdraw", &at, cmd("DEL").arg(&at)).await
    }
}
