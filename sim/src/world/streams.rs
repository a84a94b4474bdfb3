//! Streams: WebSockets to finders and HTTPS requests, both over TCP and TLS 1.3.
//!
//! A stream opens in round trips of real segments: TCP 1, TLS 1.3 1, WebSocket upgrade 1, after which both ends are
//! open; an HTTPS request travels as the first segment after TLS. A kernel answers the first segment even while its
//! process hangs, and refuses it when there is no process.

use super::event::{Event, Toward};
use super::{Client, Domain, Peer, Server, World};
use crate::defaults::{CLIENT_SILENCE, DIAL_TIMEOUT, SERVER_SILENCE};
use crate::network::Host;
use openpeer_core::peer::{ConnectionId, HttpRequest, HttpResponse, Input, OperationId};
use openpeer_core::{Code, Time, finder};
use std::collections::BTreeSet;

/// A TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(pub(super) u64);

/// Who opened a stream, and for what.
#[derive(Debug)]
pub(super) enum Opener {
    /// A peer's WebSocket.
    Peer { peer: Peer, life: u32, connection: ConnectionId },
    /// A peer's HTTPS request.
    Request { peer: Peer, life: u32, operation: OperationId, request: HttpRequest },
    /// A WebSocket of a program that the test plays.
    Client(Client),
}

/// What travels on a stream.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// Opens the stream; the numbers count one-way trips.
    Handshake(u8),
    /// There is no process to take the stream.
    Refused,
    /// A WebSocket message.
    Frame(Vec<u8>),
    /// The answer to a request.
    Response(HttpResponse),
    /// The other end closed.
    Close,
}

/// The client's segment after TCP and TLS: upgrade or request.
const UPGRADE: u8 = 4;
/// The server's answer to the upgrade.
const UPGRADED: u8 = 5;

pub(super) struct Stream {
    pub(super) opener: Opener,
    client: Host,
    pub(super) server: Server,
    /// When the last planned segment arrives, towards server and client: streams keep their order.
    last: [Time; 2],
    /// What could not be delivered during a cut, towards server and client.
    stalled: [Vec<Segment>; 2],
    /// Whether each end still takes part.
    open: [bool; 2],
    /// Whether the finder knows of it.
    pub(super) connected: bool,
    /// Whether the client was told that it is open.
    established: bool,
    /// Since when nothing can arrive, because of a cut or because the server hangs.
    quiet_since: Option<Time>,
}

impl World {
    pub(super) fn open_stream(&mut self, client: Host, server: Server, opener: Opener) -> StreamId {
        let id = StreamId(self.fresh_id());
        let stream = Stream {
            opener,
            client,
            server,
            last: [self.now; 2],
            stalled: [Vec::new(), Vec::new()],
            open: [true; 2],
            connected: false,
            established: false,
            quiet_since: None,
        };
        self.streams.insert(id, stream);
        self.plan(self.now + DIAL_TIMEOUT, Event::DialTimeout(id));
        self.send(id, Toward::Server, Segment::Handshake(0));
        id
    }

    /// Sends a segment to one end of a stream, behind everything sent there before.
    pub(super) fn send(&mut self, id: StreamId, toward: Toward, segment: Segment) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (client, server) = (stream.client, self.servers[stream.server.0].host);
        let delay = self.network.stream_delay(client, server);
        let last = &mut stream.last[toward as usize];
        *last = (self.now + delay).max(*last);
        let at = *last;
        self.plan(at, Event::Segment { stream: id, toward, segment });
    }

    pub(super) fn segment_arrives(&mut self, id: StreamId, toward: Toward, segment: Segment) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let reachable = self.network.connects(stream.client, self.servers[stream.server.0].host);
        let stalled = &mut stream.stalled[toward as usize];
        if !reachable || !stalled.is_empty() {
            return stalled.push(segment);
        }
        match toward {
            Toward::Server => self.server_receives(id, segment),
            Toward::Client => self.client_receives(id, segment),
        }
    }

    /// A segment is at the server's host: its kernel takes it, and its process if that runs.
    pub(super) fn server_receives(&mut self, id: StreamId, segment: Segment) {
        let Some(stream) = self.streams.get(&id) else { return };
        let (server, open) = (stream.server, stream.open[Toward::Server as usize]);
        let process = &self.servers[server.0];
        if matches!(segment, Segment::Handshake(0)) {
            let answer = if process.is_dead() { Segment::Refused } else { Segment::Handshake(1) };
            return self.send(id, Toward::Client, answer);
        }
        if process.is_frozen() {
            return self.servers[server.0].backlog.push((id, segment));
        }
        if !open {
            return;
        }
        match segment {
            Segment::Handshake(UPGRADE) => self.upgrade(id),
            Segment::Handshake(trip) => self.send(id, Toward::Client, Segment::Handshake(trip + 1)),
            Segment::Frame(bytes) => self.finder_receives(server, id, bytes),
            Segment::Close => self.close_end(id, Toward::Server),
            Segment::Refused | Segment::Response(_) => {}
        }
    }

    fn upgrade(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let server = stream.server;
        if let Opener::Request { request, .. } = &stream.opener {
            let request = request.clone();
            let response = self.web_answers(server, &request);
            self.send(id, Toward::Client, Segment::Response(response));
            return;
        }
        if self.servers[server.0].finder_closed {
            return self.close_end(id, Toward::Server);
        }
        stream.connected = true;
        let source = source_of(stream.client);
        self.send(id, Toward::Client, Segment::Handshake(UPGRADED));
        let connection = finder::ConnectionId(id.0);
        self.feed_finder(server, finder::Input::Connected { connection, source });
    }

    fn client_receives(&mut self, id: StreamId, segment: Segment) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.open[Toward::Client as usize] {
            return;
        }
        match segment {
            Segment::Handshake(UPGRADED) => {
                stream.established = true;
                self.client_opened(id);
            }
            Segment::Handshake(trip) => self.send(id, Toward::Server, Segment::Handshake(trip + 1)),
            Segment::Frame(bytes) => self.client_frame(id, bytes),
            Segment::Response(response) => self.request_ends(id, Ok(response)),
            Segment::Refused | Segment::Close => self.client_lost(id),
        }
    }

    fn client_opened(&mut self, id: StreamId) {
        if let Some((peer, life, connection)) = self.peer_of(id) {
            self.feed_alive(peer, life, Input::FinderOpen { connection });
        }
    }

    fn client_frame(&mut self, id: StreamId, bytes: Vec<u8>) {
        match self.streams.get(&id).map(|stream| &stream.opener) {
            Some(Opener::Peer { peer, life, connection }) => {
                let (peer, life, connection) = (*peer, *life, *connection);
                self.feed_alive(peer, life, Input::FinderFrame { connection, bytes });
            }
            Some(Opener::Client(client)) => self.clients[client.0].frames.push((id, bytes)),
            Some(Opener::Request { .. }) | None => {}
        }
    }

    /// The client's end is gone: refused, reset, closed by the server, or silent for too long.
    fn client_lost(&mut self, id: StreamId) {
        let peer = self.peer_of(id);
        if matches!(self.streams.get(&id).map(|stream| &stream.opener), Some(Opener::Request { .. })) {
            return self.request_ends(id, Err(Code::DomainUnreachable));
        }
        self.close_end(id, Toward::Client);
        if let Some((peer, life, connection)) = peer {
            self.feed_alive(peer, life, Input::FinderClosed { connection });
        }
    }

    fn request_ends(&mut self, id: StreamId, result: Result<HttpResponse, Code>) {
        let Some(Stream { opener: Opener::Request { peer, life, operation, .. }, .. }) =
            self.streams.get(&id)
        else {
            return;
        };
        let (peer, life, operation) = (*peer, *life, *operation);
        self.streams.remove(&id);
        self.feed_alive(peer, life, Input::Http { operation, result });
    }

    fn peer_of(&self, id: StreamId) -> Option<(Peer, u32, ConnectionId)> {
        match self.streams.get(&id)?.opener {
            Opener::Peer { peer, life, connection } => Some((peer, life, connection)),
            Opener::Request { .. } | Opener::Client(_) => None,
        }
    }

    /// One end leaves. The other one hears of it; once both have left the stream is forgotten.
    pub(super) fn close_end(&mut self, id: StreamId, end: Toward) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !std::mem::replace(&mut stream.open[end as usize], false) {
            return;
        }
        let (server, connected) = (stream.server, stream.connected);
        if stream.open == [false; 2] {
            self.streams.remove(&id);
        } else {
            self.send(id, end.back(), Segment::Close);
        }
        if end == Toward::Server && connected {
            let connection = finder::ConnectionId(id.0);
            self.feed_finder(server, finder::Input::Disconnected { connection });
        }
    }

    /// Closes all streams of a peer whose process ended.
    pub(super) fn drop_streams_of(&mut self, peer: Peer) {
        let of_peer = |stream: &Stream| match &stream.opener {
            Opener::Peer { peer: other, .. } | Opener::Request { peer: other, .. } => *other == peer,
            Opener::Client(_) => false,
        };
        for id in self.streams_where(of_peer) {
            self.close_end(id, Toward::Client);
        }
    }

    /// A server's process ended, and its kernel resets what it held.
    pub(super) fn reset_streams_at(&mut self, server: Server) {
        for id in self.streams_where(|stream| stream.server == server && stream.open[Toward::Server as usize])
        {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.connected = false;
            }
            self.close_end(id, Toward::Server);
        }
    }

    pub(super) fn dial_times_out(&mut self, id: StreamId) {
        if self
            .streams
            .get(&id)
            .is_some_and(|stream| !stream.established && stream.open[Toward::Client as usize])
        {
            self.client_lost(id);
        }
    }

    /// From now on nothing arrives on these streams: their ends will notice when keep-alives stay away.
    pub(super) fn quiet_streams(&mut self, ids: &BTreeSet<StreamId>) {
        let now = self.now;
        for id in ids {
            let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.quiet_since.is_none()) else {
                continue;
            };
            stream.quiet_since = Some(now);
            self.plan(now + CLIENT_SILENCE, Event::Silence { stream: *id, toward: Toward::Client });
            self.plan(now + SERVER_SILENCE, Event::Silence { stream: *id, toward: Toward::Server });
        }
    }

    pub(super) fn silence_noticed(&mut self, id: StreamId, end: Toward) {
        let limit = match end {
            Toward::Client => CLIENT_SILENCE,
            Toward::Server => SERVER_SILENCE,
        };
        let Some(stream) = self.streams.get(&id) else { return };
        let quiet = stream.quiet_since.is_some_and(|since| self.now.millis_since(since) >= limit);
        if !quiet || !stream.open[end as usize] {
            return;
        }
        match end {
            Toward::Client => self.client_lost(id),
            // A hung process notices nothing.
            Toward::Server if !self.servers[stream.server.0].is_frozen() => self.close_end(id, end),
            Toward::Server => {}
        }
    }

    /// Network or server are back: what stalled moves on.
    pub(super) fn wake_streams(&mut self) {
        for id in self.streams_where(|_| true) {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let (client, server) = (stream.client, self.servers[stream.server.0].host);
            if !self.network.connects(client, server) {
                continue;
            }
            if !self.servers[stream.server.0].is_frozen() {
                stream.quiet_since = None;
            }
            for toward in [Toward::Server, Toward::Client] {
                let stalled = std::mem::take(&mut stream.stalled[toward as usize]);
                if stalled.is_empty() {
                    continue;
                }
                let back = self.now + self.network.recovery_delay(client, server);
                let last = &mut stream.last[toward as usize];
                *last = back.max(*last);
                for segment in stalled {
                    self.schedule.plan(*last, Event::Segment { stream: id, toward, segment });
                }
            }
        }
    }

    pub(super) fn streams_where(&self, condition: impl Fn(&Stream) -> bool) -> Vec<StreamId> {
        self.streams.iter().filter(|(_, stream)| condition(stream)).map(|(id, _)| *id).collect()
    }

    /// The server that a domain's web server runs on.
    pub(super) fn web_server(&self, domain: &openpeer_core::uri::Domain) -> Option<Server> {
        self.domains.iter().find(|entry| entry.directory.domain == *domain).map(|entry| entry.servers[0])
    }

    pub(super) fn domain_of(&self, server: Server) -> Domain {
        self.servers[server.0].domain
    }
}

impl Stream {
    pub(super) const fn client(&self) -> Host {
        self.client
    }
}

/// The /24 of a host, left-aligned.
fn source_of(host: Host) -> finder::Source {
    let [a, b, c, _] = host.address().octets();
    finder::Source([a, b, c, 0, 0, 0, 0, 0])
}
