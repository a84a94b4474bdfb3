//! What follows a find, in both directions, until the exchange is over.

use super::exchange::{End, Served};
use super::timer::Timer;
use super::{FIRST_LOCATION_EXCHANGE, Finder, Output};
use crate::frame::{Frame, Header};
use crate::{Code, Time};

impl Finder {
    /// A location's answer.
    pub(super) fn answer(&mut self, now: Time, sender: End, body: Vec<u8>, size: usize) {
        if body.is_empty() || !is_location_end(sender) {
            return self.offend(now, sender.connection, Some(sender.x), Code::Malformed);
        }
        if let Some(seeker) = self.count_from_location(now, sender, size) {
            self.counters.answers += 1;
            self.send(seeker.connection, Frame { header: Header::Answer { x: seeker.x }, body });
        }
    }

    /// A continuation from either end.
    pub(super) fn more(&mut self, now: Time, sender: End, body: Vec<u8>, size: usize) {
        if body.is_empty() {
            return self.offend(now, sender.connection, Some(sender.x), Code::Malformed);
        }
        let receiver = if is_location_end(sender) {
            self.count_from_location(now, sender, size)
        } else {
            self.count_from_seeker(now, sender, size)
        };
        if let Some(End { connection, x }) = receiver {
            self.send(connection, Frame { header: Header::More { x }, body });
        }
    }

    /// Either end is done. Saying so of an exchange that is over already is no mistake.
    pub(super) fn done(&mut self, now: Time, sender: End) {
        if !is_location_end(sender) {
            return self.seeker_leaves(now, sender);
        }
        match self.exchanges.served(sender) {
            Some(Served::Exchange(seeker)) => self.location_leaves(now, seeker),
            Some(Served::Knock { mailbox, id, deadline }) => {
                self.drop_knock(sender, deadline);
                self.counters.knocks_taken += 1;
                self.outputs.push_back(Output::DeleteKnock { mailbox, id });
            }
            None => {}
        }
    }

    /// Ends an exchange for its seeker's sake.
    pub(super) fn seeker_leaves(&mut self, now: Time, seeker: End) {
        if let Some(End { connection, x }) =
            self.end_exchange(now, seeker).and_then(|exchange| exchange.location)
        {
            self.send(connection, Frame::bare(Header::Done { x }));
        }
    }

    /// Ends an exchange for its location's sake. A seeker that must not learn that there was a location keeps an
    /// exchange with nobody.
    pub(super) fn location_leaves(&mut self, now: Time, seeker: End) {
        if self.exchanges.get(seeker).is_some_and(|exchange| exchange.presence_shown) {
            self.end_exchange(now, seeker);
            self.send(seeker.connection, Frame::bare(Header::Done { x: seeker.x }));
        } else {
            self.exchanges.leave(seeker);
        }
    }

    /// Ends an exchange that used up its time, frames or bytes.
    pub(super) fn exceed(&mut self, now: Time, seeker: End) {
        let Some(exchange) = self.end_exchange(now, seeker) else { return };
        self.counters.exchange_limits += 1;
        for End { connection, x } in std::iter::once(seeker).chain(exchange.location) {
            self.refuse(connection, Some(x), Code::ExchangeLimit, None);
        }
    }

    /// Forgets that a kept knock was delivered.
    pub(super) fn drop_knock(&mut self, location: End, deadline: Time) {
        self.exchanges.forget_knock(location);
        self.timers.stop(deadline, Timer::Knock(location));
    }

    /// Charges a frame from a location; returns the seeker's end if it may pass.
    fn count_from_location(&mut self, now: Time, location: End, size: usize) -> Option<End> {
        match self.exchanges.served(location) {
            Some(Served::Exchange(seeker)) => {
                if !self.count(now, seeker, size) {
                    return None;
                }
                self.exchanges.get_mut(seeker)?.presence_shown = true;
                Some(seeker)
            }
            Some(Served::Knock { .. }) => {
                self.offend(now, location.connection, Some(location.x), Code::Malformed);
                None
            }
            None => {
                self.miss_location(now, location);
                None
            }
        }
    }

    /// Charges a frame from a seeker; returns the location's end if there is one and the frame may pass.
    fn count_from_seeker(&mut self, now: Time, seeker: End, size: usize) -> Option<End> {
        if self.exchanges.get(seeker).is_none() {
            self.offend(now, seeker.connection, Some(seeker.x), Code::UnknownExchange);
            return None;
        }
        if self.count(now, seeker, size) { self.exchanges.get(seeker)?.location } else { None }
    }

    fn count(&mut self, now: Time, seeker: End, size: usize) -> bool {
        let within = self.exchanges.get_mut(seeker).is_some_and(|exchange| exchange.count(size));
        if !within {
            self.exceed(now, seeker);
        }
        within
    }

    /// A location's frame for an exchange that is over is late; for one that never was it is an offence.
    fn miss_location(&mut self, now: Time, location: End) {
        let End { connection, x } = location;
        if self.sessions.get(&connection).is_some_and(|session| session.was_numbered(x)) {
            self.refuse(connection, Some(x), Code::UnknownExchange, None);
        } else {
            self.offend(now, connection, Some(x), Code::UnknownExchange);
        }
    }
}

const fn is_location_end(end: End) -> bool {
    end.x >= FIRST_LOCATION_EXCHANGE
}
