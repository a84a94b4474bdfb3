//! Why a command failed.

use crate::transfer::TransferError;
use openpeer_server::StartError;
use openpeer_store::StoreError;
use std::io;
use std::process::ExitCode;

/// A stable code and what happened, with what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: String,
    message: String,
    is_usage: bool,
}

impl Failure {
    /// A command that could not do what it was asked for.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), is_usage: false }
    }

    /// Arguments that do not fit together, or a value that cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: "usage".to_owned(), message: message.into(), is_usage: true }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::new("file", format!("{}: {error}; check the path and its permissions", path.display()))
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// 2 for a misuse of the command line, otherwise 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.is_usage { 2 } else { 1 })
    }
}

impl From<openpeer::Error> for Failure {
    fn from(error: openpeer::Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<openpeer_core::Error> for Failure {
    fn from(error: openpeer_core::Error) -> Self {
        Self::new(error.code().as_str(), error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("io", error.to_string())
    }
}
