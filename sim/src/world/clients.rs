//! Programs that a test plays itself: they send any bytes to a finder and hold any end of a link.

use super::event::Toward;
use super::links::{EndId, EndOwner};
use super::streams::{Opener, Segment, StreamId};
use super::{Client, Server, World};
use crate::network::Host;
use openpeer_core::Code;
use openpeer_core::frame::Frame;
use openpeer_core::transport::TransportParameters;

/// A WebSocket of a [`Client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(StreamId);

/// What a program that the test plays has received.
#[derive(Default)]
pub(super) struct ClientNode {
    host: Option<Host>,
    pub(super) frames: Vec<(StreamId, Vec<u8>)>,
    pub(super) opened: Vec<EndId>,
    pub(super) ended: Vec<(EndId, Code)>,
    pub(super) messages: Vec<(EndId, Vec<u8>)>,
}

impl World {
    /// Adds a host with a program that the test plays.
    pub fn add_client(&mut self) -> Client {
        let host = Some(self.network.add_host());
        self.clients.push(ClientNode { host, ..ClientNode::default() });
        Client(self.clients.len() - 1)
    }

    /// Opens a WebSocket to a finder.
    pub fn client_dials(&mut self, client: Client, server: Server) -> Socket {
        let host = self.client_host(client);
        Socket(self.open_stream(host, server, Opener::Client(client)))
    }

    /// Sends a WebSocket message, once the connection is open.
    pub fn client_sends(&mut self, socket: Socket, bytes: Vec<u8>) {
        self.send(socket.0, Toward::Server, Segment::Frame(bytes));
    }

    /// Frames that a WebSocket has received, oldest first; those that do not decode are left out.
    #[must_use]
    pub fn client_frames(&self, client: Client, socket: Socket) -> Vec<Frame> {
        let frames = self.clients[client.0].frames.iter().filter(|(stream, _)| *stream == socket.0);
        frames.filter_map(|(_, bytes)| Frame::decode(bytes).ok()).collect()
    }

    /// The name under which a finder knows a WebSocket.
    #[must_use]
    pub const fn connection_of(&self, socket: Socket) -> openpeer_core::finder::ConnectionId {
        openpeer_core::finder::ConnectionId(socket.0.0)
    }

    /// Prepares an end of a link.
    pub fn client_prepares(&mut self, client: Client) -> (EndId, TransportParameters) {
        let host = self.client_host(client);
        self.new_end(EndOwner::Client(client), host, true)
    }

    /// Starts an end of a link towards whatever has these parameters.
    pub fn client_starts(&mut self, end: EndId, remote: TransportParameters) {
        self.start_end(end, remote);
    }

    /// Sends a message on the control channel of an open end.
    pub fn client_says(&mut self, end: EndId, bytes: Vec<u8>) {
        self.send_control(end, bytes);
    }

    /// Whether an end has opened.
    #[must_use]
    pub fn client_has_open(&self, client: Client, end: EndId) -> bool {
        self.clients[client.0].opened.contains(&end)
    }

    /// Control messages that an end has received, oldest first.
    #[must_use]
    pub fn client_heard(&self, client: Client, end: EndId) -> Vec<Vec<u8>> {
        let messages = self.clients[client.0].messages.iter().filter(|(at, _)| *at == end);
        messages.map(|(_, bytes)| bytes.clone()).collect()
    }

    /// Why an end ended, if it did.
    #[must_use]
    pub fn client_end_reason(&self, client: Client, end: EndId) -> Option<Code> {
        self.clients[client.0].ended.iter().find(|(at, _)| *at == end).map(|(_, code)| *code)
    }

    fn client_host(&self, client: Client) -> Host {
        self.clients[client.0].host.expect("every client got a host when it was added")
    }
}
