//! Domains, finder URLs, `user@domain` and peer URIs (protocol section 3).

use crate::document::{Name, PeerId};
use crate::{Code, Error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A domain in A-label form with an optional port, lower case: `example.org`, `example.org:8443`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain, folding ASCII case. A port of 443 is dropped.
    ///
    /// # Errors
    /// `invalid-argument`.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let folded = text.to_ascii_lowercase();
        let (host, port) = match folded.rsplit_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (folded.as_str(), None),
        };
        check_host(host)?;
        Ok(Self(match port {
            None | Some(443) => host.to_owned(),
            Some(port) => format!("{host}:{port}"),
        }))
    }

    /// The host without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(host, _)| host)
    }

    /// The port, 443 unless written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
    }

    /// The domain as written in documents.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A finder's URL: `wss://host[:port]/path`, or `ws://` on loopback for development.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct FinderUrl(String);

impl FinderUrl {
    /// Reads a finder URL.
    ///
    /// # Errors
    /// `invalid-argument`; `foreign-address` for `ws://` to anything but loopback.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let url = Self(text.to_owned());
        let invalid = || Error::new(Code::InvalidArgument, "not a finder URL like wss://example.org/finder");
        let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
        let (authority, path) = rest.split_once('/').ok_or_else(invalid)?;
        let path_char = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
        if text.len() > 256 || !path.bytes().all(path_char) || Domain::from_text(authority)?.0 != authority {
            return Err(invalid());
        }
        match scheme {
            "wss" => Ok(url),
            "ws" if is_loopback_host(url.host()) => Ok(url),
            "ws" => Err(Error::new(Code::ForeignAddress, "finder without TLS")),
            _ => Err(invalid()),
        }
    }

    /// The host to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority().split_once(':').map_or_else(|| self.authority(), |(host, _)| host)
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        let default = if self.is_tls() { 443 } else { 80 };
        self.authority().split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(default)
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("wss:")
    }

    /// The URL as written in documents.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }
}

/// Something that a person types or clicks to reach somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `alice@example.org`: whoever the domain lists under that name.
    Name {
        /// The name.
        name: Name,
        /// The domain.
        domain: Domain,
    },
    /// `peer://example.org/p1…` or `peer:p1…`: this very peer.
    Peer {
        /// The peer.
        peer: PeerId,
        /// A domain that may know it.
        domain: Option<Domain>,
        /// The invitation in the fragment, undecoded; it never reaches a server.
        invitation: Option<String>,
    },
}

impl Address {
    /// Reads `user@domain`, a peer URI or a bare peer id.
    ///
    /// # Errors
    /// `invalid-argument`, `name-invalid` or `malformed`.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Some(rest) = strip_scheme(text) {
            return Self::from_uri(rest);
        }
        if let Some((name, domain)) = text.split_once('@') {
            return Ok(Self::Name { name: Name::from_text(name)?, domain: Domain::from_text(domain)? });
        }
        let peer = PeerId::from_text(text).map_err(|_| {
            Error::new(Code::InvalidArgument, "neither user@domain nor a peer id nor a peer: URI")
        })?;
        Ok(Self::Peer { peer, domain: None, invitation: None })
    }

    fn from_uri(rest: &str) -> Result<Self, Error> {
        let (rest, invitation) = match rest.split_once('#') {
            Some((rest, invitation)) => (rest, Some(invitation.to_owned())),
            None => (rest, None),
        };
        let (domain, peer) = match rest.strip_prefix("//") {
            None => (None, rest),
            Some(rest) => {
                let (domain, peer) = rest
                    .split_once('/')
                    .ok_or_else(|| Error::new(Code::InvalidArgument, "peer URI without peer id"))?;
                (Some(Domain::from_text(domain)?), peer)
            }
        };
        Ok(Self::Peer { peer: PeerId::from_text(peer)?, domain, invitation })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name, domain } => write!(f, "{name}@{domain}"),
            Self::Peer { peer, domain, invitation } => {
                match domain {
                    Some(domain) => write!(f, "peer://{domain}/{peer}")?,
                    None => write!(f, "peer:{peer}")?,
                }
                invitation.iter().try_for_each(|invitation| write!(f, "#{invitation}"))
            }
        }
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Documents carry the canonical form only.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                match Self::from_text(&text) {
                    Ok(value) if value.0 == text => Ok(value),
                    Ok(_) => Err(D::Error::custom(concat!(stringify!($name), " not in canonical form"))),
                    Err(error) => Err(D::Error::custom(error)),
                }
            }
        }
    };
}
text_form!(Domain);
text_form!(FinderUrl);

/// Whether a server address may be dialled because a document says so: public unicast addresses only, and loopback in
/// development mode (protocol section 3).
#[must_use]
pub fn is_dialable(address: IpAddr, development: bool) -> bool {
    match address {
        address if address.is_loopback() => development,
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            v6.to_ipv4_mapped().map_or_else(|| is_public_v6(v6), |v4| is_dialable(v4.into(), development))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarking = a == 198 && (18..20).contains(&b);
    let reserved = a == 0 || a >= 240 || (a == 192 && b == 0 && address.octets()[2] == 0);
    !(address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || shared
        || benchmarking
        || reserved)
}

const fn is_public_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    // 2000::/3 is all the global unicast space there is; documentation 2001:db8::/32 lies in it.
    first & 0xE000 == 0x2000 && !(first == 0x2001 && address.segments()[1] == 0x0DB8)
}

/// Whether a host name or address literal means this machine.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("peer").then_some(rest)
}

fn parse_port(text: &str) -> Result<u16, Error> {
    let canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| *port != 0 && canonical);
    port.ok_or_else(|| Error::new(Code::InvalidArgument, "not a port"))
}

fn check_host(host: &str) -> Result<(), Error> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(())
    } else {
        Err(Error::new(Code::InvalidArgument, "not a domain; write international names in their xn-- form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "p1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn reads_every_form_of_address() {
        for (text, canonical) in [
            ("Bob@B.Test", "bob@b.test".to_owned()),
            ("bob@b.test:8443", "bob@b.test:8443".to_owned()),
            ("bob@b.test:443", "bob@b.test".to_owned()),
            (PEER, format!("peer:{PEER}")),
            (&PEER.to_uppercase(), format!("peer:{PEER}")),
            (&format!("PEER:{PEER}"), format!("peer:{PEER}")),
            (&format!("peer://b.test:8443/{PEER}#abc"), format!("peer://b.test:8443/{PEER}#abc")),
        ] {
            assert_eq!(Address::from_text(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "bob",
            "bob@",
            "@b.test",
            "b@b.test",
            "bob@b..test",
            "bob@-b.test",
            "bob@b.test:0",
            "bob@b.test:99999",
            "bob@bücher.test",
            "peer://b.test",
            "peer:p1abc",
            "bob@b.test/x",
            "bob@b.test:08443",
        ] {
            assert!(Address::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finder_urls() {
        assert!(FinderUrl::from_text("wss://b.test/finder").is_ok());
        assert!(FinderUrl::from_text("ws://b.localhost:8080/finder").is_ok());
        for url in [
            "ws://b.test/finder",
            "http://b.test/finder",
            "wss://b.test",
            "wss://B.test/finder",
            "wss://u@b.test/x",
        ] {
            assert!(FinderUrl::from_text(url).is_err(), "{url}");
        }
        let url = FinderUrl::from_text("wss://b.test:8443/finder").unwrap();
        assert_eq!((url.host(), url.port(), url.is_tls()), ("b.test", 8443, true));
    }

    #[test]
    fn documents_cannot_aim_clients_inside() {
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ] {
            assert!(!is_dialable(address.parse().unwrap(), true), "{address}");
        }
        for address in ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_dialable(address.parse().unwrap(), false), "{address}");
        }
        for address in ["127.0.0.1", "::1"] {
            assert!(
                is_dialable(address.parse().unwrap(), true) && !is_dialable(address.parse().unwrap(), false)
            );
        }
    }
}
