//! The direct link between two locations (protocol section 7): ICE (RFC 8445), DTLS 1.3 and SCTP data channels
//! (RFC 8831) behind named channels.
//!
//! Two layers:
//!
//! - [`machine`] decides everything and does no IO: time, datagrams and addresses come in as values, so that a link
//!   over a lossy network can be run in virtual time.
//! - [`shell`] moves bytes: it owns the sockets and one task for each link (tokio).
//!
//! A link begins with [`Link::prepare`], which gives this side's parameters for the sealed find or answer at once, and
//! goes up with [`PreparedLink::start`] and the peer's. Nothing that the peer says reaches the ICE or DTLS stack but
//! the fields that it signed.
#![forbid(unsafe_code)]

mod candidate;
pub mod defaults;
mod error;
pub mod machine;
mod report;
pub mod shell;

pub use candidate::{CandidateKind, PrivateCandidates};
pub use error::{CandidateError, ChannelError, EndReason, PrepareError, StartError};
pub use machine::{ChannelOptions, IceParameters, Reliability, Role};
pub use report::{
    CandidateCounts, ConnectReport, IpVersion, PairReport, PathInfo, PathKind, Phases, ReportedPair,
    ServerKind, ServerOutcome, ServerReport,
};
pub use shell::{Channel, IceServer, IncomingChannel, Interfaces, Link, LinkConfig, LinkEvent, PreparedLink};

pub use openpeer_core::transport::{Candidate, Fingerprint, IceCredentials, TransportParameters};
