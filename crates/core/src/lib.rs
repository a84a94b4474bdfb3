//! The Open Peer protocol, version 1, without IO.
//!
//! Everything that decides lives here: documents and their history, sealing, finder frames, the [peer machine](peer)
//! and the [finder machine](finder). Nothing in this crate reads a clock, a random number generator, a file or a
//! socket, so the same code runs in the server, in native programs and, as WebAssembly, in browsers, and a whole
//! network of machines can be simulated bit for bit from a seed.
//!
//! `docs/protocol.md` is the normative text; the section numbers in the comments refer to it.
#![forbid(unsafe_code)]

pub mod control;
pub mod defaults;
pub mod document;
pub mod encoding;
mod error;
pub mod finder;
pub mod frame;
mod json;
mod jws;
pub mod key;
pub mod message;
pub mod peer;
pub mod seal;
pub mod ticket;
mod time;
pub mod transport;
pub mod uri;

pub use error::{Blame, Code, Error};
pub use jws::{Jws, signing_input};
pub use time::Time;
