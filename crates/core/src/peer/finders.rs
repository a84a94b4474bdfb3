use super::timer::Timer;
use super::{ConnectionId, LinkId, Operation, Output, PeerMachine, SeekId};
use crate::defaults::{ATTACH_TIMEOUT, FINDER_LINGER};
use crate::document::FinderMailbox;
use crate::finder::Hello;
use crate::frame::{
    ExchangeId, Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, attach_signing_input,
};
use crate::key::{PublicKey, Signature};
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use std::collections::BTreeMap;

/// A connection to a finder, our own domain's or another's.
pub(super) struct Connection {
    pub(super) domain: Domain,
    url: FinderUrl,
    /// Whether we attach here.
    home: bool,
    open: bool,
    nonce: Option<Nonce>,
    attached: bool,
    /// Signatures still to come for the attach.
    proofs: Vec<(PublicKey, MailboxKind, Option<Signature>)>,
    /// Frames written before the connection was open.
    queue: Vec<Vec<u8>>,
    next_exchange: ExchangeId,
    seeks: BTreeMap<ExchangeId, SeekId>,
    calls: BTreeMap<ExchangeId, LinkId>,
    last_used: Time,
}

impl Connection {
    /// Whether the finder proved that it speaks for its domain.
    pub(super) const fn greeted(&self) -> bool {
        self.nonce.is_some()
    }
}

impl PeerMachine {
    /// The connection to a home finder; a fresh one, or the one that a seek opened.
    pub(super) fn connect_home(&mut self, domain: &Domain, url: &FinderUrl) -> ConnectionId {
        let id = self.connection_to(domain, url);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.home = true;
        }
        self.set_timer(Timer::Connection(id), ATTACH_TIMEOUT);
        self.begin_attach(id);
        id
    }

    /// A connection to a finder, shared by everything that needs this finder.
    fn connection_to(&mut self, domain: &Domain, url: &FinderUrl) -> ConnectionId {
        let existing = self.connections.iter().find(|(_, c)| c.url == *url && c.domain == *domain);
        if let Some((id, _)) = existing {
            return *id;
        }
        let id = ConnectionId(self.fresh_id());
        let connection = Connection {
            domain: domain.clone(),
            url: url.clone(),
            home: false,
            open: false,
            nonce: None,
            attached: false,
            proofs: Vec::new(),
            queue: Vec::new(),
            next_exchange: 1,
            seeks: BTreeMap::new(),
            calls: BTreeMap::new(),
            last_used: self.now,
        };
        self.connections.insert(id, connection);
        self.set_timer(Timer::Connection(id), ATTACH_TIMEOUT);
        self.output(Output::Dial { connection: id, url: url.clone() });
        id
    }

    /// Opens an exchange at a finder and sends its first frame.
    pub(super) fn open_exchange(
        &mut self,
        seek: SeekId,
        finder: &FinderMailbox,
        ticket: Option<crate::ticket::Ticket>,
        body: Vec<u8>,
    ) -> (ConnectionId, ExchangeId) {
        let id = self.connection_to(&finder.domain, &finder.url);
        let mut x = 0;
        if let Some(connection) = self.connections.get_mut(&id) {
            x = connection.next_exchange;
            connection.next_exchange += 1;
            connection.seeks.insert(x, seek);
        }
        let header = Header::Find { x, to: finder.mailbox, ticket, kept: None };
        self.send_frame(id, &Frame { header, body });
        (id, x)
    }

    /// Sends a frame, or queues it until the connection is open.
    pub(super) fn send_frame(&mut self, id: ConnectionId, frame: &Frame) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.last_used = now;
        let bytes = frame.encode();
        if connection.open {
            self.output(Output::Send { connection: id, bytes });
        } else {
            connection.queue.push(bytes);
        }
    }

    /// Forgets an exchange of ours and tells the finder.
    pub(super) fn close_exchange(&mut self, id: ConnectionId, x: ExchangeId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let known = connection.seeks.remove(&x).is_some() | connection.calls.remove(&x).is_some();
        if known {
            self.send_frame(id, &Frame::bare(Header::Done { x }));
        }
    }

    /// Ends an exchange that somebody else started and that leads to no link.
    pub(super) fn end_exchange(&mut self, id: ConnectionId, x: ExchangeId) {
        self.send_frame(id, &Frame::bare(Header::Done { x }));
    }

    /// Notes that an exchange belongs to a link in preparation.
    pub(super) fn bind_call(&mut self, id: ConnectionId, x: ExchangeId, link: LinkId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.calls.insert(x, link);
        }
    }

    pub(super) fn finder_open(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.open = true;
        for bytes in std::mem::take(&mut connection.queue) {
            self.output(Output::Send { connection: id, bytes });
        }
    }

    pub(super) fn finder_closed(&mut self, id: ConnectionId) {
        self.stop_timer(&Timer::Connection(id));
        let Some(connection) = self.connections.remove(&id) else { return };
        self.forget_rivals(id, None);
        if !connection.greeted() {
            self.finder_tried(&connection.domain, false);
        }
        for (x, seek) in connection.seeks {
            self.route_failed(seek, (id, x), Code::FinderUnreachable.into());
        }
        if connection.home {
            self.home_lost(&connection.domain, id);
        }
    }

    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        if self.connections.contains_key(&id) {
            self.output(Output::Hangup { connection: id });
            self.finder_closed(id);
        }
    }

    pub(super) fn connection_timeout(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        let ready = connection.greeted() && (!connection.home || connection.attached);
        if !ready {
            return self.hang_up(id);
        }
        let idle = self.now.millis_since(connection.last_used);
        let busy = !connection.seeks.is_empty() || !connection.calls.is_empty();
        if connection.home {
            return;
        }
        if !busy && idle >= FINDER_LINGER {
            return self.hang_up(id);
        }
        let wait = if busy { FINDER_LINGER } else { FINDER_LINGER - idle };
        self.set_timer(Timer::Connection(id), wait.max(1));
    }

    pub(super) fn finder_frame(&mut self, id: ConnectionId, bytes: &[u8]) {
        if !self.connections.contains_key(&id) {
            return;
        }
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.finder_misbehaved(id, error),
        };
        match frame.header {
            Header::Hello { jws } => self.finder_hello(id, &jws),
            Header::Attached { tickets, turn } => self.finder_attached(id, tickets, turn),
            Header::Find { x, to, kept, .. } => self.find_arrived(id, x, to, kept.is_some(), &frame.body),
            Header::Accepted { x } => {
                self.with_seek(id, x, |machine, seek| machine.seek_accepted(seek, (id, x)))
            }
            Header::Answer { x } => {
                self.with_seek(id, x, |machine, seek| machine.answer_arrived(seek, (id, x), &frame.body));
            }
            Header::More { x } => self.more_arrived(id, x, &frame.body),
            Header::Done { x } => self.exchange_done(id, x),
            Header::Error { x: Some(x), code, .. } => {
                let code = Code::from_text(&code).unwrap_or(Code::FinderUnreachable);
                self.exchange_over(id, x, Error::new(code, "said the finder"));
            }
            Header::Error { x: None, code, .. } => {
                let code = Code::from_text(&code).unwrap_or(Code::FinderUnreachable);
                self.alarm(Error::new(code, "said the finder"), None);
            }
            Header::Replaced {} => self.finder_replaced(id),
            Header::Drain { .. } => self.finder_drains(id),
            Header::Admitted { turn } => self.finder_admitted(id, turn),
            Header::Attach { .. } | Header::Admit { .. } => {}
        }
    }

    fn finder_hello(&mut self, id: ConnectionId, jws: &str) {
        let Some(connection) = self.connections.get(&id) else { return };
        let verdict =
            self.pin(&connection.domain).ok_or_else(|| Error::from(Code::WrongDomain)).and_then(|pin| {
                let verify = |key| Hello::verify(jws, key, &connection.domain, &connection.url);
                let verdicts = pin.keys().iter().map(verify);
                // The verdict of the first key speaks for all: they differ in nothing but the key.
                verdicts.reduce(|first, next| first.or(next)).unwrap_or_else(|| Err(Code::WrongDomain.into()))
            });
        match verdict {
            Err(error) => self.finder_misbehaved(id, error),
            Ok(hello) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.nonce = Some(hello.nonce);
                    let domain = connection.domain.clone();
                    self.finder_tried(&domain, true);
                }
                self.begin_attach(id);
            }
        }
    }

    /// Asks for the signatures of an attach once connection and mailboxes are there.
    fn begin_attach(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (true, Some(nonce), true) = (connection.home, connection.nonce, connection.proofs.is_empty())
        else {
            return;
        };
        let url = connection.url.clone();
        let mailboxes = self.mailboxes(&connection.domain);
        let listed: Vec<_> = mailboxes.iter().map(|(key, kind, _)| (MailboxId::of(key), *kind)).collect();
        let input = attach_signing_input(url.as_str(), &nonce, &listed);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.proofs = mailboxes.iter().map(|(key, kind, _)| (*key, *kind, None)).collect();
        }
        for (index, (_, _, name)) in mailboxes.into_iter().enumerate() {
            self.sign(name, input.to_vec(), Operation::Attach(id, index));
        }
    }

    pub(super) fn attach_signed(&mut self, id: ConnectionId, index: usize, signature: Signature) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(nonce) = connection.nonce else { return };
        if let Some((_, _, slot)) = connection.proofs.get_mut(index) {
            *slot = Some(signature);
        }
        let proof = |(key, kind, sig): &(PublicKey, MailboxKind, Option<Signature>)| {
            sig.map(|sig| MailboxProof { key: *key, kind: *kind, sig })
        };
        let Some(mailboxes) = connection.proofs.iter().map(proof).collect::<Option<Vec<_>>>() else { return };
        self.send_frame(id, &Frame::bare(Header::Attach { nonce, mailboxes }));
    }

    fn finder_attached(
        &mut self,
        id: ConnectionId,
        tickets: Vec<crate::frame::TicketGrant>,
        turn: Vec<crate::frame::TurnServer>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.home && !connection.attached {
            connection.attached = true;
            let domain = connection.domain.clone();
            self.stop_timer(&Timer::Connection(id));
            self.home_attached(&domain, tickets, turn);
        }
    }

    /// Fresh TURN credentials; only our own finders are asked for some.
    fn finder_admitted(&mut self, id: ConnectionId, turn: Vec<crate::frame::TurnServer>) {
        let Some(connection) = self.connections.get(&id).filter(|connection| connection.attached) else {
            return;
        };
        let domain = connection.domain.clone();
        self.take_turn(&domain, turn);
    }

    fn finder_replaced(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if std::mem::take(&mut connection.home) {
            let domain = connection.domain.clone();
            self.home_replaced(&domain);
        }
        self.hang_up(id);
    }

    /// The finder is about to stop: what is not yet sent elsewhere goes elsewhere.
    fn finder_drains(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.home {
            self.hang_up(id);
        }
    }

    fn finder_misbehaved(&mut self, id: ConnectionId, error: Error) {
        self.alarm(error.clone(), None);
        if let Some(connection) = self.connections.get_mut(&id) {
            for (x, seek) in std::mem::take(&mut connection.seeks) {
                self.route_failed(seek, (id, x), error.clone());
            }
        }
        self.hang_up(id);
    }

    fn with_seek(&mut self, id: ConnectionId, x: ExchangeId, then: impl FnOnce(&mut Self, SeekId)) {
        let seek = self.connections.get(&id).and_then(|connection| connection.seeks.get(&x)).copied();
        if let Some(seek) = seek {
            then(self, seek);
        }
    }

    fn more_arrived(&mut self, id: ConnectionId, x: ExchangeId, body: &[u8]) {
        let Some(connection) = self.connections.get(&id) else { return };
        let seek = connection.seeks.get(&x).copied();
        let call = connection.calls.get(&x).copied();
        let link = call.or_else(|| seek.and_then(|seek| self.seek_link(seek)));
        if let Some(link) = link {
            self.continuation(link, body);
        }
    }

    /// The other side ended an exchange: a callee that left, or that cannot read what we sent.
    fn exchange_done(&mut self, id: ConnectionId, x: ExchangeId) {
        let seek = self.connections.get(&id).and_then(|connection| connection.seeks.get(&x)).copied();
        if !seek.is_some_and(|seek| self.find_as_stranger(seek)) {
            self.exchange_over(id, x, Code::Offline.into());
        }
    }

    /// The other side or the finder ended an exchange.
    fn exchange_over(&mut self, id: ConnectionId, x: ExchangeId, error: Error) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.calls.remove(&x);
        let seek = connection.seeks.remove(&x);
        self.forget_rivals(id, Some(x));
        if let Some(seek) = seek {
            self.route_failed(seek, (id, x), error);
        }
    }
}
