//! The configuration: one TOML file. An absent section means that the feature is not started.
//!
//! `docs/operations.md` shows an annotated example, which a test of this crate parses.

use crate::defaults;
use crate::error::StartError;
use openpeer_core::document::Name;
use openpeer_core::uri::{Domain, FinderUrl};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Everything an operator decides. Unknown keys are errors, so that a misspelt one does not go unnoticed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The domain in A-label form, with its port if that is not 443: `example.org`, `example.org:8443`.
    pub domain: Domain,
    /// Addresses for HTTPS and WebSocket; `[::]:443` covers IPv4 as well. Port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// The data directory; here only for the certificates of `dev`.
    pub data: PathBuf,
    /// Makes a local certificate authority and a certificate in the data directory, for development.
    #[serde(default)]
    pub dev: bool,
    /// The TLS certificate. Without it and without `dev` the server speaks plain HTTP, on loopback only.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The finder's URL as the domain document shows it. Unless given: `wss://DOMAIN/finder`, with plain HTTP
    /// `ws://localhost:PORT/finder`.
    #[serde(default)]
    pub finder_url: Option<FinderUrl>,
    /// Where people report abuse, such as `mailto:abuse@example.org`; shown in the domain document.
    #[serde(default)]
    pub contact: Option<String>,
    /// STUN; absent: not started.
    #[serde(default)]
    pub stun: Option<Stun>,
    /// The secret shared with a TURN server (coturn's `static-auth-secret`); together with `turn_urls`.
    #[serde(default)]
    pub turn_secret: Option<Secret>,
    /// URLs of the TURN server (RFC 7065), such as `turn:turn.example.org:3478?transport=udp`.
    #[serde(default)]
    pub turn_urls: Vec<String>,
    /// Names at this domain; absent: nobody can claim or look up names.
    #[serde(default)]
    pub names: Option<Names>,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Metrics and health.
    #[serde(default)]
    pub metrics: Metrics,
    /// What to log, in the syntax of `tracing`'s `EnvFilter`, such as `info` or `openpeer_server=debug`. For the
    /// program around this library.
    #[serde(default)]
    pub log: Option<String>,
}

/// Certificate files in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// STUN over UDP (RFC 8489).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stun {
    /// Addresses; `[::]:3478` covers IPv4 as well. Port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// URLs that clients are told (RFC 7064). Unless given: `stun:HOST:PORT` with the domain's host and the first
    /// listener's port.
    #[serde(default)]
    pub urls: Option<Vec<String>>,
}

/// Names at this domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Who may claim a name.
    pub policy: NamePolicy,
    /// Names that nobody may claim, beside the built-in ones (`admin`, `postmaster`, `abuse`, …).
    #[serde(default)]
    pub reserved: Vec<Name>,
    /// Claims and releases per minute from one /24 or /56.
    #[serde(default = "claims_per_minute")]
    pub claims_per_minute: u32,
    /// Lookups per minute from one /24 or /56.
    #[serde(default = "lookups_per_minute")]
    pub lookups_per_minute: u32,
}

/// Who may claim a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamePolicy {
    /// Everybody.
    Open,
    /// Whoever has an invite code of the operator.
    Invite,
}

/// Limits on what clients can make the server hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Finder sessions at a time.
    pub sessions: usize,
    /// Other connections at a time: TLS handshakes and HTTP.
    pub http_connections: usize,
    /// Connections of any kind at a time from one /24 or /56.
    pub connections_per_source: usize,
}

/// Metrics and health.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// A separate address for `/metrics` and `/healthz`, plain HTTP. Anybody who reaches it can read them.
    pub listen: Option<SocketAddr>,
    /// Also serves them on the addresses of `listen` that are not loopback.
    pub public: bool,
}

/// A secret text; hidden in `Debug`, wiped on drop.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<String>);

impl Config {
    /// The smallest configuration: domain, data directory and listeners; plain HTTP, no STUN, no names.
    #[must_use]
    pub fn new(domain: Domain, listen: Vec<SocketAddr>, data: impl Into<PathBuf>) -> Self {
        Self {
            domain,
            listen,
            data: data.into(),
            dev: false,
            tls: None,
            finder_url: None,
            contact: None,
            stun: None,
            turn_secret: None,
            turn_urls: Vec::new(),
            names: None,
            limits: Limits::default(),
            metrics: Metrics::default(),
            log: None,
        }
    }

    /// Parses a configuration file's text.
    ///
    /// # Errors
    /// [`StartError::Config`] with line, column and what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, StartError> {
        toml::from_str(text).map_err(|error| StartError::Config { detail: error.to_string() })
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`StartError::Unreadable`] or [`StartError::Config`].
    pub fn from_file(path: &Path) -> Result<Self, StartError> {
        let text = std::fs::read_to_string(path).map_err(|error| StartError::unreadable(path, error))?;
        Self::from_toml(&text)
    }

    /// Checks what the types do not say. [`crate::Server::spawn`] does it too.
    ///
    /// # Errors
    /// [`StartError::Config`] or [`StartError::PlainHttp`].
    pub fn check(&self) -> Result<(), StartError> {
        let wrong = |detail: &str| Err(StartError::Config { detail: detail.to_owned() });
        if self.listen.is_empty() {
            return wrong("`listen` is empty; give at least one address, such as \"[::]:443\"");
        }
        if self.dev && self.tls.is_some() {
            return wrong("both `dev` and [tls]; remove one of them");
        }
        if self.turn_secret.is_some() == self.turn_urls.is_empty() {
            return wrong("`turn_secret` and `turn_urls` belong together; give both or neither");
        }
        if self.stun.as_ref().is_some_and(|stun| stun.listen.is_empty()) {
            return wrong("`stun.listen` is empty; give an address, such as \"[::]:3478\", or remove [stun]");
        }
        match self.listen.iter().find(|address| !self.is_tls() && !address.ip().is_loopback()) {
            Some(address) => Err(StartError::PlainHttp { address: *address }),
            None => Ok(()),
        }
    }

    /// Whether the listeners speak TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.dev || self.tls.is_some()
    }
}

impl Names {
    /// Names for everybody who has (`Invite`) or needs no (`Open`) invite, with the default rates.
    #[must_use]
    pub const fn new(policy: NamePolicy) -> Self {
        Self {
            policy,
            reserved: Vec::new(),
            claims_per_minute: defaults::CLAIMS_PER_MINUTE,
            lookups_per_minute: defaults::LOOKUPS_PER_MINUTE,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: defaults::MAX_SESSIONS,
            http_connections: defaults::MAX_HTTP_CONNECTIONS,
            connections_per_source: defaults::MAX_CONNECTIONS_PER_SOURCE,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

const fn claims_per_minute() -> u32 {
    defaults::CLAIMS_PER_MINUTE
}

const fn lookups_per_minute() -> u32 {
    defaults::LOOKUPS_PER_MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "domain = \"a.test\"\nlisten = [\"127.0.0.1:0\"]\ndata = \"data\"\n";

    #[test]
    fn the_smallest_file_starts_nothing_optional() {
        let config = Config::from_toml(SMALLEST).unwrap();
        config.check().unwrap();
        assert!(config.stun.is_none() && config.names.is_none() && config.tls.is_none() && !config.is_tls());
    }

    #[test]
    fn every_error_says_what_to_do() {
        for (addition, hint) in [
            ("domian = \"a.test\"", "unknown field `domian`"),
            ("turn_secret = \"s\"", "belong together"),
            ("turn_urls = [\"turn:a.test\"]", "belong together"),
            ("dev = true\n[tls]\ncertificate = \"c\"\nkey = \"k\"", "remove one of them"),
            ("[stun]\nlisten = []", "stun.listen"),
            ("[names]\npolicy = \"everybody\"", "`open` or `invite`"),
            ("[names]\npolicy = \"open\"\nreserved = [\"No Name\"]", "not a name"),
        ] {
            let result =
                Config::from_toml(&format!("{SMALLEST}{addition}\n")).and_then(|config| config.check());
            let message = result.unwrap_err().to_string();
            assert!(message.contains(hint), "{addition}: {message}");
        }
        for (text, hint) in [
            (SMALLEST.replace("a.test", "bücher.test"), "xn--"),
            (SMALLEST.replace("[\"127.0.0.1:0\"]", "[]"), "`listen` is empty"),
            (SMALLEST.replace("127.0.0.1:0", "0.0.0.0:80"), "[tls]"),
        ] {
            let message = Config::from_toml(&text).and_then(|config| config.check()).unwrap_err().to_string();
            assert!(message.contains(hint), "{message}");
        }
    }

    /// The configuration shown in the operator's handbook.
    fn documented() -> &'static str {
        let text = include_str!("../../../docs/operations.md");
        let (_, rest) = text.split_once("```toml\n").unwrap();
        rest.split_once("```").unwrap().0
    }

    #[test]
    fn the_documented_example_works_and_shows_the_defaults() {
        let config = Config::from_toml(documented()).unwrap();
        config.check().unwrap();
        let (names, limits) = (config.names.unwrap(), Limits::default());
        assert_eq!(names.claims_per_minute, defaults::CLAIMS_PER_MINUTE);
        assert_eq!(names.lookups_per_minute, defaults::LOOKUPS_PER_MINUTE);
        assert_eq!(config.limits.sessions, limits.sessions);
        assert_eq!(config.limits.http_connections, limits.http_connections);
        assert_eq!(config.limits.connections_per_source, limits.connections_per_source);
    }

    #[test]
    fn every_key_is_documented() {
        for section in ["", "tls", "stun", "names", "limits", "metrics"] {
            let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
            // The refusal of an unknown key names all known ones.
            let refusal = Config::from_toml(&format!("{head}unheard = 1\n")).unwrap_err().to_string();
            let (_, known) = refusal.split_once("expected").unwrap();
            let keys: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            assert!(keys.len() >= 2, "{refusal}");
            for key in keys {
                let shown = documented().contains(&format!("\n{key} = "))
                    || documented().contains(&format!("\n[{key}]\n"));
                assert!(shown || documented().starts_with(&format!("{key} = ")), "{section} {key}");
            }
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let text = format!("{SMALLEST}turn_secret = \"hush\"\nturn_urls = [\"turn:a.test\"]\n");
        assert!(!format!("{:?}", Config::from_toml(&text).unwrap()).contains("hush"));
    }
}
