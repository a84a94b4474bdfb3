//! Channels: names, states, what was received and not yet read, who waits for room.

use super::{Event, LinkMachine, State};
use crate::defaults::{
    CONTROL_CHANNEL, CONTROL_STREAM, MAX_CHANNEL_NAME, MAX_CHANNELS, MAX_MESSAGE, RECEIVE_BUFFER,
    RECEIVE_BUFFER_LOW, SEND_BUFFER_LOW,
};
use crate::{ChannelError, EndReason};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;
use str0m::channel::{ChannelConfig, ChannelId};

/// Names a channel of one link; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey(u32);

/// The control channel, which every link has (protocol section 7).
pub const CONTROL: ChannelKey = ChannelKey(0);

/// How a channel delivers. Both sides of a channel have the same options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Whether messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// Whether messages may be lost.
    pub reliability: Reliability,
}

/// Whether a message may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Never.
    #[default]
    Reliable,
    /// After this many retransmissions.
    MaxRetransmits(u16),
    /// After this many milliseconds without acknowledgement.
    MaxLifetime(u16),
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self { ordered: true, reliability: Reliability::Reliable }
    }
}

/// All channels of one link, their own state only.
pub(super) struct Channels {
    entries: BTreeMap<ChannelKey, Entry>,
    next: u32,
    unread: usize,
    blocked: BTreeSet<ChannelKey>,
}

struct Entry {
    id: ChannelId,
    state: ChannelState,
    inbound: VecDeque<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChannelState {
    /// Opened here, not yet acknowledged.
    Opening,
    /// Closed here before it was acknowledged.
    Abandoned,
    Open,
    /// Closed here; what was written is being acknowledged.
    Draining,
    /// Closed; only what was received before is left.
    Closed,
}

impl Channels {
    pub(super) fn new() -> Self {
        Self { entries: BTreeMap::new(), next: 0, unread: 0, blocked: BTreeSet::new() }
    }

    fn insert(&mut self, id: ChannelId, state: ChannelState) -> ChannelKey {
        let key = ChannelKey(self.next);
        self.next += 1;
        self.entries.insert(key, Entry { id, state, inbound: VecDeque::new() });
        key
    }

    fn find(&self, id: ChannelId) -> Option<ChannelKey> {
        self.entries.iter().find(|(_, entry)| entry.id == id).map(|(key, _)| *key)
    }

    fn remove(&mut self, key: ChannelKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.unread -= entry.inbound.iter().map(weight).sum::<usize>();
        }
        self.blocked.remove(&key);
    }

    /// No channel can be written any more; what was received stays readable.
    pub(super) fn close_all(&mut self) {
        self.blocked.clear();
        self.entries.retain(|_, entry| {
            entry.state = ChannelState::Closed;
            !entry.inbound.is_empty()
        });
    }

    /// Whether so much is unread that the peer must be slowed down.
    pub(super) const fn is_full(&self) -> bool {
        self.unread >= RECEIVE_BUFFER
    }

    /// Whether the peer may go on after it was slowed down.
    pub(super) const fn has_room(&self) -> bool {
        self.unread <= RECEIVE_BUFFER_LOW
    }
}

/// What a message counts for: empty ones cost memory too.
fn weight(message: &Bytes) -> usize {
    message.len() + size_of::<Bytes>()
}

impl LinkMachine {
    /// Opens a channel; it can be written once [`Event::Writable`] says so.
    ///
    /// # Errors
    /// `Name`, `TooMany`, `Ended`; `WouldBlock` before the link is started.
    pub fn open_channel(
        &mut self,
        name: &str,
        options: ChannelOptions,
        now: Instant,
    ) -> Result<ChannelKey, ChannelError> {
        self.check_running()?;
        if !is_name(name) {
            return Err(ChannelError::Name);
        }
        if self.channels.entries.len() >= MAX_CHANNELS {
            return Err(ChannelError::TooMany);
        }
        let id = self.engine.open_channel(channel_config(name, options, None));
        let key = self.channels.insert(id, ChannelState::Opening);
        self.run(now);
        Ok(key)
    }

    /// Writes one message of 1 byte to 64 KiB.
    ///
    /// # Errors
    /// `WouldBlock` if the send buffer is full or the channel not open yet; [`Event::Writable`] follows. `Empty`,
    /// `TooLarge`, `Closed`, `Ended`.
    pub fn write(&mut self, channel: ChannelKey, message: &[u8], now: Instant) -> Result<(), ChannelError> {
        self.check_running()?;
        if message.is_empty() {
            return Err(ChannelError::Empty);
        }
        if message.len() > MAX_MESSAGE {
            return Err(ChannelError::TooLarge);
        }
        let entry = self.channels.entries.get(&channel).ok_or(ChannelError::Closed)?;
        let id = entry.id;
        match entry.state {
            ChannelState::Open => {}
            ChannelState::Opening => return Err(ChannelError::WouldBlock),
            ChannelState::Abandoned | ChannelState::Draining | ChannelState::Closed => {
                return Err(ChannelError::Closed);
            }
        }
        // Timers that the message starts must count from now, not from the last datagram.
        if let Err(reason) = self.engine.handle_timeout(now) {
            self.end(reason, now);
            return Err(ChannelError::Ended(reason));
        }
        let written = self.engine.channel(id).map(|mut channel| channel.write(true, message));
        self.run(now);
        match written {
            Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => {
                self.channels.blocked.insert(channel);
                Err(ChannelError::WouldBlock)
            }
            Some(Err(_)) | None => Err(ChannelError::Closed),
        }
    }

    /// Takes the next message that arrived, if any.
    ///
    /// # Errors
    /// `Closed` once the channel is closed and everything was read.
    pub fn read(&mut self, channel: ChannelKey, now: Instant) -> Result<Option<Bytes>, ChannelError> {
        let Some(entry) = self.channels.entries.get_mut(&channel) else {
            return Err(self.ended.map_or(ChannelError::Closed, ChannelError::Ended));
        };
        let message = entry.inbound.pop_front();
        if entry.inbound.is_empty() && entry.state == ChannelState::Closed {
            self.channels.entries.remove(&channel);
        }
        if let Some(message) = &message {
            self.channels.unread -= weight(message);
            self.release_held(now);
        }
        Ok(message)
    }

    /// Closes a channel: what was written still arrives, what arrived and was not read is dropped.
    pub fn close_channel(&mut self, channel: ChannelKey, now: Instant) {
        if channel == CONTROL {
            return;
        }
        let Some(entry) = self.channels.entries.get_mut(&channel) else { return };
        let dropped: usize = entry.inbound.drain(..).map(|message| weight(&message)).sum();
        self.channels.unread -= dropped;
        self.channels.blocked.remove(&channel);
        match entry.state {
            ChannelState::Closed => self.channels.remove(channel),
            ChannelState::Opening => entry.state = ChannelState::Abandoned,
            ChannelState::Open => entry.state = ChannelState::Draining,
            ChannelState::Abandoned | ChannelState::Draining => {}
        }
        self.release_held(now);
        self.run(now);
    }

    // --- what str0m reports ---

    pub(super) fn add_control_channel(&mut self) {
        let id = self.engine.open_channel(channel_config(
            CONTROL_CHANNEL,
            ChannelOptions::default(),
            Some(CONTROL_STREAM),
        ));
        let key = self.channels.insert(id, ChannelState::Opening);
        debug_assert_eq!(key, CONTROL, "the control channel is the first one");
    }

    pub(super) fn on_channel_open(&mut self, id: ChannelId, name: String, now: Instant) {
        let Some(key) = self.channels.find(id) else { return self.on_incoming_channel(id, name) };
        let Some(entry) = self.channels.entries.get_mut(&key) else { return };
        if entry.state == ChannelState::Abandoned {
            entry.state = ChannelState::Draining;
            return;
        }
        entry.state = ChannelState::Open;
        if key == CONTROL {
            self.on_open(now);
        }
        self.events.push_back(Event::Writable(key));
    }

    fn on_incoming_channel(&mut self, id: ChannelId, name: String) {
        let options = self.engine.channel(id).and_then(|channel| channel.config().map(ChannelOptions::from));
        let (Some(options), true, true) =
            (options, is_name(&name), self.channels.entries.len() < MAX_CHANNELS)
        else {
            tracing::debug!("closing an incoming channel with a bad name or above the limit");
            return self.engine.close_channel(id);
        };
        let channel = self.channels.insert(id, ChannelState::Open);
        self.events.push_back(Event::IncomingChannel { channel, name, options });
    }

    pub(super) fn on_channel_data(&mut self, id: ChannelId, data: Vec<u8>) {
        let Some(key) = self.channels.find(id) else { return };
        let Some(entry) = self.channels.entries.get_mut(&key) else { return };
        if entry.state != ChannelState::Open {
            return;
        }
        let message = Bytes::from(data);
        self.channels.unread += weight(&message);
        entry.inbound.push_back(message);
        if entry.inbound.len() == 1 {
            self.events.push_back(Event::Readable(key));
        }
    }

    pub(super) fn on_channel_closed(&mut self, id: ChannelId, now: Instant) {
        let Some(key) = self.channels.find(id) else { return };
        if key == CONTROL {
            return self.end(EndReason::ChannelsFailed, now);
        }
        let Some(entry) = self.channels.entries.get_mut(&key) else { return };
        let was_ours_to_close = matches!(entry.state, ChannelState::Abandoned | ChannelState::Draining);
        entry.state = ChannelState::Closed;
        if entry.inbound.is_empty() {
            self.channels.remove(key);
        }
        if !was_ours_to_close {
            self.events.push_back(Event::ChannelClosed(key));
        }
    }

    /// Finishes closing of drained channels and wakes blocked writers; part of every run.
    pub(super) fn run_channels(&mut self) {
        let draining: Vec<_> = self.draining().collect();
        for (key, id) in draining {
            if self.buffered(id) == 0 {
                self.engine.close_channel(id);
                self.channels.remove(key);
            }
        }
        if !self.channels.blocked.is_empty() && self.buffered_total() <= SEND_BUFFER_LOW {
            let writable = std::mem::take(&mut self.channels.blocked);
            self.events.extend(writable.into_iter().map(Event::Writable));
        }
    }

    /// Bytes written to all channels and not acknowledged.
    pub(super) fn buffered_total(&mut self) -> usize {
        let ids: Vec<_> = self.channels.entries.values().map(|entry| entry.id).collect();
        ids.into_iter().map(|id| self.buffered(id)).sum()
    }

    fn buffered(&mut self, id: ChannelId) -> usize {
        self.engine.channel(id).map_or(0, |mut channel| channel.buffered_amount())
    }

    fn draining(&self) -> impl Iterator<Item = (ChannelKey, ChannelId)> {
        let entries = self.channels.entries.iter();
        entries
            .filter(|(_, entry)| entry.state == ChannelState::Draining)
            .map(|(key, entry)| (*key, entry.id))
    }

    fn check_running(&self) -> Result<(), ChannelError> {
        match self.state {
            State::Ended | State::Closing => {
                Err(ChannelError::Ended(self.ended.unwrap_or(EndReason::ClosedLocally)))
            }
            State::Preparing => Err(ChannelError::WouldBlock),
            State::Connecting | State::Open | State::Paused => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_CHANNEL_NAME).contains(&name.len()) && name != CONTROL_CHANNEL
}

fn channel_config(name: &str, options: ChannelOptions, negotiated: Option<u16>) -> ChannelConfig {
    let reliability = match options.reliability {
        Reliability::Reliable => str0m::channel::Reliability::Reliable,
        Reliability::MaxRetransmits(retransmits) => {
            str0m::channel::Reliability::MaxRetransmits { retransmits }
        }
        Reliability::MaxLifetime(lifetime) => str0m::channel::Reliability::MaxPacketLifetime { lifetime },
    };
    ChannelConfig {
        label: name.to_owned(),
        ordered: options.ordered,
        reliability,
        negotiated,
        protocol: String::new(),
    }
}

impl From<&ChannelConfig> for ChannelOptions {
    fn from(config: &ChannelConfig) -> Self {
        let reliability = match config.reliability {
            str0m::channel::Reliability::Reliable => Reliability::Reliable,
            str0m::channel::Reliability::MaxRetransmits { retransmits } => {
                Reliability::MaxRetransmits(retransmits)
            }
            str0m::channel::Reliability::MaxPacketLifetime { lifetime } => Reliability::MaxLifetime(lifetime),
        };
        Self { ordered: config.ordered, reliability }
    }
}
