//! Admission: finds with and without ticket, and TURN credentials for a ticket.

use super::bucket::{Rate, passes_at_random};
use super::defaults::{KNOCKS_TO_STORE, MAILBOX_FINDS, TURN_CREDENTIALS};
use super::exchange::{End, Exchange};
use super::registry::Holders;
use super::spent::Use;
use super::timer::Timer;
use super::{ConnectionId, FIRST_LOCATION_EXCHANGE, Finder, KnockId, Output};
use crate::defaults::{EXCHANGE_LIFE, KNOCK_LIFE, MAX_OPEN_EXCHANGES, MAX_STORED_KNOCK_BYTES};
use crate::encoding::hash_fields;
use crate::frame::{Frame, Header, MailboxId};
use crate::key::truncated;
use crate::ticket::{Ticket, TicketKey};
use crate::{Code, Time};

impl Finder {
    /// Takes a find of `size` bytes from a seeker.
    pub(super) fn find(
        &mut self,
        now: Time,
        seeker: End,
        to: MailboxId,
        ticket: Option<Ticket>,
        body: Vec<u8>,
        size: usize,
    ) {
        if self.drains_until.is_some() {
            self.counters.finds.draining += 1;
            return self.refuse(seeker.connection, Some(seeker.x), Code::Draining, None);
        }
        if seeker.x >= FIRST_LOCATION_EXCHANGE || body.is_empty() || self.exchanges.get(seeker).is_some() {
            return self.offend(now, seeker.connection, None, Code::Malformed);
        }
        if let Some(retry) = self.wait_for_a_place(now, seeker.connection) {
            self.counters.finds.too_many += 1;
            return self.refuse(seeker.connection, Some(seeker.x), Code::RateLimited, Some(retry));
        }
        match ticket {
            Some(ticket) => self.find_with_ticket(now, seeker, to, &ticket, body, size),
            None => self.find_without_ticket(now, seeker, to, body, size),
        }
    }

    /// Seconds until the connection may open one more exchange; none if it may now.
    fn wait_for_a_place(&self, now: Time, connection: ConnectionId) -> Option<u64> {
        let deadlines: Vec<Time> =
            self.exchanges.sought_by(connection).map(|(_, exchange)| exchange.deadline).collect();
        let first = deadlines.iter().min().filter(|_| deadlines.len() >= MAX_OPEN_EXCHANGES)?;
        Some(first.millis_since(now).div_ceil(1_000))
    }

    /// A ticket bypasses the buckets of source and mailbox, and its owner may learn that nobody is there. The ticket
    /// is spent once the find goes on its way, so that `offline` costs none.
    fn find_with_ticket(
        &mut self,
        now: Time,
        seeker: End,
        to: MailboxId,
        ticket: &Ticket,
        body: Vec<u8>,
        size: usize,
    ) {
        if !self.is_valid(now, to, Use::Find, ticket) {
            self.counters.finds.ticket_invalid += 1;
            return self.refuse(seeker.connection, Some(seeker.x), Code::TicketInvalid, None);
        }
        let Some(location) =
            self.registry.location(&to).and_then(|to_whom| self.deliver(to_whom, to, body, None))
        else {
            self.counters.finds.offline += 1;
            return self.refuse(seeker.connection, Some(seeker.x), Code::Offline, None);
        };
        self.counters.finds.admitted += 1;
        self.spent.spend(to, Use::Find, ticket, &mut self.rng);
        self.open_exchange(now, seeker, Some(location), true, size);
    }

    /// Whatever becomes of the find, its seeker sees the same: `accepted`, and an open exchange.
    fn find_without_ticket(&mut self, now: Time, seeker: End, to: MailboxId, body: Vec<u8>, size: usize) {
        if let Err(retry) = self.charge_source(now, seeker.connection) {
            self.counters.finds.rate_limited += 1;
            return self.refuse(seeker.connection, Some(seeker.x), Code::RateLimited, Some(retry));
        }
        self.send(seeker.connection, Frame::bare(Header::Accepted { x: seeker.x }));
        let location = if self.charge_mailbox(now, to) {
            self.pass_on(now, to, body)
        } else {
            self.counters.finds.dropped += 1;
            None
        };
        self.open_exchange(now, seeker, location, false, size);
    }

    /// Brings a find without ticket to whoever holds the mailbox, or to the store. Returns the other end, if the
    /// mailbox is a location's own.
    fn pass_on(&mut self, now: Time, to: MailboxId, body: Vec<u8>) -> Option<End> {
        match self.registry.holders(&to).cloned() {
            Some(Holders::Location(connection)) => {
                self.counters.finds.public += 1;
                self.deliver(connection, to, body, None)
            }
            Some(Holders::Guest(connections)) => {
                self.counters.finds.knocks += 1;
                for connection in connections {
                    self.deliver(connection, to, body.clone(), None);
                }
                None
            }
            None => {
                self.counters.finds.absent += 1;
                self.keep(now, to, body);
                None
            }
        }
    }

    /// Offers a knock to the store, which alone knows whether the mailbox is a member's.
    fn keep(&mut self, now: Time, mailbox: MailboxId, body: Vec<u8>) {
        if body.len() > MAX_STORED_KNOCK_BYTES {
            return;
        }
        if !passes_at_random(self.knocks_to_store.level(now, KNOCKS_TO_STORE), KNOCKS_TO_STORE, &mut self.rng)
        {
            self.counters.finds.dropped += 1;
            return;
        }
        self.knocks_to_store.spend(now, KNOCKS_TO_STORE, 1);
        self.counters.knocks_to_store += 1;
        let id = KnockId(truncated(hash_fields("openpeer/knock/v1", &[&body])));
        self.outputs.push_back(Output::KeepKnock {
            mailbox,
            id,
            body,
            received: now,
            expires: now + KNOCK_LIFE,
        });
    }

    fn charge_source(&mut self, now: Time, connection: ConnectionId) -> Result<(), u64> {
        let Some(session) = self.sessions.get(&connection) else { return Ok(()) };
        let rate = Rate::per_second(self.config.source_rate);
        let source = session.source.0;
        let bucket = self.sources.get(&source);
        if bucket.level(now, rate) < 1 {
            return Err(bucket.retry_after(now, rate));
        }
        self.sources.spend(now, rate, &source);
        Ok(())
    }

    fn charge_mailbox(&mut self, now: Time, mailbox: MailboxId) -> bool {
        let open = self.registry.finds_mut(&mailbox);
        let level = open.as_deref().copied().unwrap_or_else(|| self.absent_mailboxes.get(&mailbox.0));
        let passes = passes_at_random(level.level(now, MAILBOX_FINDS), MAILBOX_FINDS, &mut self.rng);
        if passes {
            match open {
                Some(bucket) => bucket.spend(now, MAILBOX_FINDS, 1),
                None => self.absent_mailboxes.spend(now, MAILBOX_FINDS, &mailbox.0),
            }
        }
        passes
    }

    fn open_exchange(
        &mut self,
        now: Time,
        seeker: End,
        location: Option<End>,
        presence_shown: bool,
        size: usize,
    ) {
        let deadline = now + EXCHANGE_LIFE;
        self.exchanges.open(seeker, Exchange::new(location, presence_shown, deadline, size));
        self.timers.start(deadline, Timer::Exchange(seeker));
    }

    /// TURN credentials at the expense of the ticket's issuer, who has to be a member and attached. A location may
    /// issue itself a ticket to renew its own.
    pub(super) fn admit(&mut self, now: Time, connection: ConnectionId, to: MailboxId, ticket: &Ticket) {
        if !self.is_valid(now, to, Use::Admit, ticket) {
            return self.refuse(connection, None, Code::TicketInvalid, None);
        }
        let callee = self.registry.location(&to).and_then(|callee| self.sessions.get_mut(&callee));
        let Some(callee) = callee else { return self.refuse(connection, None, Code::Offline, None) };
        if !callee.is_member() || self.config.turn.is_none() {
            return self.send(connection, Frame::bare(Header::Admitted { turn: Vec::new() }));
        }
        if callee.turn.level(now, TURN_CREDENTIALS) < 1 {
            let retry = callee.turn.retry_after(now, TURN_CREDENTIALS);
            return self.refuse(connection, None, Code::Quota, Some(retry));
        }
        callee.turn.spend(now, TURN_CREDENTIALS, 1);
        self.spent.spend(to, Use::Admit, ticket, &mut self.rng);
        let turn = self.mint_turn(now);
        self.send(connection, Frame::bare(Header::Admitted { turn }));
    }

    fn is_valid(&self, now: Time, mailbox: MailboxId, purpose: Use, ticket: &Ticket) -> bool {
        let key = TicketKey::derive(&self.config.finder_secret, &mailbox);
        key.check(ticket, now).is_ok() && self.spent.is_fresh(mailbox, purpose, ticket)
    }
}
