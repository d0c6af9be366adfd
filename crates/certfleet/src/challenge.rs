//! The answers to HTTP-01 challenges (RFC 8555 section 8.3), from any node to the CA.
//!
//! A CA validates from several places at once, and a balancer spreads those requests over the
//! nodes: so an answer is on the fleet's board before the CA is told, and each node answers from
//! its own memory first and from the board otherwise. How many requests may ask the board at a
//! time is bounded; what is no token never reaches it, nor does a client that asks in vain too
//! often or is not let in.

mod admission;
mod buckets;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Path, State},
    http::{Extensions, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use certfleet_acme::{BoxError, ChallengeAnswers};
use certfleet_store::Backend;
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use self::admission::Admission;

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

    /// The answer that this node presented itself.
    fn presented(&self, token: &str) -> Option<String> {
        self.own().get(token).cloned()
    }

    /// The answer that any node presented.
    async fn on_board(&self, token: &str) -> Result<Option<String>, StatusCode> {
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
        // A task of its own: who withdraws may be about to be dropped.
        let (backend, token) = (Arc::clone(&self.backend), token.to_owned());
        tokio::spawn(async move {
            if let Err(error) = backend.withdraw(&token).await {
                tracing::debug!(%error, "the answer stays on the board until it expires");
            }
        });
    }
}

/// The challenge route alone: `GET /.well-known/acme-challenge/TOKEN`.
pub(crate) fn router(answers: Arc<Answers>, admission: Admission) -> Router {
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(answer))
        .with_state(Arc::new(Route { answers, admission }))
}

/// What the route knows.
struct Route {
    answers: Arc<Answers>,
    admission: Admission,
}

async fn answer(
    State(route): State<Arc<Route>>,
    Path(token): Path<String>,
    extensions: Extensions,
) -> Response {
    match route.answer(&token, admission::client(&extensions)).await {
        Ok(answer) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response()
        }
        Err(refusal) => refusal,
    }
}

impl Route {
    async fn answer(&self, token: &str, client: IpAddr) -> Result<String, Response> {
        self.admission
            .admit(client)
            .map_err(IntoResponse::into_response)?;
        if !is_token(token) {
            return Err(StatusCode::NOT_FOUND.into_response());
        }
        if let Some(answer) = self.answers.presented(token) {
            return Ok(answer);
        }
        self.admission
            .may_miss(client)
            .map_err(IntoResponse::into_response)?;
        match self.answers.on_board(token).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                self.admission.missed(client);
                Err(StatusCode::NOT_FOUND.into_response())
            }
            Err(status) => Err(status.into_response()),
        }
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
