use super::{Network, NetworkError, Stream};
use crate::defaults::{HTTP_TIMEOUT, MAX_HTTP_BODY};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use openpeer_core::peer::{HttpRequest, HttpResponse};
use openpeer_core::uri::is_loopback_host;

impl Network {
    /// Asks a domain's web server. Redirects are not followed: a domain answers for itself.
    ///
    /// A domain on `localhost` is asked without TLS in development mode, and only then.
    ///
    /// # Errors
    /// If there is no complete answer within 10 s, or if it is larger than 64 KiB.
    pub(crate) async fn request(&self, request: HttpRequest) -> Result<HttpResponse, NetworkError> {
        tokio::time::timeout(HTTP_TIMEOUT, self.exchange(request)).await.map_err(|_| NetworkError::Timeout)?
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, NetworkError> {
        let (host, port) = (request.domain.host(), request.domain.port());
        let encrypted = !(self.development && is_loopback_host(host));
        let (stream, counts) = self.connect(host, port, encrypted).await?;
        let response = send(stream, to_http(request)?).await?;
        let status = response.status().as_u16();
        let body = collect(response).await?;
        tracing::debug!(status, received = counts.received(), sent = counts.sent(), "asked a domain");
        Ok(HttpResponse { status, body })
    }
}

fn to_http(request: HttpRequest) -> Result<Request<Full<Bytes>>, NetworkError> {
    let method = if request.body.is_some() { Method::POST } else { Method::GET };
    let mut builder = Request::builder()
        .method(method)
        .uri(&request.path)
        .header(HOST, request.domain.as_str())
        .header(ACCEPT, "application/json");
    if request.body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    builder.body(Full::from(request.body.unwrap_or_default())).map_err(|_| NetworkError::Request)
}

async fn send(stream: Stream, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, NetworkError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(NetworkError::Http)?;
    // Ends with the response body, which holds the other half of the connection.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(NetworkError::Http)
}

async fn collect(response: Response<Incoming>) -> Result<Vec<u8>, NetworkError> {
    match Limited::new(response.into_body(), MAX_HTTP_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(NetworkError::TooLarge),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(NetworkError::Http(*error)),
            Err(_) => Err(NetworkError::Request),
        },
    }
}
