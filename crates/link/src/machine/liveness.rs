//! Paths, consent, pause and resume, and the end.

use super::candidates::{Locals, Remotes};
use super::datagrams::is_binding_success;
use super::timer::Timer;
use super::{Event, LinkMachine, State};
use crate::defaults::{CONSENT_GAP, CONSENT_TIMEOUT, LINGER, REVIVE_FIRST, REVIVE_MAX};
use crate::{CandidateKind, EndReason, IpVersion, PathInfo, PathKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::stats::PeerStats;

/// What is known about the path.
pub(super) struct Liveness {
    path: Option<(SocketAddr, SocketAddr)>,
    rtt: Option<Duration>,
    /// When the peer last answered a check.
    consent: Instant,
    /// Pause before the next round of checks while there is no path.
    revival: Duration,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self { path: None, rtt: None, consent: now, revival: REVIVE_FIRST }
    }

    pub(super) fn path_info(&self, locals: &Locals, remotes: &Remotes) -> Option<PathInfo> {
        let (local, remote) = self.path?;
        let (local_kind, remote_kind) = (locals.kind(local), remotes.kind(remote));
        let is_relayed = [local_kind, remote_kind].contains(&CandidateKind::Relayed);
        Some(PathInfo {
            kind: if is_relayed { PathKind::Relayed } else { PathKind::Direct },
            local: local_kind,
            remote: remote_kind,
            ip: IpVersion::from(remote),
            rtt_ms: self.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
        })
    }
}

impl LinkMachine {
    /// Closes the link: what was written is delivered if that takes no longer than 2 s, then the peer is told.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Preparing | State::Connecting | State::Paused => {
                self.engine.close();
                self.run(now);
                self.end(EndReason::ClosedLocally, now);
            }
            State::Open => {
                self.state = State::Closing;
                self.timers.set(Timer::Linger, Some(now + LINGER));
                self.run(now);
            }
            State::Closing | State::Ended => {}
        }
    }

    /// The shell lost its last socket.
    pub fn fail_sockets(&mut self, now: Instant) {
        self.end(EndReason::NoSockets, now);
    }

    // --- opening ---

    pub(super) fn on_open(&mut self, now: Instant) {
        if self.state != State::Connecting {
            return;
        }
        self.state = State::Open;
        self.recorder.opened(now);
        self.timers.set(Timer::Connect, None);
        self.give_consent(now);
        self.events.push_back(Event::Open);
    }

    // --- paths ---

    /// The engine sends on this path now.
    pub(super) fn use_path(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        if self.liveness.path == Some((local, remote)) {
            return;
        }
        self.liveness.path = Some((local, remote));
        self.liveness.rtt = None;
        if self.gathering.is_relayed(local) {
            self.gathering.bind(local, remote, now);
        }
        if let Some(path) = self.path() {
            self.events.push_back(Event::PathChanged(path));
        }
    }

    pub(super) fn on_stats(&mut self, stats: &PeerStats) {
        if let Some(pair) = &stats.selected_candidate_pair
            && self.liveness.path == Some((pair.local.addr, pair.remote.addr))
        {
            self.liveness.rtt = pair.current_round_trip_time;
        }
    }

    // --- consent (RFC 7675) ---

    /// Notes an authenticated STUN message; a response is consent.
    pub(super) fn note_check(&mut self, remote: SocketAddr, local: SocketAddr, payload: &[u8], now: Instant) {
        if !is_binding_success(payload) {
            return;
        }
        self.recorder.check_answered(local, remote);
        if matches!(self.state, State::Open | State::Paused) {
            self.give_consent(now);
        }
    }

    fn give_consent(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.liveness.consent);
        self.liveness.consent = now;
        self.liveness.revival = REVIVE_FIRST;
        self.timers.set(Timer::Consent, Some(now + CONSENT_TIMEOUT));
        if self.state == State::Paused {
            self.state = State::Open;
            self.timers.set(Timer::Retention, None);
            self.authenticated.clear();
            self.events.push_back(Event::Resumed);
        }
        if gap > CONSENT_GAP {
            self.engine.retransmit_now();
        }
    }

    pub(super) fn pause(&mut self, now: Instant) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Paused;
        self.timers.set(Timer::Retention, Some(now + self.config.paused_retention));
        self.events.push_back(Event::Paused);
    }

    /// The agent gave up on all pairs. It would stay silent for ever, and so may the peer's: both try again.
    pub(super) fn schedule_revival(&mut self, now: Instant) {
        let pause = self.liveness.revival;
        self.liveness.revival = (pause * 2).min(REVIVE_MAX);
        self.timers.set(Timer::Revive, Some(now + pause));
    }

    pub(super) fn revive(&mut self, now: Instant) {
        self.engine.recheck(self.locals.all());
        self.tick(now);
    }

    // --- the end ---

    /// Part of every run: a closing link ends once everything is acknowledged.
    pub(super) fn run_closing(&mut self, now: Instant) {
        if self.state == State::Closing && self.buffered_total() == 0 {
            self.finish_closing(now);
        }
    }

    /// Tells the peer and ends. Nobody is left to repeat a lost notice, so it is sent twice.
    pub(super) fn finish_closing(&mut self, now: Instant) {
        let before = self.transmits.len();
        self.engine.close();
        // The channels' own ends come in between; nobody is told of them any more.
        loop {
            match self.engine.poll() {
                super::EngineOutput::Transmit(transmit) => self.route(&transmit, now),
                super::EngineOutput::Event(_) => {}
                super::EngineOutput::Idle(_) | super::EngineOutput::Failed(_) => break,
            }
        }
        while let Some(transmit) = self.gathering.poll_transmit() {
            self.transmits.push_back(transmit);
        }
        let notices: Vec<_> = self.transmits.iter().skip(before).cloned().collect();
        self.transmits.extend(notices);
        self.end(EndReason::ClosedLocally, now);
    }

    pub(super) fn end(&mut self, reason: EndReason, now: Instant) {
        if self.state == State::Ended {
            return;
        }
        // The peer's notice may cross ours; then it was both, and we asked first.
        let reason = if self.state == State::Closing { EndReason::ClosedLocally } else { reason };
        self.state = State::Ended;
        self.ended = Some(reason);
        self.timers.clear_all();
        self.gathering.release(now);
        while let Some(transmit) = self.gathering.poll_transmit() {
            self.transmits.push_back(transmit);
        }
        self.channels.close_all();
        self.held.clear();
        self.early.clear();
        self.events.push_back(Event::Ended(reason));
        tracing::debug!(code = reason.code(), role = ?self.role, "link ended");
    }
}
