use super::Peer;
use super::problem::Problem;
use crate::app::App;
use crate::connection::HttpStream;
use crate::session;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;
use openpeer_core::frame::SUBPROTOCOL;
use openpeer_core::{Code, Error};
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

/// `GET /finder`: the upgrade to a WebSocket (RFC 6455) that speaks `openpeer.1`. Any origin may.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
) -> Result<Response, Problem> {
    if !offers_subprotocol(&request) {
        return Err(
            Error::new(Code::UnsupportedVersion, "no WebSocket subprotocol openpeer.1 offered").into()
        );
    }
    let mut response = create_response_with_body(&request, Body::empty).map_err(|_| {
        let error = Error::new(Code::Malformed, "not a WebSocket upgrade");
        Problem::from(error).with_status(StatusCode::UPGRADE_REQUIRED)
    })?;
    if !app.gate.has_room() {
        return Err(Problem::from(Code::Quota).with_status(StatusCode::SERVICE_UNAVAILABLE));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let upgrade = on(&mut request);
    app.clone().tasks.spawn(open_session(app, peer, upgrade));
    Ok(response)
}

fn offers_subprotocol(request: &Request) -> bool {
    let offers =
        request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL)
}

/// Takes the bare socket back from HTTP and serves the session in a task of its own, so that nothing of the request
/// stays in memory.
async fn open_session(app: Arc<App>, peer: Peer, upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<HttpStream>>() else { return };
    let Ok((io, permit)) = parts.io.into_inner().into_session() else { return };
    let socket = Box::new(session::accept(io, parts.read_buf).await);
    let attendance = app.finder.attend(peer.source);
    app.tasks.spawn(async move {
        session::run(socket, attendance).await;
        drop(permit);
    });
}
