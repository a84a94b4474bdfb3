//! Errors and the reasons for which a link ends, each with a stable code.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// Why a link ended. `code` is stable and goes into reports, logs and user interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EndReason {
    /// This side closed the link or dropped its handle.
    ClosedLocally,
    /// The peer closed the link.
    ClosedByPeer,
    /// No path was found in time; the report says what was tried.
    ConnectTimeout,
    /// The other end of the path holds another certificate than the one signed in the find or answer: somebody in
    /// the middle, or a peer with a defect (RFC 8122).
    BadFingerprint,
    /// The DTLS handshake failed or the DTLS association broke.
    DtlsFailed,
    /// The SCTP association broke, for instance because the peer sent a message above the limit.
    ChannelsFailed,
    /// There was no path for as long as a paused link is kept.
    PathLost,
    /// Every local socket failed.
    NoSockets,
    /// A defect in this implementation.
    Internal,
}

impl EndReason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClosedLocally => "closed-locally",
            Self::ClosedByPeer => "closed-by-peer",
            Self::ConnectTimeout => "connect-timeout",
            Self::BadFingerprint => "bad-fingerprint",
            Self::DtlsFailed => "dtls-failed",
            Self::ChannelsFailed => "channels-failed",
            Self::PathLost => "path-lost",
            Self::NoSockets => "no-sockets",
            Self::Internal => "internal",
        }
    }

    /// What the user can do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ClosedLocally | Self::ClosedByPeer => "connect again to go on",
            Self::ConnectTimeout => {
                "check that UDP is not blocked on either side, or use a domain that offers a TURN relay"
            }
            Self::BadFingerprint => {
                "somebody on the network may be intercepting the connection: try another network, and compare \
                 safety numbers with the peer"
            }
            Self::DtlsFailed => "connect again; if it persists, a device on the network interferes with DTLS",
            Self::ChannelsFailed => "connect again; if it persists, update the program on both sides",
            Self::PathLost => "check the network on both sides and connect again",
            Self::NoSockets => "check that this device has a network and that UDP sockets are allowed",
            Self::Internal => "report this as a defect, with the connect report",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code(), self.advice())
    }
}

/// Why a link could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// Caller: no network interface is usable.
    #[error("no usable network interface: connect to a network, or allow loopback in development")]
    NoInterface,
    /// Caller: the list of interfaces could not be read.
    #[error("cannot list network interfaces: {0}")]
    Interfaces(#[source] io::Error),
    /// Internal: the DTLS certificate could not be made.
    #[error("cannot make a DTLS certificate: report this as a defect")]
    Certificate,
}

impl PrepareError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoInterface => "no-interface",
            Self::Interfaces(_) => "interfaces-unreadable",
            Self::Certificate => "internal",
        }
    }
}

/// Why a link could not be started with the peer's parameters, or an ICE restart was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Peer: the parameters are malformed or above their limits.
    #[error("the peer's link parameters are invalid: {0}")]
    Parameters(#[source] openpeer_core::Error),
    /// Peer: ICE refuses the parameters.
    #[error("the peer's link parameters are refused: {0}; the peer should update its program")]
    Refused(String),
    /// Caller: the link was started before.
    #[error("the link is started already: prepare a new one for each exchange")]
    AlreadyStarted,
    /// Caller: a restart needs a link that was started.
    #[error("the link is not started yet: start it with the peer's parameters first")]
    NotStarted,
    /// Caller: there is no restart that this answers; it was superseded or answered already.
    #[error("no ICE restart of ours is waiting for an answer: drop this one")]
    NoRestart,
    /// Caller: the link has ended.
    #[error("the link has ended: {0}")]
    Ended(EndReason),
}

impl StartError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Parameters(error) => error.code().as_str(),
            Self::Refused(_) => "malformed",
            Self::AlreadyStarted => "already-started",
            Self::NotStarted => "not-started",
            Self::NoRestart => "no-restart",
            Self::Ended(reason) => reason.code(),
        }
    }
}

/// Why a candidate of the peer is not used. None of these harms the link; the others go on being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// Peer: not a candidate attribute of RFC 8839 with an IP address.
    #[error("not an ICE candidate: drop it")]
    Malformed,
    /// Nobody's fault: a multicast DNS name, which only the local network could resolve (RFC 8828).
    #[error("a multicast DNS candidate: the peer becomes reachable by its checks instead")]
    MulticastDns,
    /// Nobody's fault: a transport that this version does not use.
    #[error("not a UDP candidate: only UDP is used")]
    Transport,
    /// Peer: an address that no peer can have: unspecified, multicast, broadcast, link-local, port 0, or loopback
    /// outside development mode.
    #[error("an address that candidates must not name: drop it")]
    Forbidden,
    /// Nobody's fault: a private address of a stranger who does not share our reflexive address (protocol section 5).
    #[error("a stranger's private address: it is used once both turn out to be behind the same NAT")]
    Private,
    /// Peer: more than 16 candidates.
    #[error("more than 16 candidates: drop it")]
    TooMany,
    /// Caller: the link has ended.
    #[error("the link has ended: drop it")]
    Ended,
}

impl CandidateError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MulticastDns => "candidate-mdns",
            Self::Transport => "candidate-transport",
            Self::Forbidden => "candidate-forbidden",
            Self::Private => "candidate-private",
            Self::TooMany => "limit-exceeded",
            Self::Ended => "ended",
        }
    }
}

/// Why a channel operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// Caller: the name is empty, longer than 128 bytes, or reserved.
    #[error("a channel name has 1 to 128 bytes and is not `openpeer/control`")]
    Name,
    /// Caller: the link has 256 channels.
    #[error("the link has 256 channels: close one first")]
    TooMany,
    /// Caller: the message is empty, which not every SCTP implementation delivers.
    #[error("a message has at least one byte")]
    Empty,
    /// Caller: the message is larger than 64 KiB.
    #[error("a message has at most 65536 bytes: split it")]
    TooLarge,
    /// Nobody's fault: nothing can be written at the moment; wait for the channel to become writable.
    #[error("the send buffer is full or the channel is not open yet: wait until it is writable")]
    WouldBlock,
    /// The channel is closed, by either side.
    #[error("the channel is closed")]
    Closed,
    /// The link has ended.
    #[error("the link has ended: {0}")]
    Ended(EndReason),
}

impl ChannelError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Name => "channel-name",
            Self::TooMany => "limit-exceeded",
            Self::Empty => "message-empty",
            Self::TooLarge => "message-too-large",
            Self::WouldBlock => "would-block",
            Self::Closed => "channel-closed",
            Self::Ended(reason) => reason.code(),
        }
    }
}
