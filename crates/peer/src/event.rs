use crate::handle::{Command, Handle, Outcome};
use crate::{Error, Link};
use openpeer_core::document::PeerId;
use openpeer_core::peer::{ContactState, Input, KnockId, LinkId};
use openpeer_core::uri::Domain;
use openpeer_core::{Code, Time};
use openpeer_link::ConnectReport;

/// Something that happened without being asked for, from [`crate::Peer::next_event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Our documents are complete; contacts can be found from now on.
    Ready,
    /// We can be found through this domain.
    Online(Domain),
    /// We cannot be found through this domain; the peer keeps trying.
    Offline(Domain),
    /// A stranger knocks.
    Knock(Knock),
    /// A contact opened a link to us. Dropping it closes it.
    LinkOpened(Link),
    /// A link has had no path for 30 s. It waits for one for up to a day; channels go on from where they were.
    LinkPaused {
        /// The link.
        link: LinkId,
        /// With whom.
        peer: PeerId,
    },
    /// A paused link has a path again.
    LinkResumed {
        /// The link.
        link: LinkId,
        /// With whom.
        peer: PeerId,
    },
    /// A link could not be set up: what was tried and what to do. Whether a wish fails with it depends on whether
    /// there are other ways.
    LinkFailed {
        /// The report; it names no addresses.
        report: Box<ConnectReport>,
    },
    /// A link ended after it was open.
    LinkEnded {
        /// The link.
        link: LinkId,
        /// With whom.
        peer: PeerId,
        /// Why; `cancelled` if this side or the other closed it.
        reason: Code,
    },
    /// What somebody is to us changed.
    ContactChanged {
        /// Who.
        peer: PeerId,
        /// What they are now.
        state: ContactState,
    },
    /// Newer documents of a contact arrived over a link.
    DocumentsUpdated {
        /// Whose.
        peer: PeerId,
    },
    /// Something was refused or looks wrong. The codes `fork`, `reset` and `domain-key-changed` are for the user's
    /// eyes, the others for diagnosis.
    Alarm {
        /// What and why.
        error: openpeer_core::Error,
        /// About whom, if known.
        peer: Option<PeerId>,
    },
    /// The peer stopped: its keystore cannot be written any more. The last event.
    Failed(Error),
}

/// A stranger's wish to get in touch. Nobody sees the other's address before it is accepted. A knock that is dropped
/// without an answer stays and is told again when the peer is opened again.
#[derive(Debug)]
pub struct Knock {
    pub(crate) handle: Handle,
    pub(crate) id: KnockId,
    pub(crate) peer: PeerId,
    pub(crate) name: Option<String>,
    pub(crate) text: String,
    pub(crate) at: Time,
}

impl Knock {
    /// Names the knock, for [`crate::Peer::accept_knock`] after a restart.
    #[must_use]
    pub const fn id(&self) -> KnockId {
        self.id
    }

    /// Who knocks.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// A name that the knocker claims, such as `alice@a.test`; nobody has checked it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Their words: plain text, at most 280 bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When they knocked.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.at
    }

    /// Says yes: the knocker becomes a contact, and the link to it is opened.
    ///
    /// # Errors
    /// `offline` or `timeout` if the knocker cannot be reached now, `expired` after 7 days, and others. The yes is not
    /// lost: when the knocker knocks again, it is a contact.
    pub async fn accept(self) -> Result<Link, Error> {
        accept(&self.handle, self.id).await
    }

    /// Says no; the knocker hears nothing.
    pub fn decline(self) {
        self.handle.send(Command::Input(Input::DeclineKnock { knock: self.id }));
    }
}

pub(crate) async fn accept(handle: &Handle, knock: KnockId) -> Result<Link, Error> {
    let wish = handle.wish(|request| Input::AcceptKnock { knock, request })?;
    match wish.outcome(|_| ()).await? {
        Outcome::Link(link) => Ok(link),
        Outcome::Claimed(_) | Outcome::Released => Err(Code::Internal.into()),
    }
}
