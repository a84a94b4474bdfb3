use crate::keystore::KeystoreError;
use crate::net::{CertificateError, InvalidResolve};
use openpeer_core::Code;
use openpeer_link::ChannelError;

/// Everything that can go wrong. [`Self::code`] is stable; the text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A protocol error; `docs/registry.md` lists the codes and who is to blame.
    #[error(transparent)]
    Protocol(#[from] openpeer_core::Error),
    /// The keystore or an exported file.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A channel of a link, or the link itself.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A CA certificate given by the caller.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A resolve rule given by the caller.
    #[error(transparent)]
    Resolve(#[from] InvalidResolve),
    /// The peer was closed, or its keystore failed; [`crate::Event::Failed`] says so.
    #[error("this peer is closed: open it again")]
    Closed,
}

impl Error {
    /// The stable code, such as `not-found` or `wrong-passphrase`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Protocol(error) => error.code().as_str(),
            Self::Keystore(error) => error.code(),
            Self::Channel(error) => error.code(),
            Self::Certificate(_) | Self::Resolve(_) => Code::InvalidArgument.as_str(),
            Self::Closed => "closed",
        }
    }

    /// The protocol's code, if it is a protocol error.
    #[must_use]
    pub const fn protocol(&self) -> Option<Code> {
        match self {
            Self::Protocol(error) => Some(error.code()),
            _ => None,
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Protocol(code.into())
    }
}
