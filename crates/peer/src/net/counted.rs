use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose bytes are counted, for diagnosis: what TLS adds is included, what TCP and IP add is not.
pub(super) struct Counted<S> {
    stream: S,
    counts: Counts,
}

/// Bytes of one connection so far.
#[derive(Clone, Default)]
pub(super) struct Counts(Arc<[AtomicU64; 2]>);

impl Counts {
    pub(super) fn received(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    fn add(&self, received: usize, sent: usize) {
        self.0[0].fetch_add(received as u64, Ordering::Relaxed);
        self.0[1].fetch_add(sent as u64, Ordering::Relaxed);
    }
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S) -> (Self, Counts) {
        let counts = Counts::default();
        (Self { stream, counts: counts.clone() }, counts)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.counts.add(buf.filled().len() - before, 0);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = &result {
            self.counts.add(0, *written);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
