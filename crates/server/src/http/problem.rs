use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use openpeer_core::{Code, Error};
use openpeer_store::StoreError;
use serde::Serialize;

/// An answer that says no (RFC 9457). Its `code` is one of the protocol's codes.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    retry_after: Option<u64>,
}

/// Lets every page of every origin read an answer; there is nothing in it that depends on who asks.
pub(crate) const ANY_ORIGIN: (HeaderName, HeaderValue) =
    (axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(rename = "retry-after", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// `rate-limited`, with seconds to wait.
    pub(crate) fn rate_limited(seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::from(Code::RateLimited) }
    }
}

/// Marks a response as a problem, for metrics.
#[derive(Clone, Copy)]
pub(crate) struct ProblemCode(pub(crate) Code);

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Error::from(code).into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // Codes without a status are never sent by this server; should one be, it is our mistake.
        let status = StatusCode::from_u16(error.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let advice = error.code().advice();
        let detail = match error.detail() {
            "" => advice.to_owned(),
            detail => format!("{detail}: {advice}"),
        };
        Self { code: error.code(), status, detail, retry_after: None }
    }
}

/// The store's own message is for the operator's log, not for clients.
impl From<StoreError> for Problem {
    fn from(_: StoreError) -> Self {
        Self {
            code: Code::Internal,
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: "the domain's storage does not work; try later, or tell its operator".to_owned(),
            retry_after: Some(30),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            retry_after: self.retry_after,
        };
        let body = serde_json::to_vec(&document).expect("a struct of texts and numbers serialises");
        let mut response = (self.status, [ANY_ORIGIN], body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}
