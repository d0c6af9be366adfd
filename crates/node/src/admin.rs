//! The admin port: metrics and health in plain HTTP, for scrapers, balancers and orchestrators, and
//! certificates added, removed, renewed and revoked at run time.
//!
//! Whoever reaches the port may read, since what it says holds no secret; who may change anything,
//! [`guard`] decides. It answers until the node has drained, so that a balancer sees the node
//! become unready.

mod certificates;
mod guard;
mod problem;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use certfleet::{Config, Handle};
use certfleet_store::{Clock, SystemClock};
use serde_json::json;

use self::{guard::Guard, problem::Problem};
use crate::budget::Budget;

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// More than a hundred of the longest names take.
const LONGEST_BODY: usize = 64 * 1024;

/// What every route knows.
#[derive(Clone)]
pub(crate) struct Admin {
    config: Arc<Config>,
    handle: Handle,
}

/// The routes of the admin port that is bound to `address`.
pub(crate) fn router(config: Arc<Config>, address: SocketAddr, handle: Handle) -> Router {
    let guard = Guard::new(config.admin_token.clone(), address);
    let changes = Router::new()
        .route("/certificates", post(certificates::add))
        .route("/certificates/{id}", delete(certificates::remove))
        .route("/certificates/{id}/renew", post(certificates::renew))
        .route("/certificates/{id}/revoke", post(certificates::revoke))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .route_layer(middleware::from_fn_with_state(guard, guard::check));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/certificates", get(certificates::list))
        .route("/budget", get(budget))
        .merge(changes)
        .with_state(Admin { config, handle })
}

async fn metrics(State(admin): State<Admin>) -> Response {
    ([(CONTENT_TYPE, METRICS)], admin.handle.metrics_text()).into_response()
}

/// Whether the process lives: that it answers says so.
async fn health(State(admin): State<Admin>) -> Response {
    let node = admin.handle.node();
    Json(json!({"status": "alive", "node": node, "version": env!("CARGO_PKG_VERSION")}))
        .into_response()
}

/// Whether traffic should come here, and if not, why.
async fn ready(State(admin): State<Admin>) -> Response {
    let status = admin.handle.status();
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(status)).into_response()
}

/// What the CAs' rate limits leave the fleet.
async fn budget(State(admin): State<Admin>) -> Result<Response, Problem> {
    let store = admin.handle.backend();
    let budget = Budget::read(&admin.config, &*store, SystemClock.now()).await?;
    Ok(Json(budget).into_response())
}
