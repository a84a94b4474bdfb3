//! The peer machine (protocol sections 3 to 7): one location of one peer, from attaching to its finders to the
//! documents that contacts exchange inside a link.
//!
//! # Calling rule
//! Feed everything that happens through [`PeerMachine::handle_input`] and, once [`PeerMachine::poll_timeout`] has
//! passed, [`PeerMachine::handle_timeout`]. After each of the two, call [`PeerMachine::poll_output`] until it returns
//! `None` and carry the outputs out **in that order**; then ask `poll_timeout` again. In particular an
//! [`Output::Persist`] must be durable before a later [`Output::Send`] leaves: that is what makes a restart harmless.
//!
//! # Where a line belongs
//! `own` keeps our documents alive, `home` attaches to the finders of our domains, `finders` owns every connection to
//! a finder, `domains` fetches and pins domain documents, `connect` turns a user's wish into a find or a knock, `seek`
//! runs exchanges that we started, `callee` those that others started, `links` everything inside a link, `contacts` who
//! is who, `names` claiming a name. Each of these files is one `impl PeerMachine` block over its own part of the state.
//!
//! Private keys stay outside: [`Output::Sign`], [`Output::Open`] and their like name keys, the shell answers.

mod callee;
mod connect;
mod contacts;
mod domains;
mod finders;
mod home;
mod io;
mod links;
mod names;
mod own;
mod safety;
mod seek;
mod timer;

pub use contacts::{Contact, ContactState, LinkSetting};
pub use io::{
    ConnectionId, Event, HttpRequest, HttpResponse, InboxUse, Input, KnockId, LinkId, LinkRole, OperationId,
    Output, Progress, RequestId, Target,
};
pub use safety::safety_number;

use crate::document::{Chain, PeerId};
use crate::key::{KeyId, PublicKey};
use crate::seal::ExchangeSecret;
use crate::uri::Domain;
use crate::{Code, Error, Time};
use callee::{Call, ReceivedKnock};
use connect::Request;
use domains::Domains;
use finders::Connection;
use home::Home;
use links::Link;
use own::Own;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use seek::{Seek, SeekId};
use std::collections::{BTreeMap, VecDeque};
use timer::Timer;

/// What a peer machine is created with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The peer's chain, from [`Chain::from_inception`] or as persisted under [`RECORD_CHAIN`].
    pub chain: Chain,
    /// The public half of this location's key.
    pub location_key: PublicKey,
    /// The peer's domains, at most 4, the preferred one first; empty for a peer without one.
    pub domains: Vec<Domain>,
    /// Takes loopback and private addresses of strangers too; for development and tests.
    pub development: bool,
}

/// Record that holds the chain as a JSON array of compact JWS.
pub const RECORD_CHAIN: &str = "self/chain";

/// The peer machine. See the [module documentation](self) for the calling rule.
pub struct PeerMachine {
    config: Config,
    now: Time,
    rng: ChaCha20Rng,
    next_id: u64,
    outputs: VecDeque<Output>,
    timers: BTreeMap<Timer, Time>,
    operations: BTreeMap<OperationId, Operation>,
    own: Own,
    homes: BTreeMap<Domain, Home>,
    domains: Domains,
    connections: BTreeMap<ConnectionId, Connection>,
    contacts: BTreeMap<PeerId, Contact>,
    /// Names under which domains introduced peers to us, `bob@b.test`.
    introduced: BTreeMap<String, PeerId>,
    requests: BTreeMap<RequestId, Request>,
    seeks: BTreeMap<SeekId, Seek>,
    calls: BTreeMap<LinkId, Call>,
    /// Finds from locations that we are finding ourselves, and that have to yield.
    rivals: BTreeMap<SeekId, Call>,
    knocks: BTreeMap<KnockId, ReceivedKnock>,
    links: BTreeMap<LinkId, Link>,
    /// Claims that wait for our front door at their domain.
    waiting_claims: BTreeMap<RequestId, names::Wish>,
    /// Ids of finds that were read, with the inbox key that opened them, and the answer while it may be asked again.
    seen: BTreeMap<(KeyId, crate::message::MessageId), Option<Vec<u8>>>,
}

/// What to do when the shell answers a command.
enum Operation {
    Own(own::Step),
    Home(home::Step),
    Attach(ConnectionId, usize),
    Seek(SeekId, seek::Step),
    Call(callee::Step),
    Http(domains::Fetch),
    Name(RequestId, names::Step),
}

/// One side's view of an exchange's keys.
#[derive(Clone)]
struct ExchangeKeys {
    secret: ExchangeSecret,
    /// Salt of the answering side, once known.
    salt: Option<[u8; 32]>,
    next_counter: u32,
}

impl PeerMachine {
    /// A machine over what was persisted. `records` are the values of all earlier [`Output::Persist`] by key; `seed`
    /// must be fresh randomness. Nothing happens before [`Input::Start`].
    ///
    /// # Errors
    /// `malformed` if a record is damaged; the others are not touched.
    pub fn new(
        config: Config,
        records: impl IntoIterator<Item = (String, Vec<u8>)>,
        seed: [u8; 32],
        now: Time,
    ) -> Result<Self, Error> {
        if config.domains.len() > crate::defaults::MAX_DOMAINS {
            return Err(Error::new(Code::InvalidArgument, "more than 4 domains"));
        }
        let mut machine = Self {
            own: Own::default(),
            config,
            now,
            rng: ChaCha20Rng::from_seed(seed),
            next_id: 1,
            outputs: VecDeque::new(),
            timers: BTreeMap::new(),
            operations: BTreeMap::new(),
            homes: BTreeMap::new(),
            domains: Domains::default(),
            connections: BTreeMap::new(),
            contacts: BTreeMap::new(),
            introduced: BTreeMap::new(),
            requests: BTreeMap::new(),
            seeks: BTreeMap::new(),
            calls: BTreeMap::new(),
            rivals: BTreeMap::new(),
            knocks: BTreeMap::new(),
            links: BTreeMap::new(),
            waiting_claims: BTreeMap::new(),
            seen: BTreeMap::new(),
        };
        for (key, value) in records {
            machine
                .load(&key, &value)
                .map_err(|error| Error::new(Code::Malformed, format!("record {key}: {}", error.detail())))?;
        }
        Ok(machine)
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Start => self.start(),
            Input::Connect { request, target, text } => self.connect(request, target, text),
            Input::Cancel { request } => self.cancel(request),
            Input::AcceptKnock { knock, request } => self.accept_knock(knock, request),
            Input::DeclineKnock { knock } => self.decline_knock(knock),
            Input::SetContact { peer, state } => self.set_contact(peer, state),
            Input::RenameContact { peer, name } => self.rename_contact(peer, name),
            Input::SetLinkSetting { peer, setting } => self.set_link_setting(peer, setting),
            Input::ClaimName { request, name, domain, invite } => {
                self.claim_name(request, name, domain, invite)
            }
            Input::ReleaseName { request, name, domain } => self.release_name(request, name, domain),
            Input::Rotate { root, next } => self.rotate(root, next),
            Input::RenewDocuments => self.renew_documents(),
            Input::SetSiblings { siblings } => self.set_siblings(siblings),
            Input::FinderOpen { connection } => self.finder_open(connection),
            Input::FinderFrame { connection, bytes } => self.finder_frame(connection, &bytes),
            Input::FinderClosed { connection } => self.finder_closed(connection),
            Input::LinkPrepared { link, local } => self.link_prepared(link, local),
            Input::LinkCandidates { link, candidates, end } => self.local_candidates(link, candidates, end),
            Input::LinkOpen { link } => self.link_open(link),
            Input::LinkControl { link, bytes } => self.link_control(link, &bytes),
            Input::LinkIce { link, answer, ice, candidates } => self.send_ice(link, answer, ice, candidates),
            Input::LinkEnded { link, reason } => self.link_ended(link, reason),
            Input::CloseLink { link } => self.close_link(link, Code::Cancelled),
            Input::Signed { operation, signature } => self.signed(operation, signature),
            Input::Opened { operation, result } => self.opened(operation, result),
            Input::InboxKey { operation, key } => self.inbox_key(operation, key),
            Input::PublicKey { operation, key } => self.public_key(operation, key),
            Input::Http { operation, result } => self.http_answered(operation, result),
        }
    }

    /// The time given by [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.due_timer() {
            self.timers.remove(&timer);
            self.fire(timer);
        }
    }

    /// The next command or event, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.values().min().copied()
    }

    /// This peer's id.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.config.chain.peer()
    }

    /// This location's id.
    #[must_use]
    pub fn location(&self) -> KeyId {
        self.config.location_key.id()
    }

    /// This peer's chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.config.chain
    }

    /// Everybody this peer knows, in the order of their ids.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }

    fn signed(&mut self, operation: OperationId, signature: crate::key::Signature) {
        match self.operations.remove(&operation) {
            Some(Operation::Own(step)) => self.own_signed(step, &signature),
            Some(Operation::Attach(connection, index)) => self.attach_signed(connection, index, signature),
            Some(Operation::Seek(seek, step)) => self.seek_signed(seek, step, &signature),
            Some(Operation::Call(step)) => self.call_signed(step, &signature),
            Some(Operation::Name(request, step)) => self.name_signed(request, step, &signature),
            Some(Operation::Home(_) | Operation::Http(_)) | None => {}
        }
    }

    fn opened(&mut self, operation: OperationId, result: Result<crate::seal::Opened, Error>) {
        if let Some(Operation::Call(step)) = self.operations.remove(&operation) {
            self.call_opened(step, result);
        }
    }

    fn inbox_key(&mut self, operation: OperationId, key: crate::seal::InboxKey) {
        if let Some(Operation::Own(step)) = self.operations.remove(&operation) {
            self.own_inbox_key(step, key);
        }
    }

    fn public_key(&mut self, operation: OperationId, key: PublicKey) {
        if let Some(Operation::Home(step)) = self.operations.remove(&operation) {
            self.home_key(step, key);
        }
    }

    fn http_answered(&mut self, operation: OperationId, result: Result<HttpResponse, Code>) {
        match self.operations.remove(&operation) {
            Some(Operation::Http(fetch)) => self.fetched(fetch, result),
            Some(Operation::Name(request, step)) => self.name_answered(request, step, result),
            _ => {}
        }
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn persist(&mut self, key: String, value: &impl serde::Serialize) {
        self.output(Output::Persist { key, value: Some(crate::json::write(value)) });
    }

    fn forget(&mut self, key: String) {
        self.output(Output::Persist { key, value: None });
    }

    const fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn operation(&mut self, operation: Operation) -> OperationId {
        let id = OperationId(self.fresh_id());
        self.operations.insert(id, operation);
        id
    }

    fn sign(&mut self, key: crate::key::SigningKeyName, input: Vec<u8>, then: Operation) {
        let operation = self.operation(then);
        self.output(Output::Sign { operation, key, input });
    }

    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
