//! What a backend decides, without the storage: it gathers the facts inside its transaction, asks here, and acts on
//! the answer. So all backends decide alike.

use crate::defaults::MAX_INTEGER;
use crate::error::StoreError;
use crate::record::{ClaimOutcome, Knock, KnockLimits, NameRow, PutKnock};

/// What the store knows when a name is claimed.
#[derive(Clone, Debug, Default)]
pub struct ClaimFacts {
    /// `blocked_until` of the name, if it is blocked.
    pub blocked_until: Option<u64>,
    /// The row under the name.
    pub current: Option<NameRow>,
    /// The name that the claiming peer holds.
    pub name_of_peer: Option<String>,
    /// The peer whose name has the guest mailbox of the claim.
    pub peer_of_mailbox: Option<String>,
    /// Whether the claim's [`Admission`](crate::Admission) would let a newcomer in.
    pub admitted: bool,
}

/// Decides a claim; the order of the checks is the one [`ClaimOutcome`] promises.
///
/// After `Claimed` the backend inserts the row and consumes the invite; after `Updated` it replaces the row unless
/// [`NameRow::same_content`] holds.
#[must_use]
pub fn claim(row: &NameRow, facts: &ClaimFacts) -> ClaimOutcome {
    if let Some(until) = facts.blocked_until {
        return ClaimOutcome::Blocked { until };
    }
    if facts.current.as_ref().is_some_and(|current| current.peer != row.peer) {
        return ClaimOutcome::TakenByOther;
    }
    if let Some(name) = facts.name_of_peer.as_ref().filter(|name| **name != row.name) {
        return ClaimOutcome::PeerHasName { name: name.clone() };
    }
    if let Some(current) = &facts.current
        && current.seq >= row.seq
        && !current.same_content(row)
    {
        return ClaimOutcome::Stale { seq: current.seq };
    }
    if facts.peer_of_mailbox.as_ref().is_some_and(|peer| *peer != row.peer) {
        return ClaimOutcome::MailboxTaken;
    }
    match (&facts.current, facts.admitted) {
        (Some(_), _) => ClaimOutcome::Updated,
        (None, true) => ClaimOutcome::Claimed,
        (None, false) => ClaimOutcome::InviteRefused,
    }
}

/// What the store knows when a knock arrives for a mailbox that belongs to a name. Expired knocks do not count.
#[derive(Clone, Copy, Debug)]
pub struct KnockFacts {
    /// Whether the mailbox holds a knock with the same id.
    pub known: bool,
    /// How many knocks the owner of the mailbox has.
    pub count: usize,
}

/// Decides about a knock; `facts` are `None` if the mailbox belongs to no name.
#[must_use]
pub fn put_knock(knock: &Knock, facts: Option<KnockFacts>, limits: KnockLimits) -> PutKnock {
    let Some(facts) = facts else { return PutKnock::NoMailbox };
    if knock.body.len() > limits.max_bytes {
        PutKnock::TooLarge
    } else if facts.known {
        PutKnock::Duplicate
    } else if facts.count >= limits.max_count {
        PutKnock::Full
    } else {
        PutKnock::Stored
    }
}

/// Refuses a number above [`MAX_INTEGER`], naming it as `what`.
///
/// # Errors
/// [`StoreError::InvalidArgument`].
pub fn check_integer(what: &'static str, value: u64) -> Result<(), StoreError> {
    if value > MAX_INTEGER { Err(StoreError::InvalidArgument { what }) } else { Ok(()) }
}
