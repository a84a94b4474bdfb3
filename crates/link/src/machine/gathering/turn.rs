//! One allocation at a TURN server (RFC 8656), reached over UDP.
//!
//! Permissions are asked for as soon as a peer's address is known, and the first checks wait for them: a check that
//! reaches the relay before its permission is dropped there and costs ICE a retransmission.

use super::{Clock, Demux, Gathered, RelayProtocol, TurnServer};
use crate::defaults::{MAX_AWAITING_PERMISSION, STUN_FINAL_WAIT, STUN_RTO, STUN_RTO_MAX, STUN_TRANSMISSIONS};
use crate::machine::Transmit;
use crate::machine::quiet::quietly;
use crate::{ServerKind, ServerOutcome, ServerReport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use turn_client_proto::api::{
    CreatePermissionError, Transmit as LibraryTransmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
};
use turn_client_proto::prelude::*;
use turn_client_proto::types::{AddressFamily, TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

pub(super) struct TurnClient {
    client: TurnClientUdp,
    clock: Clock,
    local: SocketAddr,
    server: SocketAddr,
    started: Instant,
    took: Option<Duration>,
    relayed: Vec<SocketAddr>,
    is_failed: bool,
    next: Option<Instant>,
    /// Peers asked for before the allocation was there.
    wanted: BTreeSet<IpAddr>,
    /// What waits for a permission, by peer.
    waiting: BTreeMap<IpAddr, VecDeque<(SocketAddr, Vec<u8>)>>,
}

impl TurnClient {
    pub(super) fn new(clock: Clock, local: SocketAddr, server: &TurnServer, now: Instant) -> Self {
        let credentials = TurnCredentials::new(&server.username, &server.password);
        let mut config = TurnConfig::new(credentials);
        config.add_address_family(AddressFamily::IPV6);
        config.set_request_retransmits(STUN_RTO, STUN_RTO_MAX, STUN_TRANSMISSIONS, STUN_FINAL_WAIT);
        let client = match server.protocol {
            RelayProtocol::Udp => quietly(|| TurnClientUdp::allocate(local, server.address, config)),
        };
        Self {
            client,
            clock,
            local,
            server: server.address,
            started: now,
            took: None,
            relayed: Vec::new(),
            is_failed: false,
            next: Some(now),
            wanted: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    pub(super) fn is_between(&self, local: SocketAddr, server: SocketAddr) -> bool {
        self.local == local && self.server == server
    }

    pub(super) fn is_pending(&self) -> bool {
        self.relayed.is_empty() && !self.is_failed
    }

    pub(super) fn owns(&self, address: SocketAddr) -> bool {
        self.relayed.contains(&address)
    }

    pub(super) fn handle_datagram(&mut self, payload: &[u8], now: Instant) -> Demux {
        let transmit = LibraryTransmit::new(payload, TransportType::Udp, self.server, self.local);
        let time = self.clock.library_time(now);
        match quietly(|| self.client.recv(transmit, time)) {
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => Demux::Handled,
            TurnRecvRet::Ignored(_) => Demux::Other,
            TurnRecvRet::PeerData(data) => match self.relayed_for(data.peer) {
                Some(relayed) => Demux::Relayed { peer: data.peer, relayed, payload: data.data().to_vec() },
                None => Demux::Handled,
            },
        }
    }

    pub(super) fn permit(&mut self, peer: IpAddr, now: Instant) {
        self.wanted.insert(peer);
        self.request_permission(peer, now);
    }

    pub(super) fn send(&mut self, to: SocketAddr, payload: &[u8], now: Instant) -> Option<Transmit> {
        if self.client.have_permission(TransportType::Udp, to.ip()) {
            return self.send_now(to, payload, now);
        }
        let waiting = self.waiting.entry(to.ip()).or_default();
        if waiting.len() < MAX_AWAITING_PERMISSION {
            waiting.push_back((to, payload.to_vec()));
        }
        self.permit(to.ip(), now);
        None
    }

    pub(super) fn bind(&mut self, peer: SocketAddr, now: Instant) {
        let time = self.clock.library_time(now);
        // An existing or refused channel leaves the longer form in use, which works as well.
        let _ = quietly(|| self.client.bind_channel(TransportType::Udp, peer, time));
        self.next = Some(now);
    }

    pub(super) fn release(&mut self, now: Instant) {
        let time = self.clock.library_time(now);
        // Without an allocation there is nothing to give back.
        let _ = quietly(|| self.client.delete(time));
    }

    pub(super) fn run(
        &mut self,
        now: Instant,
        transmits: &mut VecDeque<Transmit>,
        gathered: &mut VecDeque<Gathered>,
    ) {
        while let Some(event) = quietly(|| self.client.poll_event()) {
            self.handle_event(event, now, transmits, gathered);
        }
        while let Some(transmit) = self.poll_transmit(now) {
            transmits.push_back(transmit);
        }
        let time = self.clock.library_time(now);
        self.next = match quietly(|| self.client.poll(time)) {
            TurnPollRet::WaitUntil(at) => Some(self.clock.our_time(at)),
            TurnPollRet::Closed => {
                self.is_failed = true;
                None
            }
            // Both concern TCP allocations, which are never asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => None,
        };
    }

    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        let time = self.clock.library_time(now);
        let transmit = quietly(|| self.client.poll_transmit(time))?;
        Some(Transmit { source: transmit.from, destination: transmit.to, payload: transmit.data.to_vec() })
    }

    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn report(&self) -> ServerReport {
        let outcome = match (self.took, self.is_failed) {
            (Some(_), _) => ServerOutcome::Answered,
            (None, true) => ServerOutcome::Failed,
            (None, false) => ServerOutcome::Pending,
        };
        ServerReport { kind: ServerKind::Turn, outcome, ms: self.took.map(|took| took.as_secs_f64() * 1e3) }
    }

    fn handle_event(
        &mut self,
        event: TurnEvent,
        now: Instant,
        transmits: &mut VecDeque<Transmit>,
        gathered: &mut VecDeque<Gathered>,
    ) {
        match event {
            TurnEvent::AllocationCreated(_, address) => {
                self.took.get_or_insert_with(|| now.saturating_duration_since(self.started));
                self.relayed.push(address);
                gathered.push_back(Gathered::Relayed { address, base: self.local });
                for peer in self.wanted.clone() {
                    self.request_permission(peer, now);
                }
            }
            TurnEvent::PermissionCreated(_, peer) => {
                for (to, payload) in self.waiting.remove(&peer).unwrap_or_default() {
                    transmits.extend(self.send_now(to, &payload, now));
                }
            }
            TurnEvent::PermissionCreateFailed(_, peer) => {
                self.waiting.remove(&peer);
            }
            TurnEvent::AllocationCreateFailed(_)
            | TurnEvent::ChannelCreated(..)
            | TurnEvent::ChannelCreateFailed(..)
            | TurnEvent::TcpConnected(_)
            | TurnEvent::TcpConnectFailed(_) => {}
        }
    }

    fn request_permission(&mut self, peer: IpAddr, now: Instant) {
        if !self.relayed.iter().any(|relayed| relayed.is_ipv4() == peer.is_ipv4()) {
            return;
        }
        let time = self.clock.library_time(now);
        match quietly(|| self.client.create_permission(TransportType::Udp, peer, time)) {
            Ok(()) | Err(CreatePermissionError::AlreadyExists) => self.next = Some(now),
            Err(error) => tracing::debug!(%error, "the relay takes no permission"),
        }
    }

    fn send_now(&mut self, to: SocketAddr, payload: &[u8], now: Instant) -> Option<Transmit> {
        let time = self.clock.library_time(now);
        let built =
            quietly(|| self.client.send_to(TransportType::Udp, to, payload, time)).ok().flatten()?.build();
        Some(Transmit { source: built.from, destination: built.to, payload: built.data })
    }

    fn relayed_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.relayed.iter().find(|relayed| relayed.is_ipv4() == peer.is_ipv4()).copied()
    }
}
