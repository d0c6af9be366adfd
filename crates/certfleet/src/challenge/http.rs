//! The HTTP-01 route (RFC 8555 section 8.3): `GET /.well-known/acme-challenge/TOKEN`.
//!
//! How many requests may ask the board at a time is bounded; what is no token never reaches it, nor
//! does a client that asks in vain too often or is not let in.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{Extensions, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use certfleet_core::ChallengeKind;

use super::{
    Answers,
    admission::{self, Admission},
};

/// The longest token that is looked at; CAs use 43 characters.
const LONGEST_TOKEN: usize = 128;

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
        if let Some(answer) = self.answers.presented(ChallengeKind::Http01, token) {
            return Ok(answer.key_authorization);
        }
        self.admission
            .may_miss(client)
            .map_err(IntoResponse::into_response)?;
        match self.answers.on_board(ChallengeKind::Http01, token).await {
            Ok(Some(answer)) => Ok(answer.key_authorization),
            Ok(None) => {
                self.admission.missed(client);
                Err(StatusCode::NOT_FOUND.into_response())
            }
            Err(error) => {
                tracing::warn!(%error, "a challenge was not answered");
                Err(StatusCode::SERVICE_UNAVAILABLE.into_response())
            }
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
