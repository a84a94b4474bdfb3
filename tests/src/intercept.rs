//! Somebody between a peer and a domain who can read what TLS hides: the domain's operator, or whoever got a
//! certificate for its name.

use crate::PATIENCE;
use futures_util::{FutureExt, SinkExt, StreamExt};
use openpeer::{Builder, Resolve};
use openpeer_core::frame::{Frame, Header};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};
use tokio_tungstenite::{WebSocketStream, client_async};

/// A proxy in front of a domain that keeps everything it passes on.
pub struct Interceptor {
    name: &'static str,
    address: SocketAddr,
    certificate: String,
    recordings: Arc<Mutex<Vec<Arc<Recording>>>>,
    task: JoinHandle<()>,
}

/// Both directions of one connection.
#[derive(Default)]
struct Recording {
    sent: Mutex<Vec<u8>>,
    received: Mutex<Vec<u8>>,
}

/// A client of a finder that says whatever a test wants.
pub struct RawSession(WebSocketStream<client::TlsStream<TcpStream>>);

/// How to reach a domain's server without the library.
#[derive(Clone)]
pub struct Door {
    /// The domain.
    pub name: &'static str,
    /// Where its server listens.
    pub address: SocketAddr,
    /// Its authority's certificate, PEM.
    pub authority: Vec<u8>,
}

impl Interceptor {
    /// Stands in front of a domain.
    pub async fn start(door: Door) -> Self {
        let name = door.name;
        let issued = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let certificate = issued.cert.pem();
        let identity = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], identity)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recordings: Arc<Mutex<Vec<Arc<Recording>>>> = Arc::default();
        let task =
            tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), door, Arc::clone(&recordings)));
        Self { name, address, certificate, recordings, task }
    }

    /// Leads a peer here instead of to the domain.
    #[must_use]
    pub fn mislead(&self, builder: Builder) -> Builder {
        builder.ca_certificates(self.certificate.clone()).resolve(Resolve::new(self.name, 443, self.address))
    }

    /// The frames that peers sent to the finder, connection by connection.
    #[must_use]
    pub fn frames_to_finder(&self) -> Vec<Frame> {
        self.frames(|recording| lock(&recording.sent).clone(), Role::Server)
    }

    /// The frames that the finder sent to peers.
    #[must_use]
    pub fn frames_from_finder(&self) -> Vec<Frame> {
        self.frames(|recording| lock(&recording.received).clone(), Role::Client)
    }

    fn frames(&self, bytes: impl Fn(&Recording) -> Vec<u8>, role: Role) -> Vec<Frame> {
        let recordings = lock(&self.recordings).clone();
        recordings.iter().flat_map(|recording| decode(&bytes(recording), role)).collect()
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RawSession {
    /// Opens a session at a finder, as any client can.
    pub async fn open(door: &Door) -> Self {
        let stream = connect(door).await.unwrap();
        let mut request = format!("wss://{}/finder", door.name).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "openpeer.1".parse().unwrap());
        Self(client_async(request, stream).await.unwrap().0)
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Frame) {
        self.0.send(Message::binary(frame.encode())).await.unwrap();
    }

    /// The next frame but `hello`, if there is one already.
    pub fn receive_now(&mut self) -> Option<Frame> {
        self.receive().now_or_never()
    }

    /// The next frame but `hello`.
    pub async fn receive(&mut self) -> Frame {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the finder answers");
            if let Message::Binary(bytes) = message.unwrap().unwrap() {
                let frame = Frame::decode(&bytes).unwrap();
                if !matches!(frame.header, Header::Hello { .. }) {
                    return frame;
                }
            }
        }
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    door: Door,
    recordings: Arc<Mutex<Vec<Arc<Recording>>>>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let recording = Arc::new(Recording::default());
        lock(&recordings).push(Arc::clone(&recording));
        let (acceptor, door) = (acceptor.clone(), door.clone());
        tokio::spawn(async move {
            let (client, server) = tokio::try_join!(acceptor.accept(socket), connect(&door))?;
            let (client_reader, client_writer) = tokio::io::split(client);
            let (server_reader, server_writer) = tokio::io::split(server);
            tokio::try_join!(
                pass(client_reader, server_writer, &recording.sent),
                pass(server_reader, client_writer, &recording.received),
            )
        });
    }
}

async fn connect(door: &Door) -> io::Result<client::TlsStream<TcpStream>> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&door.authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(door.name).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(door.address).await?).await
}

/// Copies until the end and keeps a copy.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    recording: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        lock(recording).extend_from_slice(&buffer[..length]);
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
    }
}

/// The frames in one direction of a WebSocket connection; none in a plain HTTP exchange.
fn decode(bytes: &[u8], role: Role) -> Vec<Frame> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Vec::new() };
    if !text.contains("upgrade: websocket") {
        return Vec::new();
    }
    let mut socket =
        WebSocket::from_raw_socket(Recorded(io::Cursor::new(bytes[end + 4..].to_vec())), role, None);
    let mut frames = Vec::new();
    while let Ok(message) = socket.read() {
        if let Message::Binary(bytes) = message {
            frames.push(Frame::decode(&bytes).unwrap());
        }
    }
    frames
}

/// A stream of which only the past exists.
struct Recorded(io::Cursor<Vec<u8>>);

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0, buffer)
    }
}

impl Write for Recorded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
