//! The admin port: metrics and health in plain HTTP, for scrapers, balancers and orchestrators.
//!
//! It only reads, and what it says holds no secret. It answers until the node has drained, so that
//! a balancer sees the node become unready.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use certfleet::Handle;
use serde_json::json;

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of the admin port.
pub(crate) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .with_state(handle)
}

async fn metrics(State(handle): State<Handle>) -> Response {
    ([(CONTENT_TYPE, METRICS)], handle.metrics_text()).into_response()
}

/// Whether the process lives: that it answers says so.
async fn health(State(handle): State<Handle>) -> Response {
    let node = handle.status().node;
    Json(json!({"status": "alive", "node": node, "version": env!("CARGO_PKG_VERSION")}))
        .into_response()
}

/// Whether traffic should come here, and if not, why.
async fn ready(State(handle): State<Handle>) -> Response {
    let status = handle.status();
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(status)).into_response()
}
