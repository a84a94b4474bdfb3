//! What goes into a peer machine and what comes out.

use super::{ContactState, LinkSetting};
use crate::document::{Name, PeerId};
use crate::encoding::byte_string;
use crate::frame::TurnServer;
use crate::key::{KeyHash, KeyId, PublicKey, Signature, SigningKeyName};
use crate::seal::{InboxKey, OpenRequest, Opened};
use crate::transport::{Candidate, IceCredentials, TransportParameters};
use crate::uri::{Address, Domain, FinderUrl};
use crate::{Code, Error, Time};

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);)*
    };
}

number! {
    /// A user's wish; the caller counts up from 1 and never uses a number again.
    RequestId;
    /// A link, prepared or running; the machine chooses it.
    LinkId;
    /// A connection to a finder; the machine chooses it.
    ConnectionId;
    /// A command that waits for its answer; the machine chooses it.
    OperationId;
}

impl RequestId {
    /// Whether the machine made this wish itself, such as answering a knock that needs no further yes. Its numbers
    /// count down from the top, out of the way of the caller's.
    pub(super) const fn is_own(self) -> bool {
        self.0 > u64::MAX / 2
    }
}

byte_string! {
    /// A received knock: the id of its message.
    KnockId, 16
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A contact.
    Contact(PeerId),
    /// What a person typed.
    Address(Address),
}

/// Which end of a link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRole {
    /// Sent the find: offerer, ICE controlling, DTLS `actpass`, in effect the DTLS server.
    Seeker,
    /// Sent the answer: ICE controlled, DTLS client.
    Callee,
}

/// What an inbox key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxUse {
    /// Random; for finds to this location. Replaced daily.
    Daily,
    /// Derived from the root for a 30-day period; for knocks.
    Guest(u32),
    /// Random; for one contact, one year.
    Pair(PeerId),
}

/// A request to a domain's web server over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The domain to ask; its certificate must be valid for it.
    pub domain: Domain,
    /// Path and query.
    pub path: String,
    /// Body of a `POST` (`application/json`); `None` for a `GET`.
    pub body: Option<Vec<u8>>,
}

/// The answer to an [`HttpRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Body, at most 64 KiB; the shell refuses more with `too-large`.
    pub body: Vec<u8>,
}

/// What the shell tells the machine.
#[derive(Debug)]
pub enum Input {
    /// Go online: keep documents alive and attach to the finders of our domains.
    Start,
    /// A user wants a link to somebody. Ends with [`Event::LinkOpen`] or [`Event::RequestFailed`] for the request.
    Connect {
        /// The wish.
        request: RequestId,
        /// To whom.
        target: Target,
        /// A few words for a knock, at most 280 bytes.
        text: String,
    },
    /// The user gave up on a wish.
    Cancel {
        /// The wish.
        request: RequestId,
    },
    /// The user says yes to a knock: the knocker becomes a contact and is linked to.
    AcceptKnock {
        /// The knock.
        knock: KnockId,
        /// The wish that the link answers.
        request: RequestId,
    },
    /// The user says no to a knock; the knocker hears nothing.
    DeclineKnock {
        /// The knock.
        knock: KnockId,
    },
    /// The user changes what somebody is to them.
    SetContact {
        /// Whom.
        peer: PeerId,
        /// [`ContactState::Blocked`], [`ContactState::Contact`] (to unblock) or [`ContactState::None`] (to remove).
        state: ContactState,
    },
    /// The user renames a contact.
    RenameContact {
        /// Whom.
        peer: PeerId,
        /// The new name, shown to this user only.
        name: String,
    },
    /// The user decides how links with a contact may run.
    SetLinkSetting {
        /// Whom.
        peer: PeerId,
        /// The setting.
        setting: LinkSetting,
    },
    /// The user wants a name at a domain. Ends with [`Event::NameClaimed`] or [`Event::RequestFailed`].
    ClaimName {
        /// The wish.
        request: RequestId,
        /// The name.
        name: Name,
        /// The domain.
        domain: Domain,
        /// An invite code, where the domain wants one.
        invite: Option<String>,
    },
    /// The user gives a name back. Ends with [`Event::NameReleased`] or [`Event::RequestFailed`].
    ReleaseName {
        /// The wish.
        request: RequestId,
        /// The name.
        name: Name,
        /// The domain.
        domain: Domain,
    },
    /// The keyring staged a rotation ([`crate::key::Keyring::stage_rotation`]); make it public.
    Rotate {
        /// The new root key.
        root: PublicKey,
        /// The commitment to the one after it.
        next: KeyHash,
    },
    /// Write all own documents anew, as after a change of address.
    RenewDocuments,
    /// Names the peer's other locations, at most 7; one that is left out is revoked.
    SetSiblings {
        /// Their ids.
        siblings: Vec<KeyId>,
    },
    /// A connection to a finder is open.
    FinderOpen {
        /// The connection.
        connection: ConnectionId,
    },
    /// A finder sent a message.
    FinderFrame {
        /// The connection.
        connection: ConnectionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A connection to a finder failed or ended, or stayed silent beyond its keep-alive.
    FinderClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// Answer to [`Output::PrepareLink`].
    LinkPrepared {
        /// The link.
        link: LinkId,
        /// Our end, with the candidates known at once.
        local: TransportParameters,
    },
    /// More candidates of our end.
    LinkCandidates {
        /// The link.
        link: LinkId,
        /// The candidates.
        candidates: Vec<Candidate>,
        /// Whether gathering is over.
        end: bool,
    },
    /// The control channel of a link is open.
    LinkOpen {
        /// The link.
        link: LinkId,
    },
    /// A message on a link's control channel.
    LinkControl {
        /// The link.
        link: LinkId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// The link wants an ICE restart, or answers one.
    LinkIce {
        /// The link.
        link: LinkId,
        /// Whether it answers.
        answer: bool,
        /// New credentials.
        ice: IceCredentials,
        /// Candidates known at once.
        candidates: Vec<Candidate>,
    },
    /// A link ended or could not be set up.
    LinkEnded {
        /// The link.
        link: LinkId,
        /// Why; `cancelled` if we closed it.
        reason: Code,
    },
    /// The user closes a link.
    CloseLink {
        /// The link.
        link: LinkId,
    },
    /// Answer to [`Output::Sign`].
    Signed {
        /// The command.
        operation: OperationId,
        /// The signature.
        signature: Signature,
    },
    /// Answer to [`Output::Open`].
    Opened {
        /// The command.
        operation: OperationId,
        /// The content, or why it could not be opened.
        result: Result<Opened, Error>,
    },
    /// Answer to [`Output::CreateInboxKey`].
    InboxKey {
        /// The command.
        operation: OperationId,
        /// The public half.
        key: InboxKey,
    },
    /// Answer to [`Output::PublicKey`].
    PublicKey {
        /// The command.
        operation: OperationId,
        /// The key.
        key: PublicKey,
    },
    /// Answer to [`Output::Http`].
    Http {
        /// The command.
        operation: OperationId,
        /// The response, or `domain-unreachable`, `bad-certificate` or `too-large`.
        result: Result<HttpResponse, Code>,
    },
}

/// What the machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Make a record durable before carrying out later outputs; `None` deletes it. Values hold secrets.
    Persist {
        /// Its key: ASCII without white space, at most 300 bytes.
        key: String,
        /// Its value, JSON.
        value: Option<Vec<u8>>,
    },
    /// Sign with a private key.
    Sign {
        /// For the answer.
        operation: OperationId,
        /// The key.
        key: SigningKeyName,
        /// The bytes to sign.
        input: Vec<u8>,
    },
    /// Open an envelope with an inbox key.
    Open {
        /// For the answer.
        operation: OperationId,
        /// What to open.
        request: OpenRequest,
    },
    /// Make an inbox key and keep its private half, durably, until [`Output::ForgetInboxKey`].
    CreateInboxKey {
        /// For the answer.
        operation: OperationId,
        /// What it is for.
        usage: InboxUse,
    },
    /// Destroy the private half of an inbox key.
    ForgetInboxKey {
        /// The key.
        key: KeyId,
    },
    /// Tell the public half of a key.
    PublicKey {
        /// For the answer.
        operation: OperationId,
        /// The key.
        key: SigningKeyName,
    },
    /// The staged root key is current from now on ([`crate::key::Keyring::commit_rotation`]).
    CommitRotation,
    /// Ask a domain's web server.
    Http {
        /// For the answer.
        operation: OperationId,
        /// The request.
        request: HttpRequest,
    },
    /// Open a WebSocket to a finder, with subprotocol `openpeer.1`.
    Dial {
        /// The connection.
        connection: ConnectionId,
        /// The finder.
        url: FinderUrl,
    },
    /// Send a message to a finder.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Close a connection to a finder; no [`Input::FinderClosed`] is needed.
    Hangup {
        /// The connection.
        connection: ConnectionId,
    },
    /// Prepare our end of a link: certificate, credentials, sockets. Answer with [`Input::LinkPrepared`] without
    /// waiting for STUN or TURN.
    PrepareLink {
        /// The link.
        link: LinkId,
        /// Our role.
        role: LinkRole,
        /// STUN servers of our own domain.
        stun: Vec<String>,
        /// TURN servers of our own domain.
        turn: Vec<TurnServer>,
        /// Use relayed candidates only: the contact must not see our address.
        relay_only: bool,
    },
    /// Start connectivity checks towards the other end.
    StartLink {
        /// The link.
        link: LinkId,
        /// The other end.
        remote: TransportParameters,
    },
    /// More candidates of the other end.
    AddCandidates {
        /// The link.
        link: LinkId,
        /// The candidates.
        candidates: Vec<Candidate>,
    },
    /// The other end restarts ICE, or answers our restart.
    RestartIce {
        /// The link.
        link: LinkId,
        /// Whether it answers.
        answer: bool,
        /// The other end's new credentials.
        ice: IceCredentials,
        /// Its candidates known so far.
        candidates: Vec<Candidate>,
    },
    /// Send a message on a link's control channel.
    SendControl {
        /// The link.
        link: LinkId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// End a link, prepared or running, once its control messages are sent.
    EndLink {
        /// The link.
        link: LinkId,
        /// Why.
        reason: Code,
    },
    /// Something for the user.
    Event(Event),
}

/// How far a wish has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Asking the domain who is behind the name.
    Resolving,
    /// The knock is at the other domain; now a person decides.
    Knocking,
    /// Asking finders for this many locations of the peer.
    Finding(usize),
    /// A location answered; setting up the link.
    Linking(LinkId),
}

/// Something for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Our documents are complete.
    Ready,
    /// We can be found through this domain.
    Online(Domain),
    /// We cannot be found through this domain; retrying.
    Offline(Domain),
    /// A wish made progress.
    Progress {
        /// The wish.
        request: RequestId,
        /// How far it is.
        progress: Progress,
    },
    /// A wish cannot be fulfilled.
    RequestFailed {
        /// The wish.
        request: RequestId,
        /// Why.
        error: Error,
    },
    /// Somebody knocks.
    Knock {
        /// For the user's answer.
        knock: KnockId,
        /// Who.
        peer: PeerId,
        /// A name that the knocker claims; nobody has checked it.
        name: Option<String>,
        /// Their words; plain text.
        text: String,
        /// When they were written.
        at: Time,
    },
    /// A link is open at our end.
    LinkOpen {
        /// The link.
        link: LinkId,
        /// With whom.
        peer: PeerId,
        /// With which of their locations.
        location: KeyId,
        /// Which wish it fulfils, if any.
        request: Option<RequestId>,
    },
    /// A link ended after it was open.
    LinkEnded {
        /// The link.
        link: LinkId,
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: Code,
    },
    /// A contact's state changed.
    ContactChanged {
        /// Whom.
        peer: PeerId,
        /// What they are now.
        state: ContactState,
    },
    /// Newer documents of a contact arrived over a link.
    DocumentsUpdated {
        /// Whose.
        peer: PeerId,
    },
    /// The domain granted a name.
    NameClaimed {
        /// The wish.
        request: RequestId,
        /// `alice@a.test`.
        address: Address,
    },
    /// The domain took a name back.
    NameReleased {
        /// The wish.
        request: RequestId,
    },
    /// Something was refused or looks wrong. Codes such as `fork`, `reset` and `domain-key-changed` are for the user's
    /// eyes, the others for diagnosis.
    Alarm {
        /// What and why.
        error: Error,
        /// About whom, if known.
        peer: Option<PeerId>,
    },
}
