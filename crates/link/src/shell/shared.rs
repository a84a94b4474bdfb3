//! What handles and the task of one link share: the machine behind a lock that is never held across an await.

use super::sockets::{LocalSocket, Sockets};
use super::{Channel, IceServer, IncomingChannel, LinkEvent};
use crate::defaults::{MAX_EVENTS, MAX_SERVERS};
use crate::machine::{ChannelKey, Event, Input, LinkMachine, Transmit};
use crate::{ChannelOptions, EndReason};
use openpeer_core::transport::Candidate;
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Tells the task that there is something to send or another deadline.
    pub(super) wake: Notify,
    /// Tells waiting handles that something happened to the link.
    changed: Notify,
}

struct Inner {
    machine: LinkMachine,
    sockets: Sockets,
    events: VecDeque<Queued>,
    signals: BTreeMap<ChannelKey, Arc<Signals>>,
    is_gathered: bool,
    /// Servers that came after the link was prepared.
    new_servers: Vec<IceServer>,
}

/// Wakes those who wait for a channel.
#[derive(Default)]
pub(super) struct Signals {
    pub(super) readable: Notify,
    pub(super) writable: Notify,
}

/// An event without handles, which would keep this structure alive from within.
enum Queued {
    Plain(LinkEvent),
    Channel { key: ChannelKey, name: String, options: ChannelOptions },
}

/// What the task has to do next.
pub(super) struct Output {
    pub(super) transmits: Vec<Transmit>,
    pub(super) deadline: Option<Instant>,
    pub(super) sockets: Vec<Arc<LocalSocket>>,
    pub(super) is_ended: bool,
    pub(super) new_servers: Vec<IceServer>,
}

impl Shared {
    pub(super) fn new(machine: LinkMachine, sockets: Sockets) -> Self {
        let addresses: Vec<_> = sockets.all().iter().map(|local| local.address).collect();
        let inner = Inner {
            machine,
            sockets,
            events: VecDeque::new(),
            signals: BTreeMap::new(),
            is_gathered: false,
            new_servers: Vec::new(),
        };
        let shared = Self { inner: Mutex::new(inner), wake: Notify::new(), changed: Notify::new() };
        for address in addresses {
            shared.with(|machine, now| machine.handle_input(Input::AddressUp(address), now));
        }
        shared
    }

    /// Calls the machine, hands its events out and wakes the task if there is something to do for it.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut LinkMachine, Instant) -> T) -> T {
        let mut inner = self.lock();
        let deadline = inner.machine.poll_timeout();
        let result = call(&mut inner.machine, Instant::now());
        let happened = inner.settle();
        let has_work = inner.machine.has_transmits() || inner.machine.poll_timeout() != deadline;
        drop(inner);
        if happened {
            self.changed.notify_waiters();
        }
        if has_work {
            self.wake.notify_one();
        }
        result
    }

    /// As [`Self::with`], from the task itself, which needs no waking.
    pub(super) fn with_from_task(&self, call: impl FnOnce(&mut LinkMachine, Instant)) {
        let mut inner = self.lock();
        call(&mut inner.machine, Instant::now());
        let happened = inner.settle();
        drop(inner);
        if happened {
            self.changed.notify_waiters();
        }
    }

    /// Everything the machine wants sent, and what follows.
    pub(super) fn take_output(&self, transmits: Vec<Transmit>) -> Output {
        let mut inner = self.lock();
        let mut output = Output {
            transmits,
            deadline: inner.machine.poll_timeout(),
            sockets: inner.sockets.all(),
            is_ended: inner.machine.ended().is_some(),
            new_servers: std::mem::take(&mut inner.new_servers),
        };
        output.transmits.extend(std::iter::from_fn(|| inner.machine.poll_transmit()));
        output
    }

    /// Reads the interfaces again and tells the machine what changed.
    pub(super) fn refresh_addresses(&self) {
        let changes = self.lock().sockets.refresh();
        match changes {
            Ok(changes) => self.with(|machine, now| {
                changes
                    .down
                    .into_iter()
                    .for_each(|address| machine.handle_input(Input::AddressDown(address), now));
                changes
                    .up
                    .into_iter()
                    .for_each(|address| machine.handle_input(Input::AddressUp(address), now));
            }),
            Err(error) => tracing::debug!(%error, "keeping the known addresses"),
        }
    }

    /// Leaves a server to the task, which resolves its name.
    pub(super) fn add_server(&self, server: IceServer) {
        let mut inner = self.lock();
        if inner.new_servers.len() < 2 * MAX_SERVERS {
            inner.new_servers.push(server);
            inner.is_gathered = false;
        }
        drop(inner);
        self.wake.notify_one();
    }

    pub(super) fn signals(&self, channel: ChannelKey) -> Arc<Signals> {
        Arc::clone(self.lock().signals.entry(channel).or_default())
    }

    pub(super) fn forget_signals(&self, channel: ChannelKey) {
        self.lock().signals.remove(&channel);
    }

    // --- waiting ---

    pub(super) async fn opened(&self) -> Result<(), EndReason> {
        self.wait(|inner| match inner.machine.ended() {
            Some(reason) => Some(Err(reason)),
            None => inner.machine.is_open().then_some(Ok(())),
        })
        .await
    }

    pub(super) async fn next_event(this: &Arc<Self>) -> Option<LinkEvent> {
        let queued = this.wait(|inner| match inner.events.pop_front() {
            Some(event) => Some(Some(event)),
            None => inner.machine.ended().is_some().then_some(None),
        });
        match queued.await? {
            Queued::Plain(event) => Some(event),
            Queued::Channel { key, name, options } => {
                let channel = Channel::new(Arc::clone(this), key);
                Some(LinkEvent::IncomingChannel(IncomingChannel { name, options, channel }))
            }
        }
    }

    pub(super) async fn next_candidate(&self) -> Option<Candidate> {
        self.wait(|inner| match inner.take_candidate() {
            Some(candidate) => Some(Some(candidate)),
            None => (inner.is_gathered || inner.machine.ended().is_some()).then_some(None),
        })
        .await
    }

    async fn wait<T>(&self, mut ready: impl FnMut(&mut Inner) -> Option<T>) -> T {
        let mut changed = pin!(self.changed.notified());
        loop {
            // Registered before the check, so that nothing between the two is missed.
            changed.as_mut().enable();
            let found = ready(&mut self.lock());
            if let Some(found) = found {
                return found;
            }
            changed.as_mut().await;
            changed.set(self.changed.notified());
        }
    }

    /// A panic elsewhere leaves the machine at worst without its last output, which its timers make up for.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands the machine's events out; whether there was any for the link itself.
    fn settle(&mut self) -> bool {
        let mut happened = false;
        while let Some(event) = self.machine.poll_event() {
            happened |= self.hand_out(event);
        }
        happened
    }

    fn hand_out(&mut self, event: Event) -> bool {
        let event = match event {
            Event::Readable(channel) => return self.signal(channel, |signals| &signals.readable),
            Event::Writable(channel) => return self.signal(channel, |signals| &signals.writable),
            Event::ChannelClosed(channel) => {
                self.signal(channel, |signals| &signals.readable);
                return self.signal(channel, |signals| &signals.writable);
            }
            Event::IncomingChannel { channel, name, options } => {
                Queued::Channel { key: channel, name, options }
            }
            Event::LocalCandidate(candidate) => Queued::Plain(LinkEvent::LocalCandidate(candidate)),
            Event::GatheringDone => {
                self.is_gathered = true;
                Queued::Plain(LinkEvent::GatheringDone)
            }
            Event::Open => Queued::Plain(LinkEvent::Open),
            Event::Paused => Queued::Plain(LinkEvent::Paused),
            Event::Resumed => Queued::Plain(LinkEvent::Resumed),
            Event::PathChanged(path) => Queued::Plain(LinkEvent::PathChanged(path)),
            Event::Ended(reason) => {
                for signals in self.signals.values() {
                    signals.readable.notify_waiters();
                    signals.writable.notify_waiters();
                }
                Queued::Plain(LinkEvent::Ended(reason))
            }
        };
        self.queue(event);
        true
    }

    /// A program that never reads its events loses the oldest, and with it a channel that nobody would ever read.
    fn queue(&mut self, event: Queued) {
        self.events.push_back(event);
        if self.events.len() > MAX_EVENTS
            && let Some(Queued::Channel { key, .. }) = self.events.pop_front()
        {
            self.machine.close_channel(key, Instant::now());
        }
    }

    fn take_candidate(&mut self) -> Option<Candidate> {
        let is_candidate = |queued: &Queued| matches!(queued, Queued::Plain(LinkEvent::LocalCandidate(_)));
        let position = self.events.iter().position(is_candidate)?;
        match self.events.remove(position) {
            Some(Queued::Plain(LinkEvent::LocalCandidate(candidate))) => Some(candidate),
            _ => None,
        }
    }

    fn signal(&self, channel: ChannelKey, which: impl FnOnce(&Signals) -> &Notify) -> bool {
        if let Some(signals) = self.signals.get(&channel) {
            which(signals).notify_waiters();
        }
        false
    }
}
