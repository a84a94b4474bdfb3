//! A small HTTP client.

use super::{Io, PATIENCE, dial};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use openpeer_server::Server;
use tokio::time::timeout;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn get(stream: Box<dyn Io>, path: &str) -> Answer {
    send(stream, Method::GET, path, Bytes::new()).await
}

pub(crate) async fn post(stream: Box<dyn Io>, path: &str, body: impl Into<Bytes>) -> Answer {
    send(stream, Method::POST, path, body.into()).await
}

async fn send(stream: Box<dyn Io>, method: Method, path: &str, body: Bytes) -> Answer {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header("host", "a.test").body(Full::new(body)).unwrap();
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
    connection.abort();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// One value of `/metrics`, by name and labels as they stand there.
pub(crate) async fn metric(server: &Server, name: &str) -> u64 {
    let answer = get(dial(server).await, "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = std::str::from_utf8(&answer.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}
