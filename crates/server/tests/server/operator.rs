//! What an operator meets: start-up errors, metrics and health, STUN, logs.

use crate::support::http::{get, metric};
use crate::support::peer::TestPeer;
use crate::support::{Client, dial, dial_at, domain_document, eventually, plain, spawn, tls};
use openpeer_core::key::Seed;
use openpeer_server::config::{Metrics, NamePolicy, Names, Stun, Tls};
use openpeer_server::{Config, Server, StartError};
use openpeer_store::MemoryStore;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec};
use tokio::net::UdpSocket;
use tracing_subscriber::fmt::MakeWriter;

async fn start_error(config: Config) -> StartError {
    Server::spawn(config, Arc::new(MemoryStore::new())).await.err().expect("the server started")
}

#[tokio::test]
async fn start_errors_say_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let config = || plain(data.path());
    let running = spawn(config()).await;
    let missing = data.path().join("missing.pem");
    let garbage = data.path().join("garbage.pem");
    std::fs::write(&garbage, "garbage").unwrap();
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    let certificate = |path: &Path| Some(Tls { certificate: path.to_owned(), key: path.to_owned() });

    for (config, code, hint) in [
        (Config { listen: vec![running.local_addr()], ..config() }, "start-bind", "another program"),
        (
            Config { listen: vec!["192.0.2.1:0".parse().unwrap()], dev: true, ..config() },
            "start-bind",
            "interface",
        ),
        (Config { listen: vec!["0.0.0.0:0".parse().unwrap()], ..config() }, "start-plain-http", "[tls]"),
        (Config { listen: Vec::new(), ..config() }, "start-config", "at least one address"),
        (Config { tls: certificate(&missing), ..config() }, "start-unreadable", "missing.pem"),
        (Config { tls: certificate(&garbage), ..config() }, "start-certificate", "PEM"),
        (Config { dev: true, data: file, ..config() }, "start-unwritable", "data directory"),
    ] {
        let error = start_error(config).await;
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[tokio::test]
async fn certificates_have_to_fit_name_and_key() {
    let data = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let make = |host: &str| rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let (ours, theirs) = (make("a.test"), make("b.test"));
    let (our_key, their_key) = (
        write("a.key", ours.signing_key.serialize_pem()),
        write("b.key", theirs.signing_key.serialize_pem()),
    );
    let (ours, theirs) = (write("a.pem", ours.cert.pem()), write("b.pem", theirs.cert.pem()));
    let with = |certificate: &Path, key: &Path| {
        let tls = Some(Tls { certificate: certificate.to_owned(), key: key.to_owned() });
        Config { tls, ..plain(data.path()) }
    };
    assert!(start_error(with(&theirs, &their_key)).await.to_string().contains("not for a.test"));
    assert!(start_error(with(&ours, &their_key)).await.to_string().contains("key that belongs to it"));
    let server = spawn(with(&ours, &our_key)).await;
    let answer = get(dial_at(server.local_addr(), Some(&ours)).await, "/.well-known/openpeer").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn metrics_and_health_are_for_the_operator() {
    let data = tempfile::tempdir().unwrap();
    let metrics = Metrics { listen: Some("127.0.0.1:0".parse().unwrap()), public: false };
    let listen = vec!["0.0.0.0:0".parse().unwrap()];
    let config = Config { listen, metrics, ..tls(data.path()) };
    let server = spawn(config.clone()).await;
    let public = SocketAddr::from(([127, 0, 0, 1], server.local_addr().port()));
    for path in ["/metrics", "/healthz"] {
        let authority = server.development_authority();
        assert_eq!(get(dial_at(public, authority).await, path).await.status, 404, "{path}");
        assert_eq!(
            get(dial_at(server.metrics_addr().unwrap(), None).await, path).await.status,
            200,
            "{path}"
        );
    }
    drop(server);
    let server = spawn(Config { metrics: Metrics { public: true, listen: None }, ..config }).await;
    let public = SocketAddr::from(([127, 0, 0, 1], server.local_addr().port()));
    let answer = get(dial_at(public, server.development_authority()).await, "/metrics").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.ends_with("# EOF\n"));
    for name in ["exchange", "session", "keepalive", "http", "stun"] {
        assert!(
            text.contains(&format!("openpeer_bytes_total{{kind=\"{name}\",direction=\"in\"}}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn stun_answers_with_the_address_it_sees() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let data = tempfile::tempdir().unwrap();
        let stun = Stun { listen: vec![listen.parse().unwrap()], urls: None };
        let server = spawn(Config { stun: Some(stun), ..plain(data.path()) }).await;
        let address = server.stun_addr().unwrap();
        assert_eq!(domain_document(&server).await.stun, [format!("stun:a.test:{}", address.port())]);

        let socket = UdpSocket::bind(listen).await.unwrap();
        socket.send_to(b"garbage", address).await.unwrap();
        let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
        request.add_fingerprint().unwrap();
        socket.send_to(&request.finish(), address).await.unwrap();
        let mut answer = [0; 1500];
        let receive = tokio::time::timeout(crate::support::PATIENCE, socket.recv(&mut answer));
        let length = receive.await.unwrap().unwrap();
        let answer = Message::from_bytes(&answer[..length]).unwrap();
        let seen = answer.attribute::<XorMappedAddress>().unwrap().addr(answer.transaction_id());
        assert_eq!(seen, socket.local_addr().unwrap());
        assert_eq!(metric(&server, "openpeer_stun_answers_total").await, 1);
        assert_eq!(metric(&server, "openpeer_stun_ignored_total").await, 1);
    }
}

#[tokio::test]
async fn limits_refuse_connections_and_sessions() {
    let data = tempfile::tempdir().unwrap();
    let mut config = plain(data.path());
    config.limits.sessions = 1;
    config.limits.connections_per_source = 3;
    let server = spawn(config).await;
    let domain = domain_document(&server).await;
    let session = Client::over(dial(&server).await, &domain).await;
    match crate::support::open(dial(&server).await, Some("openpeer.1")).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => assert_eq!(response.status(), 503),
        _ => panic!("a second session"),
    }
    // Places of connections that have just ended may come back a moment later.
    eventually("a fourth connection is refused", async || {
        let _held = [dial(&server).await, dial(&server).await];
        is_closed(dial(&server).await).await
    })
    .await;
    eventually("others are served again", async || !is_closed(dial(&server).await).await).await;
    assert!(metric(&server, "openpeer_connection_refusals_total{reason=\"source\"}").await >= 1);
    drop(session);
}

/// Whether the server hangs up on a connection before anything was said.
async fn is_closed(mut stream: Box<dyn crate::support::Io>) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = b"GET /.well-known/openpeer HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let _ = stream.write_all(request).await;
    let _ = stream.read_to_end(&mut answer).await;
    answer.is_empty()
}

/// Takes log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The subscriber is everybody's, because one of a single thread would race with the other tests for the cached interest
/// in each log line. What they log must not show addresses either.
#[tokio::test]
async fn no_address_reaches_the_log_at_info() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let data = tempfile::tempdir().unwrap();
    let stun = Some(Stun { listen: vec!["127.0.0.1:0".parse().unwrap()], urls: None });
    let names = Some(Names::new(NamePolicy::Open));
    let server = spawn(Config { stun, names, ..tls(data.path()) }).await;
    let bob = TestPeer::new(1);
    assert_eq!(bob.claim(&server, "bob").await.status, 201);
    let mut client = Client::connect(&server).await;
    client.attach(&Seed::new([1; 32]), &bob.guest).await;
    client.send_bytes(vec![0; 30_000]).await;
    let _ = client.read_to_end().await;
    assert!(!is_closed(dial_at(server.local_addr(), None).await).await, "an alert answers what is no TLS");
    server.shutdown().await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("serving") && text.contains("stopped"), "{text}");
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)));
    let addresses = words.filter(|word| word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok());
    assert_eq!(addresses.collect::<Vec<_>>(), [""; 0], "{text}");
}
