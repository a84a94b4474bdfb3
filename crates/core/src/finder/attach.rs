//! Opening mailboxes, and the knocks that waited for it.

use super::exchange::End;
use super::session::Phase;
use super::timer::Timer;
use super::{ConnectionId, Finder, Output, StoredKnock, turn};
use crate::defaults::{EXCHANGE_LIFE, MAX_ATTACH_MAILBOXES, MAX_STORED_KNOCKS};
use crate::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, TicketGrant, TurnServer, attach_signing_input,
};
use crate::ticket::TicketKey;
use crate::{Code, Error, Time};
use rand_core::Rng;
use std::collections::BTreeSet;

impl Finder {
    /// Verifies an attach. For a peer with a guest mailbox the store has to say whether it is a member, if that
    /// matters; the mailboxes are opened once it has.
    pub(super) fn attach(
        &mut self,
        now: Time,
        connection: ConnectionId,
        nonce: Nonce,
        proofs: &[MailboxProof],
    ) {
        if self.drains_until.is_some() {
            return self.refuse(connection, None, Code::Draining, None);
        }
        let mailboxes = match self.check_attach(connection, nonce, proofs) {
            Ok(mailboxes) => mailboxes,
            Err(error) => return self.offend(now, connection, None, error.code()),
        };
        let guests: Vec<MailboxId> = of_kind(&mailboxes, MailboxKind::Guest).collect();
        let Some(seeking) = self.sessions.get_mut(&connection).and_then(|session| session.seeking_mut())
        else {
            return;
        };
        seeking.attaching = Some(mailboxes);
        if self.config.turn.is_none() || guests.is_empty() {
            self.complete_attach(now, connection, false);
        } else {
            self.set_deadline(connection, now + super::defaults::MEMBER_CHECK_TIMEOUT);
            self.outputs.push_back(Output::CheckMember { connection, mailboxes: guests });
        }
    }

    fn check_attach(
        &mut self,
        connection: ConnectionId,
        nonce: Nonce,
        proofs: &[MailboxProof],
    ) -> Result<Vec<(MailboxId, MailboxKind)>, Error> {
        let seeking = self
            .sessions
            .get_mut(&connection)
            .and_then(|session| session.seeking_mut())
            .filter(|seeking| seeking.attaching.is_none())
            .ok_or_else(|| Error::new(Code::Malformed, "second attach on one connection"))?;
        let mailboxes: Vec<_> = proofs.iter().map(|proof| (MailboxId::of(&proof.key), proof.kind)).collect();
        let distinct: BTreeSet<_> = mailboxes.iter().map(|(mailbox, _)| *mailbox).collect();
        if distinct.is_empty() || distinct.len() > MAX_ATTACH_MAILBOXES || distinct.len() != mailboxes.len() {
            return Err(Error::new(Code::Malformed, "attach without 1 to 4 different mailboxes"));
        }
        if nonce != seeking.nonce {
            return Err(Error::new(Code::Unauthorized, "attach with the nonce of another connection"));
        }
        let signed = attach_signing_input(self.config.url.as_str(), &nonce, &mailboxes);
        for proof in proofs {
            proof.key.verify(&signed, &proof.sig).map_err(|_| Error::from(Code::Unauthorized))?;
        }
        Ok(mailboxes)
    }

    /// Opens the mailboxes of a verified attach.
    pub(super) fn complete_attach(&mut self, now: Time, connection: ConnectionId, member: bool) {
        let Some(seeking) = self.sessions.get_mut(&connection).and_then(|session| session.seeking_mut())
        else {
            return;
        };
        let Some(mailboxes) = seeking.attaching.take() else { return };
        if self.drains_until.is_some() {
            return self.refuse(connection, None, Code::Draining, None);
        }
        let displaced: BTreeSet<ConnectionId> =
            mailboxes.iter().flat_map(|(mailbox, kind)| self.registry.displaced_by(mailbox, *kind)).collect();
        if mailboxes.iter().any(|(mailbox, kind)| !self.registry.has_room(mailbox, *kind, &displaced)) {
            self.set_deadline(connection, now + crate::defaults::FINDER_LINGER);
            return self.refuse(connection, None, Code::Quota, None);
        }
        for displaced in displaced {
            self.send(displaced, Frame::bare(Header::Replaced {}));
            self.close(now, displaced, Code::Replaced);
        }
        self.open_mailboxes(connection, &mailboxes, member);
        let tickets = of_kind(&mailboxes, MailboxKind::Location).map(|mailbox| self.grant(mailbox)).collect();
        let turn = if member { self.mint_turn(now) } else { Vec::new() };
        self.send(connection, Frame::bare(Header::Attached { tickets, turn }));
        for mailbox in of_kind(&mailboxes, MailboxKind::Guest) {
            self.outputs.push_back(Output::FetchKnocks { connection, mailbox });
        }
    }

    fn open_mailboxes(
        &mut self,
        connection: ConnectionId,
        mailboxes: &[(MailboxId, MailboxKind)],
        member: bool,
    ) {
        self.set_deadline(connection, Time::NEVER);
        for (mailbox, kind) in mailboxes {
            self.registry.open(*mailbox, *kind, connection);
        }
        if let Some(session) = self.sessions.get_mut(&connection) {
            let mailboxes = mailboxes.iter().map(|(mailbox, _)| *mailbox).collect();
            session.phase = Phase::Attached { mailboxes, member };
        }
        self.counters.attaches += 1;
        self.counters.attached += 1;
    }

    fn grant(&self, mailbox: MailboxId) -> TicketGrant {
        TicketGrant { mailbox, key: TicketKey::derive(&self.config.finder_secret, &mailbox) }
    }

    /// Fresh TURN credentials under a random name; none if the domain has no TURN server.
    pub(super) fn mint_turn(&mut self, now: Time) -> Vec<TurnServer> {
        let Some(config) = &self.config.turn else { return Vec::new() };
        let mut random = [0; 12];
        self.rng.fill_bytes(&mut random);
        self.counters.turn_credentials += 1;
        vec![turn::credentials(config, now, random)]
    }

    /// Delivers what the store kept. A knock that its location does not take over stays in the store.
    pub(super) fn deliver_kept(
        &mut self,
        now: Time,
        connection: ConnectionId,
        mailbox: MailboxId,
        knocks: Vec<StoredKnock>,
    ) {
        if !self.sessions.get(&connection).is_some_and(|session| session.holds(&mailbox)) {
            return;
        }
        for knock in knocks.into_iter().take(MAX_STORED_KNOCKS) {
            let Some(location) = self.deliver(connection, mailbox, knock.body, Some(knock.received)) else {
                return;
            };
            let deadline = now + EXCHANGE_LIFE;
            self.exchanges.deliver_knock(location, mailbox, knock.id, deadline);
            self.timers.start(deadline, Timer::Knock(location));
            self.counters.knocks_fetched += 1;
        }
    }

    /// Passes a find or knock to a location under a number of its own.
    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        to: MailboxId,
        body: Vec<u8>,
        received: Option<Time>,
    ) -> Option<End> {
        let x = self.sessions.get_mut(&connection)?.number_exchange();
        let header = Header::Find { x, to, ticket: None, kept: received.map(Time::as_secs) };
        self.send(connection, Frame { header, body });
        Some(End { connection, x })
    }
}

fn of_kind(mailboxes: &[(MailboxId, MailboxKind)], kind: MailboxKind) -> impl Iterator<Item = MailboxId> {
    mailboxes.iter().filter(move |(_, other)| *other == kind).map(|(mailbox, _)| *mailbox)
}
