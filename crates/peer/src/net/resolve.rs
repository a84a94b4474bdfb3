use super::NetworkError;
use crate::defaults::MAX_ADDRESSES;
use openpeer_core::uri::is_dialable;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Port of STUN and TURN URLs that name none.
const DEFAULT_ICE_PORT: &str = "3478";

/// A rule that replaces name resolution for one name and port, as `--resolve` of curl does.
///
/// The text form is `NAME:PORT:ADDRESS`, where the address may carry a port of its own: `a.test:443:127.0.0.1`,
/// `a.test:443:127.0.0.1:8443`, `a.test:443:[::1]:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    host: String,
    port: u16,
    to: SocketAddr,
}

/// The text of a [`Resolve`] rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form NAME:PORT:ADDRESS, such as a.test:443:127.0.0.1:8443")]
pub struct InvalidResolve(String);

impl Resolve {
    /// Connections to `host` and `port` go to `to`.
    #[must_use]
    pub fn new(host: &str, port: u16, to: SocketAddr) -> Self {
        Self { host: host.to_ascii_lowercase(), port, to }
    }
}

impl FromStr for Resolve {
    type Err = InvalidResolve;

    fn from_str(text: &str) -> Result<Self, InvalidResolve> {
        let rule = || {
            let (host, rest) = text.split_once(':')?;
            let (port, address) = rest.split_once(':')?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            (!host.is_empty()).then_some(Self::new(host, port, parse_address(address, port)?))
        };
        rule().ok_or_else(|| InvalidResolve(text.to_owned()))
    }
}

fn parse_address(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)).or_else(|_| text.parse()).ok()
}

/// Name resolution: rules first, then the system's.
#[derive(Clone)]
pub(super) struct Resolver {
    rules: BTreeMap<(String, u16), Vec<SocketAddr>>,
    development: bool,
}

impl Resolver {
    pub(super) fn new(rules: Vec<Resolve>, development: bool) -> Self {
        let mut map: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Resolve { host, port, to } in rules {
            map.entry((host, port)).or_default().push(to);
        }
        Self { rules: map, development }
    }

    /// The URL of a STUN or TURN server (RFC 7064, RFC 7065) with its name replaced if a rule says so.
    pub(super) fn rewrite_ice_url(&self, url: String) -> String {
        let replaced = || {
            let (scheme, rest) = url.split_once(':')?;
            let (authority, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
            let (host, port) = authority.split_once(':').unwrap_or((authority, DEFAULT_ICE_PORT));
            let to = self.rules.get(&(host.to_ascii_lowercase(), port.parse().ok()?))?.first()?;
            Some(format!("{scheme}:{to}{query}"))
        };
        replaced().unwrap_or(url)
    }

    /// Addresses in the order in which they are to be tried.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NetworkError> {
        // What the user named himself needs no further permission.
        if let Some(addresses) = self.rules.get(&(host.to_owned(), port)) {
            return Ok(addresses.clone());
        }
        let found = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => lookup(host, port).await.map_err(NetworkError::Resolution)?,
        };
        let dialable =
            found.into_iter().filter(|address| is_dialable(address.ip(), self.development)).collect();
        let addresses = interleave(dialable);
        if addresses.is_empty() { Err(NetworkError::NotDialable) } else { Ok(addresses) }
    }
}

async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // The final dot keeps the system from trying its search domains.
    let absolute = if host.contains('.') { format!("{host}.") } else { host.to_owned() };
    Ok(tokio::net::lookup_host((absolute, port)).await?.collect())
}

/// Alternates between the families, beginning with that of the first address (RFC 8305 section 4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().copied() else { return addresses };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first.is_ipv6());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            ordered.truncate(MAX_ADDRESSES);
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rules_as_curl_does() {
        for (text, to) in [
            ("a.test:443:127.0.0.1", "127.0.0.1:443"),
            ("A.test:443:127.0.0.1:8443", "127.0.0.1:8443"),
            ("a.test:443:::1", "[::1]:443"),
            ("a.test:443:[::1]", "[::1]:443"),
            ("a.test:443:[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!(text.parse(), Ok(Resolve::new("a.test", 443, to.parse().unwrap())), "{text}");
        }
        for text in
            ["", "a.test", "a.test:443", "a.test:443:", "a.test:0:127.0.0.1", "a.test:x:127.0.0.1", ":1:::1"]
        {
            assert!(text.parse::<Resolve>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn only_rules_and_development_lead_inside() {
        let rule = "a.test:443:10.0.0.1".parse().unwrap();
        let resolver = Resolver::new(vec![rule], false);
        assert_eq!(resolver.resolve("a.test", 443).await.unwrap(), ["10.0.0.1:443".parse().unwrap()]);
        for host in ["127.0.0.1", "10.0.0.1", "localhost", "169.254.169.254"] {
            let error = resolver.resolve(host, 443).await.unwrap_err();
            assert!(matches!(error, NetworkError::NotDialable), "{host}: {error}");
        }
        let resolver = Resolver::new(Vec::new(), true);
        assert!(resolver.resolve("127.0.0.1", 443).await.is_ok());
        assert!(resolver.resolve("10.0.0.1", 443).await.is_err());
    }

    #[test]
    fn rules_hold_for_stun_and_turn_too() {
        let rules = ["a.test:3478:127.0.0.1:5000", "a.test:9:::1"].map(|rule| rule.parse().unwrap()).to_vec();
        let resolver = Resolver::new(rules, false);
        for (url, rewritten) in [
            ("stun:a.test", "stun:127.0.0.1:5000"),
            ("turn:A.test:3478?transport=udp", "turn:127.0.0.1:5000?transport=udp"),
            ("turn:a.test:9", "turn:[::1]:9"),
            ("stun:a.test:1", "stun:a.test:1"),
            ("stun:[2001:db8::1]:3478", "stun:[2001:db8::1]:3478"),
            ("", ""),
        ] {
            assert_eq!(resolver.rewrite_ice_url(url.to_owned()), rewritten);
        }
    }

    #[test]
    fn alternates_between_the_families() {
        let addresses = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1"];
        let parsed = addresses.map(|address| address.parse().unwrap()).to_vec();
        let order: Vec<_> = interleave(parsed).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "[2001:db8::3]:1"]);
    }
}
