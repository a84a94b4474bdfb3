use crate::NOW;
use crate::input::Input as Bytes;
use openpeer_core::defaults::{MAX_FRAME_BYTES, SOURCE_RATE};
use openpeer_core::document::{Document as _, Signed};
use openpeer_core::finder::{ConnectionId, Finder, FinderConfig, Hello, Input, Output, Source, StoredKnock};
use openpeer_core::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, attach_signing_input,
};
use openpeer_core::key::Seed;
use openpeer_core::ticket::{Ticket, TicketKey};
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_core::{Jws, Time};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

const URL: &str = "wss://b.test/finder";
/// The secret from which ticket keys come.
const SECRET: [u8; 32] = [9; 32];
/// Long enough for every timer of a finder, milliseconds.
const LONG: u64 = 200_000;

/// Lets clients do anything in any order at a finder. Whatever they do, it sends frames that decode, to connections
/// that are open, and once all of them have left it keeps nothing.
pub fn finder_machine(data: &[u8]) {
    let mut stage = Stage::set();
    let mut input = Bytes::new(data);
    while !input.is_empty() {
        stage.step(&mut input);
    }
    stage.clear();
}

struct Stage {
    finder: Finder,
    now: Time,
    domain_key: Seed,
    open: BTreeSet<ConnectionId>,
    nonces: BTreeMap<ConnectionId, Nonce>,
    kept: Vec<(MailboxId, StoredKnock)>,
}

impl Stage {
    fn set() -> Self {
        let domain_key = Seed::new([1; 32]);
        let config = FinderConfig {
            domain: Domain::from_text("b.test").expect("a domain"),
            url: FinderUrl::from_text(URL).expect("a finder URL"),
            domain_key: domain_key.public_key(),
            finder_secret: Zeroizing::new(SECRET),
            stun: Vec::new(),
            turn: None,
            source_rate: SOURCE_RATE,
        };
        let finder = Finder::new(config, [2; 32]).expect("the configuration is small");
        Self {
            finder,
            now: NOW,
            domain_key,
            open: BTreeSet::new(),
            nonces: BTreeMap::new(),
            kept: Vec::new(),
        }
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let (what, connection) = (input.byte(), ConnectionId(u64::from(input.byte() % 8)));
        match what % 9 {
            0 => self.connect(connection, input.byte()),
            1 => self.disconnect(connection),
            2 => self.frame(connection, input.piece()),
            3 => self.attach(connection, input.byte()),
            4 => self.find(connection, input),
            5 => self.continuation(connection, input),
            6 => self.pass(u64::from(input.short()) * 4),
            7 => self
                .frame(connection, &vec![input.byte(); usize::from(input.short()).min(MAX_FRAME_BYTES + 1)]),
            _ if input.byte() == 0xFF => self.feed(Input::Drain),
            _ => {}
        }
    }

    fn connect(&mut self, connection: ConnectionId, source: u8) {
        if self.open.insert(connection) {
            self.feed(Input::Connected { connection, source: Source([source % 4; 8]) });
        }
    }

    fn disconnect(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
        self.nonces.remove(&connection);
        self.feed(Input::Disconnected { connection });
    }

    fn frame(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.feed(Input::Frame { connection, bytes });
    }

    /// Opens mailboxes with genuine signatures, so that there is somebody to find.
    fn attach(&mut self, connection: ConnectionId, which: u8) {
        let nonce = self.nonces.get(&connection).copied().unwrap_or(Nonce([0; 32]));
        let wanted = [(which % 4, MailboxKind::Location), (4 + which / 4 % 2, MailboxKind::Guest)];
        let wanted = &wanted[..1 + usize::from(which >= 128)];
        let listed: Vec<_> = wanted.iter().map(|(number, kind)| (mailbox(*number), *kind)).collect();
        let signed = attach_signing_input(URL, &nonce, &listed);
        let proof = |(number, kind): &(u8, MailboxKind)| {
            let key = mailbox_key(*number);
            MailboxProof { key: key.public_key(), kind: *kind, sig: key.sign(&signed) }
        };
        let header = Header::Attach { nonce, mailboxes: wanted.iter().map(proof).collect() };
        self.frame(connection, &Frame::bare(header).encode());
    }

    fn find(&mut self, connection: ConnectionId, input: &mut Bytes<'_>) {
        let (x, to) = (u32::from(input.byte() % 4), mailbox(input.byte() % 8));
        let ticket = match input.byte() {
            0..=99 => None,
            100..=199 => Some(TicketKey::derive(&SECRET, &to).issue(self.now, [input.byte(); 12])),
            byte => Some(Ticket([byte; 32])),
        };
        let body = input.piece().to_vec();
        self.frame(connection, &Frame { header: Header::Find { x, to, ticket, kept: None }, body }.encode());
    }

    fn continuation(&mut self, connection: ConnectionId, input: &mut Bytes<'_>) {
        let what = input.byte();
        let number = u32::from(input.byte() % 4);
        let x = if what >= 128 { number + openpeer_core::finder::FIRST_LOCATION_EXCHANGE } else { number };
        let header = match what % 3 {
            0 => Header::Answer { x },
            1 => Header::More { x },
            _ => Header::Done { x },
        };
        let body = if what % 3 == 2 { Vec::new() } else { input.piece().to_vec() };
        self.frame(connection, &Frame { header, body }.encode());
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(at) = self.finder.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.finder.handle_timeout(self.now);
            self.carry_out();
        }
        self.now = end;
    }

    fn feed(&mut self, input: Input<'_>) {
        self.finder.handle_input(self.now, input);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut answers = Vec::new();
        loop {
            while let Some(output) = self.finder.poll_output() {
                answers.extend(self.serve(output));
            }
            let Some(answer) = answers.pop() else { return };
            self.finder.handle_input(self.now, answer);
        }
    }

    fn serve(&mut self, output: Output) -> Option<Input<'static>> {
        match output {
            Output::Send { connection, bytes } => {
                assert!(self.open.contains(&connection), "frames go to open connections only");
                let frame = Frame::decode(&bytes).expect("a finder writes frames that it can read");
                if let Header::Hello { jws } = frame.header {
                    self.nonces.insert(connection, self.nonce_of(&jws));
                }
                None
            }
            Output::Close { connection, code: _ } => {
                assert!(self.open.remove(&connection), "a connection is closed once");
                self.nonces.remove(&connection);
                None
            }
            Output::Sign { connection, input } => {
                Some(Input::Signed { connection, signature: self.domain_key.sign(&input) })
            }
            Output::CheckMember { connection, .. } => Some(Input::Member { connection, member: true }),
            Output::FetchKnocks { connection, mailbox } => {
                let knocks =
                    self.kept.iter().filter(|(at, _)| *at == mailbox).map(|(_, knock)| knock.clone());
                Some(Input::Knocks { connection, mailbox, knocks: knocks.collect() })
            }
            Output::KeepKnock { mailbox, id, body, received, expires: _ } => {
                if self.kept.len() < 8 {
                    self.kept.push((mailbox, StoredKnock { id, body, received }));
                }
                None
            }
            Output::DeleteKnock { mailbox, id } => {
                self.kept.retain(|(at, knock)| *at != mailbox || knock.id != id);
                None
            }
        }
    }

    fn nonce_of(&self, jws: &str) -> Nonce {
        let parsed = Jws::parse(jws, Hello::TYPE).expect("a hello is a JWS");
        assert!(parsed.verify(&self.domain_key.public_key()).is_ok());
        let hello: Signed<Hello> =
            Signed::verify(jws, &self.domain_key.public_key()).expect("a hello is in order");
        hello.nonce
    }

    /// Everybody leaves, and time passes.
    fn clear(&mut self) {
        for connection in self.open.clone() {
            self.disconnect(connection);
        }
        self.pass(LONG);
        let counters = self.finder.counters();
        assert_eq!((counters.sessions, counters.attached), (0, 0));
        assert_eq!(self.finder.poll_timeout(), None, "nothing is left that could happen");
    }
}

fn mailbox_key(number: u8) -> Seed {
    Seed::new([100 + number; 32])
}

fn mailbox(number: u8) -> MailboxId {
    MailboxId::of(&mailbox_key(number).public_key())
}
