use crate::builder::{self, Builder};
use crate::driver::Running;
use crate::event;
use crate::handle::{Command, Handle};
use crate::keystore::Passphrase;
use crate::wish::{self, Claim, Connect};
use crate::{Error, Event, Link};
use openpeer_core::document::PeerId;
use openpeer_core::key::{KeyId, RecoveryCode};
use openpeer_core::peer::{Contact, ContactState, Input, KnockId, LinkSetting, safety_number};
use openpeer_core::uri::Domain;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

/// A peer: one location of it, running. Cheap to clone; when the last clone is dropped, the peer and all its links end
/// at once. [`Self::close`] ends them with a word to the other sides.
#[derive(Clone)]
pub struct Peer {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Handle,
    id: PeerId,
    location: KeyId,
    domains: Vec<Domain>,
    events: Mutex<mpsc::Receiver<Event>>,
}

impl Peer {
    /// Begins to create, open or import a peer whose keys and contacts are in this directory.
    #[must_use]
    pub fn builder(directory: impl Into<PathBuf>) -> Builder {
        Builder::new(directory.into())
    }

    /// Whether a directory holds a peer.
    #[must_use]
    pub fn exists(directory: impl AsRef<Path>) -> bool {
        builder::exists(directory.as_ref())
    }

    pub(crate) fn new(running: Running, domains: Vec<Domain>) -> Self {
        let Running { handle, id, location, events } = running;
        Self { inner: Arc::new(Inner { handle, id, location, domains, events: Mutex::new(events) }) }
    }

    /// The peer's id: its address for ever.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.inner.id
    }

    /// This location's id.
    #[must_use]
    pub fn location(&self) -> KeyId {
        self.inner.location
    }

    /// The peer's domains, the preferred one first.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.inner.domains
    }

    // --- people ---

    /// Connects to `bob@b.test`, a peer id, or a `peer:` URI. A contact is found at once; at a stranger's door this
    /// knocks and waits for a yes, however long that takes. Links to oneself are refused.
    ///
    /// # Errors
    /// When awaited: `not-found`, `offline`, `declined`, `timeout`, `connect-failed`, `reset` and others of the
    /// protocol's codes.
    pub fn connect(&self, to: impl fmt::Display) -> Connect {
        Connect::new(self.inner.handle.clone(), &to.to_string())
    }

    /// The next thing that happened without being asked for; `None` once the peer is closed. At most 1,024 wait; what
    /// comes after that is lost, links among it closed.
    pub async fn next_event(&self) -> Option<Event> {
        self.inner.events.lock().await.recv().await
    }

    /// Everybody this peer knows.
    ///
    /// # Errors
    /// `closed`.
    pub async fn contacts(&self) -> Result<Vec<Contact>, Error> {
        self.inner.handle.query(|machine| machine.contacts().cloned().collect()).await
    }

    /// Says yes to a knock by its id; see [`crate::Knock::accept`].
    ///
    /// # Errors
    /// As [`crate::Knock::accept`].
    pub async fn accept_knock(&self, knock: KnockId) -> Result<Link, Error> {
        event::accept(&self.inner.handle, knock).await
    }

    /// Says no to a knock by its id.
    pub fn decline_knock(&self, knock: KnockId) {
        self.tell(Input::DeclineKnock { knock });
    }

    /// Wants to hear nothing of somebody any more; links with them end.
    pub fn block(&self, peer: PeerId) {
        self.tell(Input::SetContact { peer, state: ContactState::Blocked });
    }

    /// Takes somebody who was blocked as a contact again.
    pub fn unblock(&self, peer: PeerId) {
        self.tell(Input::SetContact { peer, state: ContactState::Contact });
    }

    /// Removes somebody from the contacts and tells them so if a link is open; links with them end.
    pub fn remove(&self, peer: PeerId) {
        self.tell(Input::SetContact { peer, state: ContactState::None });
    }

    /// Gives somebody a name that only this user sees; an empty one takes it away.
    pub fn rename(&self, peer: PeerId, name: impl Into<String>) {
        self.tell(Input::RenameContact { peer, name: name.into() });
    }

    /// Whether links with a contact may show it our address.
    pub fn set_link_setting(&self, peer: PeerId, setting: LinkSetting) {
        self.tell(Input::SetLinkSetting { peer, setting });
    }

    /// 60 digits that both sides see alike, to be compared in person or by phone. Takes some milliseconds.
    #[must_use]
    pub fn safety_number(&self, peer: PeerId) -> String {
        safety_number(self.inner.id, peer)
    }

    // --- names ---

    /// Claims a name at a domain, such as `alice` for `alice@a.test`.
    ///
    /// # Errors
    /// When awaited: `name-taken`, `name-invalid`, `name-reserved`, `invite-required`, `domain-unreachable` and others.
    pub fn claim(&self, name: &str) -> Claim {
        Claim::new(self.inner.handle.clone(), name, self.inner.domains.first())
    }

    /// Gives a name such as `alice@a.test` back. It stays blocked for 90 days.
    ///
    /// # Errors
    /// `invalid-argument`, `not-found`, `domain-unreachable` and others.
    pub async fn release(&self, address: &str) -> Result<(), Error> {
        wish::release(&self.inner.handle, address).await
    }

    // --- keys ---

    /// Replaces the root key by the next one that the recovery code gives. Everything signed with the old key is void;
    /// other locations of the peer have to be imported anew.
    ///
    /// # Errors
    /// `no-recovery-code` if it is not this peer's code; `closed`.
    pub async fn rotate(&self, code: &RecoveryCode) -> Result<(), Error> {
        let code = code.clone();
        self.inner.handle.ask(|reply| Command::Rotate { code, reply }).await?
    }

    /// Writes all own documents anew and gives them to contacts on open links, as after a change of address.
    pub fn renew_documents(&self) {
        self.tell(Input::RenewDocuments);
    }

    /// Names the peer's other locations, at most 7. One that is left out is revoked as soon as contacts hear of it.
    pub fn set_other_locations(&self, locations: Vec<KeyId>) {
        self.tell(Input::SetSiblings { siblings: locations });
    }

    /// The root key and the contacts, encrypted with a passphrase, as text; for [`Builder::import`]. Keys of this
    /// location are not part of it.
    ///
    /// # Errors
    /// `keystore-io`, `closed`.
    pub async fn export(&self, passphrase: impl Into<String>) -> Result<String, Error> {
        let passphrase = Passphrase::new(passphrase);
        self.inner.handle.ask(|reply| Command::Export { passphrase, reply }).await?
    }

    /// Ends all links with a word to the other side, leaves the finders and releases the keystore. Takes at most 3 s.
    /// All clones are closed with it.
    pub async fn close(self) {
        // A peer that has stopped already is closed.
        let _ = self.inner.handle.ask(|reply| Command::Close { reply }).await;
    }

    fn tell(&self, input: Input) {
        self.inner.handle.send(Command::Input(input));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handle.send(Command::Stop);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.inner.id).finish_non_exhaustive()
    }
}
