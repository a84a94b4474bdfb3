//! Sending a file over a link: the channel protocol `file` of `docs/channels.md`.
//!
//! [`Sender`] and [`Receiver`] decide and do no IO; [`send`] and [`receive`] move bytes between a machine, a channel
//! and the disk. One channel carries one file, from whoever opened the channel to the other end:
//!
//! ```text
//! sender                       receiver
//!   offer {v, name, size}  →             a person or a rule decides
//!                          ←   accept    or decline {code}
//!   data, data, …          →             at most as many bytes as offered
//!   end (SHA-256)          →             compares, moves the file to its place
//!                          ←   received  or abort {code}
//! ```

mod disk;
mod message;
mod name;
mod receiver;
mod sender;
mod shell;
#[cfg(test)]
mod tests;

pub(crate) use message::Offer;
pub(crate) use shell::{Decision, TransferError, receive, send};

/// Name of the channels that carry files.
pub(crate) const CHANNEL: &str = "file";
