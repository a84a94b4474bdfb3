//! Networks of Open Peer machines in virtual time.
//!
//! A [`World`] holds N peers and M domains. Peers run the real peer machine and a real keyring, domains the real
//! finder machine and a small web server; what is a model is everything between them: the network, the kernels, ICE,
//! DTLS and SCTP. Time is virtual, and there is one source of chance, the seed: two runs of one seed are equal to the
//! last bit, which [`World::trace`] shows.
//!
//! # The model
//! - **Streams** (TCP) deliver in order; a lost segment arrives later. A WebSocket opens in three round trips (TCP 1,
//!   TLS 1.3 1, upgrade 1), an HTTPS request is answered after three (TCP 1, TLS 1, request 1).
//! - **Links** open in three round trips from the moment at which the later end was started (ICE 1, DTLS 1.3 1, SCTP
//!   1), and only if both ends hold each other's ICE credentials and certificate fingerprint, as ICE and DTLS enforce.
//! - **NATs** hide a device's own address; a STUN server tells it another one that works.
//! - **Cuts** stall streams until keep-alives are missed, and pause links. **Servers** are killed (connections are
//!   reset), frozen (connections stay, nothing is answered) or black-holed.
//! - **Programs** crash between any two outputs of their machine and start again from what was durable.
//! - **People** think about knocks, and some are [hostile](World::tamper_with_outputs), like some
//!   [finders](World::tamper_with_frames), [web servers](World::tamper_with_web) and
//!   [programs of their own](World::add_client).
//!
//! Not modelled: relays (TURN), address changes beyond an ICE restart, bandwidth.
#![forbid(unsafe_code)]

mod defaults;
mod dice;
mod directory;
mod disk;
mod network;
mod schedule;
pub mod story;
mod trace;
mod world;

pub use dice::Dice;
pub use disk::Disk;
pub use network::{Host, Path};
pub use trace::TraceHash;
pub use world::{
    Client, Domain, EndId, FrameTamper, Manners, Outage, OutputTamper, PassingFrame, Peer, Server, Socket,
    WebTamper, World,
};
