//! What an Open Peer domain server keeps durably: names, invites, stored knocks and its own few secrets.
//!
//! Everything goes through one trait, [`Store`]; the server holds an `Arc<dyn Store>` and does not know what stands
//! behind it. Here are two backends, [`MemoryStore`] for tests and trials and [`SqliteStore`] for a single node, and
//! with the feature `suite` the `suite` module, which every backend has to pass. The documentation of [`Store`] is
//! the recipe for another one.
//!
//! The crate interprets none of the bytes it keeps and reads no clock: times are arguments, in milliseconds since
//! the Unix epoch.
#![forbid(unsafe_code)]

pub mod defaults;
mod error;
mod memory;
mod record;
pub mod rules;
mod sqlite;
mod store;
#[cfg(feature = "suite")]
pub mod suite;

pub use error::{Blame, StoreError};
pub use memory::MemoryStore;
pub use record::{
    Admission, BlockedName, ClaimOutcome, Counts, InviteHash, Knock, KnockLimits, NameRow, NameSummary,
    PutKnock, StoredKnock,
};
pub use sqlite::{SqliteStore, WriteStats};
pub use store::Store;
