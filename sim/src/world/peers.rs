//! Peers: the shell around a peer machine, its disk, and the person who uses it.

use super::event::{Event, Toward};
use super::links::EndId;
use super::streams::{Opener, Segment, StreamId};
use super::{Domain, Peer, World};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::network::Host;
use openpeer_core::document::PeerId;
use openpeer_core::key::{InboxSecret, KeyId, Keyring, RecoveryCode};
use openpeer_core::peer::{
    self, ConnectionId, ContactState, InboxUse, Input, KnockId, LinkId, OperationId, Output, PeerMachine,
    RequestId, Target,
};
use openpeer_core::uri::Address;
use openpeer_core::{Code, Error, Time};
use std::collections::{BTreeMap, VecDeque};

/// A location: its device, its program and the person in front of it.
pub(super) struct PeerNode {
    pub(super) name: String,
    pub(super) host: Host,
    pub(super) disk: Disk,
    code: RecoveryCode,
    /// How far its clock is ahead, milliseconds.
    skew: i64,
    manners: Manners,
    program: Option<Program>,
    /// Counts the starts of the program, so that nothing from before a crash reaches it.
    pub(super) life: u32,
    dice: Dice,
    /// Ends the program before it carries out this many more outputs.
    fuse: Option<u32>,
    pub(super) diary: Vec<(Time, peer::Event)>,
    pub(super) open_requests: BTreeMap<RequestId, Time>,
    /// Links that are open by what the user was told.
    pub(super) open_links: BTreeMap<LinkId, PeerId>,
    hostile: Option<OutputTamper>,
    wakes: (Time, u32),
}

struct Program {
    machine: PeerMachine,
    keys: Keyring,
    streams: BTreeMap<ConnectionId, StreamId>,
    links: BTreeMap<LinkId, EndId>,
    wake: Option<Time>,
}

/// What a person does about a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Nothing: the test decides.
    Wait,
    /// Accepts after so many milliseconds.
    Accept(u64),
    /// Declines after so many milliseconds.
    Decline(u64),
}

/// Decides what a hostile program really does instead of what its machine wants.
pub type OutputTamper = Box<dyn FnMut(Output) -> Vec<Output>>;

impl World {
    /// Adds a peer with one location, which is not started yet.
    ///
    /// # Panics
    /// Never: a new chain is valid.
    pub fn add_peer(&mut self, name: &str, domains: &[Domain]) -> Peer {
        let domains = domains.iter().map(|domain| self.domain_name(*domain).clone()).collect();
        let created = Disk::create(domains, self.now, &mut self.dice);
        let (disk, code) = created.expect("a new chain is valid");
        self.add_device(name, disk, code)
    }

    /// Adds another location of the same peer, which imports the root and the contacts of the first.
    ///
    /// # Panics
    /// Never: the first location's chain is valid.
    pub fn add_location(&mut self, of: Peer, name: &str) -> Peer {
        let imported = self.peers[of.0].disk.import(&mut self.dice);
        let disk = imported.expect("the first location's chain is valid");
        let code = self.peers[of.0].code.clone();
        self.add_device(name, disk, code)
    }

    /// A user tells running locations of one peer of each other; one that is left out is revoked.
    pub fn tell_siblings(&mut self, locations: &[Peer]) {
        let siblings: Vec<KeyId> = locations.iter().map(|peer| self.location(*peer)).collect();
        for peer in locations {
            self.feed(*peer, Input::SetSiblings { siblings: siblings.clone() });
        }
    }

    /// A device with a copy of another one's disk: a thief's, or a restored backup.
    pub fn add_copy(&mut self, of: Peer, name: &str) -> Peer {
        let disk = self.peers[of.0].disk.clone();
        let unknown = RecoveryCode::from_entropy(self.dice.bytes());
        self.add_device(name, disk, unknown)
    }

    fn add_device(&mut self, name: &str, disk: Disk, code: RecoveryCode) -> Peer {
        self.peers.push(PeerNode {
            name: name.to_owned(),
            host: self.network.add_host(),
            disk,
            code,
            skew: 0,
            manners: Manners::Wait,
            program: None,
            life: 0,
            dice: self.dice.fork(),
            fuse: None,
            diary: Vec::new(),
            open_requests: BTreeMap::new(),
            open_links: BTreeMap::new(),
            hostile: None,
            wakes: (self.now, 0),
        });
        Peer(self.peers.len() - 1)
    }

    /// Starts a peer's program from its disk.
    ///
    /// # Panics
    /// If the disk is damaged, which only a defect can do.
    pub fn start(&mut self, peer: Peer) {
        self.record("start", &[&peer.0.to_be_bytes()]);
        let now = self.clock(peer);
        let node = &mut self.peers[peer.0];
        let config = node.disk.config().expect("the machine wrote a chain that it can read");
        let keys = node.disk.keyring().expect("the machine wrote a chain that it can read");
        let machine = PeerMachine::new(config, node.disk.records.clone(), node.dice.bytes(), now)
            .expect("the machine wrote records that it can read");
        node.life += 1;
        node.program =
            Some(Program { machine, keys, streams: BTreeMap::new(), links: BTreeMap::new(), wake: None });
        self.feed(peer, Input::Start);
        // People look at what waits for them.
        let machine = self.program(peer).map(|program| &program.machine);
        let waiting: Vec<peer::Event> = machine.into_iter().flat_map(PeerMachine::pending_knocks).collect();
        for event in waiting {
            self.told(peer, event);
        }
    }

    /// Ends a peer's program at once: what it did not carry out never happens.
    pub fn crash(&mut self, peer: Peer) {
        self.record("crash", &[&peer.0.to_be_bytes()]);
        let now = self.now;
        let gone = self.peers[peer.0]
            .disk
            .domains
            .clone()
            .into_iter()
            .map(|domain| (now, peer::Event::Offline(domain)));
        self.peers[peer.0].diary.extend(gone);
        let Some(program) = self.peers[peer.0].program.take() else { return };
        self.drop_streams_of(peer);
        for end in program.links.into_values() {
            self.vanish(end);
        }
        self.peers[peer.0].open_requests.clear();
        self.peers[peer.0].open_links.clear();
    }

    /// Ends a peer's program before it carries out its next `outputs`th output.
    pub fn light_fuse(&mut self, peer: Peer, outputs: u32) {
        self.peers[peer.0].fuse = Some(outputs);
    }

    /// Takes back [`Self::light_fuse`].
    pub fn put_out_fuse(&mut self, peer: Peer) {
        self.peers[peer.0].fuse = None;
    }

    /// Whether a peer's program runs.
    #[must_use]
    pub fn is_running(&self, peer: Peer) -> bool {
        self.peers[peer.0].program.is_some()
    }

    /// Sets how far a peer's clock is ahead, milliseconds; negative if it is behind.
    pub fn set_skew(&mut self, peer: Peer, skew: i64) {
        self.peers[peer.0].skew = skew;
    }

    /// Sets what a person does about knocks.
    pub fn set_manners(&mut self, peer: Peer, manners: Manners) {
        self.peers[peer.0].manners = manners;
    }

    /// Makes a peer's program hostile.
    pub fn tamper_with_outputs(&mut self, peer: Peer, tamper: OutputTamper) {
        self.peers[peer.0].hostile = Some(tamper);
    }

    /// A peer's clock.
    #[must_use]
    pub fn clock(&self, peer: Peer) -> Time {
        Time::from_millis(self.now.as_millis().saturating_add_signed(self.peers[peer.0].skew))
    }

    /// A peer's id.
    ///
    /// # Panics
    /// Never: disks hold valid chains.
    #[must_use]
    pub fn id(&self, peer: Peer) -> PeerId {
        self.peers[peer.0].disk.chain().expect("disks hold valid chains").peer()
    }

    /// A location's id.
    #[must_use]
    pub fn location(&self, peer: Peer) -> KeyId {
        self.peers[peer.0].disk.location.public_key().id()
    }

    /// What a peer's device keeps.
    #[must_use]
    pub fn disk(&self, peer: Peer) -> &Disk {
        &self.peers[peer.0].disk
    }

    /// The recovery code of a peer, which stands on paper.
    #[must_use]
    pub fn recovery_code(&self, peer: Peer) -> &RecoveryCode {
        &self.peers[peer.0].code
    }

    /// The host of a peer.
    #[must_use]
    pub fn peer_host(&self, peer: Peer) -> Host {
        self.peers[peer.0].host
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = Peer> + use<> {
        (0..self.peers.len()).map(Peer)
    }

    /// Links that are open by what a peer's user was told, and with whom.
    #[must_use]
    pub fn open_links(&self, peer: Peer) -> Vec<(LinkId, PeerId)> {
        self.peers[peer.0].open_links.iter().map(|(link, other)| (*link, *other)).collect()
    }

    /// Everybody whom a peer's machine knows, and what they are to its user.
    #[must_use]
    pub fn contacts(&self, peer: Peer) -> Vec<(PeerId, ContactState)> {
        let machine = self.peers[peer.0].program.as_ref().map(|program| &program.machine);
        machine
            .into_iter()
            .flat_map(|machine| machine.contacts().map(|entry| (entry.peer, entry.state)))
            .collect()
    }

    /// Whether a peer's machine last said that it can be found through all its domains.
    #[must_use]
    pub fn is_online(&self, peer: Peer) -> bool {
        let last = |domain: &openpeer_core::uri::Domain| {
            self.diary(peer).iter().rev().find_map(|(_, event)| match event {
                peer::Event::Online(at) if at == domain => Some(true),
                peer::Event::Offline(at) if at == domain => Some(false),
                _ => None,
            })
        };
        self.is_running(peer)
            && self.peers[peer.0].disk.domains.iter().all(|domain| last(domain) == Some(true))
    }

    /// How a request ended: with a link or an error; `None` while it has not.
    #[must_use]
    pub fn outcome(&self, peer: Peer, request: RequestId) -> Option<Result<LinkId, Error>> {
        self.diary(peer).iter().find_map(|(_, event)| match event {
            peer::Event::LinkOpen { link, request: Some(r), .. } if *r == request => Some(Ok(*link)),
            peer::Event::RequestFailed { request: r, error } if *r == request => Some(Err(error.clone())),
            _ => None,
        })
    }

    /// What a machine knows of somebody.
    #[must_use]
    pub fn contact_state(&self, peer: Peer, other: PeerId) -> ContactState {
        let machine = self.peers[peer.0].program.as_ref().map(|program| &program.machine);
        let contact = machine.and_then(|machine| machine.contacts().find(|contact| contact.peer == other));
        contact.map_or(ContactState::None, |contact| contact.state)
    }

    /// Everything a peer's machine told its user, oldest first.
    #[must_use]
    pub fn diary(&self, peer: Peer) -> &[(Time, peer::Event)] {
        &self.peers[peer.0].diary
    }

    /// Codes of the alarms that a peer's machine raised.
    #[must_use]
    pub fn alarms(&self, peer: Peer) -> Vec<Code> {
        let alarm = |(_, event): &(Time, peer::Event)| match event {
            peer::Event::Alarm { error, .. } => Some(error.code()),
            _ => None,
        };
        self.diary(peer).iter().filter_map(alarm).collect()
    }

    /// A user wants a link with whoever has this address: `bob@b.test`, a peer id or a peer URI.
    ///
    /// # Panics
    /// If `address` is none.
    pub fn connect(&mut self, peer: Peer, address: &str) -> RequestId {
        let target = Target::Address(Address::from_text(address).expect("the caller writes an address"));
        self.connect_to(peer, target)
    }

    /// A user wants a link with a contact.
    pub fn connect_contact(&mut self, peer: Peer, contact: PeerId) -> RequestId {
        self.connect_to(peer, Target::Contact(contact))
    }

    fn connect_to(&mut self, peer: Peer, target: Target) -> RequestId {
        let request = self.new_request(peer);
        self.consent_to_target(peer, &target);
        self.feed(peer, Input::Connect { request, target, text: "hello".to_owned() });
        request
    }

    /// A user accepts a knock.
    pub fn accept(&mut self, peer: Peer, knock: KnockId) -> RequestId {
        let request = self.new_request(peer);
        self.consent_to_knock(peer, knock);
        self.feed(peer, Input::AcceptKnock { knock, request });
        request
    }

    /// A user claims a name at a domain.
    ///
    /// # Panics
    /// If `name` is none.
    pub fn claim(&mut self, peer: Peer, name: &str, domain: Domain) -> RequestId {
        let request = self.new_request(peer);
        let name = openpeer_core::document::Name::from_text(name).expect("the caller writes a name");
        let domain = self.domain_name(domain).clone();
        self.feed(peer, Input::ClaimName { request, name, domain, invite: None });
        request
    }

    /// A user changes what somebody is to them.
    pub fn set_contact(&mut self, peer: Peer, other: PeerId, state: ContactState) {
        self.change_consent(peer, other, state);
        self.feed(peer, Input::SetContact { peer: other, state });
    }

    /// A user types the recovery code and rotates the root key.
    ///
    /// # Panics
    /// If the peer does not run.
    pub fn rotate(&mut self, peer: Peer, code: &RecoveryCode) {
        let node = &mut self.peers[peer.0];
        let program = node.program.as_mut().expect("only a running program rotates");
        let chain = program.machine.chain();
        let (salt, next_seq) = (chain.salt().0, chain.seq() + 1);
        let (root, next) = program.keys.stage_rotation(code, &salt, next_seq);
        node.disk.staged = Some(code.root_seed(&salt, next_seq));
        self.feed(peer, Input::Rotate { root, next });
    }

    fn new_request(&mut self, peer: Peer) -> RequestId {
        let request = RequestId(self.fresh_id());
        let now = self.now;
        self.peers[peer.0].open_requests.insert(request, now);
        request
    }

    /// Tells a machine something, and carries out what it wants done.
    pub fn feed(&mut self, peer: Peer, input: Input) {
        self.settle(peer, VecDeque::from([input]));
    }

    /// Tells a machine what is waiting for it until nothing is.
    fn settle(&mut self, peer: Peer, mut inputs: VecDeque<Input>) {
        while let Some(input) = inputs.pop_front() {
            let now = self.clock(peer);
            let Some(program) = self.program(peer) else { return };
            program.machine.handle_input(now, input);
            self.serve(peer, &mut inputs);
        }
        self.plan_wake(peer);
    }

    /// The same, unless the program was restarted meanwhile.
    pub(super) fn feed_alive(&mut self, peer: Peer, life: u32, input: Input) {
        if self.peers[peer.0].life == life {
            self.feed(peer, input);
        }
    }

    pub(super) fn peer_wakes(&mut self, peer: Peer) {
        let now = self.clock(peer);
        let world_now = self.now;
        let Some(program) = &mut self.peers[peer.0].program else { return };
        if program.wake != Some(world_now) {
            return;
        }
        program.wake = None;
        program.machine.handle_timeout(now);
        let mut inputs = VecDeque::new();
        self.serve(peer, &mut inputs);
        self.settle(peer, inputs);
        self.watch_spinning(peer);
    }

    fn watch_spinning(&mut self, peer: Peer) {
        let now = self.now;
        let wakes = &mut self.peers[peer.0].wakes;
        *wakes = if wakes.0 == now { (now, wakes.1 + 1) } else { (now, 1) };
        if wakes.1 > crate::defaults::MAX_WAKES_AT_ONCE {
            let name = self.peers[peer.0].name.clone();
            self.violation(format!("{name} wakes again and again at one moment"));
            self.crash(peer);
        }
    }

    /// Carries out everything that a machine wants done, in its order.
    fn serve(&mut self, peer: Peer, inputs: &mut VecDeque<Input>) {
        while let Some(output) = self.next_output(peer) {
            let outputs = match &mut self.peers[peer.0].hostile {
                Some(tamper) => tamper(output),
                None => vec![output],
            };
            for output in outputs {
                inputs.extend(self.carry_out(peer, output));
            }
        }
    }

    fn next_output(&mut self, peer: Peer) -> Option<Output> {
        let node = &mut self.peers[peer.0];
        let output = node.program.as_mut()?.machine.poll_output()?;
        match &mut node.fuse {
            Some(0) => {
                node.fuse = None;
                self.crash(peer);
                None
            }
            Some(left) => {
                *left -= 1;
                Some(output)
            }
            None => Some(output),
        }
    }

    fn carry_out(&mut self, peer: Peer, output: Output) -> Option<Input> {
        match output {
            Output::Persist { key, value } => self.persist(peer, key, value),
            Output::Sign { operation, key, input } => {
                let signature = self.keys(peer)?.sign(&key, &input).ok()?;
                return Some(Input::Signed { operation, signature });
            }
            Output::Open { operation, request } => {
                let result = self.keys(peer)?.open(&request);
                return Some(Input::Opened { operation, result });
            }
            Output::CreateInboxKey { operation, usage } => {
                return self.create_inbox_key(peer, operation, usage);
            }
            Output::ForgetInboxKey { key } => {
                self.keys(peer)?.forget_inbox(&key);
                self.peers[peer.0].disk.inbox.remove(&key);
            }
            Output::PublicKey { operation, key } => {
                let key = self.keys(peer)?.public_key(&key).ok()?;
                return Some(Input::PublicKey { operation, key });
            }
            Output::CommitRotation => {
                let keys = self.keys(peer)?;
                keys.commit_rotation();
                let root = keys.root().clone();
                let disk = &mut self.peers[peer.0].disk;
                (disk.root, disk.staged) = (root, None);
            }
            Output::Http { operation, request } => return self.request(peer, operation, request),
            Output::Dial { connection, url } => return self.dial(peer, connection, url.as_str()),
            Output::Send { connection, bytes } => {
                let stream = *self.program(peer)?.streams.get(&connection)?;
                self.send(stream, Toward::Server, Segment::Frame(bytes));
            }
            Output::Hangup { connection } => {
                let stream = self.program(peer)?.streams.remove(&connection)?;
                self.close_end(stream, Toward::Client);
            }
            Output::PrepareLink { link, role, stun, turn: _, relay_only } => {
                return Some(self.prepare_link(peer, link, role, &stun, relay_only));
            }
            Output::StartLink { link, remote } => self.start_end(self.end(peer, link)?, remote),
            Output::AddCandidates { link, candidates } => {
                self.add_candidates(self.end(peer, link)?, candidates)
            }
            Output::RestartIce { link, answer, ice, candidates } => {
                let end = self.end(peer, link)?;
                return self.remote_restarts(end, answer, ice, candidates);
            }
            Output::SendControl { link, bytes } => self.send_control(self.end(peer, link)?, bytes),
            Output::EndLink { link, reason: _ } => {
                let end = self.program(peer)?.links.remove(&link)?;
                self.end_link(end);
            }
            Output::Event(event) => self.told(peer, event),
        }
        None
    }

    fn persist(&mut self, peer: Peer, key: String, value: Option<Vec<u8>>) {
        self.record(
            "persist",
            &[&peer.0.to_be_bytes(), key.as_bytes(), value.as_deref().unwrap_or_default()],
        );
        let records = &mut self.peers[peer.0].disk.records;
        match value {
            Some(value) => records.insert(key, value),
            None => records.remove(&key),
        };
    }

    fn create_inbox_key(&mut self, peer: Peer, operation: OperationId, usage: InboxUse) -> Option<Input> {
        let random = self.peers[peer.0].dice.bytes();
        let keys = self.keys(peer)?;
        let secret = match usage {
            InboxUse::Guest(period) => keys.guest_inbox(period),
            InboxUse::Daily | InboxUse::Pair(_) => InboxSecret::new(random),
        };
        let key = keys.add_inbox(secret.clone());
        self.peers[peer.0].disk.inbox.insert(key.id(), secret);
        Some(Input::InboxKey { operation, key })
    }

    fn request(&mut self, peer: Peer, operation: OperationId, request: peer::HttpRequest) -> Option<Input> {
        let Some(server) = self.web_server(&request.domain) else {
            return Some(Input::Http { operation, result: Err(Code::DomainUnreachable) });
        };
        let node = &self.peers[peer.0];
        let opener = Opener::Request { peer, life: node.life, operation, request };
        self.open_stream(node.host, server, opener);
        None
    }

    fn dial(&mut self, peer: Peer, connection: ConnectionId, url: &str) -> Option<Input> {
        self.dials.push((self.now, peer));
        let Some(server) = self.server_at(url) else { return Some(Input::FinderClosed { connection }) };
        let node = &self.peers[peer.0];
        let opener = Opener::Peer { peer, life: node.life, connection };
        let stream = self.open_stream(node.host, server, opener);
        self.program(peer)?.streams.insert(connection, stream);
        None
    }

    fn told(&mut self, peer: Peer, event: peer::Event) {
        self.record("event", &[&peer.0.to_be_bytes(), format!("{event:?}").as_bytes()]);
        self.check_event(peer, &event);
        if let peer::Event::Knock { knock, .. } = &event {
            self.think_about(peer, *knock);
        }
        let now = self.now;
        self.peers[peer.0].diary.push((now, event));
    }

    fn think_about(&mut self, peer: Peer, knock: KnockId) {
        let node = &self.peers[peer.0];
        let (after, accept) = match node.manners {
            Manners::Wait => return,
            Manners::Accept(after) => (after, true),
            Manners::Decline(after) => (after, false),
        };
        let life = node.life;
        self.plan(self.now + after, Event::Answer { peer, life, knock, accept });
    }

    pub(super) fn answer_knock(&mut self, peer: Peer, life: u32, knock: KnockId, accept: bool) {
        if self.peers[peer.0].life != life || !self.is_running(peer) {
            return;
        }
        if accept {
            self.accept(peer, knock);
        } else {
            self.feed(peer, Input::DeclineKnock { knock });
        }
    }

    fn plan_wake(&mut self, peer: Peer) {
        let now = self.now;
        let node = &mut self.peers[peer.0];
        let Some(program) = &mut node.program else { return };
        let Some(at) = program.machine.poll_timeout() else { return };
        let at = Time::from_millis(at.as_millis().saturating_add_signed(-node.skew)).max(now);
        if program.wake.is_none_or(|planned| at < planned) {
            program.wake = Some(at);
            self.plan(at, Event::PeerWake(peer));
        }
    }

    fn program(&mut self, peer: Peer) -> Option<&mut Program> {
        self.peers[peer.0].program.as_mut()
    }

    fn keys(&mut self, peer: Peer) -> Option<&mut Keyring> {
        self.program(peer).map(|program| &mut program.keys)
    }

    fn end(&self, peer: Peer, link: LinkId) -> Option<EndId> {
        self.peers[peer.0].program.as_ref()?.links.get(&link).copied()
    }

    pub(super) fn bind_end(&mut self, peer: Peer, link: LinkId, end: EndId) {
        if let Some(program) = self.program(peer) {
            program.links.insert(link, end);
        }
    }

    pub(super) fn unbind_end(&mut self, peer: Peer, link: LinkId) {
        if let Some(program) = self.program(peer) {
            program.links.remove(&link);
        }
    }
}
