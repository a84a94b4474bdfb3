//! The world: hosts, programs, people and time.

mod clients;
mod event;
mod links;
mod peers;
mod servers;
mod streams;
mod watch;

pub use clients::Socket;
pub use links::EndId;
pub use peers::{Manners, OutputTamper};
pub use servers::{FrameTamper, Outage, PassingFrame, WebTamper};

use crate::defaults::BEGINNING;
use crate::dice::Dice;
use crate::network::{Host, Network, Path};
use crate::schedule::Schedule;
use crate::trace::{Trace, TraceHash};
use clients::ClientNode;
use event::Event;
use links::LinkEnd;
use openpeer_core::Time;
use openpeer_core::peer::LinkId;
use peers::PeerNode;
use servers::{DomainNode, ServerNode};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use streams::{Stream, StreamId};
use watch::Watch;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(usize);)*
    };
}

index! {
    /// One location of a peer: a device, its program and its user.
    Peer;
    /// A domain.
    Domain;
    /// A process that serves a domain.
    Server;
    /// A program that the test plays.
    Client;
}

/// A network of real machines over a model of everything else. Two worlds made with the same seed and treated alike
/// are alike to the last bit.
pub struct World {
    now: Time,
    schedule: Schedule<Event>,
    trace: Trace,
    dice: Dice,
    next_id: u64,
    network: Network,
    natted: BTreeSet<Host>,
    domains: Vec<DomainNode>,
    servers: Vec<ServerNode>,
    peers: Vec<PeerNode>,
    clients: Vec<ClientNode>,
    streams: BTreeMap<StreamId, Stream>,
    ends: BTreeMap<EndId, LinkEnd>,
    /// Which end listens where.
    sockets: BTreeMap<links::Socket, EndId>,
    /// Connectivity checks by address.
    checks: BTreeMap<Ipv4Addr, u32>,
    dials: Vec<(Time, Peer)>,
    taps: bool,
    heard: Vec<(EndId, Vec<u8>)>,
    watch: Watch,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self {
            now: BEGINNING,
            schedule: Schedule::new(),
            trace: Trace::default(),
            network: Network::new(dice.fork()),
            dice,
            next_id: 1,
            natted: BTreeSet::new(),
            domains: Vec::new(),
            servers: Vec::new(),
            peers: Vec::new(),
            clients: Vec::new(),
            streams: BTreeMap::new(),
            ends: BTreeMap::new(),
            sockets: BTreeMap::new(),
            checks: BTreeMap::new(),
            dials: Vec::new(),
            taps: false,
            heard: Vec::new(),
            watch: Watch::default(),
        }
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The hash over everything that happened so far.
    #[must_use]
    pub fn trace(&self) -> TraceHash {
        self.trace.hash()
    }

    /// Dice for decisions that a story takes about this world.
    pub const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Lets everything happen that happens within `millis`.
    pub fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.schedule.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets things happen until `condition` holds, for at most `millis`. Says whether it does; if so, it began to hold
    /// just now.
    pub fn run_until(&mut self, millis: u64, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + millis;
        loop {
            if condition(self) {
                return true;
            }
            if self.schedule.next_at().is_none_or(|at| at > end) {
                self.now = end;
                return false;
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let Some((at, event)) = self.schedule.pop() else { return };
        self.now = self.now.max(at);
        match event {
            Event::PeerWake(peer) => self.peer_wakes(peer),
            Event::ServerWake(server) => {
                if self.servers[server.0].wants_wake(self.now) {
                    self.finder_wakes(server);
                }
            }
            Event::Segment { stream, toward, segment } => self.segment_arrives(stream, toward, segment),
            Event::DialTimeout(stream) => self.dial_times_out(stream),
            Event::Silence { stream, toward } => self.silence_noticed(stream, toward),
            Event::Link(flight) => self.flight_arrives(flight),
            Event::LinkTimeout(end) => self.link_times_out(end),
            Event::LinkRetention(end) => self.link_retention_ends(end),
            Event::Gathered { end, answered } => self.gathered(end, answered),
            Event::Answer { peer, life, knock, accept } => self.answer_knock(peer, life, knock, accept),
        }
    }

    /// Sets the way between two hosts.
    pub fn set_path(&mut self, a: Host, b: Host, path: Path) {
        self.network.set_path(a, b, path);
    }

    /// Sets the way between all hosts for which none was set.
    pub const fn set_common_path(&mut self, path: Path) {
        self.network.set_common(path);
    }

    /// Cuts two hosts apart.
    pub fn cut(&mut self, a: Host, b: Host) {
        self.network.cut(a, b);
        self.quiet();
    }

    /// Ends the cut between two hosts.
    pub fn heal(&mut self, a: Host, b: Host) {
        self.network.heal(a, b);
        self.unquiet();
    }

    /// Cuts a host off from all others.
    pub fn isolate(&mut self, host: Host) {
        self.network.isolate(host);
        self.quiet();
    }

    /// Ends the isolation of a host.
    pub fn reconnect(&mut self, host: Host) {
        self.network.reconnect(host);
        self.unquiet();
    }

    /// Ends all cuts and isolations.
    pub fn heal_all(&mut self) {
        self.network.heal_all();
        self.unquiet();
    }

    fn quiet(&mut self) {
        let cut: BTreeSet<StreamId> = self
            .streams
            .iter()
            .filter(|(_, stream)| !self.network.connects(stream.client(), self.servers[stream.server.0].host))
            .map(|(id, _)| *id)
            .collect();
        self.quiet_streams(&cut);
        self.pause_links();
    }

    fn unquiet(&mut self) {
        self.wake_streams();
        self.resume_links();
    }

    /// Puts a peer behind a NAT: its own candidates are private, and strangers reach it by its reflexive one only.
    pub fn put_behind_nat(&mut self, peer: Peer) {
        let host = self.peers[peer.0].host;
        self.natted.insert(host);
    }

    /// Connectivity checks that were sent to an address.
    #[must_use]
    pub fn checks_at(&self, address: Ipv4Addr) -> u32 {
        self.checks.get(&address).copied().unwrap_or_default()
    }

    /// When finders were dialled, and by whom.
    #[must_use]
    pub fn dials(&self) -> &[(Time, Peer)] {
        &self.dials
    }

    /// Begins to keep what is said on control channels.
    pub const fn tap_links(&mut self) {
        self.taps = true;
    }

    /// Everything said on control channels since [`Self::tap_links`], with the end that heard it.
    #[must_use]
    pub fn heard(&self) -> &[(EndId, Vec<u8>)] {
        &self.heard
    }

    /// The end of a peer's link.
    #[must_use]
    pub fn link_end(&self, peer: Peer, link: LinkId) -> Option<EndId> {
        self.end_of(peer, link)
    }

    /// ICE restarts on an end that the other end answered.
    #[must_use]
    pub fn restarts(&self, end: EndId) -> u32 {
        self.ends.get(&end).map_or(0, |end| end.restarts)
    }

    fn server_at(&self, url: &str) -> Option<Server> {
        (0..self.servers.len()).map(Server).find(|server| self.servers[server.0].url.as_str() == url)
    }

    fn server_of_host(&self, host: &str) -> Option<Server> {
        (0..self.servers.len()).map(Server).find(|server| self.servers[server.0].url.host() == host)
    }

    fn plan(&mut self, at: Time, event: Event) {
        self.schedule.plan(at, event);
    }

    fn record(&mut self, kind: &str, fields: &[&[u8]]) {
        self.trace.record(self.now, kind, fields);
    }

    const fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
