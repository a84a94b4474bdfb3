//! Connections: their frames, their offences and their end.

use super::exchange::{End, Exchange, Served};
use super::session::{Phase, Seeking, Session, Verdict};
use super::timer::Timer;
use super::{ConnectionId, Finder, Output, Source};
use crate::defaults::{DRAIN_TIME, FINDER_LINGER, FIRST_FRAME_TIMEOUT, MAX_FRAME_BYTES};
use crate::document::Draft;
use crate::frame::{ExchangeId, Frame, Header, Nonce};
use crate::key::Signature;
use crate::{Code, Time};
use rand_core::Rng;

impl Finder {
    pub(super) fn connected(&mut self, now: Time, connection: ConnectionId, source: Source) {
        if self.drains_until.is_some() {
            return self.push_close(connection, Code::Draining);
        }
        let mut nonce = Nonce([0; 32]);
        self.rng.fill_bytes(&mut nonce.0);
        let hello = Draft::new(self.config.hello(now, nonce), self.config.domain_key.id());
        self.outputs.push_back(Output::Sign { connection, input: hello.signing_input().to_vec() });
        let seeking = Seeking { nonce, hello: Some(hello), attaching: None };
        self.sessions.insert(connection, Session::new(source, seeking, Time::NEVER));
        self.counters.sessions += 1;
        self.set_deadline(connection, now + FIRST_FRAME_TIMEOUT);
    }

    pub(super) fn signed(&mut self, connection: ConnectionId, signature: &Signature) {
        let hello =
            self.sessions.get_mut(&connection).and_then(Session::seeking_mut).and_then(|s| s.hello.take());
        if let Some(hello) = hello {
            let jws = hello.finish(signature).compact().to_owned();
            self.send(connection, Frame::bare(Header::Hello { jws }));
        }
    }

    /// Checks a frame in the order of what it costs: size, byte bucket, header; tickets come later.
    pub(super) fn received(&mut self, now: Time, connection: ConnectionId, bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if bytes.len() > MAX_FRAME_BYTES {
            self.counters.session.bytes_in += bytes.len() as u64;
            return self.reject(now, connection, Code::TooLarge);
        }
        let verdict = session.charge(now, bytes.len());
        if let Verdict::Refuse(retry) = verdict {
            self.counters.session.bytes_in += bytes.len() as u64;
            return self.refuse(connection, None, Code::RateLimited, Some(retry));
        }
        if let Verdict::Close = verdict {
            self.counters.session.bytes_in += bytes.len() as u64;
            return self.reject(now, connection, Code::RateLimited);
        }
        match Frame::decode(bytes) {
            Ok(frame) => {
                self.counters.traffic(&frame.header).bytes_in += bytes.len() as u64;
                self.spoke(now, connection);
                self.dispatch(now, connection, frame, bytes.len());
            }
            Err(error) => {
                self.counters.session.bytes_in += bytes.len() as u64;
                self.reject(now, connection, error.code());
            }
        }
    }

    fn dispatch(&mut self, now: Time, connection: ConnectionId, frame: Frame, size: usize) {
        match frame.header {
            Header::Attach { nonce, mailboxes } => self.attach(now, connection, nonce, &mailboxes),
            Header::Find { x, to, ticket, kept: None } => {
                self.find(now, End { connection, x }, to, ticket, frame.body, size);
            }
            Header::Answer { x } => self.answer(now, End { connection, x }, frame.body, size),
            Header::More { x } => self.more(now, End { connection, x }, frame.body, size),
            Header::Done { x } => self.done(now, End { connection, x }),
            Header::Admit { to, ticket } => self.admit(now, connection, to, &ticket),
            Header::Find { x, kept: Some(_), .. } => self.offend(now, connection, Some(x), Code::Malformed),
            Header::Hello { .. }
            | Header::Attached { .. }
            | Header::Accepted { .. }
            | Header::Admitted { .. }
            | Header::Replaced {}
            | Header::Drain { .. }
            | Header::Error { .. } => self.offend(now, connection, None, Code::Malformed),
        }
    }

    pub(super) fn connection_waited(&mut self, now: Time, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        session.deadline = Time::NEVER;
        match session.seeking_mut() {
            Some(seeking) if seeking.attaching.is_some() => self.complete_attach(now, connection, false),
            // An open exchange ends within its own time, and the connection's timer starts again then.
            Some(_) if self.exchanges.sought_by(connection).next().is_none() => {
                self.close(now, connection, Code::Timeout);
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn drain(&mut self, now: Time) {
        if self.drains_until.is_some() {
            return;
        }
        self.drains_until = Some(now + DRAIN_TIME);
        self.timers.start(now + DRAIN_TIME, Timer::Drained);
        let connections: Vec<_> = self.sessions.keys().copied().collect();
        for connection in connections {
            self.send(connection, Frame::bare(Header::Drain { within: DRAIN_TIME / 1_000 }));
        }
    }

    pub(super) fn close_all(&mut self, now: Time) {
        while let Some((connection, _)) = self.sessions.first_key_value() {
            self.close(now, *connection, Code::Draining);
        }
    }

    /// The first frame ends the wait for it; from then on a seeker's time is its [`FINDER_LINGER`].
    fn spoke(&mut self, now: Time, connection: ConnectionId) {
        if self.sessions.get_mut(&connection).is_some_and(Session::speaks_first) {
            self.set_deadline(connection, now + FINDER_LINGER);
        }
    }

    pub(super) fn set_deadline(&mut self, connection: ConnectionId, at: Time) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        self.timers.stop(session.deadline, Timer::Connection(connection));
        session.deadline = at;
        if at != Time::NEVER {
            self.timers.start(at, Timer::Connection(connection));
        }
    }

    /// Sends an error and closes: what follows garbage cannot be trusted to be a frame.
    fn reject(&mut self, now: Time, connection: ConnectionId, code: Code) {
        self.refuse(connection, None, code, None);
        self.close(now, connection, code);
    }

    /// Refuses a frame that is out of place; closes the connection on the third in a row.
    pub(super) fn offend(&mut self, now: Time, connection: ConnectionId, x: Option<ExchangeId>, code: Code) {
        self.refuse(connection, x, code, None);
        if self.sessions.get_mut(&connection).is_some_and(|session| !session.forgive(now)) {
            self.close(now, connection, code);
        }
    }

    pub(super) fn refuse(
        &mut self,
        connection: ConnectionId,
        x: Option<ExchangeId>,
        code: Code,
        retry: Option<u64>,
    ) {
        self.send(connection, Frame::error(x, code, retry));
    }

    pub(super) fn send(&mut self, connection: ConnectionId, frame: Frame) {
        if !self.sessions.contains_key(&connection) {
            return;
        }
        if let Header::Error { code, .. } = &frame.header
            && let Some(code) = Code::from_text(code)
        {
            *self.counters.refusals.entry(code).or_default() += 1;
        }
        let bytes = frame.encode();
        self.counters.traffic(&frame.header).bytes_out += bytes.len() as u64;
        self.outputs.push_back(Output::Send { connection, bytes });
    }

    pub(super) fn close(&mut self, now: Time, connection: ConnectionId, code: Code) {
        self.push_close(connection, code);
        self.forget(now, connection);
    }

    fn push_close(&mut self, connection: ConnectionId, code: Code) {
        *self.counters.closes.entry(code).or_default() += 1;
        self.outputs.push_back(Output::Close { connection, code });
    }

    /// Removes every trace of a connection.
    pub(super) fn forget(&mut self, now: Time, connection: ConnectionId) {
        let Some(session) = self.sessions.remove(&connection) else { return };
        self.counters.sessions -= 1;
        self.timers.stop(session.deadline, Timer::Connection(connection));
        if let Phase::Attached { mailboxes, .. } = session.phase {
            self.counters.attached -= 1;
            for mailbox in &mailboxes {
                self.registry.close(mailbox, connection);
            }
        }
        let sought: Vec<End> = self.exchanges.sought_by(connection).map(|(end, _)| end).collect();
        for seeker in sought {
            self.seeker_leaves(now, seeker);
        }
        let served: Vec<(End, Served)> = self.exchanges.served_by(connection).collect();
        for (location, served) in served {
            match served {
                Served::Exchange(seeker) => self.location_leaves(now, seeker),
                Served::Knock { deadline, .. } => self.drop_knock(location, deadline),
            }
        }
    }

    /// Forgets an exchange; a seeker without exchanges has [`FINDER_LINGER`] from now.
    pub(super) fn end_exchange(&mut self, now: Time, seeker: End) -> Option<Exchange> {
        let exchange = self.exchanges.close(seeker)?;
        self.timers.stop(exchange.deadline, Timer::Exchange(seeker));
        let lingers = self.exchanges.sought_by(seeker.connection).next().is_none()
            && self
                .sessions
                .get_mut(&seeker.connection)
                .and_then(Session::seeking_mut)
                .is_some_and(|seeking| seeking.attaching.is_none());
        if lingers {
            self.set_deadline(seeker.connection, now + FINDER_LINGER);
        }
        Some(exchange)
    }
}
