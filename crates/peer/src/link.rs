use crate::Error;
use crate::defaults::ICE_RESTART_TIMEOUT;
use crate::handle::{Command, Handle};
use bytes::Bytes;
use openpeer_core::Code;
use openpeer_core::document::PeerId;
use openpeer_core::key::KeyId;
use openpeer_core::peer::{Input, LinkId};
use openpeer_link::{ChannelError, ChannelOptions, ConnectReport, EndReason, IncomingChannel, PathInfo};
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// A direct link to another peer: end-to-end encrypted, both ends authenticated, no server involved.
///
/// Cheap to clone. The link ends with [`Self::close`], or when its last clone and the last of its channels are dropped.
#[derive(Clone, Debug)]
pub struct Link {
    inner: Arc<Inner>,
}

/// What all handles of a link have in common; the link is closed with the last of them.
pub(crate) struct Inner {
    id: LinkId,
    peer: PeerId,
    location: KeyId,
    shared: Arc<Shared>,
    handle: Handle,
}

/// What a link's handles and its task share. The task owns the link itself.
pub(crate) struct Shared {
    link: Weak<openpeer_link::Link>,
    incoming: Mutex<mpsc::UnboundedReceiver<IncomingChannel>>,
    end: OnceLock<(EndReason, ConnectReport)>,
}

impl Link {
    pub(crate) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Names the link in events.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.inner.id
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.inner.peer
    }

    /// Which of the peer's locations is at the other end.
    #[must_use]
    pub fn location(&self) -> KeyId {
        self.inner.location
    }

    /// Opens a channel, ordered and reliable. What it is about is up to the two programs; the name has 1 to 128 bytes.
    ///
    /// # Errors
    /// `channel-name`, `limit-exceeded` above 256 channels, or why the link has ended.
    pub async fn open(&self, name: &str) -> Result<Channel, Error> {
        self.open_with(name, ChannelOptions::default()).await
    }

    /// Opens a channel that may lose or reorder messages. Waits for nothing today; other transports will.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(&self, name: &str, options: ChannelOptions) -> Result<Channel, Error> {
        let channel = self.inner.shared.link()?.open(name, options)?;
        Ok(Channel { channel, name: name.to_owned(), options, link: self.clone() })
    }

    /// The next channel that the other end opens; `None` once the link has ended.
    pub async fn incoming(&self) -> Option<Channel> {
        let IncomingChannel { name, options, channel } =
            self.inner.shared.incoming.lock().await.recv().await?;
        Some(Channel { channel, name, options, link: self.clone() })
    }

    /// Looks for a path anew over the network interfaces of now, as after a change of network. Channels go on over the
    /// old path meanwhile. Returns once the other end has answered; it takes one restart in 5 s.
    ///
    /// # Errors
    /// `timeout` if there is no answer within 10 s, or why the link has ended.
    pub async fn restart_ice(&self) -> Result<(), Error> {
        let link = self.inner.id;
        let restart = self.inner.handle.ask(|reply| Command::RestartIce { link, reply });
        match timeout(ICE_RESTART_TIMEOUT, restart).await {
            Err(_) => Err(Code::Timeout.into()),
            Ok(Err(_)) => Err(self.inner.shared.ended_error()),
            Ok(Ok(result)) => result,
        }
    }

    /// The path in use; `None` while there is none.
    #[must_use]
    pub fn path(&self) -> Option<PathInfo> {
        self.inner.shared.link().ok()?.path()
    }

    /// The negotiated DTLS version, such as `1.3`.
    #[must_use]
    pub fn dtls(&self) -> Option<String> {
        self.report().dtls
    }

    /// How the link came about: what was tried, what came of it, how long each step took. It names no addresses.
    #[must_use]
    pub fn report(&self) -> ConnectReport {
        self.inner.shared.report()
    }

    /// Why the link has ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<EndReason> {
        self.inner.shared.end.get().map(|(reason, _)| *reason)
    }

    /// Ends the link with a word to the other end, for all clones.
    pub fn close(self) {
        self.inner.handle.send(Command::Input(Input::CloseLink { link: self.inner.id }));
    }
}

/// A channel of a link: messages of at most 64 KiB in both directions.
#[derive(Debug)]
pub struct Channel {
    channel: openpeer_link::Channel,
    name: String,
    options: ChannelOptions,
    link: Link,
}

impl Channel {
    /// The channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the channel delivers.
    #[must_use]
    pub const fn options(&self) -> ChannelOptions {
        self.options
    }

    /// The link that carries the channel.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Sends a message of 1 byte to 64 KiB; waits while too much is under way or the link is paused.
    ///
    /// # Errors
    /// `message-too-large`, `channel-closed`, or why the link has ended.
    pub async fn send(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.channel.send(message.as_ref()).await?)
    }

    /// The next message; `None` once either end has closed the channel or the link.
    ///
    /// # Errors
    /// Why the link has ended, if nobody closed it.
    pub async fn recv(&self) -> Result<Option<Bytes>, Error> {
        match self.channel.recv().await {
            Ok(message) => Ok(Some(message)),
            Err(ChannelError::Closed) => Ok(None),
            Err(ChannelError::Ended(EndReason::ClosedLocally | EndReason::ClosedByPeer)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Inner {
    pub(crate) const fn new(
        id: LinkId,
        peer: PeerId,
        location: KeyId,
        shared: Arc<Shared>,
        handle: Handle,
    ) -> Self {
        Self { id, peer, location, shared, handle }
    }

    pub(crate) const fn peer(&self) -> PeerId {
        self.peer
    }
}

impl Shared {
    pub(crate) const fn new(
        link: Weak<openpeer_link::Link>,
        incoming: mpsc::UnboundedReceiver<IncomingChannel>,
    ) -> Self {
        Self { link, incoming: Mutex::const_new(incoming), end: OnceLock::new() }
    }

    /// Notes how the link ended, before it is gone.
    pub(crate) fn set_ended(&self, reason: EndReason, report: ConnectReport) {
        // The task ends a link once.
        let _ = self.end.set((reason, report));
    }

    fn link(&self) -> Result<Arc<openpeer_link::Link>, Error> {
        self.link.upgrade().ok_or_else(|| self.ended_error())
    }

    fn report(&self) -> ConnectReport {
        loop {
            if let Some((_, report)) = self.end.get() {
                return report.clone();
            }
            if let Some(link) = self.link.upgrade() {
                return link.report();
            }
        }
    }

    fn ended_error(&self) -> Error {
        let reason = self.end.get().map_or(EndReason::ClosedLocally, |(reason, _)| *reason);
        ChannelError::Ended(reason).into()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handle.send(Command::Abandon { link: self.id });
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}
