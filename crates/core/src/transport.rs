//! What a find and an answer say about one end of a link (protocol section 5): certificate fingerprint, ICE
//! credentials and candidates. The link layer produces these for its own side and takes the other side's.

use crate::defaults::{MAX_CANDIDATE_BYTES, MAX_CANDIDATES};
use crate::encoding::byte_string;
use crate::{Code, Error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// How a link carries its channels (protocol section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transport {
    /// ICE, DTLS 1.3, SCTP data channels (RFC 8831).
    WebRtc,
    /// A transport of a later version; never chosen.
    #[serde(other)]
    Unknown,
}

byte_string! {
    /// SHA-256 of the DER form of a self-signed certificate (RFC 8122), 32 bytes.
    Fingerprint, 32
}

/// ICE user name fragment and password of one side (RFC 8445 section 5.3).
///
/// They authenticate connectivity checks only; `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCredentials {
    /// 4 to 256 ICE characters (letters, digits, `+`, `/`).
    pub ufrag: String,
    /// 22 to 256 ICE characters.
    pub pwd: String,
}

/// One ICE candidate as a `candidate-attribute` value without the leading `a=` (RFC 8839 section 5.1), for example
/// `candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host`. At most 256 bytes of printable ASCII.
///
/// Candidates carry addresses: `Debug` hides them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidate(pub String);

/// One side of a link as signed in a find or an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransportParameters {
    /// Fingerprint of the certificate that this side presents in DTLS.
    pub fingerprint: Fingerprint,
    /// This side's ICE credentials.
    pub ice: IceCredentials,
    /// The candidates known when the message was signed; more may trickle. At most 16.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

impl TransportParameters {
    /// Checks lengths and characters.
    ///
    /// # Errors
    /// `malformed`, or `limit-exceeded` above 16 candidates.
    pub fn check(&self) -> Result<(), Error> {
        self.ice.check()?;
        check_candidates(&self.candidates)
    }
}

impl IceCredentials {
    /// Checks lengths and characters (RFC 8839 section 5.4).
    ///
    /// # Errors
    /// `malformed`.
    pub fn check(&self) -> Result<(), Error> {
        let ice_chars =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
        let valid = (4..=256).contains(&self.ufrag.len())
            && (22..=256).contains(&self.pwd.len())
            && ice_chars(&self.ufrag)
            && ice_chars(&self.pwd);
        if valid { Ok(()) } else { Err(Error::new(Code::Malformed, "ICE credentials")) }
    }
}

/// Checks number, length and characters of candidates; whether they parse is for the link to find out.
///
/// # Errors
/// `malformed`, or `limit-exceeded` above 16.
pub fn check_candidates(candidates: &[Candidate]) -> Result<(), Error> {
    if candidates.len() > MAX_CANDIDATES {
        return Err(Error::new(Code::LimitExceeded, "more than 16 candidates"));
    }
    let printable = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let valid = |Candidate(text): &Candidate| {
        text.len() <= MAX_CANDIDATE_BYTES && text.starts_with("candidate:") && printable(text)
    };
    if candidates.iter().all(valid) { Ok(()) } else { Err(Error::new(Code::Malformed, "ICE candidate")) }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ufrag, pwd: _ } = self;
        f.debug_struct("IceCredentials").field("ufrag", ufrag).finish_non_exhaustive()
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Candidate(hidden)")
    }
}

impl Candidate {
    /// The address of a server-reflexive candidate.
    #[must_use]
    pub fn reflexive_address(&self) -> Option<IpAddr> {
        (self.field(7)? == "srflx").then(|| self.address()).flatten()
    }

    /// Whether a stranger may name this candidate: loopback and link-local addresses never, private ones only if both
    /// ends share a public address and so a network.
    #[must_use]
    pub fn is_admissible(&self, same_network: bool) -> bool {
        match self.address() {
            // An mDNS name or anything else that is not an address leads nowhere outside.
            None => true,
            Some(address) => crate::uri::is_dialable(address, false) || (same_network && is_private(address)),
        }
    }

    /// The connection-address (RFC 8839 section 5.1).
    fn address(&self) -> Option<IpAddr> {
        self.field(4)?.parse().ok()
    }

    fn field(&self, index: usize) -> Option<&str> {
        self.0.split(' ').nth(index)
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.segments()[0] & 0xFE00 == 0xFC00,
    }
}
