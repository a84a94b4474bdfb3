//! Files that are replaced as a whole or not at all, readable by their owner only.

use super::KeystoreError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Ending of a file that is being written; such a file is left behind by a crash and means nothing.
const UNFINISHED: &str = ".new";
/// Largest file that is read: far above every record, low enough that a wrong file does no harm.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn make_directory(path: &Path) -> Result<(), KeystoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| KeystoreError::io(path, error))
}

pub(super) fn remove_directory(path: &Path) -> Result<(), KeystoreError> {
    absent_is_fine(fs::remove_dir_all(path)).map_err(|error| KeystoreError::io(path, error))
}

pub(super) fn open_lock(path: &Path) -> Result<File, KeystoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private(&mut options);
    options.open(path).map_err(|error| KeystoreError::io(path, error))
}

/// Whether only the owner can read the file; on systems without such permissions the answer is yes.
pub(super) fn check_private(path: &Path) -> Result<(), KeystoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::metadata(path).map_err(|error| KeystoreError::io(path, error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(KeystoreError::Exposed { path: path.to_owned() });
        }
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let read = || {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| KeystoreError::io(path, error))
}

/// Writes a file beside its final place, makes it durable and moves it there. The move itself becomes durable with
/// [`sync_directory`]; it is atomic in any case.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), KeystoreError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = Path::new(&unfinished);
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        private(&mut options);
        let mut file = options.open(unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(unfinished, path)
    };
    write().map_err(|error| KeystoreError::io(path, error))
}

pub(super) fn overwrite(path: &Path) -> Result<(), KeystoreError> {
    let overwrite = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = file.metadata()?.len();
        io::copy(&mut io::repeat(0).take(length), &mut file)?;
        file.sync_all()
    };
    absent_is_fine(overwrite()).map_err(|error| KeystoreError::io(path, error))
}

pub(super) fn remove(path: &Path) -> Result<(), KeystoreError> {
    absent_is_fine(fs::remove_file(path)).map_err(|error| KeystoreError::io(path, error))
}

/// The names of the finished files in a directory.
pub(super) fn list(directory: &Path) -> Result<Vec<String>, KeystoreError> {
    let list = || {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            if let Ok(name) = entry?.file_name().into_string()
                && !name.ends_with(UNFINISHED)
            {
                names.push(name);
            }
        }
        Ok(names)
    };
    list().map_err(|error| KeystoreError::io(directory, error))
}

/// Removes what a crash left half-written.
pub(super) fn remove_unfinished(directory: &Path) -> Result<(), KeystoreError> {
    let remove = || {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().ends_with(UNFINISHED.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(|error| KeystoreError::io(directory, error))
}

/// Makes the names in a directory durable. Only Unix needs and knows it.
pub(super) fn sync_directory(path: &Path) -> Result<(), KeystoreError> {
    if cfg!(unix) {
        File::open(path)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| KeystoreError::io(path, error))?;
    }
    Ok(())
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
