use std::io;
use std::path::{Path, PathBuf};

/// Why a keystore or an exported peer could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// Caller: there is no keystore in the directory.
    #[error("there is no keystore in {}: create a peer there first", directory.display())]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// Caller: the directory holds a keystore already.
    #[error("there is a keystore in {} already: open it, or choose another directory", directory.display())]
    Exists {
        /// The directory.
        directory: PathBuf,
    },
    /// Caller: another process has the keystore open.
    #[error("the keystore in {} is in use: end the other program that uses it", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// Caller: neither a passphrase nor the explicit choice to go without.
    #[error("choose a passphrase for the keystore, or say explicitly that file permissions are enough")]
    NoProtection,
    /// Caller: the passphrase is longer than Argon2id takes.
    #[error("this passphrase cannot be used: choose a shorter one")]
    PassphraseUnusable,
    /// Caller: the keystore is protected by a passphrase and none was given.
    #[error("this keystore has a passphrase: give it")]
    PassphraseRequired,
    /// Caller: the passphrase does not open the keystore.
    #[error("wrong passphrase: check keyboard layout and capital letters, and try again")]
    WrongPassphrase,
    /// Caller: a keystore without passphrase that others than its owner can read.
    #[error("{} can be read by others and no passphrase protects it: run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Bytes: a file was altered or damaged.
    #[error("{} is damaged: restore the directory from a backup, or import the peer anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Incompatible: written by a later version of this program.
    #[error("{} was written by a later version: update this program", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
    },
    /// Caller: the file system refused.
    #[error("{}: {source}; check permissions and free space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

impl KeystoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "keystore-missing",
            Self::Exists { .. } => "keystore-exists",
            Self::InUse { .. } => "keystore-in-use",
            Self::NoProtection | Self::PassphraseUnusable => "invalid-argument",
            Self::PassphraseRequired => "passphrase-required",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::Exposed { .. } => "keystore-exposed",
            Self::Damaged { .. } => "keystore-damaged",
            Self::TooNew { .. } => "keystore-too-new",
            Self::Io { .. } => "keystore-io",
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// Why sealed bytes could not be opened, before it is known which file they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealedError {
    Damaged,
    TooNew,
    PassphraseRequired,
    WrongPassphrase,
}

impl SealedError {
    pub(crate) fn at(self, path: &Path) -> KeystoreError {
        match self {
            Self::Damaged => KeystoreError::Damaged { path: path.to_owned() },
            Self::TooNew => KeystoreError::TooNew { path: path.to_owned() },
            Self::PassphraseRequired => KeystoreError::PassphraseRequired,
            Self::WrongPassphrase => KeystoreError::WrongPassphrase,
        }
    }
}
