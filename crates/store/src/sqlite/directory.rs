//! The data directory: who may read it, and that only one process uses it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

const LOCK: &str = "store.lock";
const DATABASE: &str = "store.sqlite";

/// Creates the directory if need be and takes its lock, which lasts as long as the file is open: the operating
/// system gives it free whichever way the process ends.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    create_directory(directory).map_err(|error| failure(directory, &error))?;
    let path = directory.join(LOCK);
    let file = private_file(&path).map_err(|error| failure(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failure(&path, &error)),
    }
}

/// The path of the database; the file exists afterwards, empty if it is new, since SQLite would create it readable
/// by everybody. Its companions take over its permissions.
pub(super) fn database(directory: &Path) -> Result<PathBuf, StoreError> {
    let path = directory.join(DATABASE);
    private_file(&path).and_then(|_| sync_directory(directory)).map_err(|error| failure(&path, &error))?;
    Ok(path)
}

fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => Ok(()),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new file survives a power cut only once the directory that names it is on the disk.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn failure(path: &Path, error: &io::Error) -> StoreError {
    let detail = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { detail },
        _ => StoreError::Unavailable { detail },
    }
}
