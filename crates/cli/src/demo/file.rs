//! The file that is sent.

use crate::defaults::{DEMO_FILE_BYTES, DEMO_FILE_CHUNK};
use crate::failure::Failure;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// A file of random bytes.
pub(super) async fn make(path: PathBuf) -> Result<(), Failure> {
    blocking(move || {
        let mut file = File::create(path)?;
        let mut bytes = vec![0; DEMO_FILE_CHUNK];
        for _ in 0..DEMO_FILE_BYTES / DEMO_FILE_CHUNK as u64 {
            getrandom::fill(&mut bytes).map_err(|error| Failure::new("internal", error.to_string()))?;
            file.write_all(&bytes)?;
        }
        Ok(())
    })
    .await
}

/// Whether two files hold the same: the receiver's own check is not taken for granted.
pub(super) async fn are_equal(one: &Path, other: &Path) -> Result<bool, Failure> {
    let (one, other) = (one.to_owned(), other.to_owned());
    blocking(move || Ok(hash(&one)? == hash(&other)?)).await
}

fn hash(path: &Path) -> Result<[u8; 32], Failure> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; DEMO_FILE_CHUNK];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&bytes[..read]),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|error| Failure::new("internal", error.to_string()))?
}
