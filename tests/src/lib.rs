//! What the tests of the whole share: domains on loopback with TLS, and peers that know how to reach them.
//!
//! Each file under `tests/` is one theme. Waiting is always for a condition, never for time.
#![expect(clippy::unwrap_used, reason = "what cannot be set up cannot be tested")]

pub mod couple;
pub mod gate;
pub mod intercept;
pub mod process;

use intercept::Door;
use openpeer::{Builder, Contact, Event, Knock, Link, Peer, PeerId, Resolve};
use openpeer_server::config::{NamePolicy, Names, Stun};
use openpeer_server::{Config, Server};
use openpeer_store::{SqliteStore, Store};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Nothing in these tests takes so long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A domain: a server in this process that can be stopped and started again.
pub struct Domain {
    name: &'static str,
    data: TempDir,
    address: SocketAddr,
    stun: SocketAddr,
    /// Outlives the server, as a disk does.
    store: Arc<dyn Store>,
    server: Option<Server>,
}

impl Domain {
    /// Starts a domain whose names everybody can claim.
    pub async fn start(name: &'static str) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(data.path()).unwrap());
        let mut domain = Self { name, data, address: free, stun: free, store, server: None };
        domain.serve().await;
        domain
    }

    /// Starts the server again, at the addresses it had.
    pub async fn serve(&mut self) {
        let mut config = Config::new(
            openpeer::Domain::from_text(self.name).unwrap(),
            vec![self.address],
            self.data.path(),
        );
        config.dev = true;
        config.names = Some(Names::new(NamePolicy::Open));
        config.stun = Some(Stun { listen: vec![self.stun], urls: None });
        let server = Server::spawn(config, Arc::clone(&self.store)).await.unwrap();
        self.address = server.local_addr();
        self.stun = server.stun_addr().unwrap();
        self.server = Some(server);
    }

    /// Stops the server at once, without a word to anybody.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// How to reach this domain's server without the library.
    #[must_use]
    pub fn door(&self) -> Door {
        let authority = std::fs::read(self.data.path().join("dev-ca.pem")).unwrap();
        Door { name: self.name, address: self.address, authority }
    }

    /// What lets a peer reach this domain: its authority's certificate, and where its names are.
    #[must_use]
    pub fn known_to(&self, builder: Builder) -> Builder {
        builder
            .ca_certificates(self.door().authority)
            .resolve(Resolve::new(self.name, 443, self.address))
            .resolve(Resolve::new(self.name, self.stun.port(), self.stun))
    }
}

/// Two domains, `a.test` and `b.test`.
pub struct World {
    /// Alice's domain.
    pub a: Domain,
    /// Bob's domain.
    pub b: Domain,
}

impl World {
    /// Starts both. What happens is logged as the environment variable `RUST_LOG` says.
    pub async fn start() -> Self {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        // Another test of this process may have been faster.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let (a, b) = tokio::join!(Domain::start("a.test"), Domain::start("b.test"));
        Self { a, b }
    }

    /// How to make or open a peer that knows both domains.
    #[must_use]
    pub fn builder(&self, directory: &Path) -> Builder {
        self.b.known_to(self.a.known_to(Peer::builder(directory).unprotected().development(true)))
    }

    /// A new peer that can be found under `name` at `domain`.
    pub async fn peer(&self, directory: &Path, name: &str, domain: &str) -> Peer {
        let (peer, _) = self.builder(directory).domain(domain).create().await.unwrap();
        peer.claim(name).await.unwrap();
        peer
    }

    /// Stops both servers at once.
    pub fn stop(&mut self) {
        self.a.stop();
        self.b.stop();
    }
}

/// Waits for an event of a peer; the others are dropped.
pub async fn wait_for<T>(peer: &Peer, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = peer.next_event().await.expect("the peer is not closed");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the event comes in time")
}

/// The next knock.
pub async fn knock(peer: &Peer) -> Knock {
    wait_for(peer, |event| match event {
        Event::Knock(knock) => Some(knock),
        _ => None,
    })
    .await
}

/// The next link that somebody else opens.
pub async fn link(peer: &Peer) -> Link {
    wait_for(peer, |event| match event {
        Event::LinkOpened(link) => Some(link),
        _ => None,
    })
    .await
}

/// Waits until the peer can be found.
pub async fn online(peer: &Peer) {
    wait_for(peer, |event| matches!(event, Event::Online(_)).then_some(())).await;
}

/// Two strangers become contacts: one knocks, the other accepts. Both ends of the link, over which each has got the
/// other's documents.
pub async fn introduce(seeker: &Peer, callee: &Peer, address: &str) -> (Link, Link) {
    let seeking = async { seeker.connect(address).await.unwrap() };
    let accepting = async { knock(callee).await.accept().await.unwrap() };
    let ends = tokio::join!(seeking, accepting);
    tokio::join!(acquainted(seeker, callee.id()), acquainted(callee, seeker.id()));
    ends
}

/// Waits until a peer holds what it takes to find a contact again: its documents and tickets for its mailbox.
pub async fn acquainted(peer: &Peer, contact: PeerId) {
    let known = async {
        while !peer.contacts().await.unwrap().iter().any(|known| known.peer == contact && has_tickets(known))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.expect("the documents come in time");
}

/// Tickets are not for programs, so this looks at the record.
fn has_tickets(contact: &Contact) -> bool {
    let record = serde_json::to_value(contact).unwrap();
    let locations = record["locations"].as_object().into_iter().flatten();
    let mut tickets = locations.flat_map(|(_, known)| known["tickets"].as_array().into_iter().flatten());
    tickets.any(|list| list.as_array().is_some_and(|list| !list.is_empty()))
}

/// Closes a link and waits until the other end knows.
pub async fn part(ours: Link, other: &Peer) {
    ours.close();
    wait_for(other, |event| matches!(event, Event::LinkEnded { .. }).then_some(())).await;
}

/// One contact opens a link to another. Both ends of it.
pub async fn find(seeker: &Peer, callee: &Peer) -> (Link, Link) {
    // Unwrapped inside, so that a failure is seen at once and not as a link that never comes.
    tokio::join!(async { seeker.connect(callee.id()).await.unwrap() }, link(callee))
}

/// Sends a message on a new channel and waits for its echo.
pub async fn chat(from: &Link, to: &Link, name: &str) {
    let channel = from.open(name).await.unwrap();
    channel.send("question").await.unwrap();
    let answer = async {
        let incoming = to.incoming().await.unwrap();
        assert_eq!(incoming.name(), name);
        let message = incoming.recv().await.unwrap().unwrap();
        incoming.send(&message).await.unwrap();
        incoming
    };
    let (echo, _incoming) = tokio::join!(channel.recv(), answer);
    assert_eq!(echo.unwrap().unwrap(), "question");
}
