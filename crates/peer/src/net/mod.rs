//! The network: one way to open a connection, and the two things that use it, requests to domains and sessions at
//! finders.
//!
//! Documents say where to connect to, and documents are written by strangers. So every address that a name resolves to
//! must be public, loopback in development mode, or named by the user with a [`Resolve`] rule.

mod counted;
mod dial;
mod finder;
mod http;
mod resolve;
mod tls;

pub use resolve::{InvalidResolve, Resolve};
pub use tls::CertificateError;

pub(crate) use finder::{FinderEvent, FinderSession};

use counted::Counted;
use openpeer_core::Code;
use resolve::Resolver;
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// What the network needs to know.
#[derive(Clone)]
pub(crate) struct Network {
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    development: bool,
}

/// An established connection, encrypted or not.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}
pub(crate) type Stream = Box<dyn Transport>;

/// Why a connection could not be established, for the log; [`Self::code`] is what the machine is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("name resolution failed: {0}")]
    Resolution(#[source] std::io::Error),
    #[error("the name has no address that may be dialled")]
    NotDialable,
    #[error("no address answered: {0}")]
    Connect(#[source] std::io::Error),
    #[error("TLS failed: {0}")]
    Tls(#[source] std::io::Error),
    #[error("the certificate is not valid for the name: {0}")]
    Certificate(#[source] std::io::Error),
    #[error("HTTP failed: {0}")]
    Http(#[source] hyper::Error),
    #[error("the request cannot be written as HTTP")]
    Request,
    #[error("the response is larger than 64 KiB")]
    TooLarge,
    #[error("the WebSocket upgrade failed: {0}")]
    WebSocket(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("no answer in time")]
    Timeout,
}

impl NetworkError {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Certificate(_) => Code::BadCertificate,
            Self::TooLarge => Code::TooLarge,
            Self::Request => Code::InvalidArgument,
            Self::NotDialable => Code::ForeignAddress,
            Self::Resolution(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Http(_)
            | Self::WebSocket(_)
            | Self::Timeout => Code::DomainUnreachable,
        }
    }
}

impl Network {
    /// `certificates` are trusted beside those of the Web's public authorities; `rules` come before name resolution.
    ///
    /// # Errors
    /// If a certificate cannot be read.
    pub(crate) fn new(
        certificates: &[Vec<u8>],
        rules: Vec<Resolve>,
        development: bool,
    ) -> Result<Self, CertificateError> {
        let tls = Arc::new(tls::client_config(certificates)?);
        Ok(Self { resolver: Resolver::new(rules, development), tls, development })
    }

    /// The URL of a STUN or TURN server with its name replaced if a rule says so.
    pub(crate) fn rewrite_ice_url(&self, url: String) -> String {
        self.resolver.rewrite_ice_url(url)
    }

    /// Opens a connection to a host; TLS checks that the certificate is valid for it.
    async fn connect(
        &self,
        host: &str,
        port: u16,
        encrypted: bool,
    ) -> Result<(Stream, counted::Counts), NetworkError> {
        let addresses = self.resolver.resolve(host, port).await?;
        let socket = dial::connect(addresses).await.map_err(NetworkError::Connect)?;
        let (socket, counts) = Counted::new(socket);
        let stream: Stream =
            if encrypted { Box::new(tls::connect(&self.tls, host, socket).await?) } else { Box::new(socket) };
        Ok((stream, counts))
    }
}
