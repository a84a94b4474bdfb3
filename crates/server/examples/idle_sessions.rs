//! Measures what an idle TLS session costs the server in memory.
//!
//! ```text
//! ulimit -n 20000; cargo run --release -p openpeer-server --example idle_sessions -- [SESSIONS]
//! ```
//! The server runs in this process, with the allocator of the program `openpeer`; a second process opens the sessions,
//! attaches each of them with two mailboxes and then keeps still. The figure is the growth of this process's resident
//! memory divided by the number of sessions. Linux only.

use futures_util::{SinkExt, StreamExt, stream};
use openpeer_core::Jws;
use openpeer_core::document::Document as _;
use openpeer_core::finder::Hello;
use openpeer_core::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, SUBPROTOCOL, attach_signing_input,
};
use openpeer_core::key::Seed;
use openpeer_core::uri::Domain;
use openpeer_server::{Config, Server};
use openpeer_store::MemoryStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Socket = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

const SESSIONS: usize = 15_000;
/// Handshakes under way at a time.
const CONCURRENCY: usize = 64;
/// Time for buffers of the handshakes to be freed before memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// Sessions opened before the first reading, so that what the server needs once does not count.
const WARM_UP: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", address, authority, sessions] => {
            generate(address.parse()?, authority.as_ref(), sessions.parse()?).await
        }
        [sessions] => measure(sessions.parse()?).await,
        _ => measure(SESSIONS).await,
    }
}

#[expect(clippy::print_stdout, reason = "the result of a measuring program")]
async fn measure(sessions: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let mut config = Config::new(Domain::from_text("a.test")?, vec!["127.0.0.1:0".parse()?], data.path());
    config.dev = true;
    config.limits.connections_per_source = usize::MAX;
    let server = Server::spawn(config, Arc::new(MemoryStore::new())).await?;
    drop(open_all(&server, WARM_UP).await?);
    let before = resident()?;
    let start = Instant::now();
    let generator = open_all(&server, sessions).await?;
    let seconds = start.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let grown = resident()? - before;
    println!("base {:.1} MiB, {sessions} sessions in {seconds:.1} s", before as f64 / 1024.0);
    println!("{:.2} KiB per idle TLS session", grown as f64 / sessions as f64);
    drop(generator);
    Ok(())
}

/// Starts a generator and waits until its sessions are open. They end with it.
async fn open_all(server: &Server, sessions: usize) -> Result<tokio::process::Child> {
    let authority = server.development_authority().ok_or("no development authority")?;
    let mut generator = tokio::process::Command::new(std::env::current_exe()?)
        .args(["generate", &server.local_addr().to_string()])
        .arg(authority)
        .arg(sessions.to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = generator.stdout.take().ok_or("no pipe")?;
    match BufReader::new(stdout).lines().next_line().await? {
        Some(line) if line == "ready" => Ok(generator),
        other => Err(format!("the generator failed: {other:?}").into()),
    }
}

/// Resident memory of this process, KiB.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[expect(clippy::print_stdout, reason = "the parent process waits for this line")]
async fn generate(address: SocketAddr, authority: &Path, sessions: usize) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let open =
        stream::iter(0..sessions).map(|n| open(address, connector.clone(), n)).buffer_unordered(CONCURRENCY);
    let opened: Vec<Result<Socket>> = open.collect().await;
    let opened: Vec<Socket> = opened.into_iter().collect::<Result<_>>()?;
    println!("ready");
    std::future::pending::<()>().await;
    drop(opened);
    Ok(())
}

async fn open(address: SocketAddr, connector: TlsConnector, n: usize) -> Result<Socket> {
    let stream =
        connector.connect(ServerName::try_from("a.test")?, TcpStream::connect(address).await?).await?;
    let mut request = "ws://a.test/finder".into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    attach(&mut socket, n).await?;
    Ok(socket)
}

async fn attach(socket: &mut Socket, n: usize) -> Result<()> {
    let Header::Hello { jws } = receive(socket).await?.header else { return Err("no hello".into()) };
    let hello: Hello = serde_json::from_slice(Jws::parse(&jws, Hello::TYPE)?.payload())?;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    let location = Seed::new(seed);
    seed[31] = 1;
    let seeds = [(location, MailboxKind::Location), (Seed::new(seed), MailboxKind::Guest)];
    let list: Vec<_> = seeds.iter().map(|(seed, kind)| (MailboxId::of(&seed.public_key()), *kind)).collect();
    let input = attach_signing_input(hello.finder.as_str(), &hello.nonce, &list);
    let proof = |(seed, kind): &(Seed, MailboxKind)| MailboxProof {
        key: seed.public_key(),
        kind: *kind,
        sig: seed.sign(&input),
    };
    let mailboxes = seeds.iter().map(proof).collect();
    let attach = Frame::bare(Header::Attach { nonce: hello.nonce, mailboxes });
    socket.send(Message::Binary(attach.encode().into())).await?;
    match receive(socket).await?.header {
        Header::Attached { .. } => Ok(()),
        other => Err(format!("{other:?} instead of attached").into()),
    }
}

async fn receive(socket: &mut Socket) -> Result<Frame> {
    let message = socket.next().await.ok_or("the server hung up")??;
    Ok(Frame::decode(&message.into_data())?)
}
