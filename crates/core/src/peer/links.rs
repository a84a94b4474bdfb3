use super::domains::Fetch;
use super::timer::Timer;
use super::{
    ConnectionId, ContactState, Event, ExchangeKeys, LinkId, LinkRole, Output, PeerMachine, RequestId,
};
use crate::control::{Contribution, Control, Documents};
use crate::defaults::{
    DOCUMENTS_INTERVAL, FRESHNESS_CHECK_TIMEOUT, ICE_INTERVAL, LINK_TIMEOUT, MAX_CANDIDATES, MAX_DOMAINS,
    TICKETS_ISSUED, TRICKLE_INTERVAL,
};
use crate::document::{
    Age, B, Bundle, Chain, DocumentId, FinderMailbox, LocationCertificate, PeerId, Pin, Reach, Signed,
    check_subject, check_time,
};
use crate::frame::{ExchangeId, Frame, Header};
use crate::key::KeyId;
use crate::message::More;
use crate::seal::Psk;
use crate::ticket::Ticket;
use crate::transport::{Candidate, Fingerprint, IceCredentials, TransportParameters};
use crate::uri::{Address, Domain};
use crate::{Code, Error, Time};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A link, prepared, being set up or running.
pub(super) struct Link {
    pub(super) peer: PeerId,
    pub(super) location: KeyId,
    role: LinkRole,
    /// The wish that it is for.
    pub(super) request: Option<RequestId>,
    pub(super) stage: Stage,
    pub(super) local: Option<TransportParameters>,
    remote: Option<Fingerprint>,
    /// The find that led to it.
    find: Option<DocumentId>,
    /// Whether the other end named the same find.
    greeted: bool,
    /// The exchange that set it up, until it is open.
    pub(super) exchange: Option<Exchange>,
    /// Whether the two were contacts with a common secret before this link.
    pub(super) acquainted: bool,
    /// Our public addresses as STUN servers saw them.
    pub(super) local_reflexive: BTreeSet<IpAddr>,
    /// Candidates waiting to be sent.
    outbox: Vec<Candidate>,
    gathered: bool,
    /// Candidates of the other end so far.
    received_candidates: usize,
    /// Fetches of the contact's documents under way.
    checking: usize,
    contribution: Option<[u8; 32]>,
    documents_sent: Option<Time>,
    documents_received: Option<Time>,
    ice_received: Option<Time>,
    /// Why the other end said that it ends the link.
    goodbye: Option<Code>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The shell prepares our end, or we wait for an answer.
    Preparing,
    /// Connectivity checks and handshakes run.
    Starting,
    /// The control channel is open, but documents are still being checked.
    Checking,
    /// Open.
    Open,
}

/// The exchange behind a link that is being set up.
pub(super) struct Exchange {
    pub(super) attempt: (ConnectionId, ExchangeId),
    pub(super) keys: ExchangeKeys,
    /// Whether we are its seeker.
    pub(super) seeker: bool,
}

impl Link {
    pub(super) const fn new(
        peer: PeerId,
        location: KeyId,
        role: LinkRole,
        request: Option<RequestId>,
    ) -> Self {
        Self {
            peer,
            location,
            role,
            request,
            stage: Stage::Preparing,
            local: None,
            remote: None,
            find: None,
            greeted: false,
            exchange: None,
            acquainted: false,
            local_reflexive: BTreeSet::new(),
            outbox: Vec::new(),
            gathered: false,
            received_candidates: 0,
            checking: 0,
            contribution: None,
            documents_sent: None,
            documents_received: None,
            ice_received: None,
            goodbye: None,
        }
    }
}

impl PeerMachine {
    pub(super) fn link_prepared(&mut self, link: LinkId, mut local: TransportParameters) {
        local.candidates.truncate(MAX_CANDIDATES);
        let Some(entry) = self.links.get_mut(&link) else { return };
        if entry.local.is_some() {
            return;
        }
        let reflexive = local.candidates.iter().filter_map(Candidate::reflexive_address);
        entry.local_reflexive.extend(reflexive);
        entry.local = Some(local.clone());
        let (peer, location, role) = (entry.peer, entry.location, entry.role);
        let acquainted = self.psks().any(|(owner, at, _)| owner == peer && at == location);
        if let Some(entry) = self.links.get_mut(&link) {
            entry.acquainted = acquainted;
        }
        match role {
            LinkRole::Seeker => self.write_find(link, local),
            LinkRole::Callee => self.write_answer(link, local),
        }
    }

    /// Both ends are known: let connectivity checks begin.
    pub(super) fn start_link(&mut self, link: LinkId, find: DocumentId, mut remote: TransportParameters) {
        let received = remote.candidates.len();
        remote.candidates = self.admissible(link, std::mem::take(&mut remote.candidates));
        let Some(entry) = self.links.get_mut(&link) else { return };
        entry.stage = Stage::Starting;
        entry.remote = Some(remote.fingerprint);
        entry.find = Some(find);
        entry.received_candidates = received;
        let peer = entry.peer;
        self.set_timer(Timer::Link(link), LINK_TIMEOUT);
        self.output(Output::StartLink { link, remote });
        self.check_freshness(link, peer);
        self.flush_candidates(link);
    }

    pub(super) fn local_candidates(&mut self, link: LinkId, candidates: Vec<Candidate>, end: bool) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        entry.local_reflexive.extend(candidates.iter().filter_map(Candidate::reflexive_address));
        entry.outbox.extend(candidates);
        entry.outbox.truncate(MAX_CANDIDATES);
        entry.gathered |= end;
        let waiting = self.timers.contains_key(&Timer::Trickle(link));
        if !waiting && self.links.get(&link).is_some_and(|entry| !entry.outbox.is_empty()) {
            self.set_timer(Timer::Trickle(link), if end { 0 } else { TRICKLE_INTERVAL });
        }
    }

    /// Sends waiting candidates through the exchange, or in band once the link is open.
    pub(super) fn flush_candidates(&mut self, link: LinkId) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        if entry.outbox.is_empty() {
            return;
        }
        if matches!(entry.stage, Stage::Open | Stage::Checking) {
            let candidates = std::mem::take(&mut entry.outbox);
            return self.send_control(link, &Control::Candidates { candidates });
        }
        // Without keys on both sides there is nothing to send them with yet.
        let Some(exchange) = &mut entry.exchange else { return };
        let more = More { candidates: std::mem::take(&mut entry.outbox), end: entry.gathered, cancel: false };
        let salt = exchange.keys.salt.filter(|_| !exchange.seeker);
        let body = exchange.keys.secret.seal_more(salt.as_ref(), exchange.keys.next_counter, &more.to_json());
        exchange.keys.next_counter += 1;
        let (connection, x) = exchange.attempt;
        if let Ok(body) = body {
            self.send_more(connection, x, body);
        }
    }

    pub(super) fn send_more(&mut self, connection: ConnectionId, x: ExchangeId, body: Vec<u8>) {
        self.send_frame(connection, &Frame { header: Header::More { x }, body });
    }

    pub(super) fn send_answer(&mut self, connection: ConnectionId, x: ExchangeId, body: Vec<u8>) {
        self.send_frame(connection, &Frame { header: Header::Answer { x }, body });
    }

    /// A continuation arrived through the exchange of a link.
    pub(super) fn continuation(&mut self, link: LinkId, body: &[u8]) {
        let Some(entry) = self.links.get(&link) else { return };
        let Some(exchange) = &entry.exchange else { return };
        let salt = exchange.keys.salt.filter(|_| exchange.seeker);
        let opened =
            exchange.keys.secret.open_more(salt.as_ref(), body).and_then(|(_, text)| More::parse(&text));
        let peer = entry.peer;
        match opened {
            Err(error) => self.alarm(error, Some(peer)),
            Ok(more) if more.cancel => self.discard_link(link, Code::Cancelled),
            Ok(more) => self.take_candidates(link, more.candidates),
        }
    }

    fn take_candidates(&mut self, link: LinkId, candidates: Vec<Candidate>) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        let room = MAX_CANDIDATES.saturating_sub(entry.received_candidates);
        entry.received_candidates += candidates.len();
        let mut candidates = self.admissible(link, candidates);
        candidates.truncate(room);
        if !candidates.is_empty() {
            self.output(Output::AddCandidates { link, candidates });
        }
    }

    /// The control channel is open: the servers have done their part.
    pub(super) fn link_open(&mut self, link: LinkId) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        if entry.stage != Stage::Starting {
            return;
        }
        entry.stage = Stage::Checking;
        let (peer, location, exchange) = (entry.peer, entry.location, entry.exchange.take());
        self.stop_timer(&Timer::Link(link));
        if let Some(exchange) = exchange {
            self.close_exchange(exchange.attempt.0, exchange.attempt.1);
        }
        self.finish_seek(link);
        self.send_hello(link);
        self.replace_older(link, peer, location);
        self.contact_became(peer, ContactState::Contact);
        self.flush_candidates(link);
        self.announce(link);
    }

    fn send_hello(&mut self, link: LinkId) {
        let random = self.random();
        let Some(entry) = self.links.get_mut(&link) else { return };
        let Some(find) = entry.find else { return };
        entry.contribution = Some(random);
        self.send_control(link, &Control::Hello { v: 1, random: Contribution(random), find });
    }

    /// The other end says which find it believes to have led here. If that is another one, it takes us for somebody
    /// else: whoever we exchanged finds with passed on an end that is not its own.
    fn take_hello(&mut self, link: LinkId, random: [u8; 32], find: DocumentId) -> Result<(), Error> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        if entry.find != Some(find) {
            self.close_link(link, Code::BadFingerprint);
            return Err(Error::new(
                Code::BadFingerprint,
                "the other end of the link belongs to another exchange",
            ));
        }
        if !std::mem::replace(&mut entry.greeted, true) {
            self.agree_psk(link, random);
            self.send_documents(link);
        }
        Ok(())
    }

    /// One link per pair of locations: a newer one replaces the older.
    fn replace_older(&mut self, link: LinkId, peer: PeerId, location: KeyId) {
        let same = |(id, entry): &(&LinkId, &Link)| {
            **id != link && entry.peer == peer && entry.location == location && entry.stage == Stage::Open
        };
        let older: Vec<LinkId> = self.links.iter().filter(same).map(|(id, _)| *id).collect();
        for old in older {
            self.close_link(old, Code::Replaced);
        }
    }

    /// Tells the user that a link is open, once the contact's documents are checked.
    fn announce(&mut self, link: LinkId) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        if entry.stage != Stage::Checking || entry.checking > 0 {
            return;
        }
        entry.stage = Stage::Open;
        let (peer, request) = (entry.peer, entry.request);
        self.fulfil(link, peer, request);
    }

    /// Asks every domain that the contact named whether its documents are still the ones that we know.
    fn check_freshness(&mut self, link: LinkId, peer: PeerId) {
        if !self.is_outdated(peer) {
            return;
        }
        let domains = self.known_domains(peer);
        if let Some(entry) = self.links.get_mut(&link) {
            entry.checking = domains.len();
        }
        if !domains.is_empty() {
            self.set_timer(Timer::Freshness(link), FRESHNESS_CHECK_TIMEOUT);
        }
        for domain in domains {
            self.fetch(Fetch::Freshness(link, domain.clone(), peer), &domain, &format!("?peer={peer}"));
        }
    }

    fn known_domains(&self, peer: PeerId) -> BTreeSet<Domain> {
        let Some(contact) = self.contacts.get(&peer) else { return BTreeSet::new() };
        let b = contact.chain().ok().and_then(|chain| contact.verified_b(&chain));
        let named = b.map(|b| b.domains.clone()).unwrap_or_default();
        let introduced = match contact.introduced.as_ref().map(|text| Address::from_text(text)) {
            Some(Ok(Address::Name { domain, .. })) => Some(domain),
            _ => None,
        };
        named.into_iter().chain(introduced).take(MAX_DOMAINS).collect()
    }

    pub(super) fn freshness_answered(&mut self, link: LinkId, peer: PeerId, bundle: Result<Bundle, Error>) {
        // A domain that is down or does not list the peer has nothing to say; only what it proves counts.
        if let Ok(bundle) = bundle
            && !bundle.a.is_empty()
            && let Err(error) = self.check_chain(peer, &bundle)
        {
            self.alarm(error.clone(), Some(peer));
            return self.close_link(link, error.code());
        }
        if let Some(entry) = self.links.get_mut(&link) {
            entry.checking = entry.checking.saturating_sub(1);
        }
        self.announce(link);
    }

    fn check_chain(&mut self, peer: PeerId, bundle: &Bundle) -> Result<(), Error> {
        let chain = Chain::verify(bundle.a.iter().map(String::as_str))?;
        let now = self.now;
        let Some(contact) = self.contacts.get_mut(&peer) else { return Ok(()) };
        match chain.extends(&contact.chain()?) {
            Ok(Age::Newer) => {
                contact.set_chain(&chain);
                self.save_contact(peer);
                // The location on this link was certified by a key that has been rotated away.
                Err(Error::new(Code::LocationRevoked, "the peer's root key was rotated"))
            }
            Ok(Age::Same) => {
                contact.documents_at = now;
                self.save_contact(peer);
                Ok(())
            }
            // The domain is behind; the peer itself has shown us more.
            Err(error) if error.code() == Code::StaleDocument => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The check took too long: servers that hang must not keep peers apart.
    pub(super) fn freshness_settled(&mut self, link: LinkId) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.checking = 0;
        }
        self.announce(link);
    }

    pub(super) fn link_control(&mut self, link: LinkId, bytes: &[u8]) {
        let Some(entry) = self.links.get(&link) else { return };
        if !matches!(entry.stage, Stage::Open | Stage::Checking) {
            return;
        }
        let peer = entry.peer;
        let verdict = Control::parse(bytes).and_then(|message| self.take_control(link, peer, message));
        if let Err(error) = verdict {
            self.alarm(error, Some(peer));
        }
    }

    fn take_control(&mut self, link: LinkId, peer: PeerId, message: Control) -> Result<(), Error> {
        let greeted = self.links.get(&link).is_some_and(|entry| entry.greeted);
        match message {
            Control::Hello { random, find, .. } => return self.take_hello(link, random.0, find),
            _ if !greeted => return Err(Error::new(Code::Malformed, "control channel without hello")),
            Control::Documents(documents) => return self.take_documents(link, peer, &documents),
            Control::Ice { answer, ice, candidates } => return self.take_ice(link, answer, ice, candidates),
            Control::Candidates { candidates } => self.take_candidates(link, candidates),
            Control::ContactRemove {} => self.forgotten_by(peer),
            Control::Bye { reason } => self.note_goodbye(link, &reason),
            Control::Unknown => {}
        }
        Ok(())
    }

    /// Both ends contributed: the next find can prove that it comes from this contact's location.
    fn agree_psk(&mut self, link: LinkId, theirs: [u8; 32]) {
        let own = self.peer().to_string();
        let Some(entry) = self.links.get_mut(&link) else { return };
        let (Some(ours), Some(local), Some(remote)) = (entry.contribution.take(), &entry.local, entry.remote)
        else {
            return;
        };
        let fingerprints = [local.fingerprint.0, remote.0];
        let (peer, location) = (entry.peer, entry.location);
        let psk = Psk::agree([ours, theirs], [&own, &peer.to_string()], fingerprints);
        let known = self.contacts.get_mut(&peer).and_then(|contact| contact.locations.get_mut(&location));
        if let Some(known) = known {
            known.psks.insert(0, psk);
            known.psks.truncate(2);
            self.save_contact(peer);
        }
    }

    fn take_ice(
        &mut self,
        link: LinkId,
        answer: bool,
        ice: IceCredentials,
        candidates: Vec<Candidate>,
    ) -> Result<(), Error> {
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        let too_soon = entry.ice_received.is_some_and(|at| now.millis_since(at) < ICE_INTERVAL);
        if !answer && too_soon {
            return Err(Error::new(Code::LimitExceeded, "ICE restarts less than 5 seconds apart"));
        }
        if !answer {
            entry.ice_received = Some(now);
        }
        entry.received_candidates = candidates.len();
        let candidates = self.admissible(link, candidates);
        self.output(Output::RestartIce { link, answer, ice, candidates });
        Ok(())
    }

    pub(super) fn send_ice(
        &mut self,
        link: LinkId,
        answer: bool,
        ice: IceCredentials,
        candidates: Vec<Candidate>,
    ) {
        self.send_control(link, &Control::Ice { answer, ice, candidates });
    }

    /// The contact showed its own documents.
    fn take_documents(&mut self, link: LinkId, peer: PeerId, documents: &Documents) -> Result<(), Error> {
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        // The first message may be followed at once by one with the pair key.
        if entry.documents_received.is_some_and(|at| now.millis_since(at) < DOCUMENTS_INTERVAL / 2) {
            return Err(Error::new(Code::LimitExceeded, "documents less than 10 seconds apart"));
        }
        let first = entry.documents_received.replace(now).is_none();
        let location = entry.location;
        if !self.is_contact(peer) {
            return Ok(());
        }
        let changed = self.learn_documents(peer, location, documents)?;
        self.save_contact(peer);
        if changed && !first {
            self.event(Event::DocumentsUpdated { peer });
        }
        if self.contacts.get(&peer).is_some_and(|contact| !contact.locations.contains_key(&location)) {
            self.close_link(link, Code::LocationRevoked);
        }
        Ok(())
    }

    fn learn_documents(
        &mut self,
        peer: PeerId,
        location: KeyId,
        documents: &Documents,
    ) -> Result<bool, Error> {
        let now = self.now;
        let Some(contact) = self.contacts.get(&peer) else { return Ok(false) };
        let mut contact = contact.clone();
        let before = (
            contact.chain.clone(),
            contact.b.clone(),
            contact.locations.get(&location).and_then(|l| l.reach.clone()),
        );
        let chain = Chain::verify(documents.a.iter().map(String::as_str))?;
        chain.extends(&contact.chain()?)?;
        if let Some(compact) = &documents.location {
            let certificate: Signed<LocationCertificate> = chain.verify_document(compact)?;
            check_subject(certificate.peer, certificate.a, &chain)?;
            check_time(certificate.iat, certificate.exp, now)?;
            if certificate.location() != location {
                return Err(Error::new(Code::WrongAudience, "certificate of another location"));
            }
            let b = contact.verified_b(&chain);
            contact.learn(&crate::message::Writer { chain: chain.clone(), location: certificate, b });
        }
        contact.set_chain(&chain);
        if let Some(compact) = &documents.b {
            let b: Signed<B> = chain.verify_document(compact)?;
            check_subject(b.peer, b.a, &chain)?;
            check_time(b.iat, b.exp, now)?;
            let pin = contact.verified_b(&chain).map(|b| Pin { seq: b.seq, id: b.id() });
            Pin::compare(pin.as_ref(), b.seq, b.id())?;
            contact.set_b(&b);
        }
        self.learn_reach(&mut contact, &chain, location, documents)?;
        contact.documents_at = now;
        let after = (
            contact.chain.clone(),
            contact.b.clone(),
            contact.locations.get(&location).and_then(|l| l.reach.clone()),
        );
        self.contacts.insert(peer, contact);
        Ok(before != after)
    }

    fn learn_reach(
        &self,
        contact: &mut super::Contact,
        chain: &Chain,
        location: KeyId,
        documents: &Documents,
    ) -> Result<(), Error> {
        let known_reach = contact.reach(&location);
        let Some(known) = contact.locations.get_mut(&location) else { return Ok(()) };
        let certificate: Signed<LocationCertificate> = chain.verify_document(&known.certificate)?;
        if let Some(compact) = &documents.reach {
            let reach: Signed<Reach> = Signed::verify(compact, &certificate.key)?;
            if reach.peer != chain.peer() || reach.location != location {
                return Err(Error::new(Code::WrongAudience, "reach of another location"));
            }
            check_time(reach.iat, reach.exp, self.now)?;
            let pin = known_reach.map(|reach| Pin { seq: reach.seq, id: reach.id() });
            Pin::compare(pin.as_ref(), reach.seq, reach.id())?;
            known.reach = Some(compact.clone());
        }
        if !documents.tickets.is_empty() {
            known.tickets.clone_from(&documents.tickets);
        }
        if let Some(pair) = documents.pair.as_ref().filter(|pair| pair.location == location) {
            known.pair = Some(pair.clone());
        }
        Ok(())
    }

    /// Our documents changed: every contact that we are linked with hears of it, at most every ten seconds.
    pub(super) fn documents_changed(&mut self) {
        let open: Vec<_> =
            self.links.iter().filter(|(_, entry)| entry.stage == Stage::Open).map(|(id, _)| *id).collect();
        for link in open {
            let last = self.links.get(&link).and_then(|entry| entry.documents_sent);
            let at = last.map_or(self.now, |last| (last + DOCUMENTS_INTERVAL).max(self.now));
            // A moment later, so that documents that change together travel together.
            self.set_timer_at(Timer::Documents(link), at + 100);
        }
    }

    /// Shows a contact our documents, tickets and pair key.
    pub(super) fn send_documents(&mut self, link: LinkId) {
        let Some(entry) = self.links.get(&link) else { return };
        let peer = entry.peer;
        if !entry.greeted || !self.is_contact(peer) || !matches!(entry.stage, Stage::Open | Stage::Checking) {
            return;
        }
        let Some(pair) = self.pair_key(peer, link) else { return };
        let reach = self.own_reach();
        let finders = reach.as_ref().map(|reach| reach.finders.clone()).unwrap_or_default();
        let tickets = finders.iter().map(|finder| self.issue_tickets(finder)).collect();
        let documents = Documents {
            a: self.chain().compacts().map(str::to_owned).collect(),
            location: self.own_certificate().map(|certificate| certificate.compact().to_owned()),
            b: self.own_b().map(|b| b.compact().to_owned()),
            reach: reach.map(|reach| reach.compact().to_owned()),
            tickets,
            pair: Some(pair),
        };
        let now = self.now;
        if let Some(entry) = self.links.get_mut(&link) {
            entry.documents_sent = Some(now);
        }
        self.send_control(link, &Control::Documents(Box::new(documents)));
    }

    fn issue_tickets(&mut self, finder: &FinderMailbox) -> Vec<Ticket> {
        let Some(key) = self.ticket_key(finder).cloned() else { return Vec::new() };
        (0..TICKETS_ISSUED).map(|_| key.issue(self.now, self.random())).collect()
    }

    pub(super) fn send_control(&mut self, link: LinkId, message: &Control) {
        self.output(Output::SendControl { link, bytes: message.to_json() });
    }

    /// Tells a contact on its open links that it was removed.
    pub(super) fn tell_removed(&mut self, peer: PeerId) {
        for link in self.open_links_with(peer) {
            self.send_control(link, &Control::ContactRemove {});
        }
    }

    /// A contact removed us: what it gave us is useless now.
    fn forgotten_by(&mut self, peer: PeerId) {
        self.contact_became(peer, ContactState::None);
    }

    pub(super) fn open_link_with(&self, peer: PeerId) -> Option<LinkId> {
        self.open_links_with(peer).first().copied()
    }

    fn open_links_with(&self, peer: PeerId) -> Vec<LinkId> {
        let ours = self.links.iter().filter(|(_, entry)| entry.peer == peer && entry.stage == Stage::Open);
        ours.map(|(id, _)| *id).collect()
    }

    pub(super) fn close_links_with(&mut self, peer: PeerId, reason: Code) {
        let ours: Vec<_> =
            self.links.iter().filter(|(_, entry)| entry.peer == peer).map(|(id, _)| *id).collect();
        for link in ours {
            self.close_link(link, reason);
        }
    }

    /// Ends a link on our own initiative, with a word to the other end.
    pub(super) fn close_link(&mut self, link: LinkId, reason: Code) {
        let Some(entry) = self.links.get(&link) else { return };
        let (open, peer) = (entry.stage == Stage::Open, entry.peer);
        if matches!(entry.stage, Stage::Open | Stage::Checking) {
            self.send_control(link, &Control::Bye { reason: reason.as_str().to_owned() });
        }
        let request = self.remove_link(link);
        self.output(Output::EndLink { link, reason });
        if open {
            self.event(Event::LinkEnded { link, peer, reason });
        } else if let Some(request) = request {
            self.attempt_failed(request, reason.into());
        }
    }

    /// Drops a link that was never open, without a word.
    pub(super) fn discard_link(&mut self, link: LinkId, reason: Code) {
        if self.links.contains_key(&link) {
            self.remove_link(link);
            self.output(Output::EndLink { link, reason });
        }
    }

    fn note_goodbye(&mut self, link: LinkId, reason: &str) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.goodbye = Code::from_text(reason);
        }
    }

    /// The shell says that a link is over; what the other end gave as its reason tells more than the shell can.
    pub(super) fn link_ended(&mut self, link: LinkId, reason: Code) {
        let Some(entry) = self.links.get(&link) else { return };
        let (open, peer, reason) = (entry.stage == Stage::Open, entry.peer, entry.goodbye.unwrap_or(reason));
        let request = self.remove_link(link);
        if open {
            self.event(Event::LinkEnded { link, peer, reason });
        } else if let Some(request) = request {
            self.attempt_failed(request, reason.into());
        }
    }

    /// A link that did not open in time.
    pub(super) fn link_timeout(&mut self, link: LinkId) {
        let Some(entry) = self.links.get(&link) else { return };
        let code = if entry.stage == Stage::Starting { Code::ConnectFailed } else { Code::Timeout };
        self.output(Output::EndLink { link, reason: code });
        self.link_ended(link, code);
    }

    fn remove_link(&mut self, link: LinkId) -> Option<RequestId> {
        let entry = self.links.remove(&link)?;
        self.calls.remove(&link);
        for timer in [Timer::Trickle(link), Timer::Link(link), Timer::Freshness(link), Timer::Documents(link)]
        {
            self.stop_timer(&timer);
        }
        if let Some(exchange) = entry.exchange {
            self.close_exchange(exchange.attempt.0, exchange.attempt.1);
        }
        self.finish_seek(link);
        entry.request
    }
}
