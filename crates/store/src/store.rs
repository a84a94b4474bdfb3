//! The [`Store`] trait.

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::record::{
    Admission, BlockedName, ClaimOutcome, Counts, InviteHash, Knock, KnockLimits, NameRow, NameSummary,
    PutKnock, StoredKnock,
};

/// What a domain server keeps durably.
///
/// `now`, `expires_at` and the like are milliseconds since the Unix epoch, at most
/// [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
/// Something that expires at `t` is gone for every `now >= t`.
///
/// # What every method promises
/// - **Atomic.** A call happens entirely or not at all, and calls happen in some order, also when they run at the
///   same time: of two claims for one name exactly one gets it.
/// - **Durable.** When a method that changes something returns `Ok`, the change survives the death of the process
///   and, as far as the disk keeps its word, of the machine.
/// - **Read your writes.** A call that starts after another returned `Ok` sees what that one did.
/// - A future dropped before it is ready may or may not have taken effect.
///
/// # Recipe for another backend
/// 1. Hold what [`Counts`] counts, plus the values. The keys: a name, a peer and a guest mailbox occur once each
///    among the names; a name once among the blocked ones; a hash once among the invites; (mailbox, knock id) once
///    among the knocks; a key once among the values. A knock also remembers the peer it was stored for.
/// 2. In [`claim_name`](Self::claim_name) and [`put_knock`](Self::put_knock) gather the facts and decide with
///    [`rules`](crate::rules), all in one serialisable transaction. Refuse large numbers with
///    [`check_integer`](crate::rules::check_integer) and [`NameRow::check`] before anything else.
/// 3. Map the errors of your database to [`StoreError`] by who has to act. Never put stored bytes in a message.
/// 4. Give your data a version; upgrade older ones in a transaction, refuse newer ones with
///    [`StoreError::SchemaTooNew`].
/// 5. Enable the feature `suite` in your dev-dependencies and run `suite::conformance!`,
///    `suite::survives_reopening` and the random comparison of `suite::model`; test your own way of dying, as
///    `tests/kill.rs` does for SQLite.
///
/// The trait goes through `async-trait` because the server holds an `Arc<dyn Store>`: native `async fn` in traits is
/// not dyn compatible. One allocation a call does not show beside a disk or a network.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Claims a name for a peer, or updates the name the peer already holds; see [`ClaimOutcome`].
    ///
    /// An update needs a higher `seq`, or the same content again, which changes nothing. Knocks stored for an older
    /// guest mailbox of the peer stay there until they expire.
    /// `now` decides whether an invite is still valid.
    async fn claim_name(
        &self,
        row: NameRow,
        admission: Admission,
        now: u64,
    ) -> Result<ClaimOutcome, StoreError>;

    /// The row under a name.
    async fn name(&self, name: &str) -> Result<Option<NameRow>, StoreError>;

    /// The row of the name that a peer holds.
    async fn name_by_peer(&self, peer: &str) -> Result<Option<NameRow>, StoreError>;

    /// Releases a name if `peer` holds it, deletes the knocks stored for the peer and blocks the name; `false` if
    /// the peer does not hold it.
    ///
    /// Nobody, the former holder included, gets the name until [`unblock_name`](Self::unblock_name).
    /// `blocked_until` is kept for the operator; its passing alone unblocks nothing.
    async fn release_name(
        &self,
        name: &str,
        peer: &str,
        now: u64,
        blocked_until: u64,
    ) -> Result<bool, StoreError>;

    /// Lets a released name be claimed again: the operator's decision. `false` if it was not blocked.
    async fn unblock_name(&self, name: &str) -> Result<bool, StoreError>;

    /// Up to `limit` claimed names that follow `after`, in byte order; `None` starts at the first.
    /// At most [`MAX_PAGE`](crate::defaults::MAX_PAGE) at a time.
    async fn list_names(&self, after: Option<&str>, limit: usize) -> Result<Vec<NameSummary>, StoreError>;

    /// Like [`list_names`](Self::list_names), for the blocked names.
    async fn list_blocked(&self, after: Option<&str>, limit: usize) -> Result<Vec<BlockedName>, StoreError>;

    /// Adds an invite, or gives an unused one another expiry.
    async fn add_invite(&self, code: InviteHash, expires_at: u64) -> Result<(), StoreError>;

    /// Uses up an invite; `true` exactly once for each, and only before it expires.
    ///
    /// To claim a name with an invite, give it to [`claim_name`](Self::claim_name) instead, so that no failed claim
    /// costs it.
    async fn consume_invite(&self, code: InviteHash, now: u64) -> Result<bool, StoreError>;

    /// Keeps a knock for a peer that is away; see [`PutKnock`]. Expired knocks make room by themselves.
    async fn put_knock(&self, knock: Knock, limits: KnockLimits, now: u64) -> Result<PutKnock, StoreError>;

    /// The knocks in a mailbox that have not expired, in the order in which they came.
    async fn knocks(&self, mailbox: &[u8], now: u64) -> Result<Vec<StoredKnock>, StoreError>;

    /// Deletes a knock; `false` if there was none.
    async fn delete_knock(&self, mailbox: &[u8], knock_id: &[u8]) -> Result<bool, StoreError>;

    /// Removes expired knocks and invites and says how many. Call it now and then, to save space: nothing else
    /// depends on it.
    async fn expire(&self, now: u64) -> Result<usize, StoreError>;

    /// A value of the server itself, such as its key seed or the last `seq` of its domain document.
    async fn get_value(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Keeps a value of the server itself, replacing an older one.
    async fn put_value(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// How many records there are.
    async fn counts(&self) -> Result<Counts, StoreError>;
}
