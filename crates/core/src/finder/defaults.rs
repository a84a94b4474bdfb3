//! Numbers that only a finder's operator meets; what both sides must know stands in [`crate::defaults`].

use super::bucket::Rate;
use crate::defaults::{CONNECTION_RATE, MAILBOX_RATE};

const SECOND: u64 = 1_000;

/// Bytes that one connection may send.
pub(super) const CONNECTION_BYTES: Rate = Rate::per_second(CONNECTION_RATE);
/// A frame counts at least this many bytes there: what it costs to read a message that is nearly empty.
pub(super) const MIN_FRAME_COST: usize = 64;
/// Finds without ticket to one mailbox.
pub(super) const MAILBOX_FINDS: Rate = Rate::per_second(MAILBOX_RATE);
/// Frames out of place: the third in a row closes the connection. One is forgiven every 20 seconds, because frames
/// that cross the end of an exchange are nobody's fault and sessions last for weeks.
pub(super) const OFFENCES: Rate = Rate::new(1, 20 * SECOND, 3);
/// TURN credentials charged to one attached session: a find may need one, and nobody is called more often than this.
pub(super) const TURN_CREDENTIALS: Rate = Rate::new(1, 30 * SECOND, 32);
/// Knocks offered to the store by the whole finder: a tenth of what an embedded store writes durably.
pub(super) const KNOCKS_TO_STORE: Rate = Rate::new(500, SECOND, 2_000);

/// Slots in each row of the table of source buckets: 512 KiB in all, whatever the number of sources. Two sources
/// share a bucket only if they collide in both rows.
pub(super) const SOURCE_SLOTS: usize = 1 << 15;
/// The same for mailboxes that nobody has open: 128 KiB in all.
pub(super) const ABSENT_MAILBOX_SLOTS: usize = 1 << 13;
/// Spent tickets remembered in all, at most about 30 MB; above it the ones of a random mailbox are forgotten, whose
/// contacts may then use theirs again.
pub(super) const MAX_SPENT_TICKETS_TOTAL: usize = 1 << 17;
/// The store is asked whether an attaching peer is a member; after this long, milliseconds, it counts as none.
pub(super) const MEMBER_CHECK_TIMEOUT: u64 = 5 * SECOND;
