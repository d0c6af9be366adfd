//! The answers to HTTP-01 challenges (RFC 8555 section 8.3), from any node to the CA.
//!
//! A CA validates from several places at once, and a balancer spreads those requests over the
//! nodes: so an answer is on the fleet's board before the CA is told, and each node answers from
//! its own memory first and from the board otherwise. How many requests may ask the board at a
//! time is bounded; what is no token never reaches it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use certfleet_acme::{BoxError, ChallengeAnswers};
use certfleet_store::Backend;
use tokio::{sync::Semaphore, time::timeout};

/// How long an answer stays on the board, at the longest.
const TTL: Duration = Duration::from_secs(600);
/// How many requests may ask the board at a time.
const ASKING: usize = 64;
/// How long the board may take to answer one.
const ASK_LIMIT: Duration = Duration::from_secs(3);
/// The longest token that is looked at; CAs use 43 characters.
const LONGEST_TOKEN: usize = 128;

/// Presents answers to the fleet, and finds those that peers have presented.
pub(crate) struct Answers {
    backend: Arc<dyn Backend>,
    own: Mutex<HashMap<String, String>>,
    asking: Semaphore,
}

impl Answers {
    /// No answers yet.
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            own: Mutex::default(),
            asking: Semaphore::new(ASKING),
        }
    }

    fn own(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(&self, token: &str) -> Result<Option<String>, StatusCode> {
        if let Some(answer) = self.own().get(token) {
            return Ok(Some(answer.clone()));
        }
        let _permit = self
            .asking
            .try_acquire()
            .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        match timeout(ASK_LIMIT, self.backend.answer(token)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the challenge board cannot be asked");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
            Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

#[async_trait]
impl ChallengeAnswers for Answers {
    async fn present(&self, token: &str, key_authorization: &str) -> Result<(), BoxError> {
        self.backend.post(token, key_authorization, TTL).await?;
        self.own()
            .insert(token.to_owned(), key_authorization.to_owned());
        Ok(())
    }

    async fn withdraw(&self, token: &str) {
        self.own().remove(token);
        if let Err(error) = self.backend.withdraw(token).await {
            tracing::debug!(%error, "the answer stays on the board until it expires");
        }
    }
}

/// The challenge route alone: `GET /.well-known/acme-challenge/TOKEN`.
pub(crate) fn router(answers: Arc<Answers>) -> Router {
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(answer))
        .with_state(answers)
}

async fn answer(State(answers): State<Arc<Answers>>, Path(token): Path<String>) -> Response {
    if !is_token(&token) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match answers.find(&token).await {
        Ok(Some(answer)) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(status) => status.into_response(),
    }
}

/// A token is base64url without padding (RFC 8555 section 8).
fn is_token(text: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base64url_is_a_token() {
        assert!(is_token("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"));
        for bad in ["", "a.b", "a/b", "a b", "%2e%2e", "ü", &"a".repeat(129)] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }
}
