//! The peer machine under arbitrary inputs from network, links and users, with a keyring that answers for it.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;
use openpeer_core::document::{Chain, PeerId, Salt};
use openpeer_core::key::{InboxSecret, Keyring, RecoveryCode, Seed};
use openpeer_core::peer::{
    Config, ConnectionId, HttpResponse, InboxUse, Input, LinkId, OperationId, Output, PeerMachine, RequestId,
    Target,
};
use openpeer_core::transport::{Candidate, Fingerprint, IceCredentials, TransportParameters};
use openpeer_core::uri::{Address, Domain};
use openpeer_core::{Code, Time};
use openpeer_fuzz::{START, Script};

struct World {
    machine: PeerMachine,
    keyring: Keyring,
    now: Time,
    inbox_keys: u8,
    connections: Vec<ConnectionId>,
    links: Vec<LinkId>,
    http: Vec<OperationId>,
}

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    world.input(Input::Start);
    let mut script = Script::new(data);
    while !script.is_over() {
        world.step(&mut script);
    }
});

impl World {
    fn new() -> Self {
        let keyring = Keyring::new(Seed::new([1; 32]), Seed::new([2; 32]));
        let (root, salt) = (keyring.root().public_key(), Salt([3; 16]));
        let next = RecoveryCode::from_entropy([4; 16]).root_seed(&salt.0, 1).public_key().commitment();
        let draft = Chain::draft_inception(&root, vec![next], salt, START);
        let signature = keyring.root().sign(draft.signing_input());
        let config = Config {
            chain: Chain::from_inception(draft, &signature).expect("a valid inception"),
            location_key: keyring.location().public_key(),
            domains: vec![Domain::from_text("a.test").expect("a domain")],
            development: false,
        };
        let machine = PeerMachine::new(config, [], [5; 32], START).expect("no records");
        let (connections, links, http) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine, keyring, now: START, inbox_keys: 0, connections, links, http }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let which = usize::from(script.byte());
        let connection = pick(&self.connections, which).unwrap_or(ConnectionId(0));
        let link = pick(&self.links, which).unwrap_or(LinkId(0));
        let input = match script.byte() % 12 {
            0 => Input::FinderOpen { connection },
            1 => Input::FinderFrame { connection, bytes: script.bytes().to_vec() },
            2 => Input::FinderClosed { connection },
            3 => Input::LinkPrepared { link, local: parameters() },
            4 => Input::LinkOpen { link },
            5 => Input::LinkControl { link, bytes: script.bytes().to_vec() },
            6 => Input::LinkEnded { link, reason: Code::ConnectFailed },
            7 => Input::LinkCandidates { link, candidates: vec![candidate()], end: script.byte() % 2 == 0 },
            8 => {
                let Some(operation) = self.http.pop() else { return };
                let status = if script.byte() % 4 == 0 { 404 } else { 200 };
                Input::Http { operation, result: Ok(HttpResponse { status, body: script.bytes().to_vec() }) }
            }
            9 => {
                let text = String::from_utf8_lossy(script.bytes()).into_owned();
                let address = Address::from_text(&text).or_else(|_| Address::from_text("bob@b.test"));
                let target = address.map_or(Target::Contact(PeerId::of_inception(b"x")), Target::Address);
                Input::Connect { request: RequestId(which as u64), target, text }
            }
            10 => Input::RenewDocuments,
            _ => {
                self.now = self.now + u64::from(script.byte()) * 1000;
                self.machine.handle_timeout(self.now);
                return self.drain();
            }
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        self.machine.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            let answer = match output {
                Output::Sign { operation, key, input } => {
                    let Ok(signature) = self.keyring.sign(&key, &input) else { continue };
                    Input::Signed { operation, signature }
                }
                Output::Open { operation, request } => {
                    Input::Opened { operation, result: self.keyring.open(&request) }
                }
                Output::CreateInboxKey { operation, usage } => {
                    self.inbox_keys = self.inbox_keys.wrapping_add(1);
                    let secret = match usage {
                        InboxUse::Guest(period) => self.keyring.guest_inbox(period),
                        InboxUse::Daily | InboxUse::Pair(_) => InboxSecret::new([self.inbox_keys; 32]),
                    };
                    Input::InboxKey { operation, key: self.keyring.add_inbox(secret) }
                }
                Output::PublicKey { operation, key } => {
                    let Ok(key) = self.keyring.public_key(&key) else { continue };
                    Input::PublicKey { operation, key }
                }
                Output::Http { operation, .. } => {
                    self.http.push(operation);
                    continue;
                }
                Output::Dial { connection, .. } => {
                    self.connections.push(connection);
                    continue;
                }
                Output::PrepareLink { link, .. } => {
                    self.links.push(link);
                    continue;
                }
                _ => continue,
            };
            self.machine.handle_input(self.now, answer);
        }
    }
}

fn pick<T: Copy>(list: &[T], which: usize) -> Option<T> {
    list.get(which % list.len().max(1)).copied()
}

fn parameters() -> TransportParameters {
    TransportParameters {
        fingerprint: Fingerprint([6; 32]),
        ice: IceCredentials { ufrag: "ufrag".into(), pwd: "passwordpasswordpassword".into() },
        candidates: vec![candidate()],
    }
}

fn candidate() -> Candidate {
    Candidate("candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host".into())
}
