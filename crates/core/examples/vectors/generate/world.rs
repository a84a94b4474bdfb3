//! Two peers, two domains and everything between them, without a network: what one end sends, the other receives at
//! once, and a log keeps it. All that decides is the real machines.

mod domain;
mod log;
mod party;

use super::cast::{NOW, Person, finder_url};
use super::json::Json;
use domain::Server;
use log::Log;
use openpeer_core::Time;
use openpeer_core::finder::{self, Source};
use openpeer_core::frame::MailboxId;
use openpeer_core::key::Signature;
use openpeer_core::peer::{ConnectionId, Event, Input, LinkId, Output};
use openpeer_core::transport::TransportParameters;
use openpeer_core::uri::FinderUrl;
use party::Party;
use std::collections::{BTreeMap, VecDeque};

/// Who is who: a person and their domain have the same number.
pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
const DOMAINS: [&str; 2] = ["a.test", "b.test"];

pub(crate) struct World {
    now: Time,
    parties: [Party; 2],
    servers: [Server; 2],
    jobs: VecDeque<Job>,
    /// The finder's end of every connection, by the peer's end.
    sockets: BTreeMap<(usize, ConnectionId), (usize, finder::ConnectionId)>,
    next_socket: u64,
    log: Log,
    events: Vec<(usize, Event)>,
}

enum Job {
    Peer(usize, Input),
    Finder(usize, FinderInput),
}

/// A finder's input that owns its bytes.
enum FinderInput {
    Connected(finder::ConnectionId),
    Frame(finder::ConnectionId, Vec<u8>),
    Disconnected(finder::ConnectionId),
    Signed(finder::ConnectionId, Signature),
    /// Nothing is kept for a guest mailbox that was opened.
    NoKnocks(finder::ConnectionId, MailboxId),
}

impl World {
    pub(crate) fn new() -> Self {
        let people = [Person::alice(), Person::bob()];
        let log = Log::new(&people);
        let [alice, bob] = people;
        Self {
            now: NOW,
            parties: [Party::new(alice, DOMAINS[ALICE]), Party::new(bob, DOMAINS[BOB])],
            servers: DOMAINS.map(Server::new),
            jobs: VecDeque::new(),
            sockets: BTreeMap::new(),
            next_socket: 1,
            log,
            events: Vec::new(),
        }
    }

    /// Tells a peer something and lets everything that follows happen.
    pub(crate) fn tell(&mut self, who: usize, input: Input) {
        self.jobs.push_back(Job::Peer(who, input));
        self.settle();
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn wait(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(next) = self.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.fire();
        }
        self.now = end;
    }

    pub(crate) fn person(&self, who: usize) -> &Person {
        &self.parties[who].person
    }

    /// What the users were told since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<(usize, Event)> {
        std::mem::take(&mut self.events)
    }

    /// What was sent since the last call.
    pub(crate) fn take_log(&mut self) -> Vec<Json> {
        self.log.take()
    }

    /// The secrets that it takes to read the log.
    pub(crate) fn secrets(&self) -> Json {
        self.log.secrets()
    }

    /// The running link of a peer.
    pub(crate) fn link(&self, who: usize) -> Option<LinkId> {
        self.parties[who].link()
    }

    fn settle(&mut self) {
        loop {
            while let Some(job) = self.jobs.pop_front() {
                self.run(job);
            }
            if self.next_timeout().is_none_or(|next| next > self.now) {
                return;
            }
            self.fire();
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        let peers = self.parties.iter().filter_map(|party| party.machine.poll_timeout());
        peers.chain(self.servers.iter().filter_map(|server| server.finder.poll_timeout())).min()
    }

    fn fire(&mut self) {
        for who in 0..2 {
            self.parties[who].machine.handle_timeout(self.now);
            self.drain_peer(who);
            self.servers[who].finder.handle_timeout(self.now);
            self.drain_finder(who);
        }
        self.settle();
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::Peer(who, input) => {
                self.parties[who].machine.handle_input(self.now, input);
                self.drain_peer(who);
            }
            Job::Finder(at, input) => {
                let input = match &input {
                    FinderInput::Connected(connection) => {
                        finder::Input::Connected { connection: *connection, source: Source([4; 8]) }
                    }
                    FinderInput::Frame(connection, bytes) => {
                        finder::Input::Frame { connection: *connection, bytes }
                    }
                    FinderInput::Disconnected(connection) => {
                        finder::Input::Disconnected { connection: *connection }
                    }
                    FinderInput::Signed(connection, signature) => {
                        finder::Input::Signed { connection: *connection, signature: *signature }
                    }
                    FinderInput::NoKnocks(connection, mailbox) => finder::Input::Knocks {
                        connection: *connection,
                        mailbox: *mailbox,
                        knocks: Vec::new(),
                    },
                };
                self.servers[at].finder.handle_input(self.now, input);
                self.drain_finder(at);
            }
        }
    }

    fn drain_peer(&mut self, who: usize) {
        while let Some(output) = self.parties[who].machine.poll_output() {
            if let Some(output) = self.parties[who].answer(output, &mut self.jobs, who, &mut self.log) {
                self.carry_out(who, output);
            }
        }
    }

    /// Does what concerns others than the peer itself.
    fn carry_out(&mut self, who: usize, output: Output) {
        match output {
            Output::Http { operation, request } => {
                let result = self.servers[number(request.domain.as_str())].answer(&request, self.now);
                self.log.http(who, &request, &result);
                self.jobs.push_back(Job::Peer(who, Input::Http { operation, result: Ok(result) }));
            }
            Output::Dial { connection, url } => self.dial(who, connection, &url),
            Output::Send { connection, bytes } => {
                let (at, socket) = self.sockets[&(who, connection)];
                self.log.sent_to_finder(who, DOMAINS[at], &bytes);
                self.jobs.push_back(Job::Finder(at, FinderInput::Frame(socket, bytes)));
            }
            Output::Hangup { connection } => {
                if let Some((at, socket)) = self.sockets.remove(&(who, connection)) {
                    self.jobs.push_back(Job::Finder(at, FinderInput::Disconnected(socket)));
                }
            }
            Output::StartLink { link, remote } => self.start_link(who, link, &remote),
            Output::SendControl { link, bytes } => {
                self.log.control(who, &bytes);
                let other = 1 - who;
                if let Some(theirs) =
                    self.parties[other].link().filter(|_| self.parties[who].link() == Some(link))
                {
                    self.jobs.push_back(Job::Peer(other, Input::LinkControl { link: theirs, bytes }));
                }
            }
            Output::EndLink { link, reason } => {
                let other = 1 - who;
                if self.parties[who].end_link(link)
                    && let Some(link) = self.parties[other].link()
                {
                    self.parties[other].end_link(link);
                    self.jobs.push_back(Job::Peer(other, Input::LinkEnded { link, reason }));
                }
            }
            Output::Event(event) => self.events.push((who, event)),
            other => unreachable!("nothing to do with {other:?} here"),
        }
    }

    fn dial(&mut self, who: usize, connection: ConnectionId, url: &FinderUrl) {
        let at = DOMAINS.iter().position(|domain| finder_url(domain) == url.as_str()).unwrap();
        let socket = finder::ConnectionId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert((who, connection), (at, socket));
        self.jobs.push_back(Job::Finder(at, FinderInput::Connected(socket)));
        self.jobs.push_back(Job::Peer(who, Input::FinderOpen { connection }));
    }

    /// Once both ends know each other the link is open.
    fn start_link(&mut self, who: usize, link: LinkId, remote: &TransportParameters) {
        self.parties[who].started(link, remote.fingerprint);
        let [alice, bob] = &self.parties;
        if let (Some((ours, to_bob)), Some((theirs, to_alice))) = (alice.running, bob.running) {
            assert_eq!((to_bob, to_alice), (bob.fingerprint(), alice.fingerprint()));
            self.jobs.push_back(Job::Peer(ALICE, Input::LinkOpen { link: ours }));
            self.jobs.push_back(Job::Peer(BOB, Input::LinkOpen { link: theirs }));
        }
    }

    fn drain_finder(&mut self, at: usize) {
        while let Some(output) = self.servers[at].finder.poll_output() {
            match output {
                finder::Output::Send { connection, bytes } => {
                    let Some((who, connection)) = self.owner(at, connection) else { continue };
                    self.log.sent_by_finder(DOMAINS[at], who, &bytes);
                    self.jobs.push_back(Job::Peer(who, Input::FinderFrame { connection, bytes }));
                }
                finder::Output::Close { connection, .. } => {
                    let Some((who, connection)) = self.owner(at, connection) else { continue };
                    self.sockets.remove(&(who, connection));
                    self.jobs.push_back(Job::Peer(who, Input::FinderClosed { connection }));
                }
                finder::Output::Sign { connection, input } => {
                    let signature = self.servers[at].key.sign(&input);
                    self.jobs.push_back(Job::Finder(at, FinderInput::Signed(connection, signature)));
                }
                finder::Output::FetchKnocks { connection, mailbox } => {
                    self.jobs.push_back(Job::Finder(at, FinderInput::NoKnocks(connection, mailbox)));
                }
                other => unreachable!("nobody is away and nobody is a member: {other:?}"),
            }
        }
    }

    fn owner(&self, at: usize, socket: finder::ConnectionId) -> Option<(usize, ConnectionId)> {
        self.sockets.iter().find(|(_, end)| **end == (at, socket)).map(|(owner, _)| *owner)
    }
}

fn number(domain: &str) -> usize {
    DOMAINS.iter().position(|known| *known == domain).unwrap()
}
