//! The finder machine under arbitrary frames, connections and times; afterwards nothing may be left of them.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;
use openpeer_core::finder::{ConnectionId, Finder, FinderConfig, Input, Output, Source};
use openpeer_core::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, attach_signing_input,
};
use openpeer_core::key::{PublicKey, Seed};
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_core::{Jws, Time};
use openpeer_fuzz::{START, Script};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const URL: &str = "wss://a.test/finder";

struct World {
    finder: Finder,
    now: Time,
    nonces: BTreeMap<ConnectionId, Nonce>,
}

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    let mut script = Script::new(data);
    while !script.is_over() {
        world.step(&mut script);
    }
    world.end();
});

impl World {
    fn new() -> Self {
        let config = FinderConfig {
            domain: Domain::from_text("a.test").expect("a domain"),
            url: FinderUrl::from_text(URL).expect("a finder URL"),
            domain_key: Seed::new([1; 32]).public_key(),
            finder_secret: Zeroizing::new([2; 32]),
            stun: Vec::new(),
            turn: None,
            source_rate: (1, 5),
        };
        let finder = Finder::new(config, [3; 32]).expect("a valid configuration");
        Self { finder, now: START, nonces: BTreeMap::new() }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let connection = ConnectionId(u64::from(script.byte() % 8));
        match script.byte() % 8 {
            0 => self.input(Input::Connected { connection, source: Source([script.byte(); 8]) }),
            1 => self.input(Input::Disconnected { connection }),
            2 => {
                self.now = self.now + u64::from(script.byte()) * 500;
                self.finder.handle_timeout(self.now);
            }
            3 => self.attach(connection, script.byte()),
            4 => self.input(Input::Drain),
            5 => {
                let to = mailbox(script.byte()).1;
                let header = Header::Find { x: script.byte().into(), to, ticket: None, kept: None };
                let bytes = Frame { header, body: script.bytes().to_vec() }.encode();
                self.input(Input::Frame { connection, bytes: &bytes });
            }
            6 => {
                let x = u32::from(script.byte()) << 24 | u32::from(script.byte());
                let header = if script.byte() % 2 == 0 { Header::Answer { x } } else { Header::Done { x } };
                let bytes = Frame::bare(header).encode();
                self.input(Input::Frame { connection, bytes: &bytes });
            }
            _ => {
                let bytes = script.bytes();
                self.input(Input::Frame { connection, bytes });
            }
        }
        self.drain();
    }

    fn input(&mut self, input: Input<'_>) {
        self.finder.handle_input(self.now, input);
    }

    /// A genuine attach, so that the frames behind it are reached.
    fn attach(&mut self, connection: ConnectionId, which: u8) {
        let Some(nonce) = self.nonces.get(&connection).copied() else { return };
        let (key, id, seed) = mailbox(which);
        let kind = if which % 2 == 0 { MailboxKind::Location } else { MailboxKind::Guest };
        let sig = seed.sign(&attach_signing_input(URL, &nonce, &[(id, kind)]));
        let header = Header::Attach { nonce, mailboxes: vec![MailboxProof { key, kind, sig }] };
        let bytes = Frame::bare(header).encode();
        self.input(Input::Frame { connection, bytes: &bytes });
    }

    fn drain(&mut self) {
        while let Some(output) = self.finder.poll_output() {
            match output {
                Output::Sign { connection, input } => {
                    let signature = Seed::new([1; 32]).sign(&input);
                    self.input(Input::Signed { connection, signature });
                }
                Output::Send { connection, bytes } => self.read_hello(connection, &bytes),
                Output::CheckMember { connection, .. } => {
                    self.input(Input::Member { connection, member: true })
                }
                Output::FetchKnocks { connection, mailbox } => {
                    self.input(Input::Knocks { connection, mailbox, knocks: Vec::new() });
                }
                Output::Close { .. } | Output::KeepKnock { .. } | Output::DeleteKnock { .. } => {}
            }
        }
    }

    fn read_hello(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let frame = Frame::decode(bytes).expect("the finder sends valid frames");
        if let Header::Hello { jws } = frame.header {
            let jws = Jws::parse(&jws, "openpeer-hello+jws").expect("a hello is a JWS");
            let text = String::from_utf8_lossy(jws.payload()).into_owned();
            let nonce = text.split("\"nonce\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let nonce = Nonce::from_text(nonce.expect("a hello has a nonce")).expect("a nonce");
            self.nonces.insert(connection, nonce);
        }
    }

    /// Everybody leaves: whatever the finder still wants must end.
    fn end(&mut self) {
        for connection in 0..8 {
            self.input(Input::Disconnected { connection: ConnectionId(connection) });
            self.drain();
        }
        for _ in 0..64 {
            let Some(due) = self.finder.poll_timeout() else { return };
            self.now = self.now.max(due);
            self.finder.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.finder.poll_timeout().is_none_or(|due| due > self.now), "a timer that never ends");
    }
}

fn mailbox(which: u8) -> (PublicKey, MailboxId, Seed) {
    let seed = Seed::new([which % 4 + 10; 32]);
    let key = seed.public_key();
    (key, MailboxId::of(&key), seed)
}
