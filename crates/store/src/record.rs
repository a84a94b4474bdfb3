//! What goes in and comes out of a store. Bytes are opaque, times are milliseconds since the Unix epoch.

use crate::defaults::{MAX_KNOCK_BYTES, MAX_KNOCKS};
use crate::error::StoreError;
use crate::rules::check_integer;

/// A claimed name and what is published under it.
///
/// The caller checks syntax, signatures and sizes; names arrive case-folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRow {
    /// The name, case-folded.
    pub name: String,
    /// Text form of the peer id that holds it. A peer holds at most one name.
    pub peer: String,
    /// Id of the peer's guest mailbox, the only one that knocks are stored for. Belongs to one name only.
    pub guest_mailbox: Vec<u8>,
    /// Counts the versions of the bundle; a lower one never replaces a higher one. At most [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
    pub seq: u64,
    /// When the row was written. At most [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
    pub updated_at: u64,
    /// The documents that a lookup of the name answers with.
    pub bundle: Vec<u8>,
}

impl NameRow {
    /// Refuses numbers that not every backend can hold. Each backend calls it first in
    /// [`claim_name`](crate::Store::claim_name).
    ///
    /// # Errors
    /// [`StoreError::InvalidArgument`] if `seq` or `updated_at` is above [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
    pub fn check(&self) -> Result<(), StoreError> {
        check_integer("seq", self.seq)?;
        check_integer("updated_at", self.updated_at)
    }

    /// Whether `other` says the same; when it was written does not count.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        let Self { name, peer, guest_mailbox, seq, updated_at: _, bundle } = self;
        *name == other.name
            && *peer == other.peer
            && *guest_mailbox == other.guest_mailbox
            && *seq == other.seq
            && *bundle == other.bundle
    }
}

/// What a peer that holds no name yet needs in order to claim one. Whoever holds the name updates it freely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Policy `open`: nothing.
    Open,
    /// Policy `invite`: a valid invite, which the claim consumes in the same transaction. `None` if the peer showed
    /// none; it can then only update its name.
    Invite(Option<InviteHash>),
}

/// Hash of an invite code, 32 bytes; the code itself is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteHash(pub [u8; 32]);

/// What became of a claim. Only [`Claimed`](Self::Claimed) and [`Updated`](Self::Updated) mean that the name now
/// carries the row; after the others nothing has changed, and no invite was consumed.
///
/// If several apply, the first in this order is told: `Blocked`, `TakenByOther`, `PeerHasName`, `Stale`,
/// `MailboxTaken`, `InviteRefused`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The name was free and now belongs to the peer.
    Claimed,
    /// The peer held the name; the row has a higher `seq` and replaced the old one, or is the same once more.
    Updated,
    /// The name was released; nobody gets it until the operator unblocks it.
    Blocked {
        /// The time after which the operator may give it out again.
        until: u64,
    },
    /// Another peer holds the name.
    TakenByOther,
    /// The peer holds another name and has to release that first.
    PeerHasName {
        /// The name it holds.
        name: String,
    },
    /// The peer holds the name with a higher `seq`, or with the same `seq` and other content.
    Stale {
        /// The `seq` that is stored.
        seq: u64,
    },
    /// The guest mailbox belongs to another peer's name; the peer should make a new mailbox key.
    MailboxTaken,
    /// The invite is missing, unknown, used or expired.
    InviteRefused,
}

/// A claimed name without its bundle, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSummary {
    /// The name.
    pub name: String,
    /// Text form of the peer id that holds it.
    pub peer: String,
    /// The stored version of its bundle.
    pub seq: u64,
    /// When it was last written.
    pub updated_at: u64,
}

/// A released name that the operator has not given free yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedName {
    /// The name.
    pub name: String,
    /// Text form of the peer id that held it, in case its owner asks for it back.
    pub former_peer: String,
    /// When it was released.
    pub released_at: u64,
    /// Until when the operator should leave it blocked; the store itself never unblocks.
    pub blocked_until: u64,
}

/// A sealed knock to be kept for a peer that is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// The guest mailbox it is for.
    pub mailbox: Vec<u8>,
    /// Tells knocks to one mailbox apart; the same id again is the same knock again.
    pub knock_id: Vec<u8>,
    /// The sealed envelope.
    pub body: Vec<u8>,
    /// The first moment at which it counts as gone. At most [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
    pub expires_at: u64,
}

/// Bounds on what strangers can make the domain keep for one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnockLimits {
    /// Knocks at a time, over all guest mailboxes the peer has had, so that a new mailbox brings no new room.
    pub max_count: usize,
    /// Bytes of one body.
    pub max_bytes: usize,
}

impl Default for KnockLimits {
    fn default() -> Self {
        Self { max_count: MAX_KNOCKS, max_bytes: MAX_KNOCK_BYTES }
    }
}

/// What became of a knock. If several apply, the first in the order `NoMailbox`, `TooLarge`, `Duplicate`, `Full` is
/// told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutKnock {
    /// It is kept until it expires or is deleted.
    Stored,
    /// The mailbox already holds a knock with this id, which stays as it is. A repeated call may read it as success.
    Duplicate,
    /// The peer has as many knocks as it may.
    Full,
    /// The body is larger than allowed.
    TooLarge,
    /// The mailbox is not the guest mailbox of a claimed name.
    NoMailbox,
}

/// A knock as it waits in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKnock {
    /// Its id within the mailbox.
    pub knock_id: Vec<u8>,
    /// The sealed envelope.
    pub body: Vec<u8>,
    /// When the store took it.
    pub received_at: u64,
    /// The first moment at which it counts as gone.
    pub expires_at: u64,
}

/// How many records a store holds, for metrics. Expired ones count until [`expire`](crate::Store::expire) removes
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Claimed names.
    pub names: u64,
    /// Released names that are still blocked.
    pub blocked_names: u64,
    /// Unused invites.
    pub invites: u64,
    /// Stored knocks.
    pub knocks: u64,
}
