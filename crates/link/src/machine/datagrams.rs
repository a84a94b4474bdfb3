//! Datagrams: whose they are, which wait, and where those of the engine go.

use super::gathering::Demux;
use super::{Held, LinkMachine, Role, State, Transmit};
use crate::defaults::{MAX_EARLY_DTLS, MAX_HELD_DATAGRAMS, MAX_REMOTE_ADDRESSES};
use std::net::SocketAddr;
use std::time::Instant;

impl LinkMachine {
    pub(super) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        local: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) {
        match self.gathering.handle_datagram(source, local, payload, now) {
            Demux::Handled => {}
            Demux::Other => self.handle_peer_datagram(source, local, payload, now),
            Demux::Relayed { peer, relayed, payload } => {
                self.handle_peer_datagram(peer, relayed, &payload, now)
            }
        }
    }

    fn handle_peer_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) {
        let accepted = self.engine.accepts(source, destination, payload, now);
        if is_stun(payload) {
            if accepted && self.authenticate(source) {
                self.note_check(source, destination, payload, now);
                self.feed(source, destination, payload, now);
                self.release_early(now);
            }
        } else if !accepted {
            self.keep_early(source, destination, payload);
        } else if self.channels.is_full() || !self.held.is_empty() {
            if self.held.len() < MAX_HELD_DATAGRAMS {
                self.held.push_back(Held { source, destination, payload: payload.to_vec() });
            }
        } else {
            self.feed(source, destination, payload, now);
        }
    }

    /// Whether checks from this address are answered: those of a few addresses, so that a peer cannot have this side
    /// send to any number of third parties by forging sources.
    fn authenticate(&mut self, source: SocketAddr) -> bool {
        if self.authenticated.len() >= MAX_REMOTE_ADDRESSES && !self.authenticated.contains(&source) {
            return false;
        }
        self.authenticated.insert(source);
        true
    }

    /// A DTLS client whose ICE is done first sends its ClientHello before this side's ICE accepts its address. Dropped,
    /// it would come again only after DTLS's timer, most of a second later.
    fn keep_early(&mut self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        let is_expected = self.role == Role::Seeker && is_client_hello(payload);
        if is_expected && self.authenticated.contains(&source) && self.early.len() < MAX_EARLY_DTLS {
            self.early.push_back(Held { source, destination, payload: payload.to_vec() });
        }
    }

    pub(super) fn release_early(&mut self, now: Instant) {
        for _ in 0..self.early.len() {
            let Some(held) = self.early.pop_front() else { return };
            if self.engine.accepts(held.source, held.destination, &held.payload, now) {
                self.feed(held.source, held.destination, &held.payload, now);
            } else {
                self.early.push_back(held);
            }
        }
    }

    /// Lets the peer go on after enough was read.
    pub(super) fn release_held(&mut self, now: Instant) {
        if self.held.is_empty() || !self.channels.has_room() {
            return;
        }
        while !self.channels.is_full() {
            let Some(held) = self.held.pop_front() else { break };
            self.feed(held.source, held.destination, &held.payload, now);
            self.run(now);
        }
    }

    fn feed(&mut self, source: SocketAddr, destination: SocketAddr, payload: &[u8], now: Instant) {
        if let Err(reason) = self.engine.receive(source, destination, payload, now) {
            self.end(reason, now);
        }
    }

    pub(super) fn route(&mut self, transmit: &str0m::net::Transmit, now: Instant) {
        let (source, destination) = (transmit.source, transmit.destination);
        let payload: &[u8] = &transmit.contents;
        if is_stun(payload) {
            if is_binding_request(payload) {
                self.recorder.check_sent(source, destination);
            }
        } else {
            if self.state == State::Paused {
                // Without consent nothing but checks may be sent (RFC 7675 section 5.1).
                return;
            }
            self.use_path(source, destination, now);
        }
        if self.gathering.is_relayed(source) {
            self.gathering.send_relayed(source, destination, payload, now);
        } else {
            self.transmits.push_back(Transmit { source, destination, payload: payload.to_vec() });
        }
    }
}

/// RFC 7983: the first byte tells STUN from everything else.
fn is_stun(payload: &[u8]) -> bool {
    matches!(payload, [0..=1, _, ..])
}

/// A handshake record with a (fragment of a) ClientHello: RFC 9147 sections 4 and 5.2.
fn is_client_hello(payload: &[u8]) -> bool {
    const RECORD_HEADER: usize = 13;
    payload.first() == Some(&22) && payload.get(RECORD_HEADER) == Some(&1)
}

fn is_binding_request(payload: &[u8]) -> bool {
    payload.starts_with(&[0, 1])
}

pub(super) fn is_binding_success(payload: &[u8]) -> bool {
    payload.starts_with(&[1, 1])
}
