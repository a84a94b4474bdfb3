use super::links::{EndId, Flight};
use super::streams::{Segment, StreamId};
use super::{Peer, Server};
use openpeer_core::peer::KnockId;

/// What can happen in a world.
#[derive(Debug)]
pub(super) enum Event {
    /// A peer's machine wanted to be woken.
    PeerWake(Peer),
    /// A finder wanted to be woken.
    ServerWake(Server),
    /// A segment reaches the other end of its stream.
    Segment { stream: StreamId, toward: Toward, segment: Segment },
    /// A dial or request took too long.
    DialTimeout(StreamId),
    /// Both ends of a stream look when they last heard something, after the network between them was cut.
    Silence { stream: StreamId, toward: Toward },
    /// A packet or message of a link arrives.
    Link(Flight),
    /// A link had its time to open.
    LinkTimeout(EndId),
    /// A link had no path for as long as it may.
    LinkRetention(EndId),
    /// A STUN server answered, or did not.
    Gathered { end: EndId, answered: bool },
    /// A person made up their mind about a knock.
    Answer { peer: Peer, life: u32, knock: KnockId, accept: bool },
}

/// Which end of a stream something is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Toward {
    Server,
    Client,
}

impl Toward {
    pub(super) const fn back(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}
