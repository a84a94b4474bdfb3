use crate::NOW;
use crate::input::Input as Bytes;
use openpeer_core::document::{Chain, DomainDocument, Draft, FinderEntry, PeerId, Salt, V1};
use openpeer_core::finder::{Hello, Limits};
use openpeer_core::frame::{Frame, Header, Nonce};
use openpeer_core::key::{InboxSecret, Keyring, Seed};
use openpeer_core::peer::{
    Config, ConnectionId, ContactState, HttpResponse, InboxUse, Input, KnockId, LinkId, OperationId, Output,
    PeerMachine, RequestId, Target,
};
use openpeer_core::transport::{Candidate, Fingerprint, IceCredentials, TransportParameters};
use openpeer_core::uri::{Address, Domain, FinderUrl};
use openpeer_core::{Code, Time};
use std::cell::LazyCell;
use std::collections::{BTreeMap, VecDeque};

/// Outputs that one input may lead to, far above what any does.
const MAX_OUTPUTS: usize = 10_000;

thread_local! {
    /// What a location has on disk once its documents are made; making them costs time.
    static DISK: LazyCell<Disk> = LazyCell::new(Disk::create);
}

/// Lets finders, domains, the other end of links and the user do anything in any order to a peer machine, which has
/// genuine keys and a genuine finder to begin with. It must neither panic nor run on for ever, and a machine made from
/// what it persisted must be itself again.
pub fn peer_machine(data: &[u8]) {
    DISK.with(|disk| {
        let mut stage = Stage::set(Disk::clone(disk));
        let mut input = Bytes::new(data);
        while !input.is_empty() {
            stage.step(&mut input);
        }
        stage.restart();
    });
}

#[derive(Clone)]
struct Disk {
    chain: Chain,
    records: BTreeMap<String, Vec<u8>>,
    inbox: Vec<InboxSecret>,
}

fn root() -> Seed {
    Seed::new([1; 32])
}

fn location() -> Seed {
    Seed::new([2; 32])
}

fn domain_key() -> Seed {
    Seed::new([3; 32])
}

fn domain() -> Domain {
    Domain::from_text("b.test").expect("a domain")
}

fn finder() -> FinderUrl {
    FinderUrl::from_text("wss://b.test/finder").expect("a finder URL")
}

impl Disk {
    fn create() -> Self {
        let draft = Chain::draft_inception(&root().public_key(), Vec::new(), Salt([4; 16]), NOW);
        let signature = root().sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature).expect("an inception makes a chain");
        let mut stage = Stage::set(Self { chain, records: BTreeMap::new(), inbox: Vec::new() });
        stage.answer_requests();
        stage.disk
    }
}

struct Stage {
    machine: PeerMachine,
    keys: Keyring,
    disk: Disk,
    now: Time,
    /// Requests to the domain that wait for an answer, with their paths.
    requests: VecDeque<(OperationId, String)>,
    connections: Vec<ConnectionId>,
    links: Vec<LinkId>,
    knocks: Vec<KnockId>,
    next_request: u64,
    outputs: usize,
}

impl Stage {
    fn set(disk: Disk) -> Self {
        let (machine, keys) = boot(&disk, NOW);
        let mut stage = Self {
            machine,
            keys,
            disk,
            now: NOW,
            requests: VecDeque::new(),
            connections: Vec::new(),
            links: Vec::new(),
            knocks: Vec::new(),
            next_request: 1,
            outputs: 0,
        };
        stage.feed(Input::Start);
        stage
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let (what, which) = (input.byte(), usize::from(input.byte()));
        let connection = self.connections.get(which % self.connections.len().max(1)).copied();
        let connection = connection.unwrap_or(ConnectionId(which as u64));
        let link = self.links.get(which % self.links.len().max(1)).copied().unwrap_or(LinkId(which as u64));
        match what % 16 {
            0 => self.feed(Input::FinderOpen { connection }),
            1 => self.feed(Input::FinderClosed { connection }),
            2 => self.feed(Input::FinderFrame { connection, bytes: input.piece().to_vec() }),
            3 => self.greet(connection),
            4 => self.feed(Input::FinderFrame { connection, bytes: frame(input) }),
            5 => self.answer_request(input),
            6 => self.answer_requests(),
            7 => self.wish(which, input),
            8 => self.feed(Input::LinkPrepared { link, local: parameters(which) }),
            9 => self.feed(Input::LinkCandidates {
                link,
                candidates: vec![candidate(which)],
                end: which % 2 == 0,
            }),
            10 => self.feed(Input::LinkOpen { link }),
            11 => self.feed(Input::LinkControl { link, bytes: input.piece().to_vec() }),
            12 => self.feed(Input::LinkEnded { link, reason: Code::ConnectFailed }),
            13 => self.feed(Input::CloseLink { link }),
            14 => self.pass(u64::from(input.short()) << (which % 16)),
            _ => self.user(which),
        }
    }

    /// The finder's genuine greeting.
    fn greet(&mut self, connection: ConnectionId) {
        let hello = Hello {
            v: V1,
            domain: domain(),
            finder: finder(),
            nonce: Nonce([5; 32]),
            time: self.now,
            stun: Vec::new(),
            limits: Limits::PROTOCOL,
        };
        let jws = sign(hello, &domain_key());
        self.feed(Input::FinderFrame { connection, bytes: Frame::bare(Header::Hello { jws }).encode() });
    }

    fn answer_request(&mut self, input: &mut Bytes<'_>) {
        let Some((operation, _)) = self.requests.pop_front() else { return };
        let result = match input.byte() {
            0 => Err(Code::DomainUnreachable),
            status => Ok(HttpResponse { status: 200 + 2 * u16::from(status), body: input.piece().to_vec() }),
        };
        self.feed(Input::Http { operation, result });
    }

    /// Answers as the genuine domain does to whoever asks for its document.
    fn answer_requests(&mut self) {
        while let Some((operation, path)) = self.requests.pop_front() {
            let status = if path == "/.well-known/openpeer" { 200 } else { 404 };
            let body = format!(r#"{{"domain":"{}"}}"#, self.domain_document()).into_bytes();
            self.feed(Input::Http { operation, result: Ok(HttpResponse { status, body }) });
            if self.outputs > MAX_OUTPUTS {
                return;
            }
        }
    }

    fn domain_document(&self) -> String {
        let document = DomainDocument {
            v: V1,
            domain: domain(),
            seq: self.now.as_secs(),
            iat: self.now,
            exp: self.now + 86_400_000,
            keys: vec![domain_key().public_key()],
            finders: vec![FinderEntry { url: finder(), priority: 0, weight: 1 }],
            stun: Vec::new(),
            contact: None,
        };
        sign(document, &domain_key())
    }

    fn wish(&mut self, which: usize, input: &mut Bytes<'_>) {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        let text = String::from_utf8_lossy(input.piece()).into_owned();
        let target = match (which % 3, Address::from_text(&text)) {
            (0, Ok(address)) => Target::Address(address),
            (1, _) => Target::Contact(PeerId::of_inception(text.as_bytes())),
            _ => match Address::from_text("alice@b.test") {
                Ok(address) => Target::Address(address),
                Err(_) => return,
            },
        };
        self.feed(Input::Connect { request, target, text });
    }

    fn user(&mut self, which: usize) {
        let request = RequestId(self.next_request);
        let knock = self.knocks.last().copied().unwrap_or(KnockId([which as u8; 16]));
        let peer = self.machine.contacts().next().map_or(self.machine.peer(), |contact| contact.peer);
        let states = [ContactState::None, ContactState::Contact, ContactState::Blocked];
        match which % 8 {
            0 => self.feed(Input::AcceptKnock { knock, request }),
            1 => self.feed(Input::DeclineKnock { knock }),
            2 => self.feed(Input::SetContact { peer, state: states[which / 8 % 3] }),
            3 => self.feed(Input::RenewDocuments),
            4 => self.feed(Input::Cancel { request: RequestId(self.next_request - 1) }),
            5 => self.feed(Input::RenameContact { peer, name: "somebody".to_owned() }),
            6 => self.feed(Input::SetSiblings { siblings: vec![location().public_key().id()] }),
            _ => self.feed(Input::Start),
        }
        self.next_request += 1;
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis.min(40 * 86_400_000);
        let mut wakes = 0;
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.carry_out();
            wakes += 1;
            // A machine that is kept from its finder for a month tries again and again, and may.
            if wakes > 500 || self.outputs > MAX_OUTPUTS {
                break;
            }
        }
        self.now = end;
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle_input(self.now, input);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut answers = VecDeque::new();
        let mut count = 0;
        loop {
            while let Some(output) = self.machine.poll_output() {
                count += 1;
                assert!(count < MAX_OUTPUTS, "a machine comes to rest");
                answers.extend(self.serve(output));
            }
            let Some(answer) = answers.pop_front() else { break };
            self.machine.handle_input(self.now, answer);
        }
        self.outputs += count;
    }

    fn serve(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Persist { key, value } => {
                assert!(key.len() <= 300 && key.bytes().all(|b| b.is_ascii_graphic()), "{key}");
                match value {
                    Some(value) => self.disk.records.insert(key, value),
                    None => self.disk.records.remove(&key),
                };
                None
            }
            Output::Sign { operation, key, input } => {
                let signature = self.keys.sign(&key, &input).ok()?;
                Some(Input::Signed { operation, signature })
            }
            Output::Open { operation, request } => {
                Some(Input::Opened { operation, result: self.keys.open(&request) })
            }
            Output::CreateInboxKey { operation, usage } => {
                let secret = match usage {
                    InboxUse::Guest(period) => self.keys.guest_inbox(period),
                    // The same one every time: keys cost more than everything else here.
                    InboxUse::Daily | InboxUse::Pair(_) => InboxSecret::new([6; 32]),
                };
                let key = self.keys.add_inbox(secret.clone());
                if !self.disk.inbox.contains(&secret) {
                    self.disk.inbox.push(secret);
                }
                Some(Input::InboxKey { operation, key })
            }
            Output::PublicKey { operation, key } => {
                let key = self.keys.public_key(&key).ok()?;
                Some(Input::PublicKey { operation, key })
            }
            Output::Http { operation, request } => {
                self.requests.push_back((operation, request.path));
                None
            }
            Output::Dial { connection, url: _ } => {
                self.connections.push(connection);
                None
            }
            Output::Send { connection: _, bytes } => {
                Frame::decode(&bytes).expect("a peer writes frames that it can read");
                None
            }
            Output::PrepareLink { link, .. } => {
                self.links.push(link);
                None
            }
            Output::Event(openpeer_core::peer::Event::Knock { knock, .. }) => {
                self.knocks.push(knock);
                None
            }
            _ => None,
        }
    }

    /// A machine made from what was persisted is the same peer and knows the same people.
    fn restart(&mut self) {
        let (again, _) = boot(&self.disk, self.now);
        assert_eq!(again.peer(), self.machine.peer());
        let known =
            |machine: &PeerMachine| machine.contacts().map(|contact| contact.peer).collect::<Vec<_>>();
        assert_eq!(known(&again), known(&self.machine));
    }
}

fn boot(disk: &Disk, now: Time) -> (PeerMachine, Keyring) {
    let mut keys = Keyring::new(root(), location());
    for secret in &disk.inbox {
        keys.add_inbox(secret.clone());
    }
    let config = Config {
        chain: disk.chain.clone(),
        location_key: location().public_key(),
        domains: vec![domain()],
        development: false,
    };
    let machine = PeerMachine::new(config, disk.records.clone(), [7; 32], now);
    (machine.expect("a machine reads what it wrote"), keys)
}

/// A well-formed frame of some kind, with any body.
fn frame(input: &mut Bytes<'_>) -> Vec<u8> {
    let (what, x) = (input.byte(), u32::from(input.byte() % 4));
    let x = if what >= 128 { x + openpeer_core::finder::FIRST_LOCATION_EXCHANGE } else { x };
    let header = match what % 6 {
        0 => Header::Answer { x },
        1 => Header::More { x },
        2 => return Frame::bare(Header::Done { x }).encode(),
        3 => return Frame::bare(Header::Accepted { x }).encode(),
        4 => return Frame::bare(Header::Attached { tickets: Vec::new(), turn: Vec::new() }).encode(),
        _ => {
            return Frame::error(Some(x), Code::ALL[usize::from(input.byte()) % Code::ALL.len()], None)
                .encode();
        }
    };
    Frame { header, body: input.piece().to_vec() }.encode()
}

fn parameters(which: usize) -> TransportParameters {
    TransportParameters {
        fingerprint: Fingerprint([which as u8; 32]),
        ice: IceCredentials { ufrag: "ufra".to_owned(), pwd: "p".repeat(24) },
        candidates: vec![candidate(which)],
    }
}

fn candidate(which: usize) -> Candidate {
    Candidate(format!("candidate:1 1 udp 2130706431 45.0.0.{which} 9 typ host"))
}

fn sign<D: openpeer_core::document::Document>(document: D, key: &Seed) -> String {
    let draft = Draft::new(document, key.public_key().id());
    let signature = key.sign(draft.signing_input());
    draft.finish(&signature).compact().to_owned()
}
