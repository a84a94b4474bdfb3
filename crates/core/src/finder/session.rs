use super::bucket::Bucket;
use super::defaults::{CONNECTION_BYTES, MIN_FRAME_COST, OFFENCES};
use super::{FIRST_LOCATION_EXCHANGE, Hello, Source};
use crate::Time;
use crate::document::Draft;
use crate::frame::{ExchangeId, MailboxId, MailboxKind, Nonce};

/// One connection. Kept small: a finder has a hundred thousand of them, nearly all attached and idle.
pub(super) struct Session {
    pub(super) source: Source,
    pub(super) phase: Phase,
    /// When its timer fires; [`Time::NEVER`] if none runs.
    pub(super) deadline: Time,
    /// TURN credentials charged to it.
    pub(super) turn: Bucket,
    bytes: Bucket,
    offences: Bucket,
    next_exchange: ExchangeId,
    has_spoken: bool,
}

pub(super) enum Phase {
    /// Holds no mailbox, and may never.
    Seeking(Box<Seeking>),
    /// Holds mailboxes.
    Attached {
        mailboxes: Box<[MailboxId]>,
        /// One of them is the guest mailbox of a claimed name.
        member: bool,
    },
}

pub(super) struct Seeking {
    pub(super) nonce: Nonce,
    /// Waits for the domain key's signature.
    pub(super) hello: Option<Draft<Hello>>,
    /// A verified attach that waits for the store to say whether the peer is a member.
    pub(super) attaching: Option<Vec<(MailboxId, MailboxKind)>>,
}

/// What the byte bucket says to a frame.
pub(super) enum Verdict {
    Read,
    /// Drop it; seconds until the next may come.
    Refuse(u64),
    /// Over the limit by another burst: the client does not listen.
    Close,
}

impl Session {
    pub(super) fn new(source: Source, seeking: Seeking, deadline: Time) -> Self {
        Self {
            source,
            phase: Phase::Seeking(Box::new(seeking)),
            deadline,
            turn: Bucket::default(),
            bytes: Bucket::default(),
            offences: Bucket::default(),
            next_exchange: FIRST_LOCATION_EXCHANGE,
            has_spoken: false,
        }
    }

    pub(super) fn seeking_mut(&mut self) -> Option<&mut Seeking> {
        match &mut self.phase {
            Phase::Seeking(seeking) => Some(seeking),
            Phase::Attached { .. } => None,
        }
    }

    pub(super) fn holds(&self, mailbox: &MailboxId) -> bool {
        matches!(&self.phase, Phase::Attached { mailboxes, .. } if mailboxes.contains(mailbox))
    }

    pub(super) const fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Attached { member: true, .. })
    }

    /// Notes that a frame came; true for the first one.
    pub(super) const fn speaks_first(&mut self) -> bool {
        !std::mem::replace(&mut self.has_spoken, true)
    }

    /// Charges a frame of `size` bytes.
    pub(super) fn charge(&mut self, now: Time, size: usize) -> Verdict {
        let cost = u32::try_from(size.max(MIN_FRAME_COST)).unwrap_or(u32::MAX);
        self.bytes.spend(now, CONNECTION_BYTES, cost);
        let level = self.bytes.level(now, CONNECTION_BYTES);
        if level >= 0 {
            Verdict::Read
        } else if level >= -i64::from(CONNECTION_BYTES.burst()) {
            Verdict::Refuse(self.bytes.retry_after(now, CONNECTION_BYTES))
        } else {
            Verdict::Close
        }
    }

    /// Charges an offence; false if it was the last one.
    pub(super) fn forgive(&mut self, now: Time) -> bool {
        self.offences.spend(now, OFFENCES, 1);
        self.offences.level(now, OFFENCES) > 0
    }

    /// The next number towards this location.
    pub(super) const fn number_exchange(&mut self) -> ExchangeId {
        let x = self.next_exchange;
        self.next_exchange = if x == ExchangeId::MAX { FIRST_LOCATION_EXCHANGE } else { x + 1 };
        x
    }

    /// Whether the finder ever gave this number to the location.
    pub(super) const fn was_numbered(&self, x: ExchangeId) -> bool {
        x < self.next_exchange
    }
}
