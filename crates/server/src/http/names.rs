use super::problem::{ANY_ORIGIN, Problem};
use super::{Peer, bootstrap, read_body};
use crate::app::App;
use crate::names::{self, Names, Published};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL,
    CONTENT_TYPE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use openpeer_core::Code;
use openpeer_core::document::{ClaimRequest, VerifiedClaim};
use openpeer_core::frame::Nonce;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct NonceAnswer {
    nonce: Nonce,
}

/// `GET /openpeer/nonce`: a nonce for one claim, good for two minutes.
pub(super) async fn nonce(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let names = app.names.as_ref().ok_or(Code::NotFound)?;
    let nonce = names.issue_nonce(app.clock.now());
    let headers = [ANY_ORIGIN, (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, Json(NonceAnswer { nonce })).into_response())
}

/// `POST /openpeer/names`: claims, renews or releases a name ([`ClaimRequest`]). Answers a claim with the bundle that
/// others will get.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Result<Response, Problem> {
    let names = app.names.as_ref().ok_or(Code::NotFound)?;
    let now = app.clock.now();
    names.admit_claim(peer.source, now).map_err(Problem::rate_limited)?;
    let request = ClaimRequest::parse(&read_body(body).await?)?;
    let verified = request.verify(app.authority.domain(), now)?;
    names.spend_nonce(&verified.claim.nonce, now)?;
    check_chain(&app, &verified).await?;
    if verified.documents.is_none() {
        return release(&app, &verified).await;
    }
    claim(&app, names, &verified, request.invite.as_deref()).await
}

/// The CORS preflight that a browser sends before a POST with JSON.
pub(super) async fn preflight() -> Response {
    let headers = [
        ANY_ORIGIN,
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type")),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// A chain that lost its newest statement may be a thief's: whoever rotated their key did it for a reason.
async fn check_chain(app: &App, verified: &VerifiedClaim) -> Result<(), Problem> {
    let peer = verified.chain.peer().to_string();
    let row = app.metrics.store_call("name_by_peer", app.store.name_by_peer(&peer)).await?;
    match row.as_ref().and_then(Published::of_row) {
        Some(published) => Ok(names::check_succession(&published, verified)?),
        None => Ok(()),
    }
}

async fn claim(
    app: &App,
    names: &Names,
    verified: &VerifiedClaim,
    invite: Option<&str>,
) -> Result<Response, Problem> {
    let row = names.row(verified, &app.authority, app.clock.now())?;
    let published = Published::of_row(&row).ok_or(Code::Internal)?;
    let call = app.store.claim_name(row, names.admission(invite), app.clock.now().as_millis());
    let status = names::judge(&app.metrics.store_call("claim_name", call).await?)?;
    let bundle = bootstrap::bundle(app, Some(published));
    let headers = [
        ANY_ORIGIN,
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((status, headers, bundle.to_json()).into_response())
}

async fn release(app: &App, verified: &VerifiedClaim) -> Result<Response, Problem> {
    let (name, peer) = (verified.claim.name.as_str(), verified.chain.peer().to_string());
    let now = app.clock.now();
    let until = now + crate::defaults::RELEASED_NAME_BLOCK;
    let call = app.store.release_name(name, &peer, now.as_millis(), until.as_millis());
    if app.metrics.store_call("release_name", call).await? {
        Ok((StatusCode::NO_CONTENT, [ANY_ORIGIN]).into_response())
    } else {
        Err(Code::NotFound.into())
    }
}
