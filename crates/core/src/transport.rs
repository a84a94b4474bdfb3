//! What a find and an answer say about one end of a link (protocol section 5): certificate fingerprint, ICE
//! credentials and candidates. The link layer produces these for its own side and takes the other side's.

use serde::{Deserialize, Serialize};

/// How a link carries its channels (protocol section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transport {
    /// ICE, DTLS 1.3, SCTP data channels (RFC 8831).
    WebRtc,
}

/// SHA-256 of the DER form of a self-signed certificate (RFC 8122), 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fingerprint(pub [u8; 32]);

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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidate(pub String);

/// One side of a link as signed in a find or an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportParameters {
    /// Fingerprint of the certificate that this side presents in DTLS.
    pub fingerprint: Fingerprint,
    /// This side's ICE credentials.
    pub ice: IceCredentials,
    /// The candidates known when the message was signed; more may trickle. At most 16.
    pub candidates: Vec<Candidate>,
}
