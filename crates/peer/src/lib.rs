//! Open Peer for native programs: find people on independent services and talk to them directly.
//!
//! ```no_run
//! # async fn example() -> Result<(), openpeer::Error> {
//! use openpeer::Peer;
//!
//! let (peer, recovery) = Peer::builder("alice").domain("a.test").passphrase("correct horse").open_or_create().await?;
//! if let Some(code) = recovery {
//!     println!("Write this down, it is shown only once: {}", code.to_text());
//! }
//! let link = peer.connect("bob@b.test").text("Hi, it is Alice").await?;
//! link.open("chat").await?.send("hello").await?;
//! peer.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Peer`] is a location of a peer, running: its [`Builder`] creates, imports or opens one. [`Peer::connect`] gives a
//! [`Link`], [`Link::open`] a [`Channel`]. What happens without being asked for comes from [`Peer::next_event`].
//!
//! This crate is a shell: it moves bytes and answers for the keys. What a message means and what happens next is
//! decided in `openpeer-core`, and in `openpeer-link` for the link.
#![forbid(unsafe_code)]

mod builder;
mod clock;
pub mod defaults;
mod driver;
mod error;
mod event;
mod export;
mod handle;
mod identity;
mod keys;
mod keystore;
mod link;
mod net;
mod peer;
mod wish;

pub use builder::Builder;
pub use error::Error;
pub use event::{Event, Knock};
pub use keystore::KeystoreError;
pub use link::{Channel, Link};
pub use net::{CertificateError, InvalidResolve, Resolve};
pub use peer::Peer;
pub use wish::{BoxFuture, Claim, Connect};

pub use openpeer_core::document::PeerId;
pub use openpeer_core::key::{KeyId, RecoveryCode};
pub use openpeer_core::peer::{Contact, ContactState, KnockId, LinkId, LinkSetting, Progress, safety_number};
pub use openpeer_core::uri::{Address, Domain};
pub use openpeer_core::{Blame, Code, Time};
pub use openpeer_link::{
    ChannelError, ChannelOptions, ConnectReport, EndReason, PathInfo, PathKind, Reliability,
};

/// The example of the README is part of the tests.
#[doc = include_str!("../../../README.md")]
#[cfg(doctest)]
struct Readme;
