//! Candidates of both sides, and ICE restarts.

use super::gathering::Gathered;
use super::{Event, LinkMachine, Role, State};
use crate::candidate::{is_private, is_usable, parse};
use crate::defaults::{MAX_CANDIDATES, MAX_HOST_CANDIDATES, MAX_PAIRS};
use crate::{CandidateCounts, CandidateError, CandidateKind, EndReason, PrivateCandidates, StartError};
use openpeer_core::transport::{Candidate, IceCredentials, TransportParameters, check_candidates};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// New credentials and all candidates of one side, for an ICE restart over the control channel (RFC 8445 section 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceParameters {
    /// The new credentials.
    pub ice: IceCredentials,
    /// The candidates known so far, at most 16; more may trickle.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

/// This side's candidates.
#[derive(Default)]
pub(super) struct Locals {
    known: Vec<str0m::Candidate>,
    /// The first candidates went with the parameters; later ones are events.
    is_told: bool,
    is_finished: bool,
}

/// The peer's candidates.
#[derive(Default)]
pub(super) struct Remotes {
    kinds: BTreeMap<SocketAddr, CandidateKind>,
    /// Private addresses of a stranger, until both turn out to share a reflexive address.
    withheld: Vec<str0m::Candidate>,
}

impl Locals {
    pub(super) fn kind(&self, address: SocketAddr) -> CandidateKind {
        let relayed = self
            .known
            .iter()
            .any(|known| known.addr() == address && known.kind() == str0m::CandidateKind::Relayed);
        if relayed { CandidateKind::Relayed } else { CandidateKind::Host }
    }

    pub(super) fn counts(&self) -> CandidateCounts {
        let mut counts = CandidateCounts::default();
        self.known.iter().for_each(|candidate| counts.add(candidate.kind().into()));
        counts
    }

    pub(super) fn all(&self) -> &[str0m::Candidate] {
        &self.known
    }

    /// Whether the end of gathering is news.
    pub(super) fn finish(&mut self) -> bool {
        !std::mem::replace(&mut self.is_finished, true)
    }

    /// There may be more; the end of gathering will be news again.
    pub(super) fn reopen(&mut self) {
        self.is_finished = false;
    }

    fn texts(&self, ufrag: &str) -> Vec<Candidate> {
        self.known.iter().map(|candidate| text(candidate, ufrag)).collect()
    }

    fn reflexive_ips(&self) -> impl Iterator<Item = IpAddr> {
        let reflexive =
            |candidate: &&str0m::Candidate| candidate.kind() == str0m::CandidateKind::ServerReflexive;
        self.known.iter().filter(reflexive).map(|candidate| candidate.addr().ip())
    }
}

impl Remotes {
    pub(super) fn kind(&self, address: SocketAddr) -> CandidateKind {
        self.kinds.get(&address).copied().unwrap_or(CandidateKind::PeerReflexive)
    }

    pub(super) fn counts(&self) -> CandidateCounts {
        let mut counts = CandidateCounts::default();
        self.kinds.values().for_each(|kind| counts.add(*kind));
        counts
    }

    fn len(&self) -> usize {
        self.kinds.len() + self.withheld.len()
    }

    fn is_reflexive(&self, ip: IpAddr) -> bool {
        let mut kinds = self.kinds.iter();
        kinds.any(|(address, kind)| address.ip() == ip && *kind == CandidateKind::ServerReflexive)
    }
}

impl LinkMachine {
    /// This side's parameters for the find or answer, with the candidates found so far. Later candidates are events.
    pub fn local_parameters(&mut self) -> TransportParameters {
        let ice = self.engine.local_credentials();
        self.locals.is_told = true;
        TransportParameters {
            fingerprint: self.engine.local_fingerprint(),
            candidates: self.locals.texts(&ice.ufrag),
            ice,
        }
    }

    /// Takes a candidate of the peer that came after its parameters.
    ///
    /// # Errors
    /// Why the candidate is not used; the link is not harmed.
    pub fn add_remote_candidate(
        &mut self,
        candidate: &Candidate,
        now: Instant,
    ) -> Result<(), CandidateError> {
        if self.state == State::Ended {
            return Err(CandidateError::Ended);
        }
        let outcome = self.take_remote_candidate(candidate, now);
        if outcome.is_err() {
            self.recorder.refused = self.recorder.refused.saturating_add(1);
        }
        self.tick(now);
        self.run(now);
        outcome
    }

    /// Begins an ICE restart; the result is for the peer, whose answer goes to `finish_ice_restart`. Channels go on
    /// over the old path meanwhile.
    ///
    /// # Errors
    /// `NotStarted`, `Ended`.
    pub fn restart_ice(&mut self, now: Instant) -> Result<IceParameters, StartError> {
        self.check_started()?;
        let ice = self.engine.restart()?;
        self.tick(now);
        self.run(now);
        Ok(IceParameters { candidates: self.locals.texts(&ice.ufrag), ice })
    }

    /// Takes the peer's ICE restart and returns the answer. If both sides restart at once the seeker's counts: the
    /// seeker gets `None` here and waits for the answer to its own.
    ///
    /// # Errors
    /// `Parameters`, `Refused`, `NotStarted`, `Ended`.
    pub fn accept_ice_restart(
        &mut self,
        remote: &IceParameters,
        now: Instant,
    ) -> Result<Option<IceParameters>, StartError> {
        self.check_started()?;
        remote.check()?;
        if self.role == Role::Seeker && self.engine.is_restarting() {
            return Ok(None);
        }
        let ice = self.engine.accept_restart(&remote.ice)?;
        self.replace_remote(&remote.candidates, now);
        Ok(Some(IceParameters { candidates: self.locals.texts(&ice.ufrag), ice }))
    }

    /// Takes the peer's answer to our ICE restart.
    ///
    /// # Errors
    /// `NoRestart` if none of ours is waiting; `Parameters`, `Refused`, `NotStarted`, `Ended`.
    pub fn finish_ice_restart(&mut self, remote: &IceParameters, now: Instant) -> Result<(), StartError> {
        self.check_started()?;
        remote.check()?;
        self.engine.finish_restart(&remote.ice)?;
        self.replace_remote(&remote.candidates, now);
        Ok(())
    }

    // --- local candidates ---

    pub(super) fn add_address(&mut self, address: SocketAddr, now: Instant) {
        let hosts =
            self.locals.known.iter().filter(|known| known.kind() == str0m::CandidateKind::Host).count();
        if hosts >= MAX_HOST_CANDIDATES || !is_usable(address, self.config.allow_loopback) {
            return;
        }
        if let Ok(candidate) = str0m::Candidate::host(address, "udp")
            && !self.config.relay_only
        {
            self.add_local(candidate);
        }
        self.gathering.add_local(address, now);
        self.tick(now);
    }

    pub(super) fn remove_address(&mut self, address: SocketAddr, now: Instant) {
        self.gathering.remove_local(address, now);
        let (gone, kept) = std::mem::take(&mut self.locals.known)
            .into_iter()
            .partition(|candidate| candidate.local() == address || candidate.addr() == address);
        self.locals.known = kept;
        let gone: Vec<str0m::Candidate> = gone;
        gone.iter().for_each(|candidate| self.engine.invalidate_local_candidate(candidate));
        if self.locals.known.is_empty() && self.state != State::Preparing {
            tracing::debug!("no local address is left");
        }
        self.tick(now);
    }

    pub(super) fn add_gathered(&mut self, gathered: Gathered, now: Instant) {
        let candidate = match gathered {
            Gathered::ServerReflexive { address, base } => {
                str0m::Candidate::server_reflexive(address, base, "udp")
            }
            Gathered::Relayed { address, base } => str0m::Candidate::relayed(address, base, "udp"),
        };
        let Ok(candidate) = candidate else { return };
        if is_usable(candidate.addr(), self.config.allow_loopback) {
            self.add_local(candidate);
            self.use_withheld(now);
        }
    }

    fn add_local(&mut self, candidate: str0m::Candidate) {
        if self.locals.known.len() >= MAX_CANDIDATES {
            return;
        }
        let Some(candidate) = self.engine.add_local_candidate(candidate) else { return };
        if self.locals.is_told {
            let ufrag = self.engine.local_credentials().ufrag;
            self.events.push_back(Event::LocalCandidate(text(&candidate, &ufrag)));
        }
        self.locals.known.push(candidate);
        self.pace_checks();
    }

    /// A new candidate makes new pairs, and their first checks must not wait for the agent's slow pace.
    fn pace_checks(&mut self) {
        if self.state == State::Connecting {
            self.unpaced = (self.locals.known.len() * self.remotes.kinds.len()).min(MAX_PAIRS);
        }
    }

    // --- remote candidates ---

    pub(super) fn add_remote_candidates(&mut self, candidates: &[Candidate], now: Instant) {
        for candidate in candidates {
            if let Err(error) = self.take_remote_candidate(candidate, now) {
                self.recorder.refused = self.recorder.refused.saturating_add(1);
                tracing::debug!(code = error.code(), "a candidate of the peer is not used");
            }
        }
    }

    fn take_remote_candidate(&mut self, candidate: &Candidate, now: Instant) -> Result<(), CandidateError> {
        let parsed = parse(candidate, self.config.allow_loopback)?;
        if self.remotes.kinds.contains_key(&parsed.addr()) {
            return Ok(());
        }
        if self.remotes.len() >= MAX_CANDIDATES {
            return Err(CandidateError::TooMany);
        }
        if self.must_withhold(&parsed) {
            self.remotes.withheld.push(parsed);
            return Err(CandidateError::Private);
        }
        self.use_remote(parsed, now);
        self.use_withheld(now);
        Ok(())
    }

    fn use_remote(&mut self, candidate: str0m::Candidate, now: Instant) {
        let address = candidate.addr();
        self.remotes.kinds.insert(address, candidate.kind().into());
        self.gathering.permit(address, now);
        self.engine.add_remote_candidate(candidate);
        self.pace_checks();
    }

    fn must_withhold(&self, candidate: &str0m::Candidate) -> bool {
        let ip = candidate.addr().ip();
        self.config.private_candidates == PrivateCandidates::SharedReflexive
            && !self.config.allow_loopback
            && is_private(ip)
            && !self.locals.reflexive_ips().any(|ip| self.remotes.is_reflexive(ip))
    }

    fn use_withheld(&mut self, now: Instant) {
        let is_free = self.remotes.withheld.first().is_some_and(|candidate| !self.must_withhold(candidate));
        if is_free {
            for candidate in std::mem::take(&mut self.remotes.withheld) {
                self.use_remote(candidate, now);
            }
        }
    }

    /// After a restart only the new candidates count.
    fn replace_remote(&mut self, candidates: &[Candidate], now: Instant) {
        self.remotes = Remotes::default();
        self.authenticated.clear();
        self.add_remote_candidates(candidates, now);
        self.tick(now);
        self.run(now);
    }

    fn check_started(&self) -> Result<(), StartError> {
        match self.state {
            State::Preparing => Err(StartError::NotStarted),
            State::Closing | State::Ended => {
                Err(StartError::Ended(self.ended.unwrap_or(EndReason::ClosedLocally)))
            }
            State::Connecting | State::Open | State::Paused => Ok(()),
        }
    }
}

impl IceParameters {
    fn check(&self) -> Result<(), StartError> {
        self.ice.check().and_then(|()| check_candidates(&self.candidates)).map_err(StartError::Parameters)
    }
}

/// The candidate as the peer gets it. It names the credentials it belongs to (RFC 8838 section 4.1), so that one that
/// is overtaken by a restart is dropped.
fn text(candidate: &str0m::Candidate, ufrag: &str) -> Candidate {
    let mut candidate = candidate.clone();
    candidate.set_ufrag(ufrag);
    Candidate(candidate.to_sdp_string())
}
