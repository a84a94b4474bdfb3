//! STUN and TURN URLs (RFC 7064, RFC 7065) and their resolution.

use crate::defaults::STUN_PORT;
use crate::machine::{RelayProtocol, Server, TurnServer};
use crate::{ServerKind, ServerOutcome};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// A STUN or TURN server as domains name them.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host[:port]` or `turn:host[:port][?transport=udp]`. Other transports are left out and reported.
    pub url: String,
    /// TURN user name.
    pub username: String,
    /// TURN password.
    pub credential: Zeroizing<String>,
}

/// A server whose name is to be resolved.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    kind: ServerKind,
    host: String,
    port: u16,
}

/// A server as the machine wants it, or why it cannot be used.
pub(super) type Resolved = Result<Server, (ServerKind, ServerOutcome)>;

impl IceServer {
    /// A STUN server.
    #[must_use]
    pub fn stun(url: impl Into<String>) -> Self {
        Self { url: url.into(), username: String::new(), credential: Zeroizing::default() }
    }

    /// A TURN server with its credentials.
    #[must_use]
    pub fn turn(url: impl Into<String>, username: impl Into<String>, credential: impl Into<String>) -> Self {
        Self { url: url.into(), username: username.into(), credential: Zeroizing::new(credential.into()) }
    }

    /// Resolves the server's name; one address of each IP version.
    pub(super) async fn resolve(self) -> Vec<Resolved> {
        let target = match parse(&self.url) {
            Ok(target) => target,
            Err(kind) => return vec![Err((kind, ServerOutcome::Unsupported))],
        };
        let found: Vec<SocketAddr> = match tokio::net::lookup_host((target.host.as_str(), target.port)).await
        {
            Ok(addresses) => addresses.collect(),
            Err(error) => {
                tracing::debug!(%error, "a STUN or TURN server does not resolve");
                Vec::new()
            }
        };
        let v4 = found.iter().find(|address| address.is_ipv4());
        let v6 = found.iter().find(|address| address.is_ipv6());
        let servers: Vec<_> =
            v4.into_iter().chain(v6).map(|address| Ok(self.server(target.kind, *address))).collect();
        if servers.is_empty() { vec![Err((target.kind, ServerOutcome::Unreachable))] } else { servers }
    }

    fn server(&self, kind: ServerKind, address: SocketAddr) -> Server {
        match kind {
            ServerKind::Stun => Server::Stun(address),
            ServerKind::Turn => Server::Turn(TurnServer {
                address,
                protocol: RelayProtocol::Udp,
                username: self.username.clone(),
                password: self.credential.clone(),
            }),
        }
    }
}

/// The target of a URL, or the kind of one that this version does not use.
fn parse(url: &str) -> Result<Target, ServerKind> {
    let (scheme, rest) = url.split_once(':').ok_or(ServerKind::Stun)?;
    let (kind, is_plain) = match scheme.to_ascii_lowercase().as_str() {
        "stun" => (ServerKind::Stun, true),
        "turn" => (ServerKind::Turn, true),
        "turns" => (ServerKind::Turn, false),
        _ => (ServerKind::Stun, false),
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, "transport=udp"));
    if !is_plain || !query.eq_ignore_ascii_case("transport=udp") {
        return Err(kind);
    }
    let (host, port) = split_port(authority).ok_or(kind)?;
    Ok(Target { kind, host: host.to_owned(), port })
}

fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let port = match port? {
        "" => STUN_PORT,
        port => port.parse().ok()?,
    };
    (!host.is_empty() && port != 0).then_some((host, port))
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, username: _, credential: _ } = self;
        f.debug_struct("IceServer").field("url", url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: ServerKind, host: &str, port: u16) -> Result<Target, ServerKind> {
        Ok(Target { kind, host: host.to_owned(), port })
    }

    #[test]
    fn reads_urls() {
        assert_eq!(parse("stun:stun.example.org"), target(ServerKind::Stun, "stun.example.org", 3478));
        assert_eq!(parse("STUN:192.0.2.1:19302"), target(ServerKind::Stun, "192.0.2.1", 19302));
        assert_eq!(
            parse("turn:[2001:db8::1]:5349?transport=udp"),
            target(ServerKind::Turn, "2001:db8::1", 5349)
        );
        assert_eq!(parse("turn:[2001:db8::1]"), target(ServerKind::Turn, "2001:db8::1", 3478));
    }

    #[test]
    fn leaves_other_transports_out() {
        for url in
            ["turns:a.example", "turn:a.example?transport=tcp", "turn:", "turn:a:0", "turn:a:x", "turn:[::1"]
        {
            assert_eq!(parse(url), Err(ServerKind::Turn), "{url}");
        }
        for url in ["", "stuns:a.example", "http://a.example", "stun:a:99999"] {
            assert_eq!(parse(url), Err(ServerKind::Stun), "{url}");
        }
    }
}
