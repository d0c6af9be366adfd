//! `/certificates`: what the fleet has, and what it is to have from now on.
//!
//! Every change is one in the fleet's store; which node carries it out is for the fleet. None of
//! the answers waits for a CA.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use certfleet_core::{CertificateId, RevocationReason, Wanted};
use certfleet_store::{Clock, SystemClock};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{Admin, problem::Problem};
use crate::{inventory::Inventory, list::Listing, store};

/// What the fleet has, as `certfleet list --json` prints it.
pub(super) async fn list(State(admin): State<Admin>) -> Result<Response, Problem> {
    let store = admin.handle.backend();
    let inventory = Inventory::read(&admin.config, &*store, SystemClock.now()).await?;
    let listing = Listing::new(admin.config.fleet.clone(), inventory);
    Ok(Json(listing).into_response())
}

/// A certificate to have from now on: `{"names": [...], "terms": {...}}`.
pub(super) async fn add(
    State(admin): State<Admin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted = Wanted {
        // A person asks, not a handshake.
        on_demand: false,
        ..read(&headers, body)?
    };
    admin.config.check(&wanted)?;
    admin.handle.operator().add(&wanted).await?;
    let added = json!({
        "id": wanted.names.id(),
        "names": wanted.names,
        "terms": wanted.terms,
    });
    Ok((StatusCode::ACCEPTED, Json(added)).into_response())
}

/// A certificate to serve and renew no longer.
pub(super) async fn remove(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    admin.handle.operator().remove(&known(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A certificate that is due from now on.
pub(super) async fn renew(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = known(&id)?;
    let ids = store::ids(&admin.config, &*admin.handle.backend()).await?;
    if !ids.contains(&id) {
        let fleet = &admin.config.fleet;
        let detail = format!("the fleet {fleet} has no certificate {id}");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    admin.handle.operator().renew(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": id}))).into_response())
}

/// A certificate to replace with a new key and then revoke: `{"reason": "keyCompromise"}`.
pub(super) async fn revoke(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Why {
        reason: RevocationReason,
    }

    let id = known(&id)?;
    let Why { reason } = read(&headers, body)?;
    let asked = admin.handle.operator().revoke(&id, reason).await?;
    let asked = json!({
        "id": id,
        "serial": asked.record.serial,
        "generation": asked.record.generation,
        "reason": asked.reason,
    });
    Ok((StatusCode::ACCEPTED, Json(asked)).into_response())
}

fn known(id: &str) -> Result<CertificateId, Problem> {
    id.parse()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))
}

/// A body of JSON that says so: a form on some web page cannot.
fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let body = body.map_err(|refused| Problem::new(refused.status(), refused.body_text()))?;
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body's Content-Type must be application/json",
        ));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("the body is not what is wanted: {error}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}
