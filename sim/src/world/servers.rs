//! Domains and the processes that serve them: finder machines and web servers.

use super::event::{Event, Toward};
use super::streams::{Segment, StreamId};
use super::{Domain, Server, World};
use crate::dice::Dice;
use crate::directory::Directory;
use crate::network::Host;
use openpeer_core::defaults::SOURCE_RATE;
use openpeer_core::document::Name;
use openpeer_core::finder::{ConnectionId, Counters, Finder, FinderConfig, Input, Output, StoredKnock};
use openpeer_core::key::Seed;
use openpeer_core::peer::{HttpRequest, HttpResponse};
use openpeer_core::uri::FinderUrl;
use openpeer_core::{Time, document, uri};
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// A domain: what it keeps durably and where it runs.
pub(super) struct DomainNode {
    pub(super) directory: Directory,
    /// The first one also runs the web server.
    pub(super) servers: Vec<Server>,
}

/// A process with a finder, and a web server if it is its domain's first.
pub(super) struct ServerNode {
    pub(super) domain: Domain,
    pub(super) host: Host,
    pub(super) url: FinderUrl,
    secret: [u8; 32],
    /// The domain key as the process read it when it started.
    key: Option<Seed>,
    dice: Dice,
    process: Process,
    /// What arrived while the process hung.
    pub(super) backlog: Vec<(StreamId, Segment)>,
    wake: Option<Time>,
    /// The finder is out of service; the web server is not.
    pub(super) finder_closed: bool,
    frame_tamper: Option<FrameTamper>,
    web_tamper: Option<WebTamper>,
}

enum Process {
    Running(Box<Finder>),
    Frozen(Box<Finder>),
    Dead,
}

/// How a finder may be out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Killed: connections are reset, new ones refused.
    Killed,
    /// Stopped: connections stay open, nothing is answered.
    Frozen,
    /// Cut off from everybody: packets vanish.
    BlackHoled,
}

/// A frame that passes a finder, and what a hostile one may do to it.
#[derive(Debug)]
pub struct PassingFrame {
    /// The connection that it came from or goes to.
    pub connection: ConnectionId,
    /// Whether it comes from a client.
    pub from_client: bool,
    /// The frame.
    pub bytes: Vec<u8>,
}

/// Decides what becomes of a frame: any number of frames on any connections, in the same direction.
pub type FrameTamper = Box<dyn FnMut(PassingFrame) -> Vec<(ConnectionId, Vec<u8>)>>;

/// Decides what a web server really answers.
pub type WebTamper = Box<dyn FnMut(&HttpRequest, HttpResponse) -> HttpResponse>;

impl World {
    /// Adds a domain with one server, which runs.
    ///
    /// # Panics
    /// If `name` is not a domain.
    pub fn add_domain(&mut self, name: &str) -> Domain {
        self.add_domain_with(name, 1)
    }

    /// Adds a domain with several finders; the first of its servers also runs the web server.
    ///
    /// # Panics
    /// If `name` is not a domain.
    pub fn add_domain_with(&mut self, name: &str, finders: usize) -> Domain {
        let domain = uri::Domain::from_text(name).expect("the caller names a domain");
        let url = |number: usize| match number {
            0 => format!("wss://{name}/finder"),
            _ => format!("wss://f{number}.{name}/finder"),
        };
        let urls: Vec<_> = (0..finders)
            .map(|number| FinderUrl::from_text(&url(number)).expect("a domain makes a finder URL"))
            .collect();
        let index = Domain(self.domains.len());
        let directory = Directory::new(domain, urls.clone(), self.dice.fork());
        let servers = urls.into_iter().map(|url| self.add_server(index, url)).collect::<Vec<_>>();
        self.domains.push(DomainNode { directory, servers: servers.clone() });
        for server in servers {
            self.boot(server);
        }
        index
    }

    fn add_server(&mut self, domain: Domain, url: FinderUrl) -> Server {
        let server = Server(self.servers.len());
        self.servers.push(ServerNode {
            domain,
            host: self.network.add_host(),
            url,
            secret: self.dice.bytes(),
            key: None,
            dice: self.dice.fork(),
            process: Process::Dead,
            backlog: Vec::new(),
            wake: None,
            finder_closed: false,
            frame_tamper: None,
            web_tamper: None,
        });
        server
    }

    /// Adds a finder to a domain; its document does not name it before [`Self::set_finders`].
    ///
    /// # Panics
    /// If `url` is not a finder URL.
    pub fn add_server_to(&mut self, domain: Domain, url: &str) -> Server {
        let url = FinderUrl::from_text(url).expect("the caller writes a finder URL");
        let server = self.add_server(domain, url);
        self.domains[domain.0].servers.push(server);
        self.boot(server);
        server
    }

    /// Ends a server's finder for good, but not the web server beside it.
    pub fn fail_finder(&mut self, server: Server) {
        self.servers[server.0].finder_closed = true;
        self.reset_streams_at(server);
    }

    /// The URL of a finder.
    #[must_use]
    pub fn url(&self, server: Server) -> FinderUrl {
        self.servers[server.0].url.clone()
    }

    /// Offers a STUN server on the domain's first host.
    pub fn offer_stun(&mut self, domain: Domain) {
        let url = format!("stun:{}:3478", self.domains[domain.0].directory.domain.host());
        self.domains[domain.0].directory.set_stun(vec![url]);
    }

    /// The domain's first server.
    #[must_use]
    pub fn server(&self, domain: Domain) -> Server {
        self.domains[domain.0].servers[0]
    }

    /// All servers of a domain.
    #[must_use]
    pub fn servers_of(&self, domain: Domain) -> Vec<Server> {
        self.domains[domain.0].servers.clone()
    }

    /// All domains.
    pub fn domains(&self) -> impl Iterator<Item = Domain> + use<> {
        (0..self.domains.len()).map(Domain)
    }

    /// The host of a server.
    #[must_use]
    pub fn server_host(&self, server: Server) -> Host {
        self.servers[server.0].host
    }

    /// The name of a domain.
    #[must_use]
    pub fn domain_name(&self, domain: Domain) -> &uri::Domain {
        &self.domains[domain.0].directory.domain
    }

    /// Who bears a name at a domain.
    #[must_use]
    pub fn bearer(&self, domain: Domain, name: &Name) -> Option<document::PeerId> {
        self.domains[domain.0].directory.bearer(name)
    }

    /// Gives the domain another key; servers that run go on greeting with the old one until they are restarted.
    pub fn replace_domain_key(&mut self, domain: Domain) {
        self.domains[domain.0].directory.replace_key();
    }

    /// Changes which finders the domain document lists.
    pub fn set_finders(&mut self, domain: Domain, finders: Vec<FinderUrl>) {
        self.domains[domain.0].directory.set_finders(finders);
    }

    /// Signs a domain document of any number, as an operator or a thief of the domain key could.
    #[must_use]
    pub fn write_domain_document(&self, domain: Domain, seq: u64, iat: Time, exp: Time) -> String {
        self.domains[domain.0].directory.write_document(iat, seq, exp)
    }

    /// The secret half of the domain key, for tests in which the domain is hostile.
    #[must_use]
    pub fn domain_key(&self, domain: Domain) -> Seed {
        self.domains[domain.0].directory.key().clone()
    }

    /// Makes a finder hostile.
    pub fn tamper_with_frames(&mut self, server: Server, tamper: FrameTamper) {
        self.servers[server.0].frame_tamper = Some(tamper);
    }

    /// Makes a web server hostile.
    pub fn tamper_with_web(&mut self, server: Server, tamper: WebTamper) {
        self.servers[server.0].web_tamper = Some(tamper);
    }

    /// Makes a server honest again.
    pub fn stop_tampering(&mut self, server: Server) {
        let server = &mut self.servers[server.0];
        (server.frame_tamper, server.web_tamper) = (None, None);
    }

    /// Puts a server out of order.
    pub fn fail(&mut self, server: Server, outage: Outage) {
        match outage {
            Outage::Killed => self.kill(server),
            Outage::Frozen => self.freeze(server),
            Outage::BlackHoled => self.isolate(self.servers[server.0].host),
        }
    }

    /// Ends an outage; a killed server starts anew from what its domain keeps durably.
    pub fn repair(&mut self, server: Server, outage: Outage) {
        match outage {
            Outage::Killed => self.boot(server),
            Outage::Frozen => self.thaw(server),
            Outage::BlackHoled => self.reconnect(self.servers[server.0].host),
        }
    }

    /// Kills a server and starts it at once.
    pub fn restart(&mut self, server: Server) {
        self.kill(server);
        self.boot(server);
    }

    /// Tells a finder to send its sessions elsewhere.
    pub fn drain(&mut self, server: Server) {
        self.feed_finder(server, Input::Drain);
    }

    /// What a running finder has counted since it started.
    #[must_use]
    pub fn counters(&self, server: Server) -> Counters {
        match &self.servers[server.0].process {
            Process::Running(finder) | Process::Frozen(finder) => finder.counters().clone(),
            Process::Dead => Counters::default(),
        }
    }

    fn kill(&mut self, server: Server) {
        self.record("kill", &[&server.0.to_be_bytes()]);
        self.servers[server.0].process = Process::Dead;
        self.servers[server.0].backlog.clear();
        self.servers[server.0].wake = None;
        self.reset_streams_at(server);
    }

    fn boot(&mut self, server: Server) {
        self.record("boot", &[&server.0.to_be_bytes()]);
        let node = &mut self.servers[server.0];
        let directory = &self.domains[node.domain.0].directory;
        let config = FinderConfig {
            domain: directory.domain.clone(),
            url: node.url.clone(),
            domain_key: directory.key().public_key(),
            finder_secret: Zeroizing::new(node.secret),
            stun: Vec::new(),
            turn: None,
            source_rate: SOURCE_RATE,
        };
        node.key = Some(directory.key().clone());
        let finder =
            Finder::new(config, node.dice.bytes()).expect("no list in the configuration is too long");
        node.process = Process::Running(Box::new(finder));
    }

    fn freeze(&mut self, server: Server) {
        self.record("freeze", &[&server.0.to_be_bytes()]);
        let node = &mut self.servers[server.0];
        if let Process::Running(finder) = std::mem::replace(&mut node.process, Process::Dead) {
            node.process = Process::Frozen(finder);
        }
        let held = self.streams_where(|stream| stream.server == server).into_iter().collect();
        self.quiet_streams(&held);
    }

    fn thaw(&mut self, server: Server) {
        self.record("thaw", &[&server.0.to_be_bytes()]);
        let node = &mut self.servers[server.0];
        if let Process::Frozen(finder) = std::mem::replace(&mut node.process, Process::Dead) {
            node.process = Process::Running(finder);
        }
        self.wake_streams();
        for (stream, segment) in std::mem::take(&mut self.servers[server.0].backlog) {
            self.server_receives(stream, segment);
        }
        self.finder_wakes(server);
    }

    pub(super) fn web_answers(&mut self, server: Server, request: &HttpRequest) -> HttpResponse {
        let domain = self.domain_of(server);
        let honest = self.domains[domain.0].directory.answer(self.now, request);
        match &mut self.servers[server.0].web_tamper {
            Some(tamper) => tamper(request, honest),
            None => honest,
        }
    }

    pub(super) fn finder_receives(&mut self, server: Server, stream: StreamId, bytes: Vec<u8>) {
        self.record("to finder", &[&stream.0.to_be_bytes(), &bytes]);
        let connection = ConnectionId(stream.0);
        self.watch_finder(connection, true, &bytes);
        for (connection, bytes) in self.pass(server, connection, true, bytes) {
            self.feed_finder(server, Input::Frame { connection, bytes: &bytes });
        }
    }

    fn pass(
        &mut self,
        server: Server,
        connection: ConnectionId,
        from_client: bool,
        bytes: Vec<u8>,
    ) -> Vec<(ConnectionId, Vec<u8>)> {
        match &mut self.servers[server.0].frame_tamper {
            Some(tamper) => tamper(PassingFrame { connection, from_client, bytes }),
            None => vec![(connection, bytes)],
        }
    }

    pub(super) fn feed_finder(&mut self, server: Server, input: Input<'_>) {
        if let Some(finder) = self.servers[server.0].running_mut() {
            finder.handle_input(self.now, input);
            self.serve_finder(server);
        }
    }

    pub(super) fn finder_wakes(&mut self, server: Server) {
        self.servers[server.0].wake = None;
        if let Some(finder) = self.servers[server.0].running_mut() {
            finder.handle_timeout(self.now);
            self.serve_finder(server);
        }
    }

    /// Carries out what a finder wants done, in its order, and feeds it the answers.
    fn serve_finder(&mut self, server: Server) {
        let mut answers = VecDeque::new();
        loop {
            while let Some(output) = self.servers[server.0].running_mut().and_then(Finder::poll_output) {
                answers.extend(self.finder_wants(server, output));
            }
            let (Some(answer), Some(finder)) = (answers.pop_front(), self.servers[server.0].running_mut())
            else {
                break;
            };
            finder.handle_input(self.now, answer);
        }
        self.plan_finder_wake(server);
    }

    fn finder_wants(&mut self, server: Server, output: Output) -> Option<Input<'static>> {
        let now = self.now;
        let domain = self.domain_of(server).0;
        let directory = &mut self.domains[domain].directory;
        match output {
            Output::Send { connection, bytes } => self.finder_sends(server, connection, bytes),
            Output::Close { connection, code: _ } => {
                if let Some(stream) = self.streams.get_mut(&StreamId(connection.0)) {
                    stream.connected = false;
                }
                self.close_end(StreamId(connection.0), Toward::Server);
            }
            Output::Sign { connection, input } => {
                let signature = self.servers[server.0].key.as_ref()?.sign(&input);
                return Some(Input::Signed { connection, signature });
            }
            Output::CheckMember { connection, mailboxes } => {
                return Some(Input::Member { connection, member: directory.is_member(&mailboxes) });
            }
            Output::FetchKnocks { connection, mailbox } => {
                return Some(Input::Knocks {
                    connection,
                    mailbox,
                    knocks: directory.kept_knocks(now, mailbox),
                });
            }
            Output::KeepKnock { mailbox, id, body, received, expires } => {
                directory.keep_knock(mailbox, StoredKnock { id, body, received }, expires);
            }
            Output::DeleteKnock { mailbox, id } => directory.delete_knock(mailbox, id),
        }
        None
    }

    fn finder_sends(&mut self, server: Server, connection: ConnectionId, bytes: Vec<u8>) {
        for (connection, bytes) in self.pass(server, connection, false, bytes) {
            self.record("from finder", &[&connection.0.to_be_bytes(), &bytes]);
            self.watch_finder(connection, false, &bytes);
            self.send(StreamId(connection.0), Toward::Client, Segment::Frame(bytes));
        }
    }

    fn plan_finder_wake(&mut self, server: Server) {
        let node = &mut self.servers[server.0];
        let Process::Running(finder) = &node.process else { return };
        let Some(at) = finder.poll_timeout() else { return };
        let at = at.max(self.now);
        if node.wake.is_none_or(|planned| at < planned) {
            node.wake = Some(at);
            self.plan(at, Event::ServerWake(server));
        }
    }
}

impl ServerNode {
    fn running_mut(&mut self) -> Option<&mut Finder> {
        match &mut self.process {
            Process::Running(finder) => Some(finder),
            Process::Frozen(_) | Process::Dead => None,
        }
    }

    pub(super) const fn is_dead(&self) -> bool {
        matches!(self.process, Process::Dead)
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self.process, Process::Running(_))
    }

    pub(super) const fn is_frozen(&self) -> bool {
        matches!(self.process, Process::Frozen(_))
    }

    /// Whether a planned wake-up is still wanted.
    pub(super) fn wants_wake(&self, now: Time) -> bool {
        self.wake == Some(now)
    }
}
