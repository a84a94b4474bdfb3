//! Gathering (RFC 8445 section 5.1.1): server-reflexive addresses from STUN servers, relayed ones from TURN servers.
//!
//! Nothing waits for it: what it finds trickles, and its end is only an event.

mod stun;
mod turn;

use super::Transmit;
use crate::defaults::MAX_SERVERS;
use crate::{ServerKind, ServerOutcome, ServerReport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use stun::StunClient;
use turn::TurnClient;
use zeroize::Zeroizing;

/// A server that helps a link to find addresses.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Server {
    /// STUN over UDP (RFC 8489).
    Stun(SocketAddr),
    /// TURN (RFC 8656).
    Turn(TurnServer),
}

/// A TURN server and the credentials for it (long-term mechanism, RFC 8489 section 9.2).
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Address of the server.
    pub address: SocketAddr,
    /// How the server is reached.
    pub protocol: RelayProtocol,
    /// User name.
    pub username: String,
    /// Password; wiped when dropped. The TURN library keeps a copy for as long as the link lives.
    pub password: Zeroizing<String>,
}

/// How a relay is reached. TCP and TLS come with a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayProtocol {
    /// UDP.
    Udp,
}

/// An address that gathering found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    ServerReflexive { address: SocketAddr, base: SocketAddr },
    Relayed { address: SocketAddr, base: SocketAddr },
}

/// What a datagram turned out to be.
pub(super) enum Demux {
    /// Ours; nothing else to do.
    Handled,
    /// Not from a server.
    Other,
    /// Data of a peer that a relay passed on.
    Relayed { peer: SocketAddr, relayed: SocketAddr, payload: Vec<u8> },
}

/// All STUN and TURN clients of one link.
pub(super) struct Gathering {
    clock: Clock,
    locals: Vec<SocketAddr>,
    stun_servers: Vec<SocketAddr>,
    turn_servers: Vec<TurnServer>,
    stun: Vec<StunClient>,
    turn: Vec<TurnClient>,
    /// Servers that never got a client.
    unused: Vec<ServerReport>,
    /// The caller announced its last address and server.
    is_complete: bool,
    refresh: bool,
    gathered: VecDeque<Gathered>,
    transmits: VecDeque<Transmit>,
}

/// The libraries count nanoseconds from a point of our choice.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    fn library_time(self, now: Instant) -> stun_proto::Instant {
        let nanos = now.saturating_duration_since(self.0).as_nanos();
        stun_proto::Instant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn our_time(self, time: stun_proto::Instant) -> Instant {
        self.0 + Duration::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(0))
    }
}

impl Gathering {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            clock: Clock(now),
            locals: Vec::new(),
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            stun: Vec::new(),
            turn: Vec::new(),
            unused: Vec::new(),
            is_complete: false,
            refresh: true,
            gathered: VecDeque::new(),
            transmits: VecDeque::new(),
        }
    }

    pub(super) fn add_local(&mut self, local: SocketAddr, now: Instant) {
        if self.locals.contains(&local) {
            return;
        }
        self.locals.push(local);
        for server in self.stun_servers.clone() {
            self.ask_stun(local, server, now);
        }
        for server in self.turn_servers.clone() {
            self.ask_turn(server, now);
        }
    }

    pub(super) fn remove_local(&mut self, local: SocketAddr, now: Instant) {
        self.locals.retain(|known| *known != local);
        self.stun.retain(|client| client.local() != local);
        self.turn.retain(|client| client.local() != local);
        for server in self.turn_servers.clone() {
            self.ask_turn(server, now);
        }
    }

    pub(super) fn add_server(&mut self, server: Server, now: Instant) {
        match server {
            Server::Stun(address) => {
                if self.stun_servers.len() >= MAX_SERVERS || self.stun_servers.contains(&address) {
                    return;
                }
                self.stun_servers.push(address);
                for local in self.locals.clone() {
                    self.ask_stun(local, address, now);
                }
            }
            Server::Turn(server) => {
                let is_known = self.turn_servers.iter().any(|known| known.address == server.address);
                if self.turn_servers.len() >= MAX_SERVERS || is_known {
                    return;
                }
                self.turn_servers.push(server.clone());
                self.ask_turn(server, now);
            }
        }
    }

    /// Records a server that cannot be used, for the report.
    pub(super) fn note_unused(&mut self, kind: ServerKind, outcome: ServerOutcome) {
        if self.unused.len() < 2 * MAX_SERVERS {
            self.unused.push(ServerReport { kind, outcome, ms: None });
        }
    }

    /// The caller has announced all addresses and servers.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// NAT bindings for reflexive candidates need no refresh once a path is found: its checks keep it open.
    pub(super) fn set_refresh(&mut self, refresh: bool) {
        self.refresh = refresh;
    }

    /// Whether every server has answered or was given up.
    pub(super) fn is_finished(&self) -> bool {
        self.is_complete && !self.is_pending()
    }

    fn is_pending(&self) -> bool {
        self.stun.iter().any(StunClient::is_pending) || self.turn.iter().any(TurnClient::is_pending)
    }

    // --- datagrams ---

    pub(super) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        local: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) -> Demux {
        if let Some(client) = self.turn.iter_mut().find(|client| client.is_between(local, source)) {
            let demux = client.handle_datagram(payload, now);
            if !matches!(demux, Demux::Other) {
                return demux;
            }
        }
        for client in self.stun.iter_mut().filter(|client| client.is_between(local, source)) {
            if let Some(outcome) = client.handle_datagram(payload, now) {
                self.gathered.extend(outcome);
                return Demux::Handled;
            }
        }
        Demux::Other
    }

    /// Whether this is a relayed address of ours.
    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.turn.iter().any(|client| client.owns(address))
    }

    /// Sends from a relayed address.
    pub(super) fn send_relayed(&mut self, relayed: SocketAddr, to: SocketAddr, payload: &[u8], now: Instant) {
        if let Some(client) = self.turn.iter_mut().find(|client| client.owns(relayed)) {
            self.transmits.extend(client.send(to, payload, now));
        }
    }

    /// Lets a peer's address through the relays, before the first check to or from it.
    pub(super) fn permit(&mut self, peer: SocketAddr, now: Instant) {
        for client in &mut self.turn {
            client.permit(peer.ip(), now);
        }
    }

    /// Uses the compact channel form on a relayed path from now on.
    pub(super) fn bind(&mut self, relayed: SocketAddr, peer: SocketAddr, now: Instant) {
        if let Some(client) = self.turn.iter_mut().find(|client| client.owns(relayed)) {
            client.bind(peer, now);
        }
    }

    /// Gives allocations back.
    pub(super) fn release(&mut self, now: Instant) {
        for client in &mut self.turn {
            client.release(now);
            while let Some(transmit) = client.poll_transmit(now) {
                self.transmits.push_back(transmit);
            }
        }
    }

    // --- running ---

    /// Runs all clients and returns when they want to run again.
    pub(super) fn run(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        let mut earliest = |at: Instant| next = Some(next.map_or(at, |known: Instant| known.min(at)));
        for client in &mut self.stun {
            client.run(now, self.refresh, &mut self.transmits);
            client.next(self.refresh, now).map(&mut earliest);
        }
        for client in &mut self.turn {
            client.run(now, &mut self.transmits, &mut self.gathered);
            client.next().map(&mut earliest);
        }
        next
    }

    pub(super) fn poll_gathered(&mut self) -> Option<Gathered> {
        self.gathered.pop_front()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn report(&self) -> Vec<ServerReport> {
        let unreachable_stun = self
            .stun_servers
            .iter()
            .filter(|server| !self.stun.iter().any(|client| client.server() == **server))
            .map(|_| ServerReport { kind: ServerKind::Stun, outcome: ServerOutcome::Unreachable, ms: None });
        let unreachable_turn = self
            .turn_servers
            .iter()
            .filter(|server| !self.turn.iter().any(|client| client.server() == server.address))
            .map(|_| ServerReport { kind: ServerKind::Turn, outcome: ServerOutcome::Unreachable, ms: None });
        let stun = self.stun.iter().map(StunClient::report);
        let turn = self.turn.iter().map(TurnClient::report);
        stun.chain(turn)
            .chain(unreachable_stun)
            .chain(unreachable_turn)
            .chain(self.unused.iter().copied())
            .collect()
    }

    fn ask_stun(&mut self, local: SocketAddr, server: SocketAddr, now: Instant) {
        if can_reach(local, server) {
            self.stun.push(StunClient::new(self.clock, local, server, now));
        }
    }

    /// One allocation for each server is enough: a relay is reached from anywhere.
    fn ask_turn(&mut self, server: TurnServer, now: Instant) {
        let is_asked = self.turn.iter().any(|client| client.server() == server.address);
        let local = self.locals.iter().find(|local| can_reach(**local, server.address));
        if let (false, Some(local)) = (is_asked, local) {
            self.turn.push(TurnClient::new(self.clock, *local, &server, now));
        }
    }
}

/// A socket bound to one address reaches its own IP version, and loopback only from loopback.
fn can_reach(local: SocketAddr, server: SocketAddr) -> bool {
    local.is_ipv4() == server.is_ipv4() && local.ip().is_loopback() == server.ip().is_loopback()
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, protocol, username: _, password: _ } = self;
        f.debug_struct("TurnServer")
            .field("address", address)
            .field("protocol", protocol)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stun(address) => f.debug_tuple("Stun").field(address).finish(),
            Self::Turn(server) => f.debug_tuple("Turn").field(server).finish(),
        }
    }
}
