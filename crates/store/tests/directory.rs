//! The data directory of the SQLite store.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use openpeer_store::{SqliteStore, Store, StoreError};

#[tokio::test]
async fn only_one_at_a_time_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(directory.path()).unwrap();
    let second = SqliteStore::open(directory.path()).err().unwrap();
    assert_eq!(second, StoreError::Locked { directory: directory.path().to_owned() });
    first.put_value("k", b"v").await.unwrap();
    drop(first);
    assert!(SqliteStore::open(directory.path()).unwrap().get_value("k").await.unwrap().is_some());
}

#[test]
fn a_path_that_cannot_be_used_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = SqliteStore::open(&file).err().unwrap();
    assert_eq!(error.code(), "store-unavailable");
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn missing_directories_are_created() {
    let directory = tempfile::tempdir().unwrap();
    SqliteStore::open(directory.path().join("a/b")).unwrap();
    assert!(directory.path().join("a/b/store.sqlite").is_file());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_stored_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = SqliteStore::open(&directory).unwrap();
    store.put_value("seed", b"secret").await.unwrap();
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
}

#[tokio::test]
async fn a_replaced_secret_leaves_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    // Large enough for pages of its own, which the database keeps for later use.
    store.put_value("seed", &b"the first secret".repeat(4_000)).await.unwrap();
    store.put_value("seed", b"2").await.unwrap();
    drop(store); // empties the write-ahead log
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for path in names {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"the first secret"));
    }
}

#[tokio::test]
async fn damage_is_reported_and_never_panics() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    for key in 0..200 {
        store.put_value(&format!("key {key}"), &[7; 1_000]).await.unwrap();
    }
    drop(store);
    overwrite_all_but_the_first_page(&directory.path().join("store.sqlite"));
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(store.get_value("key 1").await.unwrap_err().code(), "store-corrupt");
    assert_eq!(store.put_value("key 1", b"v").await.unwrap_err().code(), "store-corrupt");
}

fn overwrite_all_but_the_first_page(path: &Path) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let first_page = openpeer_store::defaults::PAGE_SIZE as usize;
    file.seek(SeekFrom::Start(first_page as u64)).unwrap();
    file.write_all(&vec![0xA5; bytes.len() - first_page]).unwrap();
}
