//! A store in one SQLite database, for a domain that runs on one node.

mod directory;
mod fault;
mod knocks;
mod names;
mod readers;
mod schema;
mod server;
mod workers;
mod writer;

use std::fs::File;
use std::path::Path;

use async_trait::async_trait;
use zeroize::Zeroizing;

use self::readers::Readers;
use self::writer::Writer;
use crate::error::StoreError;
use crate::record::{
    Admission, BlockedName, ClaimOutcome, Counts, InviteHash, Knock, KnockLimits, NameRow, NameSummary,
    PutKnock, StoredKnock,
};
use crate::rules::check_integer;
use crate::store::Store;

pub use self::writer::WriteStats;

/// Keeps everything in one SQLite database in a directory of its own.
///
/// One thread writes: all writes that wait at the same time share one transaction and one fsync (group commit), and
/// each is answered after that. Some more threads read, each on a connection of its own, and never wait for a writer.
///
/// The directory holds `store.sqlite` with SQLite's `-wal` and `-shm` files, and `store.lock`, which keeps a second
/// process out. New files are readable by their owner only: the domain's key seed is among the values. To copy
/// a running store use SQLite's own backup (`sqlite3 store.sqlite ".backup FILE"`), never a plain file copy.
///
/// Dropping the store waits for the writes already queued, then gives the directory free.
pub struct SqliteStore {
    // In this order they end: the writer closes the last connection, which empties the write-ahead log, and only
    // then may another process come in.
    readers: Readers,
    writer: Writer,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in `directory`, and creates both if they do not exist. Blocks for some milliseconds.
    ///
    /// Works with any async runtime, or none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process (or another value in this one) has it open,
    /// [`StoreError::SchemaTooNew`] and [`StoreError::Foreign`] before anything is touched,
    /// [`StoreError::Unavailable`], [`StoreError::Full`] and [`StoreError::Corrupt`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        let lock = directory::lock(directory)?;
        let database = directory::database(directory)?;
        let connection = schema::open(&database)?;
        let writer = Writer::start(connection)?;
        let readers = Readers::start(&database)?;
        Ok(Self { readers, writer, _lock: lock })
    }

    /// How many writes were kept in how many transactions since the store was opened.
    #[must_use]
    pub fn write_stats(&self) -> WriteStats {
        self.writer.stats()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn claim_name(
        &self,
        row: NameRow,
        admission: Admission,
        now: u64,
    ) -> Result<ClaimOutcome, StoreError> {
        row.check()?;
        check_integer("now", now)?;
        self.writer.write(move |db| names::claim(db, &row, &admission, now)).await
    }

    async fn name(&self, name: &str) -> Result<Option<NameRow>, StoreError> {
        let name = name.to_owned();
        self.readers.read(move |db| names::by_name(db, &name)).await
    }

    async fn name_by_peer(&self, peer: &str) -> Result<Option<NameRow>, StoreError> {
        let peer = peer.to_owned();
        self.readers.read(move |db| names::by_peer(db, &peer)).await
    }

    async fn release_name(
        &self,
        name: &str,
        peer: &str,
        now: u64,
        blocked_until: u64,
    ) -> Result<bool, StoreError> {
        check_integer("now", now)?;
        check_integer("blocked_until", blocked_until)?;
        let blocked = BlockedName {
            name: name.to_owned(),
            former_peer: peer.to_owned(),
            released_at: now,
            blocked_until,
        };
        self.writer.write(move |db| names::release(db, &blocked)).await
    }

    async fn unblock_name(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer.write(move |db| names::unblock(db, &name)).await
    }

    async fn list_names(&self, after: Option<&str>, limit: usize) -> Result<Vec<NameSummary>, StoreError> {
        let after = after.map(str::to_owned);
        self.readers.read(move |db| names::list(db, after.as_deref(), limit)).await
    }

    async fn list_blocked(&self, after: Option<&str>, limit: usize) -> Result<Vec<BlockedName>, StoreError> {
        let after = after.map(str::to_owned);
        self.readers.read(move |db| names::list_blocked(db, after.as_deref(), limit)).await
    }

    async fn add_invite(&self, code: InviteHash, expires_at: u64) -> Result<(), StoreError> {
        check_integer("expires_at", expires_at)?;
        self.writer.write(move |db| server::add_invite(db, code, expires_at)).await
    }

    async fn consume_invite(&self, code: InviteHash, now: u64) -> Result<bool, StoreError> {
        check_integer("now", now)?;
        self.writer.write(move |db| server::consume_invite(db, code, now)).await
    }

    async fn put_knock(&self, knock: Knock, limits: KnockLimits, now: u64) -> Result<PutKnock, StoreError> {
        check_integer("expires_at", knock.expires_at)?;
        check_integer("now", now)?;
        self.writer.write(move |db| knocks::put(db, &knock, limits, now)).await
    }

    async fn knocks(&self, mailbox: &[u8], now: u64) -> Result<Vec<StoredKnock>, StoreError> {
        check_integer("now", now)?;
        let mailbox = mailbox.to_vec();
        self.readers.read(move |db| knocks::list(db, &mailbox, now)).await
    }

    async fn delete_knock(&self, mailbox: &[u8], knock_id: &[u8]) -> Result<bool, StoreError> {
        let (mailbox, knock_id) = (mailbox.to_vec(), knock_id.to_vec());
        self.writer.write(move |db| knocks::delete(db, &mailbox, &knock_id)).await
    }

    async fn expire(&self, now: u64) -> Result<usize, StoreError> {
        check_integer("now", now)?;
        self.writer.write(move |db| Ok(knocks::expire(db, now)? + server::expire_invites(db, now)?)).await
    }

    async fn get_value(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |db| server::get_value(db, &key)).await
    }

    async fn put_value(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), Zeroizing::new(value.to_vec()));
        self.writer.write(move |db| server::put_value(db, &key, &value)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.readers.read(server::counts).await
    }
}
