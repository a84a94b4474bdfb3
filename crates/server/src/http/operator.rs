use super::Peer;
use super::problem::Problem;
use crate::app::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use openpeer_core::Code;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    store: bool,
    domain_document: bool,
}

/// `GET /healthz`: 200 if the store answers and the domain document is alive, otherwise 503.
pub(super) async fn health(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Problem> {
    check_operator(peer)?;
    let store = app.metrics.store_call("counts", app.store.counts()).await.is_ok();
    let domain_document = app.authority.document().exp > app.clock.now();
    let (status, text) = if store && domain_document {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "failing")
    };
    Ok((status, Json(Health { status: text, store, domain_document })).into_response())
}

/// `GET /metrics`: OpenMetrics text.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Problem> {
    check_operator(peer)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], app.exposition.text()).into_response())
}

/// To everybody else there is nothing here.
fn check_operator(peer: Peer) -> Result<(), Problem> {
    if peer.is_operator { Ok(()) } else { Err(Code::NotFound.into()) }
}
