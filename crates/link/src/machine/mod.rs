//! The link machine: everything that decides, without IO.
//!
//! Time comes in with each call and never goes backwards; datagrams and addresses come in and go out as values.
//! Certificates and ICE credentials come from the cryptographic library's generator; no decision depends on them.
//!
//! # Calling rule
//!
//! After *every* call that takes `now`:
//!
//! 1. take [`LinkMachine::poll_transmit`] until it is empty, and send what it gives;
//! 2. take [`LinkMachine::poll_event`] until it is empty;
//! 3. call [`LinkMachine::handle_timeout`] no later than [`LinkMachine::poll_timeout`] says.

mod candidates;
mod channels;
mod datagrams;
mod description;
mod engine;
mod gathering;
mod liveness;
mod quiet;
mod recorder;
mod timer;

pub use candidates::IceParameters;
pub use channels::{CONTROL, ChannelKey, ChannelOptions, Reliability};
pub use gathering::{RelayProtocol, Server, TurnServer};

use crate::defaults::{CHECK_PACE, CONNECT_TIMEOUT, PAUSED_RETENTION};
use crate::{
    ConnectReport, EndReason, PathInfo, PrepareError, PrivateCandidates, ServerKind, ServerOutcome,
    StartError,
};
use candidates::{Locals, Remotes};
use channels::Channels;
use engine::{Engine, EngineOutput};
use gathering::Gathering;
use liveness::Liveness;
use openpeer_core::transport::{Candidate, TransportParameters};
use recorder::{Facts, Recorder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::{Event as EngineEvent, IceConnectionState};
use timer::{Timer, Timers};

/// Which side of the exchange this is (protocol section 5). It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sent the find: controls ICE, is DTLS server.
    Seeker,
    /// Sent the answer: is controlled, is DTLS client.
    Answerer,
}

/// How a link behaves.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Whether loopback addresses are candidates; for development and tests.
    pub allow_loopback: bool,
    /// Which private addresses of the peer are checked.
    pub private_candidates: PrivateCandidates,
    /// Whether only relays are used, so that the peer learns no address of this device.
    pub relay_only: bool,
    /// The link must be open this long after it was started.
    pub connect_timeout: Duration,
    /// How long a link without a path is kept.
    pub paused_retention: Duration,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            private_candidates: PrivateCandidates::Always,
            relay_only: false,
            connect_timeout: CONNECT_TIMEOUT,
            paused_retention: PAUSED_RETENTION,
        }
    }
}

/// What comes in from the world.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram arrived at a local address.
    Datagram {
        /// Who sent it.
        source: SocketAddr,
        /// The local address, as announced with `AddressUp`.
        local: SocketAddr,
        /// Its content.
        payload: &'a [u8],
    },
    /// A UDP socket is bound to this address.
    AddressUp(SocketAddr),
    /// The socket is gone.
    AddressDown(SocketAddr),
    /// A server is known.
    Server(Server),
    /// A server of the configuration cannot be used; for the report.
    ServerUnusable(ServerKind, ServerOutcome),
    /// All addresses and servers were announced.
    GatheringComplete,
}

/// A datagram to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The local address to send from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its content.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Transmit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, destination, payload } = self;
        write!(f, "Transmit({source} -> {destination}, {} bytes)", payload.len())
    }
}

/// What the machine has to tell.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A candidate for the peer, found after [`LinkMachine::local_parameters`] was called.
    LocalCandidate(Candidate),
    /// There will be no more candidates, until addresses or servers change.
    GatheringDone,
    /// The control channel is open on this side.
    Open,
    /// The peer opened a channel.
    IncomingChannel {
        /// The channel.
        channel: ChannelKey,
        /// Its name, 1 to 128 bytes.
        name: String,
        /// How it delivers.
        options: ChannelOptions,
    },
    /// The channel has something to read, after it had nothing.
    Readable(ChannelKey),
    /// The channel can be written, after it could not.
    Writable(ChannelKey),
    /// The peer closed the channel.
    ChannelClosed(ChannelKey),
    /// There has been no path for 30 s; the link waits for one.
    Paused,
    /// There is a path again.
    Resumed,
    /// The link uses another path.
    PathChanged(PathInfo),
    /// The link is over; the last event.
    Ended(EndReason),
}

/// One link, from its preparation to its end.
pub struct LinkMachine {
    config: MachineConfig,
    role: Role,
    state: State,
    ended: Option<EndReason>,
    engine: Engine,
    gathering: Gathering,
    locals: Locals,
    remotes: Remotes,
    channels: Channels,
    liveness: Liveness,
    recorder: Recorder,
    timers: Timers,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
    /// Addresses from which a check with the right credentials came.
    authenticated: BTreeSet<SocketAddr>,
    /// Pairs whose first check is still to be paced.
    unpaced: usize,
    /// DTLS that came before ICE accepted its source.
    early: VecDeque<Held>,
    /// Datagrams kept back because too much is unread.
    held: VecDeque<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preparing,
    Connecting,
    Open,
    Paused,
    Closing,
    Ended,
}

/// A datagram that waits.
struct Held {
    source: SocketAddr,
    destination: SocketAddr,
    payload: Vec<u8>,
}

impl LinkMachine {
    /// A new link with a certificate and ICE credentials of its own.
    ///
    /// # Errors
    /// `Certificate` if the cryptographic library fails.
    pub fn new(config: MachineConfig, role: Role, now: Instant) -> Result<Self, PrepareError> {
        Ok(Self {
            config,
            role,
            state: State::Preparing,
            ended: None,
            engine: Engine::new(role, now)?,
            gathering: Gathering::new(now),
            locals: Locals::default(),
            remotes: Remotes::default(),
            channels: Channels::new(),
            liveness: Liveness::new(now),
            recorder: Recorder::new(now),
            timers: Timers::default(),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            authenticated: BTreeSet::new(),
            unpaced: 0,
            early: VecDeque::new(),
            held: VecDeque::new(),
        })
    }

    /// This side's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Starts ICE and DTLS with the peer's signed parameters. Candidates that cannot be used are left out.
    ///
    /// # Errors
    /// `Parameters` or `Refused` if the parameters are invalid, `AlreadyStarted`, `Ended`.
    pub fn start(&mut self, remote: &TransportParameters, now: Instant) -> Result<(), StartError> {
        match self.state {
            State::Preparing => {}
            State::Ended => return Err(StartError::Ended(self.ended.unwrap_or(EndReason::Internal))),
            _ => return Err(StartError::AlreadyStarted),
        }
        remote.check().map_err(StartError::Parameters)?;
        self.engine.start(remote.fingerprint, &remote.ice)?;
        self.state = State::Connecting;
        self.recorder.started(now);
        self.timers.set(Timer::Connect, Some(now + self.config.connect_timeout));
        self.add_control_channel();
        self.add_remote_candidates(&remote.candidates, now);
        // Without this the answerer sleeps until the peer's first datagram, which a relay never lets through. One more
        // for each check of the peer that waited for its credentials: the agent answers one at a time.
        for _ in 0..=self.authenticated.len() {
            self.tick(now);
        }
        self.run(now);
        Ok(())
    }

    // --- the five verbs ---

    /// Takes something from the world.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) {
        if self.state == State::Ended {
            return;
        }
        match input {
            Input::Datagram { source, local, payload } => self.handle_datagram(source, local, payload, now),
            Input::AddressUp(address) => self.add_address(address, now),
            Input::AddressDown(address) => self.remove_address(address, now),
            Input::Server(Server::Stun(_)) if self.config.relay_only => {}
            Input::Server(server) => {
                self.gathering.add_server(server, now);
                self.locals.reopen();
            }
            Input::ServerUnusable(kind, outcome) => self.gathering.note_unused(kind, outcome),
            Input::GatheringComplete => {
                self.gathering.complete();
                self.locals.reopen();
            }
        }
        self.run(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Engine => {
                    self.unpaced = self.unpaced.saturating_sub(1);
                    self.tick(now);
                }
                Timer::Gathering => {}
                Timer::Connect => self.end(EndReason::ConnectTimeout, now),
                Timer::Consent => self.pause(now),
                Timer::Revive => self.revive(now),
                Timer::Retention => self.end(EndReason::PathLost, now),
                Timer::Linger => self.finish_closing(now),
            }
        }
        self.run(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Whether there is something to send.
    #[must_use]
    pub fn has_transmits(&self) -> bool {
        !self.transmits.is_empty()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `handle_timeout` must be called; `None` once the link has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    // --- questions ---

    /// The path in use.
    #[must_use]
    pub fn path(&self) -> Option<PathInfo> {
        self.liveness.path_info(&self.locals, &self.remotes)
    }

    /// The negotiated DTLS version, such as `1.3`.
    pub fn dtls(&mut self) -> Option<&'static str> {
        self.engine.dtls_version()
    }

    /// Whether the control channel is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Paused)
    }

    /// Why the link ended, if it has.
    #[must_use]
    pub const fn ended(&self) -> Option<EndReason> {
        self.ended
    }

    /// What can be said about the connect so far.
    pub fn report(&mut self, with_addresses: bool) -> ConnectReport {
        let facts = Facts {
            role: self.role,
            local: self.locals.counts(),
            remote: self.remotes.counts(),
            servers: self.gathering.report(),
            path: self.path(),
            dtls: self.dtls(),
            ended: self.ended,
        };
        let Self { locals, remotes, .. } = self;
        self.recorder
            .report(facts, with_addresses, |local, remote| (locals.kind(local), remotes.kind(remote)))
    }

    // --- running ---

    /// Brings str0m's clock to `now`.
    fn tick(&mut self, now: Instant) {
        if let Err(reason) = self.engine.handle_timeout(now) {
            self.end(reason, now);
        }
    }

    /// Drains the engine and the gathering, and sets their timers. Ends every call that changed something.
    fn run(&mut self, now: Instant) {
        while self.state != State::Ended {
            match self.engine.poll() {
                EngineOutput::Transmit(transmit) => self.route(&transmit, now),
                EngineOutput::Event(event) => self.on_engine_event(event, now),
                EngineOutput::Failed(reason) => self.end(reason, now),
                EngineOutput::Idle(until) => {
                    let until = if self.unpaced > 0 { until.min(now + CHECK_PACE) } else { until };
                    self.timers.set(Timer::Engine, Some(until));
                    break;
                }
            }
        }
        if self.state == State::Ended {
            return;
        }
        self.run_gathering(now);
        self.run_channels();
        self.run_closing(now);
    }

    fn run_gathering(&mut self, now: Instant) {
        let next = self.gathering.run(now);
        let mut found = false;
        while let Some(gathered) = self.gathering.poll_gathered() {
            found = true;
            self.add_gathered(gathered, now);
        }
        while let Some(transmit) = self.gathering.poll_transmit() {
            self.transmits.push_back(transmit);
        }
        if self.gathering.is_finished() && self.locals.finish() {
            self.recorder.gathered(now);
            self.events.push_back(Event::GatheringDone);
        }
        // A new candidate makes new pairs and permissions, which want to run at once.
        self.timers.set(Timer::Gathering, if found { Some(now) } else { next });
        if found {
            self.timers.set(Timer::Engine, Some(now));
        }
    }

    fn on_engine_event(&mut self, event: EngineEvent, now: Instant) {
        match event {
            EngineEvent::Connected => self.recorder.dtls_connected(now),
            EngineEvent::IceConnectionStateChange(state) => self.on_ice_state(state, now),
            EngineEvent::ChannelOpen(id, name) => self.on_channel_open(id, name, now),
            EngineEvent::ChannelData(data) => self.on_channel_data(data.id, data.data),
            EngineEvent::ChannelClose(id) => self.on_channel_closed(id, now),
            EngineEvent::PeerStats(stats) => self.on_stats(&stats),
            EngineEvent::Closed => self.end(EndReason::ClosedByPeer, now),
            // Media, which no link has, and hints that `run_channels` needs none of.
            _ => {}
        }
    }

    fn on_ice_state(&mut self, state: IceConnectionState, now: Instant) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                self.recorder.ice_connected(now);
                self.gathering.set_refresh(false);
                self.unpaced = 0;
                self.release_early(now);
            }
            IceConnectionState::Disconnected => self.schedule_revival(now),
            IceConnectionState::New | IceConnectionState::Checking => {}
        }
    }
}
