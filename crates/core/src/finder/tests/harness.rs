//! A finder, its store and its clients in virtual time.

use crate::Code;
use crate::finder::{ConnectionId, Finder, FinderConfig, Input, Output, Source, StoredKnock, TurnConfig};
use crate::frame::{
    ExchangeId, Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, attach_signing_input,
};
use crate::key::Seed;
use crate::ticket::{Ticket, TicketKey};
use crate::uri::{Domain, FinderUrl};
use crate::{Time, defaults};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const START: Time = Time::from_secs(1_795_000_000);
pub(super) const URL: &str = "wss://b.test/finder";

/// The machine with a shell that does what it is told at once.
pub(super) struct Harness {
    pub(super) finder: Finder,
    pub(super) now: Time,
    pub(super) domain: Seed,
    /// Guest mailboxes of claimed names, with the knocks kept for them.
    pub(super) members: BTreeMap<MailboxId, Vec<StoredKnock>>,
    /// Connections closed by the finder.
    pub(super) closed: BTreeMap<ConnectionId, Code>,
    /// Whether the domain key answers; floods do without.
    pub(super) signs: bool,
    /// Whether the store answers.
    pub(super) store_answers: bool,
    /// Outputs other than `Send` and `Close`, oldest first.
    pub(super) commands: Vec<Output>,
    nonces: BTreeMap<ConnectionId, Nonce>,
    received: BTreeMap<ConnectionId, Vec<(Time, Vec<u8>)>>,
    next_connection: u64,
    next_random: u64,
}

pub(super) fn config() -> FinderConfig {
    FinderConfig {
        domain: Domain::from_text("b.test").unwrap(),
        url: FinderUrl::from_text(URL).unwrap(),
        domain_key: Seed::new([0xD0; 32]).public_key(),
        finder_secret: [0xF1; 32].into(),
        stun: vec!["stun:b.test:3478".into()],
        turn: None,
        source_rate: defaults::SOURCE_RATE,
    }
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with_turn() -> Self {
        let turn = TurnConfig { secret: "north".to_owned().into(), urls: vec!["turn:turn.b.test".into()] };
        Self::with(FinderConfig { turn: Some(turn), ..config() })
    }

    pub(super) fn with(config: FinderConfig) -> Self {
        Self {
            finder: Finder::new(config, [7; 32]).unwrap(),
            now: START,
            domain: Seed::new([0xD0; 32]),
            members: BTreeMap::new(),
            closed: BTreeMap::new(),
            signs: true,
            store_answers: true,
            commands: Vec::new(),
            nonces: BTreeMap::new(),
            received: BTreeMap::new(),
            next_connection: 0,
            next_random: 0,
        }
    }

    /// Feeds an input and carries out what follows from it.
    pub(super) fn input(&mut self, input: Input<'_>) {
        self.finder.handle_input(self.now, input);
        self.carry_out();
    }

    /// Lets time pass, waking the machine exactly when it asks for it.
    pub(super) fn advance(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(at) = self.finder.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.finder.handle_timeout(self.now);
            self.carry_out();
        }
        self.now = end;
    }

    /// A new connection from a source of its own, its `hello` read.
    pub(super) fn connect(&mut self) -> ConnectionId {
        let source = self.next_connection.to_be_bytes();
        self.connect_from(source)
    }

    pub(super) fn connect_from(&mut self, source: [u8; 8]) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.input(Input::Connected { connection, source: Source(source) });
        connection
    }

    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        self.input(Input::Disconnected { connection });
    }

    pub(super) fn send(&mut self, connection: ConnectionId, header: Header, body: &[u8]) {
        let bytes = Frame { header, body: body.to_vec() }.encode();
        self.send_bytes(connection, &bytes);
    }

    pub(super) fn send_bytes(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.input(Input::Frame { connection, bytes });
    }

    /// What a client received since the last call, with the `hello` left out.
    pub(super) fn take(&mut self, connection: ConnectionId) -> Vec<Frame> {
        let received = self.received.remove(&connection).unwrap_or_default();
        let frames = received.iter().map(|(_, bytes)| Frame::decode(bytes).unwrap());
        frames.filter(|frame| !matches!(frame.header, Header::Hello { .. })).collect()
    }

    /// The raw messages since the last call, with their times.
    pub(super) fn take_raw(&mut self, connection: ConnectionId) -> Vec<(Time, Vec<u8>)> {
        self.received.remove(&connection).unwrap_or_default()
    }

    /// The one header received since the last call.
    #[track_caller]
    pub(super) fn take_one(&mut self, connection: ConnectionId) -> Header {
        let frames = self.take(connection);
        let [frame] = frames.as_slice() else { panic!("not exactly one frame: {frames:?}") };
        frame.header.clone()
    }

    /// The code of the one error received since the last call.
    #[track_caller]
    pub(super) fn take_error(&mut self, connection: ConnectionId) -> Code {
        match self.take_one(connection) {
            Header::Error { code, status, .. } => {
                let code = Code::from_text(&code).unwrap();
                assert_eq!(code.status(), status);
                code
            }
            other => panic!("no error: {other:?}"),
        }
    }

    pub(super) fn nonce(&self, connection: ConnectionId) -> Nonce {
        self.nonces[&connection]
    }

    pub(super) fn known_nonce(&self, connection: ConnectionId) -> Option<Nonce> {
        self.nonces.get(&connection).copied()
    }

    /// The attach that a client would send for these mailboxes.
    pub(super) fn attach_header(
        &self,
        connection: ConnectionId,
        mailboxes: &[(&Seed, MailboxKind)],
    ) -> Header {
        attach_header(self.nonce(connection), URL, mailboxes)
    }

    /// A new connection that attached these mailboxes.
    #[track_caller]
    pub(super) fn attached(&mut self, mailboxes: &[(&Seed, MailboxKind)]) -> ConnectionId {
        let connection = self.connect();
        self.send(connection, self.attach_header(connection, mailboxes), b"");
        assert!(matches!(self.take(connection)[0].header, Header::Attached { .. }));
        connection
    }

    #[track_caller]
    pub(super) fn location(&mut self, seed: &Seed) -> ConnectionId {
        self.attached(&[(seed, MailboxKind::Location)])
    }

    #[track_caller]
    pub(super) fn guest(&mut self, seed: &Seed) -> ConnectionId {
        self.attached(&[(seed, MailboxKind::Guest)])
    }

    pub(super) fn find(
        &mut self,
        seeker: ConnectionId,
        x: ExchangeId,
        to: MailboxId,
        ticket: Option<Ticket>,
    ) {
        self.send(seeker, Header::Find { x, to, ticket, kept: None }, b"sealed find");
    }

    /// A ticket never issued before.
    pub(super) fn ticket(&mut self, mailbox: MailboxId) -> Ticket {
        self.next_random += 1;
        let mut random = [0; 12];
        random[4..].copy_from_slice(&self.next_random.to_be_bytes());
        TicketKey::derive(&[0xF1; 32], &mailbox).issue(self.now, random)
    }

    /// An exchange between a new seeker with a ticket and a location; both ends' numbers.
    #[track_caller]
    pub(super) fn exchange(&mut self, location: ConnectionId, to: MailboxId) -> (ConnectionId, ExchangeId) {
        let seeker = self.connect();
        let ticket = self.ticket(to);
        self.find(seeker, 1, to, Some(ticket));
        assert_eq!(self.take(seeker), []);
        let Header::Find { x, .. } = self.take_one(location) else { panic!("no find") };
        (seeker, x)
    }

    /// Entries that the machine keeps: sessions, mailboxes, exchanges of seekers and locations, timers.
    pub(super) fn entries(&self) -> [usize; 5] {
        let (sought, served) = self.finder.exchanges.len();
        [self.finder.sessions.len(), self.finder.registry.len(), sought, served, self.finder.timers.len()]
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.finder.poll_output() {
            match output {
                Output::Send { connection, bytes } => self.deliver(connection, bytes),
                Output::Close { connection, code } => {
                    assert_eq!(self.closed.insert(connection, code), None, "closed twice");
                }
                command => {
                    self.commands.push(command.clone());
                    self.answer(command);
                }
            }
        }
    }

    fn deliver(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        assert!(!self.closed.contains_key(&connection), "sent after close");
        if let Header::Hello { jws } = Frame::decode(&bytes).unwrap().header {
            let [domain, finder] = ["b.test", URL];
            let (domain, finder) =
                (Domain::from_text(domain).unwrap(), FinderUrl::from_text(finder).unwrap());
            let hello =
                crate::finder::Hello::verify(&jws, &self.domain.public_key(), &domain, &finder).unwrap();
            self.nonces.insert(connection, hello.nonce);
        }
        self.received.entry(connection).or_default().push((self.now, bytes));
    }

    fn answer(&mut self, command: Output) {
        match command {
            Output::Sign { connection, input } if self.signs => {
                let signature = self.domain.sign(&input);
                self.finder.handle_input(self.now, Input::Signed { connection, signature });
            }
            Output::CheckMember { connection, mailboxes } if self.store_answers => {
                let member = mailboxes.iter().any(|mailbox| self.members.contains_key(mailbox));
                self.finder.handle_input(self.now, Input::Member { connection, member });
            }
            Output::FetchKnocks { connection, mailbox } if self.store_answers => {
                let knocks = self.members.get(&mailbox).cloned().unwrap_or_default();
                self.finder.handle_input(self.now, Input::Knocks { connection, mailbox, knocks });
            }
            Output::KeepKnock { mailbox, id, body, received, .. } => {
                if let Some(kept) = self.members.get_mut(&mailbox)
                    && kept.len() < defaults::MAX_STORED_KNOCKS
                    && kept.iter().all(|knock| knock.id != id)
                {
                    kept.push(StoredKnock { id, body, received });
                }
            }
            Output::DeleteKnock { mailbox, id } => {
                self.members.entry(mailbox).or_default().retain(|knock| knock.id != id);
            }
            _ => {}
        }
    }
}

pub(super) fn attach_header(nonce: Nonce, url: &str, mailboxes: &[(&Seed, MailboxKind)]) -> Header {
    let list: Vec<_> = mailboxes.iter().map(|(seed, kind)| (mailbox(seed), *kind)).collect();
    let input = attach_signing_input(url, &nonce, &list);
    let proof = |(seed, kind): &(&Seed, MailboxKind)| MailboxProof {
        key: seed.public_key(),
        kind: *kind,
        sig: seed.sign(&input),
    };
    Header::Attach { nonce, mailboxes: mailboxes.iter().map(proof).collect() }
}

pub(super) fn seed(number: u8) -> Seed {
    Seed::new([number; 32])
}

pub(super) fn mailbox(seed: &Seed) -> MailboxId {
    MailboxId::of(&seed.public_key())
}

/// The headers of some frames.
pub(super) fn headers(frames: &[Frame]) -> Vec<&Header> {
    frames.iter().map(|frame| &frame.header).collect()
}

/// The ids of some sessions.
pub(super) fn distinct(connections: &[ConnectionId]) -> BTreeSet<ConnectionId> {
    connections.iter().copied().collect()
}
