//! Links: what ICE, DTLS and SCTP do, as far as a machine can tell.
//!
//! An end sends connectivity checks to every candidate of the other end. A check reaches whichever end listens at the
//! candidate's address, and is answered only if both hold each other's ICE credentials (RFC 8445 section 7). Then both
//! show their certificates (DTLS), and an end that sees another fingerprint than the signed one breaks off. A link
//! costs three round trips from the moment at which the later of both ends was started: ICE 1, DTLS 1.3 1, SCTP with
//! its first message 1; each end is open when the last packet meant for it has arrived. Afterwards messages arrive
//! in order and only once, as SCTP sees to that; loss delays them. An end that has lost its path keeps its state for a
//! while, and what was sent arrives when the path is back.

use super::event::Event;
use super::{Client, Peer, World};
use crate::defaults::{LINK_CONNECT_TIMEOUT, LINK_RETENTION, RETRANSMISSION, STUN_TIMEOUT};
use crate::network::Host;
use openpeer_core::peer::{Input, LinkId, LinkRole};
use openpeer_core::transport::{Candidate, Fingerprint, IceCredentials, TransportParameters};
use openpeer_core::{Code, Time};
use std::net::Ipv4Addr;

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndId(pub(super) u64);

/// Whose end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndOwner {
    Peer { peer: Peer, life: u32, link: LinkId },
    Client(Client),
}

pub(super) struct LinkEnd {
    pub(super) owner: EndOwner,
    host: Host,
    port: u16,
    local: TransportParameters,
    remote: Option<TransportParameters>,
    /// The other end and where it is, once this one is open.
    pub(super) partner: Option<(EndId, Host)>,
    /// When the last planned message for this end arrives.
    last: Time,
    /// Messages for this end that wait for a path.
    stalled: Vec<Message>,
    pathless_since: Option<Time>,
    /// ICE restarts that were answered.
    pub(super) restarts: u32,
}

/// Something on its way from one end to another.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    from: EndId,
    to: EndId,
    hosts: (Host, Host),
    packet: Packet,
}

#[derive(Clone, Debug)]
enum Packet {
    /// Part of ICE, DTLS and SCTP handshakes; the numbers count one-way trips.
    Handshake {
        trip: u8,
        proof: Proof,
    },
    Message(Message),
}

/// What an end shows while a link is set up, and what it believes of the other.
#[derive(Clone, Debug)]
struct Proof {
    own: IceCredentials,
    theirs: IceCredentials,
    certificate: Fingerprint,
}

#[derive(Clone, Debug)]
enum Message {
    Control(Vec<u8>),
    Close,
}

/// The first trip that shows a certificate.
const DTLS: u8 = 2;
/// The first trip after DTLS.
const SCTP: u8 = 4;
/// The last trip.
const OPEN: u8 = 5;

impl World {
    pub(super) fn prepare_link(
        &mut self,
        peer: Peer,
        link: LinkId,
        _role: LinkRole,
        stun: &[String],
        relay_only: bool,
    ) -> Input {
        let (host, life) = (self.peers[peer.0].host, self.peers[peer.0].life);
        let (end, local) = self.new_end(EndOwner::Peer { peer, life, link }, host, !relay_only);
        self.bind_end(peer, link, end);
        self.gather(end, stun.first().filter(|_| !relay_only).map(String::as_str));
        Input::LinkPrepared { link, local }
    }

    /// A fresh certificate, fresh credentials, and a socket with one host candidate.
    pub(super) fn new_end(
        &mut self,
        owner: EndOwner,
        host: Host,
        shows_host: bool,
    ) -> (EndId, TransportParameters) {
        let id = EndId(self.fresh_id());
        let port = 1_024 + (id.0 % 64_000) as u16;
        let ice = IceCredentials { ufrag: self.dice.ice_text(8), pwd: self.dice.ice_text(24) };
        let candidates =
            if shows_host { vec![candidate(self.interface(host), port, "host")] } else { Vec::new() };
        let local = TransportParameters { fingerprint: Fingerprint(self.dice.bytes()), ice, candidates };
        let end = LinkEnd {
            owner,
            host,
            port,
            local: local.clone(),
            remote: None,
            partner: None,
            last: self.now,
            stalled: Vec::new(),
            pathless_since: None,
            restarts: 0,
        };
        self.ends.insert(id, end);
        self.sockets.insert((host.address(), port), id);
        (id, local)
    }

    /// The address that a device sees of itself: a private one behind a NAT.
    fn interface(&self, host: Host) -> Ipv4Addr {
        let [a, b, c, d] = host.address().octets();
        if self.natted.contains(&host) { Ipv4Addr::new(10, a, b, c) } else { [a, b, c, d].into() }
    }

    /// Asks a STUN server how it sees us.
    fn gather(&mut self, end: EndId, stun: Option<&str>) {
        let Some(entry) = self.ends.get(&end) else { return };
        let server = stun.and_then(|url| self.server_of_host(url.split(':').nth(1)?));
        let answering = server
            .map(|server| &self.servers[server.0])
            .filter(|server| server.is_running() && self.network.connects(entry.host, server.host));
        let (after, answered) = match (stun, answering) {
            (None, _) => (0, false),
            (Some(_), Some(server)) => (self.network.round_trip(entry.host, server.host), true),
            (Some(_), None) => (STUN_TIMEOUT, false),
        };
        self.plan(self.now + after, Event::Gathered { end, answered });
    }

    pub(super) fn gathered(&mut self, id: EndId, answered: bool) {
        let Some(LinkEnd { owner: EndOwner::Peer { peer, life, link }, host, port, .. }) = self.ends.get(&id)
        else {
            return;
        };
        let (peer, life, link) = (*peer, *life, *link);
        let reflexive = candidate(host.address(), *port, "srflx");
        let candidates = if answered { vec![reflexive] } else { Vec::new() };
        self.feed_alive(peer, life, Input::LinkCandidates { link, candidates, end: true });
    }

    pub(super) fn start_end(&mut self, id: EndId, remote: TransportParameters) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let candidates = remote.candidates.clone();
        end.remote = Some(remote);
        self.plan(self.now + LINK_CONNECT_TIMEOUT, Event::LinkTimeout(id));
        self.check(id, &candidates);
        // Ends that were started before have been checking all the time, and from now on somebody answers. One
        // handshake is enough: theirs counts only if ours finds no way to them.
        let (socket, aims) = (self.ends[&id].socket(), self.ends[&id].aims());
        let waiting =
            self.ends.iter().filter(|(_, end)| end.aims().contains(&socket) && !aims.contains(&end.socket()));
        let waiting: Vec<EndId> = waiting.map(|(id, _)| *id).collect();
        for waiting in waiting {
            self.send_proof(waiting, id, 0);
        }
    }

    pub(super) fn add_candidates(&mut self, id: EndId, candidates: Vec<Candidate>) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let Some(remote) = &mut end.remote else { return };
        remote.candidates.extend(candidates.iter().cloned());
        if end.partner.is_none() {
            self.check(id, &candidates);
        }
    }

    /// Sends connectivity checks to candidates of the other end.
    fn check(&mut self, id: EndId, candidates: &[Candidate]) {
        for socket in candidates.iter().filter_map(socket_of) {
            *self.checks.entry(socket.0).or_default() += 1;
            if let Some(target) = self.sockets.get(&socket).copied() {
                self.send_proof(id, target, 0);
            }
        }
    }

    fn send_proof(&mut self, from: EndId, to: EndId, trip: u8) {
        let (Some(end), Some(target)) = (self.ends.get(&from), self.ends.get(&to)) else { return };
        let Some(remote) = &end.remote else { return };
        let proof = Proof {
            own: end.local.ice.clone(),
            theirs: remote.ice.clone(),
            certificate: end.local.fingerprint,
        };
        let hosts = (end.host, target.host);
        for delay in self.network.datagram_delays(hosts.0, hosts.1) {
            let packet = Packet::Handshake { trip, proof: proof.clone() };
            self.plan(self.now + delay, Event::Link(Flight { from, to, hosts, packet }));
        }
    }

    pub(super) fn flight_arrives(&mut self, flight: Flight) {
        let Some(end) = self.ends.get_mut(&flight.to) else { return };
        if self.network.connects(flight.hosts.0, flight.hosts.1) {
            return match flight.packet {
                Packet::Handshake { trip, proof } => self.proof_arrives(flight.from, flight.to, trip, &proof),
                Packet::Message(message) => self.message_arrives(flight.to, message),
            };
        }
        match flight.packet {
            Packet::Handshake { .. } => self.plan(self.now + 5 * RETRANSMISSION, Event::Link(flight)),
            Packet::Message(message) => end.stalled.push(message),
        }
    }

    fn proof_arrives(&mut self, from: EndId, to: EndId, trip: u8, proof: &Proof) {
        let Some(end) = self.ends.get(&to) else { return };
        let Some(remote) = &end.remote else { return };
        if proof.theirs != end.local.ice
            || proof.own != remote.ice
            || end.partner.is_some_and(|(at, _)| at != from)
        {
            return;
        }
        let genuine = proof.certificate == remote.fingerprint;
        self.record("handshake", &[&from.0.to_be_bytes(), &to.0.to_be_bytes(), &[trip, u8::from(genuine)]]);
        if trip >= DTLS && !genuine {
            return self.end_fails(to, Code::BadFingerprint);
        }
        if trip < OPEN {
            self.send_proof(to, from, trip + 1);
        }
        if trip >= SCTP {
            self.end_opens(to, from);
        }
    }

    fn end_opens(&mut self, id: EndId, partner: EndId) {
        let Some(host) = self.ends.get(&partner).map(|partner| partner.host) else { return };
        let Some(end) = self.ends.get_mut(&id) else { return };
        if end.partner.replace((partner, host)).is_some() {
            return;
        }
        match end.owner {
            EndOwner::Peer { peer, life, link } => self.feed_alive(peer, life, Input::LinkOpen { link }),
            EndOwner::Client(client) => self.clients[client.0].opened.push(id),
        }
        let early = self.ends.get_mut(&id).map(|end| std::mem::take(&mut end.stalled)).unwrap_or_default();
        for message in early {
            self.message_arrives(id, message);
        }
    }

    pub(super) fn send_control(&mut self, from: EndId, bytes: Vec<u8>) {
        self.send_message(from, Message::Control(bytes));
    }

    fn send_message(&mut self, from: EndId, message: Message) {
        let Some(LinkEnd { host, partner: Some((to, partner)), .. }) = self.ends.get(&from) else { return };
        let (to, hosts) = (*to, (*host, *partner));
        let delay = self.network.stream_delay(hosts.0, hosts.1);
        let Some(end) = self.ends.get_mut(&to) else { return };
        end.last = (self.now + delay).max(end.last);
        let at = end.last;
        self.plan(at, Event::Link(Flight { from, to, hosts, packet: Packet::Message(message) }));
    }

    fn message_arrives(&mut self, to: EndId, message: Message) {
        let Some(end) = self.ends.get_mut(&to) else { return };
        // Data may overtake the last packet of the handshake; SCTP holds it back until then.
        if end.partner.is_none() || !end.stalled.is_empty() {
            return end.stalled.push(message);
        }
        let owner = end.owner;
        match message {
            Message::Control(bytes) => {
                self.record("control", &[&to.0.to_be_bytes(), &bytes]);
                if self.taps {
                    self.heard.push((to, bytes.clone()));
                }
                match owner {
                    EndOwner::Peer { peer, life, link } => {
                        self.feed_alive(peer, life, Input::LinkControl { link, bytes });
                    }
                    EndOwner::Client(client) => self.clients[client.0].messages.push((to, bytes)),
                }
            }
            Message::Close => self.end_fails(to, Code::Cancelled),
        }
    }

    /// An owner ends its link: the other end hears of it behind what was sent before.
    pub(super) fn end_link(&mut self, id: EndId) {
        self.send_message(id, Message::Close);
        self.forget_end(id);
    }

    /// The owner's process is gone: nobody tells the other end.
    pub(super) fn vanish(&mut self, id: EndId) {
        self.forget_end(id);
        let orphans: Vec<EndId> = self
            .ends
            .iter()
            .filter(|(_, end)| end.partner.is_some_and(|(at, _)| at == id))
            .map(|(id, _)| *id)
            .collect();
        for orphan in orphans {
            self.lose_path(orphan);
        }
    }

    /// A link ended without its owner's doing.
    fn end_fails(&mut self, id: EndId, reason: Code) {
        let Some(end) = self.ends.get(&id) else { return };
        let owner = end.owner;
        self.forget_end(id);
        match owner {
            EndOwner::Peer { peer, life, link } => {
                self.unbind_end(peer, link);
                self.feed_alive(peer, life, Input::LinkEnded { link, reason });
            }
            EndOwner::Client(client) => self.clients[client.0].ended.push((id, reason)),
        }
    }

    fn forget_end(&mut self, id: EndId) {
        if let Some(end) = self.ends.remove(&id) {
            self.sockets.remove(&end.socket());
        }
    }

    pub(super) fn link_times_out(&mut self, id: EndId) {
        if self.ends.get(&id).is_some_and(|end| end.partner.is_none()) {
            self.end_fails(id, Code::ConnectFailed);
        }
    }

    fn lose_path(&mut self, id: EndId) {
        let now = self.now;
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.pathless_since.get_or_insert(now);
        self.plan(now + LINK_RETENTION, Event::LinkRetention(id));
    }

    /// The network was cut somewhere: open links across the cut have no path.
    pub(super) fn pause_links(&mut self) {
        for (id, _, (a, b)) in self.open_ends() {
            if !self.network.connects(a, b) {
                self.lose_path(id);
            }
        }
    }

    pub(super) fn link_retention_ends(&mut self, id: EndId) {
        let Some(end) = self.ends.get(&id) else { return };
        if end.pathless_since.is_some_and(|since| self.now.millis_since(since) >= LINK_RETENTION) {
            self.end_fails(id, Code::ConnectFailed);
        }
    }

    /// The network is back: links go on, and what stalled arrives.
    pub(super) fn resume_links(&mut self) {
        for (id, partner, hosts) in self.open_ends() {
            if !self.network.connects(hosts.0, hosts.1) {
                continue;
            }
            let back = self.now + self.network.recovery_delay(hosts.0, hosts.1);
            let partner_lives = self.ends.contains_key(&partner);
            let Some(end) = self.ends.get_mut(&id) else { continue };
            if partner_lives {
                end.pathless_since = None;
            }
            let stalled = std::mem::take(&mut end.stalled);
            if stalled.is_empty() {
                continue;
            }
            end.last = back.max(end.last);
            let at = end.last;
            for message in stalled {
                let packet = Packet::Message(message);
                self.plan(at, Event::Link(Flight { from: partner, to: id, hosts, packet }));
            }
        }
    }

    /// An end changes its network: it restarts ICE in band (RFC 8445 section 2.4).
    pub fn restart_ice(&mut self, peer: Peer, link: LinkId) {
        let Some(end) = self.end_of(peer, link) else { return };
        let (ice, candidates) = self.fresh_path(end);
        self.feed(peer, Input::LinkIce { link, answer: false, ice, candidates });
    }

    fn fresh_path(&mut self, id: EndId) -> (IceCredentials, Vec<Candidate>) {
        let ice = IceCredentials { ufrag: self.dice.ice_text(8), pwd: self.dice.ice_text(24) };
        let Some(end) = self.ends.get_mut(&id) else { return (ice, Vec::new()) };
        end.local.ice = ice.clone();
        (ice, vec![candidate(end.host.address(), end.port, "host")])
    }

    pub(super) fn remote_restarts(
        &mut self,
        id: EndId,
        answer: bool,
        ice: IceCredentials,
        candidates: Vec<Candidate>,
    ) -> Option<Input> {
        let end = self.ends.get_mut(&id)?;
        let EndOwner::Peer { link, .. } = end.owner else { return None };
        let remote = end.remote.as_mut()?;
        (remote.ice, remote.candidates) = (ice, candidates);
        if answer {
            end.restarts += 1;
            return None;
        }
        let (ice, candidates) = self.fresh_path(id);
        Some(Input::LinkIce { link, answer: true, ice, candidates })
    }

    /// Every open end, its partner, and the hosts of both.
    fn open_ends(&self) -> Vec<(EndId, EndId, (Host, Host))> {
        let open = |(id, end): (&EndId, &LinkEnd)| {
            end.partner.map(|(partner, host)| (*id, partner, (end.host, host)))
        };
        self.ends.iter().filter_map(open).collect()
    }
}

impl LinkEnd {
    const fn socket(&self) -> Socket {
        (self.host.address(), self.port)
    }

    /// Where this end looks for the other one.
    fn aims(&self) -> Vec<Socket> {
        let looks = self.remote.iter().filter(|_| self.partner.is_none());
        looks.flat_map(|remote| &remote.candidates).filter_map(socket_of).collect()
    }
}

/// An address and a port.
pub(super) type Socket = (Ipv4Addr, u16);

fn candidate(address: Ipv4Addr, port: u16, kind: &str) -> Candidate {
    let (priority, related) = match kind {
        "srflx" => (1_694_498_815_u32, " raddr 0.0.0.0 rport 0"),
        _ => (2_130_706_431, ""),
    };
    Candidate(format!("candidate:1 1 udp {priority} {address} {port} typ {kind}{related}"))
}

fn socket_of(candidate: &Candidate) -> Option<Socket> {
    let mut words = candidate.0.split(' ').skip(4);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
