//! One STUN server asked from one socket (RFC 8489 binding).

use super::{Clock, Gathered};
use crate::defaults::{BINDING_REFRESH, STUN_FINAL_WAIT, STUN_RTO, STUN_RTO_MAX, STUN_TRANSMISSIONS};
use crate::machine::Transmit;
use crate::machine::quiet::quietly;
use crate::{ServerKind, ServerOutcome, ServerReport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use stun_proto::agent::{StunAgent, StunAgentPollRet};
use stun_proto::types::TransportType;
use stun_proto::types::attribute::XorMappedAddress;
use stun_proto::types::message::{BINDING, Message, MessageWriteVec};
use stun_proto::types::prelude::*;

pub(super) struct StunClient {
    agent: StunAgent,
    clock: Clock,
    local: SocketAddr,
    server: SocketAddr,
    started: Instant,
    state: State,
    mapped: Option<SocketAddr>,
    took: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A request is due at this time.
    Due(Instant),
    /// A request is on its way.
    Asked,
    /// Nothing came back.
    GivenUp,
}

impl StunClient {
    pub(super) fn new(clock: Clock, local: SocketAddr, server: SocketAddr, now: Instant) -> Self {
        let agent = StunAgent::builder(TransportType::Udp, local)
            .remote_addr(server)
            .request_retransmits(STUN_RTO, STUN_RTO_MAX, STUN_TRANSMISSIONS, STUN_FINAL_WAIT)
            .build();
        Self { agent, clock, local, server, started: now, state: State::Due(now), mapped: None, took: None }
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

    /// No first answer yet, and not given up.
    pub(super) fn is_pending(&self) -> bool {
        self.mapped.is_none() && self.state != State::GivenUp
    }

    /// Takes a response; `None` if the datagram is none of this client's.
    pub(super) fn handle_datagram(&mut self, payload: &[u8], now: Instant) -> Option<Option<Gathered>> {
        let message = Message::from_bytes(payload).ok()?;
        if !message.is_response() || !self.matches(&message, now) {
            return None;
        }
        self.state = State::Due(now + BINDING_REFRESH);
        let mapped = message
            .attribute::<XorMappedAddress>()
            .ok()
            .map(|attribute| attribute.addr(message.transaction_id()));
        let Some(mapped) = mapped else {
            if self.mapped.is_none() {
                self.state = State::GivenUp;
            }
            return Some(None);
        };
        self.took.get_or_insert_with(|| now.saturating_duration_since(self.started));
        let is_news = self.mapped.replace(mapped) != Some(mapped);
        Some(is_news.then_some(Gathered::ServerReflexive { address: mapped, base: self.local }))
    }

    pub(super) fn run(&mut self, now: Instant, refresh: bool, transmits: &mut VecDeque<Transmit>) {
        if let State::Due(at) = self.state
            && at <= now
            && (refresh || self.mapped.is_none())
        {
            self.ask(now, transmits);
        }
        let time = self.clock.library_time(now);
        while let Some(transmit) = quietly(|| self.agent.poll_transmit(time)) {
            transmits.push_back(Transmit {
                source: transmit.from,
                destination: transmit.to,
                payload: transmit.data.to_vec(),
            });
        }
        if let StunAgentPollRet::TransactionTimedOut(_) | StunAgentPollRet::TransactionCancelled(_) =
            quietly(|| self.agent.poll(time))
        {
            self.state = State::GivenUp;
        }
    }

    pub(super) fn next(&mut self, refresh: bool, now: Instant) -> Option<Instant> {
        match self.state {
            State::Due(at) => (refresh || self.mapped.is_none()).then_some(at),
            State::Asked => match quietly(|| self.agent.poll(self.clock.library_time(now))) {
                StunAgentPollRet::WaitUntil(at) => Some(self.clock.our_time(at)),
                _ => None,
            },
            State::GivenUp => None,
        }
    }

    pub(super) fn report(&self) -> ServerReport {
        let outcome = match (self.mapped, self.state) {
            (Some(_), _) => ServerOutcome::Answered,
            (None, State::GivenUp) => ServerOutcome::Failed,
            (None, _) => ServerOutcome::Pending,
        };
        ServerReport { kind: ServerKind::Stun, outcome, ms: self.took.map(|took| took.as_secs_f64() * 1e3) }
    }

    /// Whether the message answers a request of ours, which it then finishes.
    fn matches(&mut self, message: &Message<'_>, now: Instant) -> bool {
        let time = self.clock.library_time(now);
        quietly(|| self.agent.handle_stun_message_with_time(message, self.server, time))
    }

    fn ask(&mut self, now: Instant, transmits: &mut VecDeque<Transmit>) {
        self.state = State::Asked;
        let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
        if request.add_fingerprint().is_err() {
            self.state = State::GivenUp;
            return;
        }
        let request = request.finish();
        let time = self.clock.library_time(now);
        let sent = quietly(|| {
            self.agent.send_request(request, self.server, time).map(|transmit| transmit.data.to_vec())
        });
        match sent {
            Ok(payload) => {
                transmits.push_back(Transmit { source: self.local, destination: self.server, payload });
            }
            Err(_) => self.state = State::GivenUp,
        }
    }
}
