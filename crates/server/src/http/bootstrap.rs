use super::Peer;
use super::problem::{ANY_ORIGIN, Problem};
use crate::app::App;
use crate::defaults::BOOTSTRAP_MAX_AGE;
use crate::names::Published;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use openpeer_core::document::{Bundle, Name, PeerId};
use openpeer_core::{Code, Error};
use serde::Deserialize;
use std::sync::Arc;

/// Whom to introduce, beside the domain.
#[derive(Deserialize)]
pub(super) struct Lookup {
    name: Option<String>,
    peer: Option<String>,
}

/// `GET /.well-known/openpeer`: the domain document, with `?name=` or `?peer=` also a peer that is listed here
/// (protocol section 3). Unknown and unlisted peers have nothing here, so both are the same missing row.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    lookup: Result<Query<Lookup>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(lookup) = lookup.map_err(|_| Error::new(Code::Malformed, "query"))?;
    let published = match (lookup.name, lookup.peer) {
        (None, None) => None,
        (Some(name), None) => Some(find(&app, peer, Wanted::Name(&name)).await?),
        (None, Some(id)) => Some(find(&app, peer, Wanted::Peer(&id)).await?),
        (Some(_), Some(_)) => return Err(Error::new(Code::Malformed, "both name and peer").into()),
    };
    Ok(json(&bundle(&app, published)))
}

/// A bundle of the domain document and what a peer published.
pub(super) fn bundle(app: &App, published: Option<Published>) -> Bundle {
    let domain = app.authority.document().compact().to_owned();
    match published {
        None => Bundle { domain, name: None, a: Vec::new(), public: None },
        Some(Published { name, a, public, .. }) => {
            Bundle { domain, name: Some(name), a, public: Some(public) }
        }
    }
}

enum Wanted<'a> {
    Name(&'a str),
    Peer(&'a str),
}

async fn find(app: &App, peer: Peer, wanted: Wanted<'_>) -> Result<Published, Problem> {
    let names = app.names.as_ref().ok_or(Code::NotFound)?;
    names.admit_lookup(peer.source, app.clock.now()).map_err(Problem::rate_limited)?;
    // What cannot be a name is looked up like one that nobody has.
    let row = match wanted {
        Wanted::Name(text) => {
            let name = Name::from_text(text);
            let name = name.as_ref().map_or("", Name::as_str);
            app.metrics.store_call("name", app.store.name(name)).await?
        }
        Wanted::Peer(text) => {
            let peer = PeerId::from_text(text).map_or_else(|_| String::new(), |peer| peer.to_string());
            app.metrics.store_call("name_by_peer", app.store.name_by_peer(&peer)).await?
        }
    };
    let published = row.as_ref().and_then(Published::of_row).filter(|found| found.expires > app.clock.now());
    published.ok_or_else(|| Code::NotFound.into())
}

fn json(bundle: &Bundle) -> Response {
    let mut response = ([ANY_ORIGIN], bundle.to_json()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let cache = format!("public, max-age={BOOTSTRAP_MAX_AGE}");
    headers.insert(CACHE_CONTROL, HeaderValue::try_from(cache).expect("a number in ASCII text"));
    response
}
