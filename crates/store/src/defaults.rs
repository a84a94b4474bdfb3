//! Every number of this crate, with its unit and its reason.

use std::time::Duration;

/// The most sealed knocks kept for one peer (protocol section 5).
pub const MAX_KNOCKS: usize = 8;

/// The largest stored knock in bytes (protocol section 5).
pub const MAX_KNOCK_BYTES: usize = 10 * 1024;

/// The largest time or sequence number: SQL databases have signed 64-bit integers and no unsigned ones.
pub const MAX_INTEGER: u64 = i64::MAX as u64;

/// The most entries one call of a listing returns, so that an operator's request cannot occupy a reader for long.
pub const MAX_PAGE: usize = 1_000;

/// SQLite page size in bytes. Rows of about 2 KiB fill 4 KiB pages only half; must be a power of two.
pub const PAGE_SIZE: u32 = 8_192;

/// Connections, each with a thread, that read from SQLite. Lookups take microseconds, so two keep one slow listing
/// from delaying everybody.
pub const READERS: usize = 2;

/// Calls that may wait in each queue before further callers wait too. This bounds the memory a flood can take:
/// a waiting call holds at most one bundle or knock.
pub const QUEUE: usize = 1_024;

/// The most writes that share one transaction. At about 10 µs a write this keeps a commit within a few
/// milliseconds, while one fsync already costs each write next to nothing.
pub const MAX_GROUP: usize = 256;

/// Bytes to which SQLite truncates its write-ahead log after a checkpoint; a burst does not occupy the disk for ever.
pub const WAL_SIZE_LIMIT: u32 = 64 * 1024 * 1024;

/// Prepared statements kept for each connection; more than there are different statements.
pub const STATEMENT_CACHE: usize = 64;

/// How long SQLite waits for another program that holds the database, such as an operator's `sqlite3 .backup`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
