use super::links::Exchange;
use super::timer::Timer;
use super::{
    ConnectionId, Contact, ContactState, Event, ExchangeKeys, KnockId, LinkId, LinkRole, Operation, Output,
};
use super::{PeerMachine, Progress, RequestId};
use crate::defaults::{FINDER_HEAD_START, KNOCK_LIFE, MAX_LINKS, MAX_PENDING_KNOCKS};
use crate::document::{Age, Chain, DocumentId, Draft, LocationCertificate, PeerId, Signed, V1};
use crate::frame::{ExchangeId, Frame, Header, MailboxId, MailboxKind};
use crate::key::{KeyId, Signature, SigningKeyName};
use crate::message::{Answer, AnswerResult, DeclineReason, Find, Knock, Letter, MessageId, ReplyTo, Writer};
use crate::seal::{EnvelopeKind, OpenRequest, Opened};
use crate::transport::{Candidate, Transport, TransportParameters};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// A find that we are about to accept.
pub(super) struct Call {
    origin: Origin,
    keys: ExchangeKeys,
    find: Signed<Find>,
}

/// Where a message came from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    connection: ConnectionId,
    x: ExchangeId,
    /// The finder had kept it for us and deletes it once we say so.
    kept: bool,
}

/// What an incoming exchange waits for.
pub(super) enum Step {
    /// The envelope to be opened; the contact and location whose pre-shared key it used.
    Open(Origin, EnvelopeKind, KeyId, Option<(PeerId, KeyId)>),
    /// The signature of an acceptance.
    Accept(LinkId, Box<Draft<Answer>>),
    /// The signature of a refusal.
    Decline(Origin, ExchangeKeys, Box<Draft<Answer>>),
}

/// A knock that waits for the user.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ReceivedKnock {
    peer: PeerId,
    chain: Vec<String>,
    certificate: String,
    location: KeyId,
    id: DocumentId,
    name: Option<String>,
    text: String,
    reply: ReplyTo,
    at: Time,
}

impl PeerMachine {
    /// A sealed message arrived at one of our mailboxes.
    pub(super) fn find_arrived(
        &mut self,
        connection: ConnectionId,
        x: ExchangeId,
        to: MailboxId,
        kept: bool,
        body: &[u8],
    ) {
        let origin = Origin { connection, x, kept };
        let at = |kind| self.own_mailboxes(kind).iter().any(|place| place.mailbox == to);
        let expected = match (at(MailboxKind::Location), at(MailboxKind::Guest)) {
            (true, _) => EnvelopeKind::Find,
            (_, true) => EnvelopeKind::Knock,
            _ => return self.refuse_call(origin, Error::new(Code::WrongAudience, "not our mailbox"), None),
        };
        let psks: Vec<_> = self.psks().collect();
        let parsed = OpenRequest::parse(body, &self.peer().to_string(), psks.iter().map(|(_, _, psk)| *psk));
        let owner =
            |index: Option<usize>| index.and_then(|index| psks.get(index)).map(|(peer, at, _)| (*peer, *at));
        let parsed = parsed.map(|(request, index)| (request, owner(index)));
        match parsed {
            Err(error) => self.refuse_call(origin, error, None),
            Ok((request, _)) if request.kind() != expected => {
                let error = Error::new(Code::Malformed, "a find at the guest mailbox, or a knock elsewhere");
                self.refuse_call(origin, error, None);
            }
            Ok((request, owner)) => {
                let step = Step::Open(origin, request.kind(), request.inbox_key(), owner);
                let operation = self.operation(Operation::Call(step));
                self.output(Output::Open { operation, request });
            }
        }
    }

    pub(super) fn call_opened(&mut self, step: Step, result: Result<Opened, Error>) {
        let Step::Open(origin, kind, inbox, owner) = step else { return };
        let verdict = result.and_then(|opened| match kind {
            EnvelopeKind::Knock => self.read_knock(origin, inbox, &opened),
            EnvelopeKind::Find => self.read_find(origin, inbox, owner, opened),
        });
        if let Err(error) = verdict {
            self.refuse_call(origin, error, owner.map(|(peer, _)| peer));
        }
    }

    pub(super) fn call_signed(&mut self, step: Step, signature: &Signature) {
        match step {
            Step::Open(..) => {}
            Step::Accept(link, draft) => self.send_acceptance(link, *draft, signature),
            Step::Decline(origin, mut keys, draft) => {
                let message = draft.finish(signature).compact().to_owned();
                let letter = self.own_letter(message);
                let salt = self.random();
                keys.salt = Some(salt);
                if let Ok(body) = keys.secret.seal_answer(salt, &letter.to_json()) {
                    self.send_answer(origin.connection, origin.x, body);
                }
            }
        }
    }

    fn read_find(
        &mut self,
        origin: Origin,
        inbox: KeyId,
        owner: Option<(PeerId, KeyId)>,
        opened: Opened,
    ) -> Result<(), Error> {
        let letter = Letter::parse(&opened.content)?;
        let keys = ExchangeKeys { secret: opened.secret, salt: None, next_counter: 1 };
        let chain = Chain::verify(letter.a.iter().map(String::as_str))?;
        let peer = chain.peer();
        if owner.is_some_and(|(owner, _)| owner != peer) {
            return Err(Error::new(Code::WrongAudience, "sealed with another contact's key"));
        }
        let read = self.check_writer(&chain, owner, &letter).and_then(|writer| {
            letter.message::<Find>(&writer, &self.peer().to_string(), self.now).map(|find| (writer, find))
        });
        let (writer, find) = match read {
            Ok(read) => read,
            Err(error) => return self.decline_unread(origin, keys, &letter, &chain, error),
        };
        if find.to != self.location() || find.inbox != inbox {
            return Err(Error::new(Code::WrongAudience, "find for another location or inbox key"));
        }
        if let Some(answer) = self.seen.get(&(inbox, find.jti)) {
            let answer = answer.clone();
            return answer.map_or_else(
                || Err(Code::Replayed.into()),
                |body| {
                    self.send_answer(origin.connection, origin.x, body);
                    Ok(())
                },
            );
        }
        self.remember_seen(inbox, find.jti);
        self.admit(origin, keys, find, &writer)
    }

    /// Verifies who wrote a find; neither chain nor B may fall behind what we know of a contact, by whichever door it
    /// comes.
    fn check_writer(
        &self,
        chain: &Chain,
        owner: Option<(PeerId, KeyId)>,
        letter: &Letter,
    ) -> Result<Writer, Error> {
        let Some(contact) = self.contacts.get(&chain.peer()) else { return letter.writer(None, self.now) };
        let known_chain = contact.chain()?;
        if chain.extends(&known_chain)? == Age::Newer {
            // Everything under the older chain statement is void: the letter has to bring all of it.
            return letter.writer(None, self.now);
        }
        let location = match (owner, &letter.location) {
            (Some((_, location)), _) => contact.writer(&location)?.location,
            (None, Some(compact)) => known_chain.verify_document(compact)?,
            (None, None) => return Err(Error::new(Code::Malformed, "letter without location certificate")),
        };
        let b = contact.verified_b(&known_chain);
        letter.writer(Some(&Writer { chain: known_chain, location, b }), self.now)
    }

    /// Decides about a genuine find.
    fn admit(
        &mut self,
        origin: Origin,
        keys: ExchangeKeys,
        find: Signed<Find>,
        writer: &Writer,
    ) -> Result<(), Error> {
        let peer = writer.chain.peer();
        let Some(contact) = self.contacts.get_mut(&peer) else {
            return self.decline(origin, keys, &find, DeclineReason::NotContact);
        };
        let awaited =
            contact.state == ContactState::Requested && find.knock.is_some() && find.knock == contact.knock;
        if contact.state != ContactState::Contact && !awaited {
            return self.decline(origin, keys, &find, DeclineReason::NotContact);
        }
        contact.learn(writer);
        self.save_contact(peer);
        if self.links.len() >= MAX_LINKS {
            return self.decline(origin, keys, &find, DeclineReason::Busy);
        }
        // Glare: the smaller find wins; the other one yields and answers.
        let mut request = None;
        if let Some((seek, ours, waiting)) = self.rival_seek(peer, writer.location_id()) {
            if ours < find.id() {
                self.rivals.insert(seek, Call { origin, keys, find });
                self.set_timer(Timer::Rival(seek), FINDER_HEAD_START);
                return Ok(());
            }
            request = waiting;
            self.cancel_seek(seek);
        }
        self.answer_call(Call { origin, keys, find }, peer, writer.location_id(), request);
        Ok(())
    }

    /// Prepares our end of the link that a find asks for.
    pub(super) fn answer_call(
        &mut self,
        call: Call,
        peer: PeerId,
        location: KeyId,
        request: Option<RequestId>,
    ) {
        let link = self.prepare_link(LinkRole::Callee, peer, location, request);
        self.bind_call(call.origin.connection, call.origin.x, link);
        self.calls.insert(link, call);
    }

    /// Exchanges whose find was to yield to ours are over: one, or all on a connection that is gone.
    pub(super) fn forget_rivals(&mut self, connection: ConnectionId, x: Option<ExchangeId>) {
        let is_over = |origin: &Origin| origin.connection == connection && x.is_none_or(|x| origin.x == x);
        self.rivals.retain(|_, call| !is_over(&call.origin));
    }

    /// Our find was to win, but nobody answered it, while the one that was to yield did get through.
    pub(super) fn rival_timeout(&mut self, seek: super::seek::SeekId) {
        if self.rivals.contains_key(&seek) {
            self.cancel_seek(seek);
        }
    }

    /// Our end of the link is ready: write the answer.
    pub(super) fn write_answer(&mut self, link: LinkId, local: TransportParameters) {
        let Some(call) = self.calls.get(&link) else { return };
        let result = AnswerResult::Accept {
            transport: Transport::WebRtc,
            webrtc: local,
            fingerprint: call.find.webrtc.fingerprint,
        };
        let draft = self.draft_answer(&call.find, result);
        let input = draft.signing_input().to_vec();
        self.sign(SigningKeyName::Location, input, Operation::Call(Step::Accept(link, Box::new(draft))));
    }

    fn send_acceptance(&mut self, link: LinkId, draft: Draft<Answer>, signature: &Signature) {
        let Some(mut call) = self.calls.remove(&link) else { return };
        let message = draft.finish(signature).compact().to_owned();
        let letter = self.letter_for(&call.find, message);
        let salt = self.random();
        call.keys.salt = Some(salt);
        let Ok(body) = call.keys.secret.seal_answer(salt, &letter.to_json()) else { return };
        self.seen.insert((call.find.inbox, call.find.jti), Some(body.clone()));
        self.send_answer(call.origin.connection, call.origin.x, body);
        let attempt = (call.origin.connection, call.origin.x);
        if let Some(entry) = self.links.get_mut(&link) {
            entry.exchange = Some(Exchange { attempt, keys: call.keys, seeker: false });
        }
        self.start_link(link, call.find.id(), call.find.webrtc.clone());
    }

    fn draft_answer(&self, find: &Signed<Find>, result: AnswerResult) -> Draft<Answer> {
        let answer =
            Answer { v: V1, iat: self.now, find: find.id(), iss: self.peer(), aud: find.iss, result };
        Draft::new(answer, self.location())
    }

    fn decline(
        &mut self,
        origin: Origin,
        keys: ExchangeKeys,
        find: &Signed<Find>,
        reason: DeclineReason,
    ) -> Result<(), Error> {
        let draft = self.draft_answer(find, AnswerResult::Decline { reason });
        let input = draft.signing_input().to_vec();
        let step = Step::Decline(origin, keys, Box::new(draft));
        self.sign(SigningKeyName::Location, input, Operation::Call(step));
        self.alarm(Error::new(reason.code(), "find declined"), Some(find.iss));
        Ok(())
    }

    /// Declines a find whose writer is genuine but whose documents or clock we cannot accept, so that the writer learns
    /// why. Everything else is met with silence.
    fn decline_unread(
        &mut self,
        origin: Origin,
        keys: ExchangeKeys,
        letter: &Letter,
        chain: &Chain,
        error: Error,
    ) -> Result<(), Error> {
        let reason = match error.code() {
            Code::StaleDocument => DeclineReason::StaleDocument,
            Code::LocationRevoked => DeclineReason::LocationRevoked,
            Code::ClockSkew | Code::Expired => DeclineReason::ClockSkew,
            _ => return Err(error),
        };
        let certificate: Option<Signed<LocationCertificate>> =
            letter.location.as_ref().and_then(|compact| chain.verify_document(compact).ok());
        let Some(certificate) = certificate.filter(|_| self.contacts.contains_key(&chain.peer())) else {
            return Err(error);
        };
        let find: Signed<Find> = Signed::verify(&letter.message, &certificate.key)?;
        if find.iss != chain.peer() || find.aud != self.peer() || find.to != self.location() {
            return Err(Error::new(Code::WrongAudience, "find for somebody else"));
        }
        self.decline(origin, keys, &find, reason)
    }

    /// A letter with those of our documents that the reader says it lacks.
    fn letter_for(&self, find: &Find, message: String) -> Letter {
        let mut letter = self.own_letter(message);
        if find.has.a == Some(self.own_chain_id()) {
            letter.a.clear();
        }
        if find.has.location == self.own_certificate().map(|certificate| certificate.id()) {
            letter.location = None;
        }
        let newer_b = self.own_b().filter(|b| find.has.b.is_some() && find.has.b != Some(b.id()));
        letter.b = newer_b.map(|b| b.compact().to_owned());
        letter
    }

    fn own_letter(&self, message: String) -> Letter {
        Letter {
            a: self.chain().compacts().map(str::to_owned).collect(),
            location: self.own_certificate().map(|certificate| certificate.compact().to_owned()),
            b: None,
            message,
        }
    }

    fn read_knock(&mut self, origin: Origin, inbox: KeyId, opened: &Opened) -> Result<(), Error> {
        if !self.is_guest_key(inbox) {
            return Err(Error::new(Code::WrongAudience, "knock sealed to another key"));
        }
        let letter = Letter::parse(&opened.content)?;
        let writer = letter.writer(None, self.now)?;
        let peer = writer.chain.peer();
        let knock: Signed<Knock> = letter.message(&writer, &self.peer().to_string(), self.now)?;
        if let Some(contact) = self.contacts.get(&peer) {
            writer.chain.extends(&contact.chain()?)?;
        }
        let id = KnockId(knock.jti.0);
        if self.seen.contains_key(&(inbox, knock.jti)) || self.knocks.contains_key(&id) {
            self.knock_taken(origin);
            return Err(Code::Replayed.into());
        }
        let state = self.contacts.get(&peer).map_or(ContactState::None, |contact| contact.state);
        if state == ContactState::Blocked {
            self.knock_taken(origin);
            return Err(Error::new(Code::Blocked, "knock of a blocked peer"));
        }
        if self.knocks.len() >= MAX_PENDING_KNOCKS {
            return Err(Error::new(Code::Quota, "too many knocks wait for an answer"));
        }
        self.remember_seen(inbox, knock.jti);
        let received = ReceivedKnock {
            peer,
            chain: writer.chain.compacts().map(str::to_owned).collect(),
            certificate: writer.location.compact().to_owned(),
            location: writer.location_id(),
            id: knock.id(),
            name: knock.name.clone(),
            text: knock.text.clone(),
            reply: knock.reply.clone(),
            at: knock.iat,
        };
        self.persist(format!("knock/{id}"), &received);
        self.knocks.insert(id, received);
        self.knock_taken(origin);
        // Who knocks at each other's doors, or knocks again after having been accepted, needs no second yes.
        if matches!(state, ContactState::Contact | ContactState::Requested) {
            self.welcome(id, None);
            return Ok(());
        }
        let (name, text, at) = (knock.name.clone(), knock.text.clone(), knock.iat);
        self.event(Event::Knock { knock: id, peer, name, text, at });
        Ok(())
    }

    /// The knock is safe with us: the finder may delete what it kept, and forget the exchange.
    fn knock_taken(&mut self, origin: Origin) {
        if origin.kept {
            self.end_exchange(origin.connection, origin.x);
        }
    }

    pub(super) fn accept_knock(&mut self, knock: KnockId, request: RequestId) {
        self.start_request(request);
        if self.knocks.contains_key(&knock) {
            self.welcome(knock, Some(request));
        } else {
            self.fail(request, Error::new(Code::InvalidArgument, "no such knock"));
        }
    }

    pub(super) fn decline_knock(&mut self, knock: KnockId) {
        if self.knocks.remove(&knock).is_some() {
            self.forget(format!("knock/{knock}"));
        }
    }

    /// Makes the knocker a contact and finds it.
    fn welcome(&mut self, id: KnockId, request: Option<RequestId>) {
        let Some(knock) = self.knocks.remove(&id) else { return };
        self.forget(format!("knock/{id}"));
        let request = request.unwrap_or_else(|| self.own_request());
        let contact = self.make_contact(&knock);
        if let Err(error) = contact {
            return self.fail(request, error);
        }
        self.set_request_peer(request, knock.peer);
        if let Some(link) = self.open_link_with(knock.peer) {
            return self.fulfil(link, knock.peer, Some(request));
        }
        self.progress(request, Progress::Finding(1));
        self.seek_knocker(request, knock.peer, knock.location, knock.reply, knock.id);
    }

    fn make_contact(&mut self, knock: &ReceivedKnock) -> Result<(), Error> {
        let chain = Chain::verify(knock.chain.iter().map(String::as_str))?;
        let certificate = chain.verify_document(&knock.certificate)?;
        let (peer, now) = (knock.peer, self.now);
        let contact =
            self.contacts.entry(peer).or_insert_with(|| Contact::new(peer, ContactState::None, &chain, now));
        let writer = Writer { chain, location: certificate, b: None };
        contact.learn(&writer);
        contact.name = contact.name.take().or_else(|| knock.name.clone());
        self.save_contact(peer);
        self.contact_became(peer, ContactState::Contact);
        Ok(())
    }

    /// Remembers a message for the life of the inbox key that opened it.
    fn remember_seen(&mut self, inbox: KeyId, jti: MessageId) {
        self.seen.insert((inbox, jti), None);
        self.persist(format!("seen/{inbox}/{jti}"), &());
    }

    pub(super) fn forget_seen(&mut self, inbox: KeyId) {
        let gone: Vec<_> = self.seen.keys().filter(|(key, _)| *key == inbox).copied().collect();
        for (key, jti) in gone {
            self.seen.remove(&(key, jti));
            self.forget(format!("seen/{key}/{jti}"));
        }
    }

    pub(super) fn load_seen(&mut self, rest: &str) -> Result<(), Error> {
        let (inbox, jti) = rest.split_once('/').ok_or(Code::Malformed)?;
        self.seen.insert((KeyId::from_text(inbox)?, MessageId::from_text(jti)?), None);
        Ok(())
    }

    pub(super) fn load_knock(&mut self, id: &str, value: &[u8]) -> Result<(), Error> {
        let knock: ReceivedKnock =
            serde_json::from_slice(value).map_err(|error| Error::new(Code::Malformed, error.to_string()))?;
        if self.now.millis_since(knock.at) <= KNOCK_LIFE {
            self.knocks.insert(KnockId::from_text(id)?, knock);
        }
        Ok(())
    }

    /// Knocks that wait for the user, as [`Event::Knock`] showed them.
    pub fn pending_knocks(&self) -> impl Iterator<Item = Event> {
        self.knocks.iter().map(|(id, knock)| Event::Knock {
            knock: *id,
            peer: knock.peer,
            name: knock.name.clone(),
            text: knock.text.clone(),
            at: knock.at,
        })
    }

    /// Says nothing to the other side but that there will be no answer, and that only if it sealed with a key that we
    /// do not have any more; the finder passes it on to holders of a ticket only. The user may learn that something odd
    /// arrived.
    fn refuse_call(&mut self, origin: Origin, error: Error, peer: Option<PeerId>) {
        self.knock_taken(origin);
        if error.code() == Code::NotContact {
            self.send_frame(origin.connection, &Frame::bare(Header::Done { x: origin.x }));
        }
        self.alarm(error, peer);
    }

    /// Drops candidates that a stranger has no business naming: loopback and link-local ones always, private ones
    /// unless both ends share a public address.
    pub(super) fn admissible(&self, link: LinkId, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let Some(entry) = self.links.get(&link) else { return Vec::new() };
        if self.config.development || entry.acquainted {
            return candidates;
        }
        let theirs: Vec<_> = candidates.iter().filter_map(Candidate::reflexive_address).collect();
        let shared = entry.local_reflexive.iter().any(|address| theirs.contains(address));
        candidates.into_iter().filter(|candidate| candidate.is_admissible(shared)).collect()
    }
}
