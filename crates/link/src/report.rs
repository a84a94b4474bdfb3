//! What one side of a link can say about its connect: what was tried, what came of it, what to do.

use crate::{CandidateKind, EndReason, Role};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Report of one connect, successful or not (protocol section 7). It names no address unless it was asked to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectReport {
    /// This side's role.
    pub role: Role,
    /// This side's candidates.
    pub local: CandidateCounts,
    /// The peer's candidates that were used.
    pub remote: CandidateCounts,
    /// Candidates of the peer that were not used; most often multicast DNS names.
    pub remote_refused: u32,
    /// STUN and TURN servers.
    pub servers: Vec<ServerReport>,
    /// Pairs of addresses between which connectivity checks were sent, at most 100.
    pub pairs: Vec<PairReport>,
    /// The path that was chosen last.
    pub path: Option<PathInfo>,
    /// How long each phase took.
    pub phases: Phases,
    /// DTLS version, for instance `1.3`.
    pub dtls: Option<String>,
    /// Why the link ended, if it has.
    pub ended: Option<EndReason>,
    /// What the user can do, if the link never opened.
    pub advice: Option<String>,
}

/// Candidates by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateCounts {
    /// Addresses of the device.
    pub host: u32,
    /// Addresses given by NATs.
    pub srflx: u32,
    /// Relayed addresses.
    pub relay: u32,
}

/// One pair of addresses that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// Kind of the local address that checks were sent from.
    pub local: CandidateKind,
    /// Kind of the remote address.
    pub remote: CandidateKind,
    /// IP version.
    pub ip: IpVersion,
    /// Connectivity checks sent.
    pub checks: u32,
    /// Whether any was answered.
    pub answered: bool,
    /// Local and remote address, only if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<ReportedPair>,
}

/// The two addresses of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedPair {
    /// Local address; the relayed address for a relayed candidate.
    pub local: SocketAddr,
    /// Remote address.
    pub remote: SocketAddr,
}

/// The path that a link uses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathInfo {
    /// Direct or through a relay.
    pub kind: PathKind,
    /// Kind of the local candidate: host or relay.
    pub local: CandidateKind,
    /// Kind of the remote candidate.
    pub remote: CandidateKind,
    /// IP version.
    pub ip: IpVersion,
    /// Last measured round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
}

/// Whether a relay carries the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// No relay.
    Direct,
    /// A TURN relay of either side.
    Relayed,
}

/// IP version of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpVersion {
    /// IPv4.
    #[serde(rename = "4")]
    V4,
    /// IPv6.
    #[serde(rename = "6")]
    V6,
}

/// Milliseconds of each phase; absent if it was not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// From preparing the link to the end of gathering; runs beside the others.
    pub gather_ms: Option<f64>,
    /// From knowing the peer's parameters to the first working path.
    pub ice_ms: Option<f64>,
    /// From then to the end of the DTLS handshake.
    pub dtls_ms: Option<f64>,
    /// From then to the open control channel.
    pub channel_ms: Option<f64>,
    /// From knowing the peer's parameters to the open control channel.
    pub total_ms: Option<f64>,
}

/// What came of one server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReport {
    /// STUN or TURN.
    pub kind: ServerKind,
    /// What came of it.
    pub outcome: ServerOutcome,
    /// Milliseconds until the outcome.
    pub ms: Option<f64>,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerKind {
    /// Reflexive addresses (RFC 8489).
    Stun,
    /// Relayed addresses (RFC 8656).
    Turn,
}

/// What came of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerOutcome {
    /// Still trying.
    Pending,
    /// It gave an address.
    Answered,
    /// Nothing came back, or it refused.
    Failed,
    /// Its name did not resolve, or this device has no address of its IP version.
    Unreachable,
    /// Its URL asks for something this version does not use.
    Unsupported,
}

impl From<SocketAddr> for IpVersion {
    fn from(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl CandidateCounts {
    pub(crate) fn add(&mut self, kind: CandidateKind) {
        match kind {
            CandidateKind::Host => self.host += 1,
            CandidateKind::ServerReflexive | CandidateKind::PeerReflexive => self.srflx += 1,
            CandidateKind::Relayed => self.relay += 1,
        }
    }
}

impl ConnectReport {
    /// The most specific advice that the findings support.
    pub(crate) fn advise(&self) -> Option<String> {
        if self.phases.total_ms.is_some() {
            return None;
        }
        let reason = self.ended?;
        if reason != EndReason::ConnectTimeout {
            return Some(reason.advice().to_owned());
        }
        let answered = self.pairs.iter().any(|pair| pair.answered);
        let relayed = self.local.relay > 0 || self.remote.relay > 0;
        let servers_failed = !self.servers.is_empty()
            && self.servers.iter().all(|server| server.outcome != ServerOutcome::Answered);
        let text = match () {
            () if self.remote == CandidateCounts::default() => {
                "the peer offered no usable address: it may be offline, or its network blocks UDP"
            }
            () if answered => "a path was found, but the handshake on it was not finished: try again",
            () if servers_failed => {
                "no STUN or TURN server answered: this network seems to block UDP; try another network"
            }
            () if !relayed => {
                "no direct path exists between the two networks: use a domain that offers a TURN relay"
            }
            () => "neither a direct path nor the relay worked: try another network on one of the sides",
        };
        Some(text.to_owned())
    }
}
