//! HTTP: the bootstrapper, names, the upgrade to a finder session, health and metrics.

mod bootstrap;
mod names;
mod operator;
mod problem;
mod upgrade;

use crate::app::App;
use crate::defaults::{HTTP_BODY_BYTES, HTTP_BODY_TIMEOUT};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use bytes::Bytes;
use openpeer_core::finder::Source;
use openpeer_core::{Code, Error};
use problem::Problem;
pub(crate) use problem::ProblemCode;
use std::sync::Arc;
use tokio::time::timeout;

/// What a request's connection looks like; in its extensions.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// Where it comes from.
    pub(crate) source: Source,
    /// Whether it came over an address on which metrics and health are served.
    pub(crate) is_operator: bool,
}

/// Everything that the server answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/.well-known/openpeer", get(bootstrap::get))
        .route("/openpeer/nonce", get(names::nonce))
        .route("/openpeer/names", post(names::post).options(names::preflight))
        .route("/finder", get(upgrade::get))
        .route("/healthz", get(operator::health))
        .route("/metrics", get(operator::metrics))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

async fn nothing_here() -> Problem {
    Problem::from(Code::NotFound)
}

async fn wrong_method() -> Problem {
    Problem::from(Code::InvalidArgument).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// Reads a request's body within its limits of size and time.
async fn read_body(body: Body) -> Result<Bytes, Problem> {
    match timeout(HTTP_BODY_TIMEOUT, to_bytes(body, HTTP_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Error::new(Code::TooLarge, "body above 64 KiB, or cut short").into()),
        Err(_) => Err(Problem::from(Code::Timeout).with_status(StatusCode::REQUEST_TIMEOUT)),
    }
}
