//! One WebSocket session: moves frames between a socket and the finder machine, and notices when the peer is gone.

use crate::defaults::{
    CLOSE_TIMEOUT, MAX_CONTROL_FRAMES, MISSED_PINGS, PING_INTERVAL, PING_JITTER, SEND_TIMEOUT,
    SESSION_READ_BUFFER,
};
use crate::finder::Attendance;
use crate::metrics::ByteCounters;
use crate::outbox::Next;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use openpeer_core::Code;
use openpeer_core::defaults::MAX_FRAME_BYTES;
use std::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// A WebSocket after its HTTP upgrade. `read` are bytes that came with the request.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(io: S, read: Bytes) -> WebSocketStream<S> {
    // tungstenite allocates its read buffer at once, 128 KiB by default, and keeps it; see `SESSION_READ_BUFFER`.
    // Without write buffer a message goes straight to the socket. The finder refuses what is above the limit by one.
    let config = WebSocketConfig::default()
        .read_buffer_size(SESSION_READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_FRAME_BYTES + 1))
        .max_frame_size(Some(MAX_FRAME_BYTES + 1));
    // A copy, because tungstenite would go on reading into the vector itself, and hyper's has 8 KiB.
    WebSocketStream::from_partially_read(io, read.to_vec(), Role::Server, Some(config)).await
}

/// Serves a session until either side ends it. `attendance` names it to the finder for as long as this runs.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: Box<WebSocketStream<S>>,
    attendance: Attendance,
) {
    let mut session = Session { socket, attendance, missed: 0, control_frames: 0 };
    if let Some(code) = session.exchange_frames().await {
        // The peer may have stopped reading; then it does not get to know why.
        let _ = timeout(CLOSE_TIMEOUT, session.say_goodbye(code)).await;
    }
}

struct Session<S> {
    socket: Box<WebSocketStream<S>>,
    attendance: Attendance,
    /// Pings since something came.
    missed: u8,
    /// Control frames since the last ping.
    control_frames: u16,
}

enum Event {
    Out(Next),
    In(Option<Result<Message, Error>>),
    Ping,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Returns the reason to tell the peer, or `None` if there is nobody to tell.
    async fn exchange_frames(&mut self) -> Option<Code> {
        let mut ping_at = next_ping();
        loop {
            let event = tokio::select! {
                biased;
                next = poll_fn(|context| self.attendance.outbox.poll_next(context)) => Event::Out(next),
                message = self.socket.next() => Event::In(message),
                () = sleep_until(ping_at) => Event::Ping,
            };
            match event {
                Event::Out(Next::Frame(frame)) => self.send(Message::Binary(frame)).await?,
                Event::Out(Next::Close(code)) => return Some(code),
                Event::In(Some(Ok(message))) => {
                    if let Some(end) = self.take(message) {
                        return end;
                    }
                }
                Event::In(Some(Err(Error::Capacity(_)))) => return Some(self.refuse_oversized()),
                Event::In(Some(Err(Error::Protocol(_) | Error::Utf8(_)))) => return Some(Code::Malformed),
                Event::In(Some(Err(_)) | None) => return None,
                Event::Ping => {
                    ping_at = next_ping();
                    self.ping().await?;
                }
            }
        }
    }

    /// Takes a message; `Some` ends the session.
    fn take(&mut self, message: Message) -> Option<Option<Code>> {
        self.missed = 0;
        match message {
            Message::Binary(bytes) => self.attendance.frame(&bytes),
            // Not part of the protocol: the finder says `malformed`.
            Message::Text(text) => self.attendance.frame(text.as_bytes()),
            Message::Ping(payload) => {
                // tungstenite has queued the pong, and flushes it when next polled.
                count(&self.keepalive().bytes_in, payload.len() + MASK);
                count(&self.keepalive().bytes_out, payload.len());
                return self.count_control_frame();
            }
            Message::Pong(payload) => {
                count(&self.keepalive().bytes_in, payload.len() + MASK);
                return self.count_control_frame();
            }
            Message::Close(_) => return Some(None),
            Message::Frame(_) => {}
        }
        None
    }

    /// Control frames reach no rate limit of the finder.
    const fn count_control_frame(&mut self) -> Option<Option<Code>> {
        self.control_frames += 1;
        if self.control_frames > MAX_CONTROL_FRAMES { Some(Some(Code::RateLimited)) } else { None }
    }

    /// Lets the finder see one byte more than it takes, so that it counts the refusal like every other.
    fn refuse_oversized(&self) -> Code {
        static OVERSIZED: [u8; MAX_FRAME_BYTES + 1] = [0; MAX_FRAME_BYTES + 1];
        self.attendance.frame(&OVERSIZED);
        Code::TooLarge
    }

    async fn ping(&mut self) -> Option<()> {
        if self.missed == MISSED_PINGS {
            return None;
        }
        self.missed += 1;
        self.control_frames = 0;
        count(&self.keepalive().bytes_out, 0);
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        timeout(SEND_TIMEOUT, self.socket.send(message)).await.ok()?.ok()
    }

    /// Sends what the finder said last, then the reason, and waits for the peer to hang up.
    async fn say_goodbye(&mut self, code: Code) -> Result<(), Error> {
        while let Next::Frame(frame) = poll_fn(|context| self.attendance.outbox.poll_next(context)).await {
            self.socket.send(Message::Binary(frame)).await?;
        }
        let reason = Utf8Bytes::from_static(code.as_str());
        let frame = CloseFrame { code: close_code(code), reason };
        WebSocketStream::close(&mut self.socket, Some(frame)).await?;
        while self.socket.next().await.transpose()?.is_some() {}
        Ok(())
    }

    fn keepalive(&self) -> &ByteCounters {
        &self.attendance.metrics().keepalive
    }
}

/// Head of a control frame (RFC 6455 section 5.2), bytes.
const CONTROL_HEAD: usize = 2;
/// Masking key of a frame from a client, bytes.
const MASK: usize = 4;

fn count(counter: &prometheus_client::metrics::counter::Counter, payload: usize) {
    counter.inc_by((CONTROL_HEAD + payload) as u64);
}

/// RFC 6455 section 7.4.1.
const fn close_code(code: Code) -> CloseCode {
    match code {
        Code::Draining => CloseCode::Away,
        Code::TooLarge => CloseCode::Size,
        Code::Malformed => CloseCode::Protocol,
        Code::Internal => CloseCode::Error,
        _ => CloseCode::Policy,
    }
}

fn next_ping() -> Instant {
    let spread = crate::random::unit().mul_add(2.0, -1.0) * PING_JITTER;
    Instant::now() + PING_INTERVAL.mul_f64(1.0 + spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::finder::FinderShell;
    use crate::metrics::Metrics;
    use openpeer_core::defaults::SOURCE_RATE;
    use openpeer_core::finder::{Finder, FinderConfig, Source};
    use openpeer_core::key::Seed;
    use openpeer_core::uri::{Domain, FinderUrl};
    use openpeer_store::MemoryStore;
    use std::sync::Arc;
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;

    type Client = WebSocketStream<DuplexStream>;

    /// A session over a pipe of `buffer` bytes, in virtual time.
    async fn start(buffer: usize) -> (Client, JoinHandle<()>, Arc<Metrics>, FinderShell) {
        let domain_key = Seed::new([1; 32]);
        let config = FinderConfig {
            domain: Domain::from_text("a.test").unwrap(),
            url: FinderUrl::from_text("wss://a.test/finder").unwrap(),
            domain_key: domain_key.public_key(),
            finder_secret: [2; 32].into(),
            stun: Vec::new(),
            turn: None,
            source_rate: SOURCE_RATE,
        };
        let (machine, metrics) = (Finder::new(config, [3; 32]).unwrap(), Metrics::new());
        let store = Arc::new(MemoryStore::new());
        let finder = FinderShell::new(machine, domain_key, store, metrics.clone(), Clock::new());
        let (ours, theirs) = duplex(buffer);
        let socket = Box::new(accept(theirs, Bytes::new()).await);
        let session = tokio::spawn(run(socket, finder.attend(Source([0; 8]))));
        (WebSocketStream::from_raw_socket(ours, Role::Client, None).await, session, metrics, finder)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_session_lives_and_costs_less_than_200_bytes_a_minute() {
        const MINUTES: u64 = 60;
        let (mut client, session, metrics, _finder) = start(65_536).await;
        let reader = tokio::spawn(async move { while let Some(Ok(_)) = client.next().await {} });
        tokio::time::sleep(std::time::Duration::from_secs(60 * MINUTES)).await;
        assert!(!session.is_finished());
        let (sent, received) = (metrics.keepalive.bytes_out.get(), metrics.keepalive.bytes_in.get());
        assert!((2 * (MINUTES - 10)..200 * MINUTES).contains(&(sent + received)), "{sent} and {received}");
        reader.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_no_ping_is_dropped() {
        let (client, session, metrics, _finder) = start(65_536).await;
        timeout(4 * PING_INTERVAL, session).await.unwrap().unwrap();
        assert_eq!(metrics.keepalive.bytes_in.get(), 0);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_dropped_and_costs_no_memory() {
        let (client, session, _metrics, finder) = start(16).await;
        timeout(SEND_TIMEOUT * 2, session).await.unwrap().unwrap();
        assert_eq!(finder.counters().sessions, 0);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_pings_ends_the_session() {
        let (mut client, session, metrics, _finder) = start(65_536).await;
        for _ in 0..2 * MAX_CONTROL_FRAMES {
            if client.send(Message::Ping(Bytes::from_static(b"flood"))).await.is_err() {
                break;
            }
        }
        while let Some(Ok(_)) = client.next().await {}
        session.await.unwrap();
        assert!(metrics.keepalive.bytes_in.get() <= u64::from(MAX_CONTROL_FRAMES + 1) * 11);
    }
}
