//! Servers and clients for tests: real sockets on loopback, real TLS, and tungstenite as an independent client.

pub(crate) mod http;
pub(crate) mod peer;

use futures_util::{SinkExt, StreamExt};
use openpeer_core::document::DomainDocument;
use openpeer_core::finder::Hello;
use openpeer_core::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, SUBPROTOCOL, attach_signing_input,
};
use openpeer_core::key::Seed;
use openpeer_core::ticket::TicketKey;
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_server::{Config, Server};
use openpeer_store::{MemoryStore, Store};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

/// Far above anything that should happen; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A plain-HTTP configuration for a.test on a free loopback port.
pub(crate) fn plain(data: &Path) -> Config {
    let mut config =
        Config::new(Domain::from_text("a.test").unwrap(), vec!["127.0.0.1:0".parse().unwrap()], data);
    config.finder_url = Some(FinderUrl::from_text("wss://a.test/finder").unwrap());
    config
}

/// The same with TLS and a development certificate.
pub(crate) fn tls(data: &Path) -> Config {
    Config { dev: true, ..plain(data) }
}

pub(crate) async fn spawn(config: Config) -> Server {
    Server::spawn(config, Arc::new(MemoryStore::new())).await.unwrap()
}

pub(crate) async fn spawn_with(config: Config, store: Arc<dyn Store>) -> Server {
    Server::spawn(config, store).await.unwrap()
}

/// A byte stream, encrypted or not.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Opens a connection, with TLS if the server has a development authority.
pub(crate) async fn dial(server: &Server) -> Box<dyn Io> {
    dial_at(server.local_addr(), server.development_authority()).await
}

pub(crate) async fn dial_at(address: SocketAddr, authority: Option<&Path>) -> Box<dyn Io> {
    let stream = TcpStream::connect(address).await.unwrap();
    let Some(authority) = authority else { return Box::new(stream) };
    let connector = TlsConnector::from(Arc::new(client_config(authority)));
    let name = ServerName::try_from("a.test").unwrap();
    Box::new(connector.connect(name, stream).await.unwrap())
}

pub(crate) fn client_config(authority: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A finder client that has received its `hello`.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<Box<dyn Io>>,
    pub(crate) hello: Hello,
}

impl Client {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::over(dial(server).await, &domain_document(server).await).await
    }

    pub(crate) async fn over(stream: Box<dyn Io>, domain: &DomainDocument) -> Self {
        let mut socket = open(stream, Some(SUBPROTOCOL)).await.unwrap();
        let message = next_message(&mut socket).await.unwrap();
        let Header::Hello { jws } = Frame::decode(&message.into_data()).unwrap().header else {
            panic!("the first frame is no hello")
        };
        let hello = Hello::verify(&jws, &domain.keys[0], &domain.domain, &domain.finders[0].url).unwrap();
        Self { socket, hello: (*hello).clone() }
    }

    /// Opens a location mailbox and a guest mailbox; the ticket key is the location mailbox's.
    pub(crate) async fn attach(&mut self, location: &Seed, guest: &Seed) -> TicketKey {
        self.send_attach(location, guest).await;
        match self.receive().await.header {
            Header::Attached { tickets, .. } => tickets[0].key.clone(),
            other => panic!("{other:?} instead of attached"),
        }
    }

    pub(crate) async fn send_attach(&mut self, location: &Seed, guest: &Seed) {
        let seeds = [(location, MailboxKind::Location), (guest, MailboxKind::Guest)];
        let list = seeds.map(|(seed, kind)| (MailboxId::of(&seed.public_key()), kind));
        let input = attach_signing_input(self.hello.finder.as_str(), &self.hello.nonce, &list);
        let proof =
            |(seed, kind): (&Seed, _)| MailboxProof { key: seed.public_key(), kind, sig: seed.sign(&input) };
        let mailboxes = seeds.map(proof).into();
        self.send(Header::Attach { nonce: self.hello.nonce, mailboxes }, &[]).await;
    }

    pub(crate) async fn send(&mut self, header: Header, body: &[u8]) {
        self.send_bytes(Frame { header, body: body.to_vec() }.encode()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::Binary(bytes.into())).await.unwrap();
    }

    /// The next frame.
    pub(crate) async fn receive(&mut self) -> Frame {
        let message = next_message(&mut self.socket).await.unwrap();
        Frame::decode(&message.into_data()).unwrap()
    }

    /// Reads to the end and returns the frames that came before and the close frame, if there was one.
    pub(crate) async fn read_to_end(mut self) -> (Vec<Frame>, Option<CloseFrame>) {
        let mut frames = Vec::new();
        loop {
            match next_message(&mut self.socket).await {
                Ok(Message::Close(reason)) => return (frames, reason),
                Ok(message) => frames.push(Frame::decode(&message.into_data()).unwrap()),
                Err(_) => return (frames, None),
            }
        }
    }
}

/// Opens a WebSocket to the finder.
pub(crate) async fn open(
    stream: Box<dyn Io>,
    subprotocol: Option<&str>,
) -> Result<WebSocketStream<Box<dyn Io>>, WebSocketError> {
    let mut request = "ws://a.test/finder".into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://anywhere.example".parse().unwrap());
    if let Some(subprotocol) = subprotocol {
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
    }
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

/// The next message that is no ping or pong.
pub(crate) async fn next_message(
    socket: &mut WebSocketStream<Box<dyn Io>>,
) -> Result<Message, WebSocketError> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("nothing came") {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(result) => return result,
            None => return Err(WebSocketError::ConnectionClosed),
        }
    }
}

pub(crate) async fn domain_document(server: &Server) -> DomainDocument {
    let answer = http::get(dial(server).await, "/.well-known/openpeer").await;
    let bundle = openpeer_core::document::Bundle::parse(&answer.body).unwrap();
    let domain = Domain::from_text("a.test").unwrap();
    (*bundle.domain(&domain, peer::now()).unwrap()).clone()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
