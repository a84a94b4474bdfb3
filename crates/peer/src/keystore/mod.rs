//! The keystore: one directory that holds a location's keys and everything that its machine persisted, sealed.
//!
//! `docs/keystore.md` describes the format. In short:
//!
//! ```text
//! DIRECTORY/            mode 0700
//!   lock                empty; held by the process that has the keystore open
//!   keystore.json       version, and the key of all other files: wrapped by a passphrase, or bare by explicit choice
//!   keyring             sealed: root and location seeds
//!   inbox/NAME          sealed: one inbox secret each
//!   records/NAME        sealed: one record of the peer machine each
//! ```
//! `NAME` is a keyed hash of what the file holds, so that a listing of the directory names no contact. Every file is
//! replaced atomically: after a crash it holds the old content or the new one.

mod error;
mod files;
mod protection;
mod sealed;

pub use error::KeystoreError;
pub(crate) use error::SealedError;
pub(crate) use protection::{Passphrase, Protection, WrappedKey};
pub(crate) use sealed::{FileKey, open_with, random, seal_with};

use sealed::Sealer;
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file whose presence makes a directory a keystore; written last when one is created.
const HEADER: &str = "keystore.json";
const LOCK: &str = "lock";
const KEYRING: &str = "keyring";

/// What a sealed file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An inbox secret, by its key id.
    Inbox,
    /// A record of the peer machine or of this library, by its key.
    Record,
}

/// A content with its name, as [`Keystore::entries`] gives them.
pub(crate) type Entry = (String, Zeroizing<Vec<u8>>);

/// An open keystore; the lock is held until it is dropped. All calls block on the file system.
pub(crate) struct Keystore {
    directory: PathBuf,
    sealer: Sealer,
    _lock: File,
}

impl Keystore {
    /// Whether the directory holds a keystore.
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join(HEADER).exists()
    }

    /// Makes a keystore with its first content. Until the end of this call the directory is no keystore.
    ///
    /// # Errors
    /// `keystore-exists`, `keystore-in-use`, `keystore-io`.
    pub(crate) fn create(
        directory: &Path,
        protection: &Protection,
        keyring: &[u8],
        records: &[(String, Vec<u8>)],
    ) -> Result<Self, KeystoreError> {
        files::make_directory(directory)?;
        let lock = lock(directory)?;
        if Self::exists(directory) {
            return Err(KeystoreError::Exists { directory: directory.to_owned() });
        }
        for kind in [Kind::Inbox, Kind::Record] {
            // What an earlier creation left behind that did not come to its end.
            files::remove_directory(&directory.join(kind.folder()))?;
            files::make_directory(&directory.join(kind.folder()))?;
        }
        let key = FileKey::random();
        let keystore = Self { directory: directory.to_owned(), sealer: Sealer::new(&key), _lock: lock };
        keystore.write_keyring(keyring)?;
        for (name, value) in records {
            keystore.write(Kind::Record, name, value)?;
        }
        files::sync_directory(&directory.join(Kind::Record.folder()))?;
        let header = WrappedKey::wrap(&key, protection)?.to_json();
        files::replace(&directory.join(HEADER), header.as_bytes())?;
        files::sync_directory(directory)?;
        Ok(keystore)
    }

    /// Opens a keystore.
    ///
    /// # Errors
    /// `keystore-missing`, `keystore-in-use`, `wrong-passphrase`, `passphrase-required`, `keystore-exposed`,
    /// `keystore-damaged`, `keystore-too-new`, `keystore-io`.
    pub(crate) fn open(directory: &Path, protection: &Protection) -> Result<Self, KeystoreError> {
        if !Self::exists(directory) {
            return Err(KeystoreError::Missing { directory: directory.to_owned() });
        }
        let lock = lock(directory)?;
        let path = directory.join(HEADER);
        let header = WrappedKey::from_json(&files::read(&path)?).map_err(|error| error.at(&path))?;
        if header.is_bare() {
            files::check_private(&path)?;
        }
        let key = header.unwrap(protection).map_err(|error| error.at(&path))?;
        for kind in [Kind::Inbox, Kind::Record] {
            files::remove_unfinished(&directory.join(kind.folder()))?;
        }
        files::remove_unfinished(directory)?;
        Ok(Self { directory: directory.to_owned(), sealer: Sealer::new(&key), _lock: lock })
    }

    /// The content of the keyring file.
    pub(crate) fn keyring(&self) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        let path = self.directory.join(KEYRING);
        let (_, value) = self.sealer.open(KEYRING, &files::read(&path)?).map_err(|error| error.at(&path))?;
        Ok(value)
    }

    /// Replaces the keyring file, durably.
    pub(crate) fn write_keyring(&self, value: &[u8]) -> Result<(), KeystoreError> {
        files::replace(&self.directory.join(KEYRING), &self.sealer.seal(KEYRING, "", value))?;
        files::sync_directory(&self.directory)
    }

    /// Everything of one kind, in no particular order.
    pub(crate) fn entries(&self, kind: Kind) -> Result<Vec<Entry>, KeystoreError> {
        let folder = self.directory.join(kind.folder());
        let mut entries = Vec::new();
        for name in files::list(&folder)? {
            let path = folder.join(&name);
            let location = format!("{}/{name}", kind.folder());
            let entry = self.sealer.open(&location, &files::read(&path)?).map_err(|error| error.at(&path))?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Replaces one content. Durable once [`Self::sync`] returned.
    pub(crate) fn write(&self, kind: Kind, name: &str, value: &[u8]) -> Result<(), KeystoreError> {
        let (location, path) = self.place(kind, name);
        files::replace(&path, &self.sealer.seal(&location, name, value))
    }

    /// Removes one content, if it is there. Durable once [`Self::sync`] returned.
    pub(crate) fn remove(&self, kind: Kind, name: &str) -> Result<(), KeystoreError> {
        files::remove(&self.place(kind, name).1)
    }

    /// Overwrites one content on the disk and removes it: for secrets whose loss is their purpose.
    pub(crate) fn destroy(&self, kind: Kind, name: &str) -> Result<(), KeystoreError> {
        let (_, path) = self.place(kind, name);
        files::overwrite(&path)?;
        files::remove(&path)?;
        self.sync(kind)
    }

    /// Makes all earlier writes and removals of one kind survive a power cut.
    pub(crate) fn sync(&self, kind: Kind) -> Result<(), KeystoreError> {
        files::sync_directory(&self.directory.join(kind.folder()))
    }

    /// Where a content is: the name that is sealed with it and the file.
    fn place(&self, kind: Kind, name: &str) -> (String, PathBuf) {
        let location = format!("{}/{}", kind.folder(), self.sealer.file_name(kind.folder(), name));
        let path = self.directory.join(&location);
        (location, path)
    }
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Record => "records",
        }
    }
}

fn lock(directory: &Path) -> Result<File, KeystoreError> {
    let path = directory.join(LOCK);
    let file = files::open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(KeystoreError::InUse { directory: directory.to_owned() })
        }
        Err(std::fs::TryLockError::Error(error)) => Err(KeystoreError::io(&path, error)),
    }
}

#[cfg(test)]
mod tests;
