use super::{ConnectionId, KnockId};
use crate::Time;
use crate::defaults::{EXCHANGE_BYTES, EXCHANGE_FRAMES};
use crate::frame::{ExchangeId, MailboxId};
use std::collections::BTreeMap;

/// One end of an exchange: a connection and the number that the exchange has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub(super) connection: ConnectionId,
    pub(super) x: ExchangeId,
}

/// What the finder knows of an exchange; nothing of its content.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// The other end; none if nobody takes part, which the seeker cannot see.
    pub(super) location: Option<End>,
    /// Whether the seeker may learn that somebody is, or no longer is, there: it showed a ticket or was answered.
    pub(super) presence_shown: bool,
    /// When it ends.
    pub(super) deadline: Time,
    frames: u32,
    bytes: u32,
}

impl Exchange {
    /// An exchange that begins with a find of `size` bytes.
    pub(super) fn new(location: Option<End>, presence_shown: bool, deadline: Time, size: usize) -> Self {
        let mut exchange = Self { location, presence_shown, deadline, frames: 0, bytes: 0 };
        exchange.count(size);
        exchange
    }

    /// Counts a frame of either side; false once the exchange is over its limits.
    pub(super) fn count(&mut self, size: usize) -> bool {
        self.frames += 1;
        self.bytes = self.bytes.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        self.frames <= EXCHANGE_FRAMES && self.bytes <= EXCHANGE_BYTES
    }
}

/// What a number means to a location.
#[derive(Clone, Copy, Debug)]
pub(super) enum Served {
    /// An exchange, named by its seeker's end.
    Exchange(End),
    /// A kept knock that was delivered and not taken over yet.
    Knock { mailbox: MailboxId, id: KnockId, deadline: Time },
}

/// All exchanges, reachable from both ends.
#[derive(Default)]
pub(super) struct Exchanges {
    by_seeker: BTreeMap<End, Exchange>,
    by_location: BTreeMap<End, Served>,
}

impl Exchanges {
    pub(super) fn open(&mut self, seeker: End, exchange: Exchange) {
        if let Some(location) = exchange.location {
            self.by_location.insert(location, Served::Exchange(seeker));
        }
        self.by_seeker.insert(seeker, exchange);
    }

    pub(super) fn get(&self, seeker: End) -> Option<&Exchange> {
        self.by_seeker.get(&seeker)
    }

    pub(super) fn get_mut(&mut self, seeker: End) -> Option<&mut Exchange> {
        self.by_seeker.get_mut(&seeker)
    }

    pub(super) fn served(&self, location: End) -> Option<Served> {
        self.by_location.get(&location).copied()
    }

    /// Forgets an exchange.
    pub(super) fn close(&mut self, seeker: End) -> Option<Exchange> {
        let exchange = self.by_seeker.remove(&seeker)?;
        if let Some(location) = exchange.location {
            self.by_location.remove(&location);
        }
        Some(exchange)
    }

    /// Takes the location out of an exchange that goes on for its seeker.
    pub(super) fn leave(&mut self, seeker: End) {
        if let Some(location) = self.by_seeker.get_mut(&seeker).and_then(|exchange| exchange.location.take())
        {
            self.by_location.remove(&location);
        }
    }

    pub(super) fn deliver_knock(&mut self, location: End, mailbox: MailboxId, id: KnockId, deadline: Time) {
        self.by_location.insert(location, Served::Knock { mailbox, id, deadline });
    }

    pub(super) fn forget_knock(&mut self, location: End) {
        self.by_location.remove(&location);
    }

    /// The exchanges of a seeker.
    pub(super) fn sought_by(&self, connection: ConnectionId) -> impl Iterator<Item = (End, &Exchange)> {
        self.by_seeker.range(ends_of(connection)).map(|(end, exchange)| (*end, exchange))
    }

    /// What a location takes part in.
    pub(super) fn served_by(&self, connection: ConnectionId) -> impl Iterator<Item = (End, Served)> {
        self.by_location.range(ends_of(connection)).map(|(end, served)| (*end, *served))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.by_seeker.len(), self.by_location.len())
    }
}

const fn ends_of(connection: ConnectionId) -> std::ops::RangeInclusive<End> {
    End { connection, x: ExchangeId::MIN }..=End { connection, x: ExchangeId::MAX }
}
