//! Accepting connections: limits, TLS, HTTP, and the way to a session.

use crate::app::App;
use crate::defaults::{
    ACCEPT_PAUSE, HTTP_CONNECTION_LIFE, HTTP_HEAD_BYTES, HTTP_HEAD_TIMEOUT, TLS_HANDSHAKE_TIMEOUT,
};
use crate::gate::{Full, Permit};
use crate::http::{Peer, ProblemCode};
use crate::metrics::Metrics;
use crate::source::source_of;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A listener and what its connections are.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether metrics and health are served here.
    pub(crate) is_operator: bool,
}

/// A socket, encrypted or not. Boxed where it is large, so that the other does not pay for it.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Accepts connections until the server drains.
pub(crate) async fn accept(door: Door, app: Arc<App>) {
    let router = crate::http::router(app.clone());
    loop {
        let accepted = tokio::select! {
            () = app.drain.cancelled() => return,
            accepted = door.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => open(&door, &app, &router, stream, address),
            Err(error) => {
                // Out of descriptors or memory: what is open goes on, and this may pass.
                tracing::warn!(kind = %error.kind(), "cannot accept a connection");
                app.metrics.connection_refusal("system");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn open(door: &Door, app: &Arc<App>, router: &Router, stream: TcpStream, address: SocketAddr) {
    let peer = Peer { source: source_of(address.ip()), is_operator: door.is_operator };
    let permit = match app.gate.admit(peer.source) {
        Ok(permit) => permit,
        Err(full) => {
            app.metrics.connection_refusal(match full {
                Full::Server => "server",
                Full::Source => "source",
            });
            return;
        }
    };
    // Frames are small and somebody waits for each of them. If it fails, the connection is gone, which will be noticed.
    let _ = stream.set_nodelay(true);
    let (app, router, tls) = (app.clone(), router.clone(), door.tls.clone());
    let (tasks, stop) = (app.tasks.clone(), app.stop.clone());
    let serve = async move {
        let Some(stream) = encrypt(stream, tls).await else { return };
        let stream = HttpStream { inner: stream, metrics: app.metrics.clone(), permit };
        let _ = timeout(HTTP_CONNECTION_LIFE, serve_http(stream, peer, router, &app)).await;
    };
    tasks.spawn(stop.run_until_cancelled_owned(serve));
}

async fn encrypt(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(acceptor) = tls else { return Some(Either::Left(stream)) };
    match timeout(TLS_HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Either::Right(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

async fn serve_http(stream: HttpStream, peer: Peer, router: Router, app: &App) {
    let service = service_fn(|request| respond(request, peer, router.clone(), &app.metrics));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_TIMEOUT)
        .max_header_size(HTTP_HEAD_BYTES)
        .max_buf_size(HTTP_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = &mut connection => log_end(result),
        () = app.drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            log_end(connection.await);
        }
    }
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

async fn respond(
    mut request: Request<Incoming>,
    peer: Peer,
    router: Router,
    metrics: &Metrics,
) -> Result<Response<Body>, Infallible> {
    use tower_service::Service as _;
    request.extensions_mut().insert(peer);
    let mut router = router;
    let response = router.call(request.map(Body::new)).await?;
    if let Some(ProblemCode(code)) = response.extensions().get() {
        metrics.http_refusal(code.as_str());
    }
    Ok(response)
}

/// A connection while it speaks HTTP: counts its bytes and holds its place.
pub(crate) struct HttpStream {
    inner: Stream,
    metrics: Arc<Metrics>,
    permit: Permit,
}

impl HttpStream {
    /// The bare socket of a new session and its place among them.
    ///
    /// # Errors
    /// If there are too many sessions.
    pub(crate) fn into_session(mut self) -> Result<(Stream, Permit), Full> {
        self.permit.upgrade()?;
        Ok((self.inner, self.permit))
    }
}

impl AsyncRead for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.metrics.http.bytes_in.inc_by((buf.filled().len() - before) as u64);
        result
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = result {
            self.metrics.http.bytes_out.inc_by(written as u64);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
