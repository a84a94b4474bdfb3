//! Relayed links through coturn, started here on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use openpeer_link::{
    CandidateKind, ChannelOptions, ConnectReport, IceServer, Interfaces, Link, LinkConfig, LinkEvent,
    PathKind, PreparedLink, Role, ServerKind, ServerOutcome, TransportParameters,
};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);
const USER: &str = "user";
const PASSWORD: &str = "relay-secret";

/// A running coturn; stopped when dropped.
struct Coturn {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Coturn {
    fn start() -> Self {
        for _ in 0..5 {
            if let Some(coturn) = Self::try_start() {
                return coturn;
            }
        }
        panic!("turnserver did not come up on any of five free ports");
    }

    fn try_start() -> Option<Self> {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let in_folder = |name: &str| folder.path().join(name).display().to_string();
        let process = Command::new("turnserver")
            .args([
                "-n",
                "--listening-ip=127.0.0.1",
                "--relay-ip=127.0.0.1",
                "--realm=test",
                "--lt-cred-mech",
            ])
            .args([
                "--allow-loopback-peers",
                "--no-cli",
                "--no-tls",
                "--no-dtls",
                "--no-tcp",
                "--log-file=stdout",
            ])
            .arg(format!("--listening-port={port}"))
            .arg(format!("--user={USER}:{PASSWORD}"))
            .arg(format!("--pidfile={}", in_folder("pid")))
            .arg(format!("--userdb={}", in_folder("db")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver is needed: install the package coturn");
        let mut coturn = Self { process, port, _folder: folder };
        coturn.is_up().then_some(coturn)
    }

    /// Asks until it answers a binding request, or ends because its port was taken meanwhile.
    fn is_up(&mut self) -> bool {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        while self.process.try_wait().unwrap().is_none() {
            // A port that nobody listens on yet gives an error, which is an answer as well.
            let _ = socket.send_to(&request, (Ipv4Addr::LOCALHOST, self.port));
            if socket.recv_from(&mut [0; 512]).is_ok() {
                return true;
            }
        }
        false
    }

    fn turn(&self, password: &str) -> IceServer {
        IceServer::turn(format!("turn:127.0.0.1:{}", self.port), USER, password)
    }

    fn stun(&self) -> IceServer {
        IceServer::stun(format!("stun:127.0.0.1:{}", self.port))
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn direct() -> LinkConfig {
    LinkConfig { interfaces: Interfaces::Loopback, ..LinkConfig::default() }
}

fn relayed(coturn: &Coturn) -> LinkConfig {
    LinkConfig { relay_only: true, servers: vec![coturn.turn(PASSWORD)], ..direct() }
}

/// Parameters with every candidate that gathering gives.
async fn complete_parameters(link: &PreparedLink) -> TransportParameters {
    let mut parameters = link.local_parameters();
    while let Some(candidate) = timeout(LONG, link.next_candidate()).await.unwrap() {
        parameters.candidates.push(candidate);
    }
    parameters
}

async fn open_link(seeker: &LinkConfig, answerer: &LinkConfig) -> (Link, Link) {
    let seeker = Link::prepare(seeker, Role::Seeker).unwrap();
    let answerer = Link::prepare(answerer, Role::Answerer).unwrap();
    let find = complete_parameters(&seeker).await;
    let answer = complete_parameters(&answerer).await;
    let answerer = answerer.start(&find).unwrap();
    let seeker = seeker.start(&answer).unwrap();
    timeout(LONG, async { tokio::try_join!(seeker.opened(), answerer.opened()) }).await.unwrap().unwrap();
    (seeker, answerer)
}

async fn carries_a_mebibyte(from: &Link, to: &Link) {
    let channel = from.open("bulk", ChannelOptions::default()).unwrap();
    let sending = tokio::spawn(async move {
        for number in 0..64_u8 {
            channel.send(&[number; 16 * 1024]).await.unwrap();
        }
        channel
    });
    let far = loop {
        if let LinkEvent::IncomingChannel(incoming) = timeout(LONG, to.next_event()).await.unwrap().unwrap() {
            break incoming.channel;
        }
    };
    for number in 0..64_u8 {
        assert_eq!(timeout(LONG, far.recv()).await.unwrap().unwrap().as_ref(), [number; 16 * 1024]);
    }
    sending.await.unwrap();
}

fn outcomes(report: &ConnectReport) -> Vec<(ServerKind, ServerOutcome)> {
    report.servers.iter().map(|server| (server.kind, server.outcome)).collect()
}

#[tokio::test]
async fn relays_between_a_relayed_and_a_direct_side() {
    let coturn = Coturn::start();
    for is_seeker_relayed in [true, false] {
        let (seeker, answerer) = if is_seeker_relayed {
            open_link(&relayed(&coturn), &direct()).await
        } else {
            open_link(&direct(), &relayed(&coturn)).await
        };
        assert_eq!(seeker.path().unwrap().kind, PathKind::Relayed);
        assert_eq!(answerer.path().unwrap().kind, PathKind::Relayed);
        carries_a_mebibyte(&seeker, &answerer).await;
        carries_a_mebibyte(&answerer, &seeker).await;
        let report = if is_seeker_relayed { &seeker } else { &answerer }.report();
        assert_eq!(outcomes(&report), [(ServerKind::Turn, ServerOutcome::Answered)]);
        assert_eq!((report.local.host, report.local.relay), (0, 1));
        assert!(report.pairs.iter().all(|pair| pair.local == CandidateKind::Relayed));
    }
}

#[tokio::test]
async fn relays_between_two_relayed_sides() {
    let coturn = Coturn::start();
    let (seeker, answerer) = open_link(&relayed(&coturn), &relayed(&coturn)).await;
    carries_a_mebibyte(&seeker, &answerer).await;
    carries_a_mebibyte(&answerer, &seeker).await;
}

/// A first check that reaches the relay before its permission is lost, and the next comes after 250 ms.
#[tokio::test]
async fn the_first_check_through_a_relay_is_not_lost() {
    let coturn = Coturn::start();
    let mut best = f64::MAX;
    for _ in 0..10 {
        let (seeker, _answerer) = open_link(&relayed(&coturn), &direct()).await;
        best = best.min(seeker.report().phases.ice_ms.unwrap());
    }
    assert!(best < 200.0, "ICE took {best} ms at best");
}

#[tokio::test]
async fn survives_an_ice_restart_while_relayed() {
    let coturn = Coturn::start();
    let (seeker, answerer) = open_link(&relayed(&coturn), &direct()).await;
    let ours = seeker.restart_ice().unwrap();
    let theirs = answerer.accept_ice_restart(&ours).unwrap().unwrap();
    seeker.finish_ice_restart(&theirs).unwrap();
    carries_a_mebibyte(&seeker, &answerer).await;
    assert_eq!(seeker.path().unwrap().kind, PathKind::Relayed);
}

#[tokio::test]
async fn a_relay_that_refuses_is_reported_and_harms_nothing() {
    let coturn = Coturn::start();
    let config = LinkConfig { servers: vec![coturn.turn("wrong"), coturn.stun()], ..direct() };
    let (seeker, _answerer) = open_link(&config, &direct()).await;
    assert_eq!(seeker.path().unwrap().kind, PathKind::Direct);
    let outcomes = outcomes(&seeker.report());
    assert!(outcomes.contains(&(ServerKind::Turn, ServerOutcome::Failed)), "{outcomes:?}");
    assert!(outcomes.contains(&(ServerKind::Stun, ServerOutcome::Answered)), "{outcomes:?}");
}

/// Where the test below collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The TURN library logs addresses as information and as span fields.
#[tokio::test]
async fn no_address_and_no_secret_is_logged_at_info() {
    let coturn = Coturn::start();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    // The whole test runs on this thread.
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("logging works");
    let (seeker, answerer) = open_link(&relayed(&coturn), &direct()).await;
    carries_a_mebibyte(&seeker, &answerer).await;
    seeker.close().await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("logging works"));
    for forbidden in ["127.0.0.1", "::1", PASSWORD] {
        assert!(!text.contains(forbidden), "{forbidden} is in the log:\n{text}");
    }
}
