//! Where files come from and go to.

use super::name::{numbered, safe_file_name};
use crate::defaults::MAX_NAME_ATTEMPTS;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// A file on its way into a folder: under a name of its own until it is complete, and removed if it never is.
pub(super) struct Incoming {
    file: File,
    part: TempPath,
    folder: PathBuf,
    name: String,
}

impl Incoming {
    /// Begins a file. `offered` is what the sender calls it.
    pub(super) fn create(folder: &Path, offered: &str) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".openpeer-").suffix(".part");
        set_usual_permissions(&mut builder);
        let (file, part) = builder.tempfile_in(folder)?.into_parts();
        let name = safe_file_name(offered);
        Ok(Self { file: File::from_std(file), part, folder: folder.to_owned(), name })
    }

    /// Appends to the file.
    pub(super) async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.file.write_all(data).await
    }

    /// Makes the file durable and gives it its name, or the next free one: nothing is ever overwritten.
    pub(super) async fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let mut part = self.part;
        for attempt in 0..MAX_NAME_ATTEMPTS {
            let path = self.folder.join(numbered(&self.name, attempt));
            match part.persist_noclobber(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => part = error.path,
                Err(error) => return Err(error.error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of this name"))
    }
}

/// Received files are as readable as others that the user makes; the umask applies.
fn set_usual_permissions(builder: &mut tempfile::Builder<'_, '_>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = builder;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn put(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        let mut incoming = Incoming::create(folder, name).unwrap();
        incoming.write(content).await.unwrap();
        incoming.finish().await.unwrap()
    }

    #[tokio::test]
    async fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let first = put(folder.path(), "../a.txt", b"first").await;
        let second = put(folder.path(), "a.txt", b"second").await;
        assert_eq!(first, folder.path().join("a.txt"));
        assert_eq!(second, folder.path().join("a (1).txt"));
        assert_eq!(std::fs::read(first).unwrap(), b"first");
        assert_eq!(std::fs::read(second).unwrap(), b"second");
    }

    #[tokio::test]
    async fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut incoming = Incoming::create(folder.path(), "a.txt").unwrap();
        incoming.write(b"half").await.unwrap();
        drop(incoming);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
