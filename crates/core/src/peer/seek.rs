use super::domains::Waiter;
use super::links::{Link, Stage};
use super::timer::Timer;
use super::{
    ConnectionId, ContactState, ExchangeKeys, LinkId, LinkRole, LinkSetting, Operation, Output, PeerMachine,
};
use super::{Progress, RequestId};
use crate::defaults::{DOCUMENT_FRESHNESS, FIND_TIMEOUT, FINDER_HEAD_START, LINK_TIMEOUT};
use crate::document::{DocumentId, Draft, FinderMailbox, PeerId, Public, V1};
use crate::frame::{ExchangeId, MailboxKind};
use crate::key::{KeyId, Signature, SigningKeyName};
use crate::message::{Answer, AnswerResult, Find, Knock, Known, Letter, MessageId, More, ReplyTo, Writer};
use crate::seal::{EnvelopeKind, InboxKey, Psk, Recipient, seal};
use crate::ticket::Ticket;
use crate::transport::{Transport, TransportParameters};
use crate::uri::Domain;
use crate::{Code, Error};
use std::collections::BTreeSet;

/// Numbers the exchanges that we start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeekId(pub(super) u64);

/// An exchange that we started: a find to one location, or a knock.
pub(super) struct Seek {
    pub(super) request: Option<RequestId>,
    peer: PeerId,
    wanted: Wanted,
    inbox: InboxKey,
    psk: Option<Psk>,
    routes: Vec<Route>,
    next_route: usize,
    /// The sealed envelope, once made; the same one goes over every route.
    envelope: Option<Vec<u8>>,
    keys: Option<ExchangeKeys>,
    attempts: BTreeSet<(ConnectionId, ExchangeId)>,
    /// Why the last route failed.
    failure: Option<Error>,
    answered: bool,
}

enum Wanted {
    Find {
        link: LinkId,
        location: KeyId,
        /// The find's id once drafted.
        find: Option<DocumentId>,
        /// The knock that it says yes to.
        knock: Option<DocumentId>,
    },
    Knock,
}

/// A way to the callee's mailbox.
struct Route {
    finder: FinderMailbox,
    ticket: Option<Ticket>,
}

/// What a seek waits for.
pub(super) enum Step {
    Find(Draft<Find>),
    Knock(Draft<Knock>),
}

impl PeerMachine {
    /// Locations of a contact for which we hold a usable inbox key and mailbox.
    pub(super) fn findable_locations(&self, peer: PeerId) -> Vec<KeyId> {
        let Some(contact) = self.contacts.get(&peer) else { return Vec::new() };
        let usable = |location: &&KeyId| self.usable_inbox(peer, location).is_some();
        contact.locations.keys().filter(usable).copied().collect()
    }

    /// The inbox key to seal a find with: the daily one, or the pair key when that one has run out.
    fn usable_inbox(&self, peer: PeerId, location: &KeyId) -> Option<InboxKey> {
        let contact = self.contacts.get(&peer)?;
        let reach = contact.reach(location)?;
        if reach.exp > self.now {
            return Some(reach.inbox.clone());
        }
        let known = contact.locations.get(location)?;
        let pair = known.pair.as_ref().filter(|pair| pair.exp > self.now && !known.psks.is_empty())?;
        Some(pair.key.clone())
    }

    /// Starts a find to one location of a contact.
    pub(super) fn seek_location(&mut self, request: RequestId, peer: PeerId, location: KeyId) {
        let Some(inbox) = self.usable_inbox(peer, &location) else { return };
        let Some(contact) = self.contacts.get_mut(&peer) else { return };
        let finders = contact.reach(&location).map(|reach| reach.finders.clone()).unwrap_or_default();
        let routes = finders
            .into_iter()
            .enumerate()
            .map(|(index, finder)| Route { finder, ticket: contact.take_ticket(&location, index) })
            .collect();
        let psk = contact.locations.get(&location).and_then(|known| known.psks.first().cloned());
        self.save_contact(peer);
        self.start_find(request, peer, location, inbox, psk, routes, None);
    }

    /// Answers a knock with a find.
    pub(super) fn seek_knocker(
        &mut self,
        request: RequestId,
        peer: PeerId,
        location: KeyId,
        reply: ReplyTo,
        knock: DocumentId,
    ) {
        let routes = vec![Route { finder: reply.finder, ticket: reply.ticket }];
        self.start_find(request, peer, location, reply.inbox, None, routes, Some(knock));
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one find, gathered by its two callers")]
    fn start_find(
        &mut self,
        request: RequestId,
        peer: PeerId,
        location: KeyId,
        inbox: InboxKey,
        psk: Option<Psk>,
        routes: Vec<Route>,
        knock: Option<DocumentId>,
    ) {
        let link = self.prepare_link(LinkRole::Seeker, peer, location, Some(request));
        let wanted = Wanted::Find { link, location, find: None, knock };
        self.insert_seek(Some(request), peer, wanted, inbox, psk, routes);
    }

    /// Knocks at a stranger's door.
    pub(super) fn knock(&mut self, request: RequestId, peer: PeerId, public: &Public) {
        let Some(reply) = self.reply_address() else {
            let error =
                Error::new(Code::NeedsIntroduction, "a knock needs a domain of one's own for the reply");
            return self.fail(request, error);
        };
        let routes =
            public.finders.iter().map(|finder| Route { finder: finder.clone(), ticket: None }).collect();
        let name = self.names_mut().first().map(|(name, domain)| format!("{name}@{domain}"));
        let knock = Knock {
            v: V1,
            jti: MessageId(self.random()),
            iat: self.now,
            iss: self.peer(),
            aud: peer,
            inbox: public.inbox.id(),
            name,
            text: self.request_text(request),
            reply,
        };
        let draft = Draft::new(knock, self.location());
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.knock = Some(draft.id());
        }
        self.save_contact(peer);
        let seek = self.insert_seek(Some(request), peer, Wanted::Knock, public.inbox.clone(), None, routes);
        let input = draft.signing_input().to_vec();
        self.sign(SigningKeyName::Location, input, Operation::Seek(seek, Step::Knock(draft)));
    }

    /// Where a yes to our knock goes: our own mailbox, with one admission.
    fn reply_address(&mut self) -> Option<ReplyTo> {
        let finder = self.own_mailboxes(MailboxKind::Location).into_iter().next()?;
        let inbox = self.own_inbox()?;
        let random = self.random();
        let ticket = self.ticket_key(&finder).map(|key| key.issue(self.now, random));
        Some(ReplyTo { finder, inbox, ticket })
    }

    fn insert_seek(
        &mut self,
        request: Option<RequestId>,
        peer: PeerId,
        wanted: Wanted,
        inbox: InboxKey,
        psk: Option<Psk>,
        routes: Vec<Route>,
    ) -> SeekId {
        let id = SeekId(self.fresh_id());
        let seek = Seek {
            request,
            peer,
            wanted,
            inbox,
            psk,
            routes,
            next_route: 0,
            envelope: None,
            keys: None,
            attempts: BTreeSet::new(),
            failure: None,
            answered: false,
        };
        self.seeks.insert(id, seek);
        self.set_timer(Timer::Seek(id), FIND_TIMEOUT);
        id
    }

    /// Makes a link known and asks the shell to prepare our end of it.
    pub(super) fn prepare_link(
        &mut self,
        role: LinkRole,
        peer: PeerId,
        location: KeyId,
        request: Option<RequestId>,
    ) -> LinkId {
        let link = LinkId(self.fresh_id());
        let relay_only =
            self.contacts.get(&peer).is_some_and(|contact| contact.setting == LinkSetting::RelayOnly);
        self.links.insert(link, Link::new(peer, location, role, request));
        self.set_timer(Timer::Link(link), FIND_TIMEOUT + LINK_TIMEOUT);
        let (stun, turn) = self.ice_servers();
        self.output(Output::PrepareLink { link, role, stun, turn, relay_only });
        link
    }

    /// Our end of the link is ready: write the find.
    pub(super) fn write_find(&mut self, link: LinkId, local: TransportParameters) {
        let Some((id, seek)) = self.seeks.iter().find(|(_, seek)| seek.link() == Some(link)) else { return };
        let (id, peer, inbox) = (*id, seek.peer, seek.inbox.id());
        let Wanted::Find { location, knock, .. } = seek.wanted else { return };
        let find = Find {
            v: V1,
            suite: "PS1".to_owned(),
            jti: MessageId(self.random()),
            iat: self.now,
            iss: self.peer(),
            aud: peer,
            to: location,
            inbox,
            transports: vec![Transport::WebRtc],
            webrtc: local,
            has: self.known_of(peer, &location),
            knock,
        };
        let draft = Draft::new(find, self.location());
        if let Some(Seek { wanted: Wanted::Find { find, .. }, .. }) = self.seeks.get_mut(&id) {
            *find = Some(draft.id());
        }
        let input = draft.signing_input().to_vec();
        self.sign(SigningKeyName::Location, input, Operation::Seek(id, Step::Find(draft)));
    }

    /// Which documents of a peer we hold.
    fn known_of(&self, peer: PeerId, location: &KeyId) -> Known {
        let Some(contact) = self.contacts.get(&peer) else { return Known::default() };
        let Ok(writer) = contact.writer(location) else { return Known::default() };
        Known {
            a: Some(writer.chain.pin().id),
            location: Some(writer.location.id()),
            b: writer.b.as_ref().map(crate::document::Signed::id),
        }
    }

    pub(super) fn seek_signed(&mut self, id: SeekId, step: Step, signature: &Signature) {
        let (kind, message) = match step {
            Step::Find(draft) => (EnvelopeKind::Find, draft.finish(signature).compact().to_owned()),
            Step::Knock(draft) => (EnvelopeKind::Knock, draft.finish(signature).compact().to_owned()),
        };
        let Some(seek) = self.seeks.get(&id) else { return };
        let letter = Letter {
            a: self.chain().compacts().map(str::to_owned).collect(),
            location: self.own_certificate().map(|certificate| certificate.compact().to_owned()),
            b: self.own_b().filter(|_| self.is_contact(seek.peer)).map(|b| b.compact().to_owned()),
            message,
        };
        let peer = seek.peer.to_string();
        let recipient = Recipient { peer: &peer, key: &seek.inbox, psk: seek.psk.as_ref() };
        let sealed = seal(kind, recipient, &letter.to_json(), &mut self.rng);
        match sealed {
            Err(error) => self.seek_failed(id, error),
            Ok((envelope, secret)) => {
                let Some(seek) = self.seeks.get_mut(&id) else { return };
                seek.envelope = Some(envelope);
                seek.keys = Some(ExchangeKeys { secret, salt: None, next_counter: 0 });
                self.try_next_route(id);
            }
        }
    }

    /// Sends the envelope over the next route that is left; with none left and none under way the seek has failed.
    pub(super) fn try_next_route(&mut self, id: SeekId) {
        let Some(seek) = self.seeks.get_mut(&id) else { return };
        if seek.answered || seek.envelope.is_none() {
            return;
        }
        let Some(route) = seek.routes.get(seek.next_route) else {
            if seek.attempts.is_empty() {
                let error = seek.failure.take().unwrap_or_else(|| Code::FinderUnreachable.into());
                self.seek_failed(id, error);
            }
            return;
        };
        let domain = route.finder.domain.clone();
        self.set_timer(Timer::NextRoute(id), FINDER_HEAD_START);
        self.with_domain(&domain, Waiter::Seek(id));
    }

    pub(super) fn seek_domain_ready(&mut self, id: SeekId, domain: &Domain, result: Result<(), Error>) {
        let Some(seek) = self.seeks.get_mut(&id) else { return };
        let Some(route) = seek.routes.get(seek.next_route).filter(|route| route.finder.domain == *domain)
        else {
            return;
        };
        let (finder, ticket) = (route.finder.clone(), route.ticket);
        let Some(envelope) = seek.envelope.clone() else { return };
        seek.next_route += 1;
        if let Err(error) = result {
            seek.failure = Some(error);
            return self.try_next_route(id);
        }
        let attempt = self.open_exchange(id, &finder, ticket, envelope);
        if let Some(seek) = self.seeks.get_mut(&id) {
            seek.attempts.insert(attempt);
        }
    }

    /// A finder took the message without saying more. For a knock that is all there is to hear.
    pub(super) fn seek_accepted(&mut self, id: SeekId, attempt: (ConnectionId, ExchangeId)) {
        let Some(Seek { wanted: Wanted::Knock, request: Some(request), .. }) = self.seeks.get(&id) else {
            return;
        };
        let request = *request;
        self.close_exchange(attempt.0, attempt.1);
        self.drop_seek(id);
        let Some(peer) = self.requests.get(&request).map(|entry| entry.peer) else { return };
        self.progress(request, Progress::Knocking);
        // A contact lets us in by itself; only a stranger has to be waited for as long as a person may think.
        if peer.is_some_and(|peer| self.is_contact(peer)) {
            self.set_timer(Timer::Knocking(request), FIND_TIMEOUT + LINK_TIMEOUT);
        }
    }

    /// One route of a seek failed: the finder is gone, refused, or ended the exchange.
    pub(super) fn route_failed(&mut self, id: SeekId, attempt: (ConnectionId, ExchangeId), error: Error) {
        let Some(seek) = self.seeks.get_mut(&id) else { return };
        seek.attempts.remove(&attempt);
        if seek.answered {
            return;
        }
        // The finder lost its secret or the ticket was spent in an attempt whose outcome we never heard: go without.
        let last = seek.next_route.checked_sub(1).and_then(|index| seek.routes.get_mut(index));
        if let (Code::TicketInvalid, Some(route)) = (error.code(), last)
            && route.ticket.take().is_some()
        {
            seek.next_route -= 1;
        }
        seek.failure = Some(error);
        if seek.attempts.is_empty() {
            self.try_next_route(id);
        }
    }

    /// The callee may have lost the pre-shared key that we sealed with: finds it once more without, through the
    /// strangers' door, where it recognises us by our root. False if there is nothing left to try.
    pub(super) fn find_as_stranger(&mut self, id: SeekId) -> bool {
        let Some(seek) = self.seeks.get_mut(&id) else { return false };
        let (peer, &Wanted::Find { link, location, .. }) = (seek.peer, &seek.wanted) else { return false };
        let Some(contact) = self.contacts.get_mut(&peer) else { return false };
        // A pair key is good with a pre-shared key only.
        let is_daily =
            contact.reach(&location).is_some_and(|reach| reach.inbox == seek.inbox && reach.exp > self.now);
        let Some(local) = self.links.get(&link).and_then(|link| link.local.clone()) else { return false };
        if seek.answered || !is_daily || seek.psk.take().is_none() {
            return false;
        }
        for (index, route) in seek.routes.iter_mut().enumerate() {
            route.ticket = contact.take_ticket(&location, index);
        }
        (seek.envelope, seek.keys, seek.next_route) = (None, None, 0);
        let attempts = std::mem::take(&mut seek.attempts);
        for (connection, x) in attempts {
            self.close_exchange(connection, x);
        }
        self.save_contact(peer);
        self.set_timer(Timer::Seek(id), FIND_TIMEOUT);
        self.set_timer(Timer::Link(link), FIND_TIMEOUT + LINK_TIMEOUT);
        self.write_find(link, local);
        true
    }

    /// Nobody answered in time.
    pub(super) fn seek_timeout(&mut self, id: SeekId) {
        let unanswered = self.seeks.get(&id).is_some_and(|seek| !seek.attempts.is_empty());
        if unanswered && self.find_as_stranger(id) {
            return;
        }
        let failure = self.seeks.get_mut(&id).and_then(|seek| seek.failure.take());
        self.seek_failed(id, failure.unwrap_or_else(|| Code::Timeout.into()));
    }

    fn seek_failed(&mut self, id: SeekId, error: Error) {
        let Some(seek) = self.drop_seek(id) else { return };
        if let Some(link) = seek.link() {
            self.discard_link(link, error.code());
        }
        if let Some(request) = seek.request {
            self.attempt_failed(request, error);
        }
    }

    /// Forgets a seek and closes its exchanges.
    fn drop_seek(&mut self, id: SeekId) -> Option<Seek> {
        let seek = self.seeks.remove(&id)?;
        self.stop_timer(&Timer::Seek(id));
        self.stop_timer(&Timer::NextRoute(id));
        self.stop_timer(&Timer::Rival(id));
        for (connection, x) in &seek.attempts {
            self.close_exchange(*connection, *x);
        }
        // What was to yield to it need not any more.
        if let (Some(call), Wanted::Find { location, .. }) = (self.rivals.remove(&id), &seek.wanted)
            && !seek.answered
            && self.is_contact(seek.peer)
        {
            let request = seek.request.filter(|request| self.requests.contains_key(request));
            self.answer_call(call, seek.peer, *location, request);
        }
        Some(seek)
    }

    /// Ends all attempts of a request but the link that won, and tells the callees.
    pub(super) fn drop_attempts(&mut self, request: RequestId, winner: Option<LinkId>) {
        let ours = self.seeks.iter().filter(|(_, seek)| seek.request == Some(request));
        let losers: Vec<SeekId> =
            ours.filter(|(_, seek)| seek.link() != winner || winner.is_none()).map(|(id, _)| *id).collect();
        for id in losers {
            self.cancel_seek(id);
        }
        let links =
            self.links.iter().filter(|(id, link)| link.request == Some(request) && Some(**id) != winner);
        let links: Vec<LinkId> =
            links.filter(|(_, link)| link.stage != Stage::Open).map(|(id, _)| *id).collect();
        for link in links {
            self.discard_link(link, Code::Cancelled);
        }
    }

    /// Gives up an exchange: callees that prepare a link for it may stop.
    pub(super) fn cancel_seek(&mut self, id: SeekId) {
        if let Some(seek) = self.seeks.get_mut(&id)
            && let Some(keys) = &mut seek.keys
        {
            let more = More { cancel: true, ..More::default() };
            let body = keys.secret.seal_more(None, keys.next_counter, &more.to_json());
            keys.next_counter += 1;
            let attempts = seek.attempts.clone();
            if let Ok(body) = body {
                for (connection, x) in attempts {
                    self.send_more(connection, x, body.clone());
                }
            }
        }
        if let Some(link) = self.drop_seek(id).and_then(|seek| seek.link()) {
            self.discard_link(link, Code::Cancelled);
        }
    }

    /// The seek that still waits for an answer from this location, with its find's id.
    pub(super) fn rival_seek(
        &self,
        peer: PeerId,
        of: KeyId,
    ) -> Option<(SeekId, DocumentId, Option<RequestId>)> {
        self.seeks.iter().find_map(|(id, seek)| match seek.wanted {
            Wanted::Find { location, find: Some(find), .. }
                if seek.peer == peer && location == of && !seek.answered =>
            {
                Some((*id, find, seek.request))
            }
            _ => None,
        })
    }

    pub(super) fn seek_link(&self, id: SeekId) -> Option<LinkId> {
        self.seeks.get(&id)?.link()
    }

    /// An answer arrived. One that cannot be verified came from the finder and is ignored: the peer's own may follow.
    pub(super) fn answer_arrived(&mut self, id: SeekId, attempt: (ConnectionId, ExchangeId), body: &[u8]) {
        match self.read_answer(id, body) {
            Ok((answer, writer, salt)) => self.take_answer(id, attempt, answer, &writer, salt),
            Err(error) => {
                let peer = self.seeks.get(&id).map(|seek| seek.peer);
                self.alarm(error.clone(), peer);
                if let Some(seek) = self.seeks.get_mut(&id) {
                    seek.failure = Some(error);
                }
            }
        }
    }

    fn read_answer(&self, id: SeekId, body: &[u8]) -> Result<(Answer, Writer, [u8; 32]), Error> {
        let seek = self.seeks.get(&id).ok_or(Code::UnknownExchange)?;
        let (Some(keys), Wanted::Find { location, find, link, .. }) = (&seek.keys, &seek.wanted) else {
            return Err(Error::new(Code::Malformed, "answer to a knock"));
        };
        let (content, salt) = keys.secret.open_answer(body)?;
        let letter = Letter::parse(&content)?;
        let contact = self.contacts.get(&seek.peer).ok_or(Code::NotContact)?;
        let writer = letter.writer(contact.writer(location).ok().as_ref(), self.now)?;
        let answer = letter.message::<Answer>(&writer, &self.peer().to_string(), self.now)?;
        if writer.chain.peer() != seek.peer || writer.location_id() != *location || Some(answer.find) != *find
        {
            return Err(Error::new(Code::WrongAudience, "answer to another find or from another location"));
        }
        let ours = self.links.get(link).and_then(|link| link.local.as_ref()).map(|local| local.fingerprint);
        if let AnswerResult::Accept { fingerprint, .. } = &answer.result
            && Some(*fingerprint) != ours
        {
            return Err(Error::new(Code::BadFingerprint, "the callee read another fingerprint than ours"));
        }
        Ok(((*answer).clone(), writer, salt))
    }

    fn take_answer(
        &mut self,
        id: SeekId,
        attempt: (ConnectionId, ExchangeId),
        answer: Answer,
        writer: &Writer,
        salt: [u8; 32],
    ) {
        let Some(seek) = self.seeks.get_mut(&id) else { return };
        let Some(link) = seek.link() else { return };
        if seek.answered {
            return;
        }
        let webrtc = match answer.result {
            AnswerResult::Decline { reason } => {
                return self.seek_failed(id, Error::new(reason.code(), "said the peer"));
            }
            AnswerResult::Accept { webrtc, .. } => webrtc,
        };
        seek.answered = true;
        if let Some(keys) = &mut seek.keys {
            keys.salt = Some(salt);
        }
        let (request, peer, keys) = (seek.request, seek.peer, seek.keys.clone());
        self.stop_timer(&Timer::Seek(id));
        self.stop_timer(&Timer::NextRoute(id));
        self.stop_timer(&Timer::Rival(id));
        self.rivals.remove(&id);
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.learn(writer);
        }
        self.save_contact(peer);
        if let Some(request) = request {
            self.progress(request, Progress::Linking(link));
            self.drop_attempts(request, Some(link));
        }
        if let (Some(keys), Some(entry)) = (keys, self.links.get_mut(&link)) {
            entry.exchange = Some(super::links::Exchange { attempt, keys, seeker: true });
        }
        self.start_link(link, answer.find, webrtc);
    }

    /// The link of an answered seek is open, or failed: the exchange is over.
    pub(super) fn finish_seek(&mut self, link: LinkId) {
        let found = self.seeks.iter().find(|(_, seek)| seek.link() == Some(link)).map(|(id, _)| *id);
        if let Some(id) = found {
            self.drop_seek(id);
        }
    }

    /// Whether what we know of a contact is old enough to be checked with its domains before data flows.
    pub(super) fn is_outdated(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| {
            contact.state == ContactState::Contact
                && self.now.millis_since(contact.documents_at) > DOCUMENT_FRESHNESS
        })
    }
}

impl Seek {
    const fn link(&self) -> Option<LinkId> {
        match self.wanted {
            Wanted::Find { link, .. } => Some(link),
            Wanted::Knock => None,
        }
    }
}
