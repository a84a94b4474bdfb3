//! Why a server did not start.

use openpeer_store::StoreError;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why [`crate::Server::spawn`] failed. Every message says what to do; [`StartError::code`] is stable.
///
/// All but the last two are for the operator to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong.
    #[error("configuration: {detail}")]
    Config {
        /// What, where, and what to write instead.
        detail: String,
    },

    /// A file cannot be read.
    #[error("cannot read {}: {source}; check the path and that this user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file or directory cannot be written.
    #[error("cannot write {}: {source}; check that the data directory exists and this user may write to it", path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Plain HTTP was asked for on an address that others can reach.
    #[error(
        "plain HTTP on {address}: it is allowed on loopback only; add [tls] with a certificate, or `dev = true` (--dev) \
         for a local one"
    )]
    PlainHttp {
        /// The address.
        address: SocketAddr,
    },

    /// The certificate or its key cannot be used.
    #[error("certificate {}: {detail}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },

    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({protocol}): {source}; {}", bind_advice(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// Why.
        source: io::Error,
    },

    /// The data belong to another domain.
    #[error(
        "the data directory belongs to {found}, not to {wanted}; choose another directory, or the right domain"
    )]
    OtherDomain {
        /// The domain of the data.
        found: String,
        /// The configured one.
        wanted: String,
    },

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// Something that should not fail did.
    #[error("the server failed to start because of a defect; please report it ({detail})")]
    Internal {
        /// What.
        detail: String,
    },
}

impl StartError {
    /// The stable code, for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "start-config",
            Self::Unreadable { .. } => "start-unreadable",
            Self::Unwritable { .. } => "start-unwritable",
            Self::PlainHttp { .. } => "start-plain-http",
            Self::Certificate { .. } => "start-certificate",
            Self::Bind { .. } => "start-bind",
            Self::OtherDomain { .. } => "start-other-domain",
            Self::Store(error) => error.code(),
            Self::Internal { .. } => "start-internal",
        }
    }

    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    pub(crate) fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }

    pub(crate) fn certificate(path: &Path, detail: impl Into<String>) -> Self {
        Self::Certificate { path: path.to_owned(), detail: detail.into() }
    }

    pub(crate) fn internal(detail: impl ToString) -> Self {
        Self::Internal { detail: detail.to_string() }
    }
}

fn bind_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses this port: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: choose a higher port, or give the program CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no network interface has this address: use [::] or 0.0.0.0 for all"
        }
        _ => "choose another address",
    }
}
