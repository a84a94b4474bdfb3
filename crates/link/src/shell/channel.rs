//! Channel handles.

use super::shared::{Shared, Signals};
use crate::machine::{CONTROL, ChannelKey};
use crate::{ChannelError, ChannelOptions};
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// A channel of a link. Dropping it closes it: what was sent still arrives, what was not read is lost.
///
/// The link slows the peer down once 1 MiB of all its channels together is unread, acknowledgements included: a
/// program that only writes while it leaves much unread can stop its own writing.
pub struct Channel {
    shared: Arc<Shared>,
    key: ChannelKey,
    signals: Arc<Signals>,
}

/// A channel that the peer opened.
#[derive(Debug)]
pub struct IncomingChannel {
    /// Its name, 1 to 128 bytes, chosen by the peer.
    pub name: String,
    /// How it delivers.
    pub options: ChannelOptions,
    /// The channel.
    pub channel: Channel,
}

impl Channel {
    pub(super) fn new(shared: Arc<Shared>, key: ChannelKey) -> Self {
        let signals = shared.signals(key);
        Self { shared, key, signals }
    }

    /// Sends one message of 1 byte to 64 KiB; waits while the send buffer is full or the link is paused. Cancelling
    /// it sends nothing.
    ///
    /// # Errors
    /// `Empty`, `TooLarge`, `Closed`, `Ended`.
    pub async fn send(&self, message: &[u8]) -> Result<(), ChannelError> {
        self.wait(&self.signals.writable, || match self.try_send(message) {
            Err(ChannelError::WouldBlock) => None,
            done => Some(done),
        })
        .await
    }

    /// Sends one message if there is room now.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; `Empty`, `TooLarge`, `Closed`, `Ended`.
    pub fn try_send(&self, message: &[u8]) -> Result<(), ChannelError> {
        self.shared.with(|machine, now| machine.write(self.key, message, now))
    }

    /// The next message. Cancelling it loses nothing.
    ///
    /// # Errors
    /// `Closed` or `Ended` once everything was read.
    pub async fn recv(&self) -> Result<Bytes, ChannelError> {
        self.wait(&self.signals.readable, || {
            self.shared.with(|machine, now| machine.read(self.key, now)).transpose()
        })
        .await
    }

    async fn wait<T>(&self, signal: &Notify, mut ready: impl FnMut() -> Option<T>) -> T {
        let mut signalled = pin!(signal.notified());
        loop {
            // Registered before the check, so that nothing between the two is missed.
            signalled.as_mut().enable();
            if let Some(found) = ready() {
                return found;
            }
            signalled.as_mut().await;
            signalled.set(signal.notified());
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.key != CONTROL {
            self.shared.with(|machine, now| machine.close_channel(self.key, now));
            self.shared.forget_signals(self.key);
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Channel").field(&self.key).finish()
    }
}
