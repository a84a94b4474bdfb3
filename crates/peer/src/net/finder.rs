use super::{Network, NetworkError, Stream, counted::Counts};
use crate::defaults::{DIAL_TIMEOUT, FINDER_QUEUE, FINDER_READ_BUFFER, FINDER_SILENCE, FINDER_WRITE_TIMEOUT};
use futures_util::{SinkExt, StreamExt};
use openpeer_core::defaults::MAX_FRAME_BYTES;
use openpeer_core::uri::FinderUrl;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Name of the finder protocol in the WebSocket handshake (protocol section 6).
const SUBPROTOCOL: &str = "openpeer.1";

type Socket = WebSocketStream<Stream>;

/// What a session reports.
#[derive(Debug)]
pub(crate) enum FinderEvent {
    /// Messages can be sent.
    Open,
    /// A message arrived.
    Frame(Vec<u8>),
    /// The connection failed or ended; the last event.
    Closed,
}

/// A session at a finder, in a task of its own. Dropping it closes the connection.
pub(crate) struct FinderSession {
    outbox: mpsc::Sender<Vec<u8>>,
}

/// The finder does not read what it is sent, or is gone.
pub(crate) struct Unwritable;

impl FinderSession {
    /// Connects in the background. `report` is awaited for each event, so that a finder is read no faster than its
    /// messages are handled.
    pub(crate) fn dial<F>(
        network: Network,
        url: FinderUrl,
        report: impl Fn(FinderEvent) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (outbox, inbox) = mpsc::channel(FINDER_QUEUE);
        tokio::spawn(async move {
            if let Err(error) = run(&network, &url, inbox, &report).await {
                tracing::debug!(finder = url.as_str(), %error, "finder connection failed");
            }
            report(FinderEvent::Closed).await;
        });
        Self { outbox }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// If 64 messages wait already; the session is of no use any more.
    pub(crate) fn send(&self, message: Vec<u8>) -> Result<(), Unwritable> {
        self.outbox.try_send(message).map_err(|_| Unwritable)
    }
}

async fn run<F: Future<Output = ()>>(
    network: &Network,
    url: &FinderUrl,
    mut inbox: mpsc::Receiver<Vec<u8>>,
    report: &impl Fn(FinderEvent) -> F,
) -> Result<(), NetworkError> {
    let (mut socket, counts) = tokio::select! {
        connected = timeout(DIAL_TIMEOUT, connect(network, url)) => connected.map_err(|_| NetworkError::Timeout)??,
        // Nothing is sent before the connection is open, so this is the end of the session's handle.
        _ = inbox.recv() => return Ok(()),
    };
    report(FinderEvent::Open).await;
    let result = converse(&mut socket, &mut inbox, report).await;
    tracing::debug!(
        finder = url.as_str(),
        received = counts.received(),
        sent = counts.sent(),
        "finder session ended"
    );
    result
}

async fn connect(network: &Network, url: &FinderUrl) -> Result<(Socket, Counts), NetworkError> {
    let (stream, counts) = network.connect(url.host(), url.port(), url.is_tls()).await?;
    let mut request = url.as_str().into_client_request().map_err(failed)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
        .read_buffer_size(FINDER_READ_BUFFER)
        .write_buffer_size(0);
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await.map_err(failed)?;
    Ok((socket, counts))
}

/// Moves messages until either side ends the session or the finder falls silent.
async fn converse<F: Future<Output = ()>>(
    socket: &mut Socket,
    inbox: &mut mpsc::Receiver<Vec<u8>>,
    report: &impl Fn(FinderEvent) -> F,
) -> Result<(), NetworkError> {
    let mut silent_at = Instant::now() + FINDER_SILENCE;
    loop {
        tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => write(socket, Message::binary(message)).await?,
                None => return write(socket, Message::Close(None)).await,
            },
            message = socket.next() => {
                silent_at = Instant::now() + FINDER_SILENCE;
                match message {
                    Some(Ok(Message::Binary(bytes))) => report(FinderEvent::Frame(bytes.into())).await,
                    // Pings are answered by the next call of `next`; text frames are not part of the protocol.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Err(error)) => return Err(failed(error)),
                }
            }
            () = sleep_until(silent_at) => return Err(NetworkError::Timeout),
        }
    }
}

async fn write(socket: &mut Socket, message: Message) -> Result<(), NetworkError> {
    timeout(FINDER_WRITE_TIMEOUT, socket.send(message))
        .await
        .map_err(|_| NetworkError::Timeout)?
        .map_err(failed)
}

fn failed(error: WsError) -> NetworkError {
    NetworkError::WebSocket(Box::new(error))
}
