//! What candidates may name, and the policy for the peer's.

use crate::CandidateError;
use openpeer_core::transport::Candidate;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Where a candidate's address comes from (RFC 8445 section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CandidateKind {
    /// An address of the device itself.
    #[serde(rename = "host")]
    Host,
    /// The address that a NAT gave, as a STUN server sees it.
    #[serde(rename = "srflx")]
    ServerReflexive,
    /// An address that only the other peer sees.
    #[serde(rename = "prflx")]
    PeerReflexive,
    /// An address of a TURN relay.
    #[serde(rename = "relay")]
    Relayed,
}

/// Which private addresses of the peer are checked (protocol section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateCandidates {
    /// All: for contacts.
    #[default]
    Always,
    /// Those of a peer that has the same server-reflexive IP address: for strangers, who could otherwise make this
    /// device probe its own network. Development mode, which allows loopback, takes all.
    SharedReflexive,
}

impl From<str0m::CandidateKind> for CandidateKind {
    fn from(kind: str0m::CandidateKind) -> Self {
        match kind {
            str0m::CandidateKind::Host => Self::Host,
            str0m::CandidateKind::ServerReflexive => Self::ServerReflexive,
            str0m::CandidateKind::PeerReflexive => Self::PeerReflexive,
            str0m::CandidateKind::Relayed => Self::Relayed,
        }
    }
}

/// Parses a candidate of the peer and checks what holds whatever the policy.
pub(crate) fn parse(candidate: &Candidate, allow_loopback: bool) -> Result<str0m::Candidate, CandidateError> {
    let text = candidate.0.as_str();
    if text.split_ascii_whitespace().nth(4).is_some_and(|address| address.ends_with(".local")) {
        return Err(CandidateError::MulticastDns);
    }
    let parsed = str0m::Candidate::from_sdp_string(text).map_err(|_| CandidateError::Malformed)?;
    if parsed.proto() != str0m::net::Protocol::Udp {
        return Err(CandidateError::Transport);
    }
    if is_usable(parsed.addr(), allow_loopback) { Ok(parsed) } else { Err(CandidateError::Forbidden) }
}

/// Whether a candidate may name this address at all.
pub(crate) fn is_usable(address: SocketAddr, allow_loopback: bool) -> bool {
    if address.port() == 0 {
        return false;
    }
    let ip = address.ip().to_canonical();
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0 => return false,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => return false,
        _ => {}
    }
    !ip.is_unspecified() && !ip.is_multicast() && (allow_loopback || !ip.is_loopback())
}

/// Whether an address is reachable only in its own network: RFC 1918, RFC 4193, RFC 6598 and loopback.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(address: &str, port: u16, rest: &str) -> Candidate {
        Candidate(format!("candidate:1 1 udp 2130706431 {address} {port} typ host{rest}"))
    }

    #[test]
    fn takes_addresses_that_a_peer_can_have() {
        for address in ["203.0.113.5", "10.0.0.7", "2001:db8::7", "fd00::1"] {
            assert!(parse(&candidate(address, 4000, " generation 0"), false).is_ok(), "{address}");
        }
        assert!(parse(&candidate("127.0.0.1", 4000, ""), true).is_ok());
    }

    #[test]
    fn refuses_addresses_that_no_peer_has() {
        let forbidden = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:224.0.0.1",
        ];
        for address in forbidden {
            assert_eq!(
                parse(&candidate(address, 4000, ""), false),
                Err(CandidateError::Forbidden),
                "{address}"
            );
        }
        assert_eq!(parse(&candidate("203.0.113.5", 0, ""), false), Err(CandidateError::Forbidden));
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        let mdns = candidate("0b9e4a1c-8a3e-4b0e-9d0c-0d5a0e9a7a55.local", 4000, "");
        assert_eq!(parse(&mdns, false), Err(CandidateError::MulticastDns));
        let tcp = Candidate("candidate:1 1 tcp 2130706431 203.0.113.5 9 typ host tcptype active".to_owned());
        assert_eq!(parse(&tcp, false), Err(CandidateError::Transport));
        for text in ["", "candidate:", "candidate:1 1 udp", "a=candidate:1 1 udp 1 1.2.3.4 5 typ host"] {
            assert_eq!(parse(&Candidate(text.to_owned()), false), Err(CandidateError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn knows_private_addresses() {
        for address in
            ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd12::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["203.0.113.5", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
