//! The finder machine (protocol sections 5 and 6): passes sealed envelopes between seekers and the locations that
//! opened a mailbox, and forgets them.
//!
//! # Calling rule
//! Feed everything that happens through [`Finder::handle_input`] and, once [`Finder::poll_timeout`] has passed,
//! [`Finder::handle_timeout`]. After each of the two, call [`Finder::poll_output`] until it returns `None` and carry
//! the outputs out in that order; then ask `poll_timeout` again. Nothing else is needed, and the machine never waits:
//! what takes time (signing, the store) is an [`Output`] whose answer comes back as an [`Input`], in any order and
//! late or never.
//!
//! # What the shell does
//! It accepts WebSockets, chooses a [`ConnectionId`] that it never uses again, names the [`Source`], delivers whole
//! messages and never more than one byte above [`MAX_FRAME_BYTES`](crate::defaults::MAX_FRAME_BYTES) of one, pings
//! sessions, and disconnects a client that does not read what it is sent. Inputs for connections that are gone are
//! ignored, so nothing has to be synchronised.
//!
//! # What nobody learns
//! A find without ticket is answered with `accepted` and an exchange that stays open until its seeker ends it or its
//! time is over, whether the mailbox is open, absent, unknown, full or over its rate; only an answer makes a
//! difference. A location's leaving, or its `done`, before it has answered is not passed on. Exceeding the rate of the
//! *source* is said openly, because that limit looks at the seeker alone. A seeker therefore ends a knock itself, with
//! `done` after `accepted`; towards the locations a knock is no exchange at all.

mod attach;
mod bucket;
mod config;
mod connection;
mod counters;
mod defaults;
mod exchange;
mod find;
mod hello;
mod registry;
mod relay;
mod session;
mod spent;
mod timer;
mod turn;

pub use config::{FinderConfig, TurnConfig};
pub use counters::{Counters, FindCounters, Traffic};
pub use hello::{Hello, Limits};

use crate::encoding::byte_string;
use crate::frame::{ExchangeId, MailboxId};
use crate::key::Signature;
use crate::{Code, Error, Time};
use bucket::{Bucket, BucketTable};
use exchange::Exchanges;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use registry::Registry;
use session::Session;
use spent::SpentTickets;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use timer::{Timer, Timers};

/// Exchange numbers towards a location, which the finder chooses, start here; seekers choose theirs below it. One
/// connection can be seeker and location at once, and a number always says which of the two it is about.
pub const FIRST_LOCATION_EXCHANGE: ExchangeId = 1 << 31;

/// Names one connection; the shell chooses it and never uses it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Where a connection comes from, for rate limits: the /24 or /56 prefix, left-aligned. Never logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(pub [u8; 8]);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(hidden)")
    }
}

byte_string! {
    /// Names a kept knock: a hash of its body, so that the same envelope sent twice is kept once.
    KnockId, 16
}

/// A knock that the store kept for a peer that was away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKnock {
    /// As in [`Output::KeepKnock`].
    pub id: KnockId,
    /// The sealed envelope.
    pub body: Vec<u8>,
    /// When the finder took it in.
    pub received: Time,
}

/// What the shell tells the machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// A WebSocket is open.
    Connected {
        /// A number never used before.
        connection: ConnectionId,
        /// Where it comes from.
        source: Source,
    },
    /// A whole binary message arrived. Text messages are frames too: they decode as `malformed`.
    Frame {
        /// The connection.
        connection: ConnectionId,
        /// The message.
        bytes: &'a [u8],
    },
    /// The connection ended, for whatever reason. Not needed after [`Output::Close`], but harmless.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
    },
    /// Answer to [`Output::Sign`].
    Signed {
        /// The connection of the command.
        connection: ConnectionId,
        /// By the domain key.
        signature: Signature,
    },
    /// Answer to [`Output::CheckMember`].
    Member {
        /// The connection of the command.
        connection: ConnectionId,
        /// Whether one of the mailboxes belongs to a claimed name.
        member: bool,
    },
    /// Answer to [`Output::FetchKnocks`].
    Knocks {
        /// The connection of the command.
        connection: ConnectionId,
        /// The mailbox of the command.
        mailbox: MailboxId,
        /// What is kept for it, oldest first; may be empty.
        knocks: Vec<StoredKnock>,
    },
    /// The server is about to stop: send every session elsewhere and take nothing new.
    Drain,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send one binary message.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Send what was queued before, then close. The machine has forgotten the connection.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        code: Code,
    },
    /// Sign with the domain key; answer with [`Input::Signed`].
    Sign {
        /// The connection whose `hello` it is.
        connection: ConnectionId,
        /// The bytes to sign.
        input: Vec<u8>,
    },
    /// Ask the store whether one of these guest mailboxes belongs to a claimed name; answer with [`Input::Member`].
    CheckMember {
        /// The connection that attaches.
        connection: ConnectionId,
        /// One to four guest mailboxes.
        mailboxes: Vec<MailboxId>,
    },
    /// Ask the store for kept knocks; answer with [`Input::Knocks`].
    FetchKnocks {
        /// The connection that attached.
        connection: ConnectionId,
        /// A guest mailbox.
        mailbox: MailboxId,
    },
    /// Keep a knock, if the mailbox is the guest mailbox of a claimed name and has room. No answer: the seeker must
    /// not learn which.
    KeepKnock {
        /// A mailbox that nobody has open; it may not exist at all.
        mailbox: MailboxId,
        /// A repeated id is the same knock again.
        id: KnockId,
        /// The sealed envelope, at most 10 KiB.
        body: Vec<u8>,
        /// When it came.
        received: Time,
        /// When to forget it.
        expires: Time,
    },
    /// A location took over a kept knock: delete it.
    DeleteKnock {
        /// The guest mailbox.
        mailbox: MailboxId,
        /// The knock.
        id: KnockId,
    },
}

/// One finder node.
pub struct Finder {
    config: FinderConfig,
    rng: ChaCha20Rng,
    sessions: BTreeMap<ConnectionId, Session>,
    registry: Registry,
    exchanges: Exchanges,
    spent: SpentTickets,
    sources: BucketTable,
    absent_mailboxes: BucketTable,
    knocks_to_store: Bucket,
    timers: Timers,
    drains_until: Option<Time>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Finder {
    /// A finder without connections. `seed` has to be random and secret: nonces come from it.
    ///
    /// # Errors
    /// `invalid-argument` if the lists of STUN or TURN servers do not fit into a frame.
    pub fn new(config: FinderConfig, seed: [u8; 32]) -> Result<Self, Error> {
        config.check()?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        Ok(Self {
            sources: BucketTable::new(defaults::SOURCE_SLOTS, &mut rng),
            absent_mailboxes: BucketTable::new(defaults::ABSENT_MAILBOX_SLOTS, &mut rng),
            config,
            rng,
            sessions: BTreeMap::new(),
            registry: Registry::default(),
            exchanges: Exchanges::default(),
            spent: SpentTickets::default(),
            knocks_to_store: Bucket::default(),
            timers: Timers::default(),
            drains_until: None,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        })
    }

    /// Takes in something that happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Connected { connection, source } => self.connected(now, connection, source),
            Input::Frame { connection, bytes } => self.received(now, connection, bytes),
            Input::Disconnected { connection } => self.forget(now, connection),
            Input::Signed { connection, signature } => self.signed(connection, &signature),
            Input::Member { connection, member } => self.complete_attach(now, connection, member),
            Input::Knocks { connection, mailbox, knocks } => {
                self.deliver_kept(now, connection, mailbox, knocks)
            }
            Input::Drain => self.drain(now),
        }
    }

    /// Acts on the timers that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.spent.forget_expired(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Connection(connection) => self.connection_waited(now, connection),
                Timer::Exchange(seeker) => self.exceed(now, seeker),
                Timer::Knock(location) => self.exchanges.forget_knock(location),
                Timer::Drained => self.close_all(now),
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], if no input comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What was done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder")
            .field("config", &self.config)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
