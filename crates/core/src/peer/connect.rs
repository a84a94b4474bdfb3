use super::domains::Fetch;
use super::{Contact, ContactState, Event, LinkId, PeerMachine, Progress, RequestId, Target};
use crate::defaults::{MAX_KNOCK_TEXT_BYTES, MAX_PARALLEL_EXCHANGES};
use crate::document::{Bundle, Name, PeerId, StrangerPolicy, VerifiedBundle};
use crate::uri::{Address, Domain};
use crate::{Code, Error};

/// A user's wish for a link.
pub(super) struct Request {
    /// Whom it is for, once known.
    pub(super) peer: Option<PeerId>,
    text: String,
    /// The most telling failure so far, while other attempts go on.
    failure: Option<Error>,
}

/// Whom a domain was asked about.
#[derive(Clone)]
pub(super) enum Lookup {
    Name(Name, Domain),
    Peer(PeerId, Domain),
}

impl Lookup {
    pub(super) const fn domain(&self) -> &Domain {
        match self {
            Self::Name(_, domain) | Self::Peer(_, domain) => domain,
        }
    }

    fn query(&self) -> String {
        match self {
            Self::Name(name, _) => format!("?name={name}"),
            Self::Peer(peer, _) => format!("?peer={peer}"),
        }
    }
}

impl PeerMachine {
    pub(super) fn connect(&mut self, request: RequestId, target: Target, text: String) {
        if text.len() > MAX_KNOCK_TEXT_BYTES {
            return self.refuse(request, Error::new(Code::InvalidArgument, "text above 280 bytes"));
        }
        let entry = Request { peer: None, text, failure: None };
        self.requests.insert(request, entry);
        match target {
            Target::Contact(peer) => self.connect_peer(request, peer, None),
            Target::Address(Address::Peer { peer, domain, invitation: _ }) => {
                self.connect_peer(request, peer, domain)
            }
            Target::Address(Address::Name { name, domain }) => self.connect_name(request, name, domain),
        }
    }

    /// A name that led to a contact before needs no domain: contacts are found by their own documents.
    fn connect_name(&mut self, request: RequestId, name: Name, domain: Domain) {
        let known = self.introduced.get(&format!("{name}@{domain}")).copied();
        match known.filter(|peer| self.is_contact(*peer) || self.is_blocked(*peer)) {
            Some(peer) => self.connect_peer(request, peer, None),
            None => self.look_up(request, Lookup::Name(name, domain)),
        }
    }

    fn connect_peer(&mut self, request: RequestId, peer: PeerId, domain: Option<Domain>) {
        if peer == self.peer() {
            return self.fail(request, Error::new(Code::InvalidArgument, "that is this peer itself"));
        }
        if self.is_blocked(peer) {
            return self.fail(request, Code::Blocked.into());
        }
        if self.is_contact(peer) {
            return self.find_contact(request, peer);
        }
        match domain {
            Some(domain) => self.look_up(request, Lookup::Peer(peer, domain)),
            None => self.fail(request, Error::new(Code::NeedsIntroduction, "no domain known for this peer")),
        }
    }

    fn look_up(&mut self, request: RequestId, lookup: Lookup) {
        self.progress(request, Progress::Resolving);
        let (domain, query) = (lookup.domain().clone(), lookup.query());
        self.fetch(Fetch::Introduction(request, lookup), &domain, &query);
    }

    /// A domain answered who is behind a name or peer id.
    pub(super) fn introduced(&mut self, request: RequestId, lookup: &Lookup, bundle: Result<Bundle, Error>) {
        if !self.requests.contains_key(&request) {
            return;
        }
        match bundle.and_then(|bundle| self.check_introduction(lookup, &bundle)) {
            Err(error) => self.fail(request, error),
            Ok(introduction) => self.meet(request, &introduction),
        }
    }

    fn check_introduction(&mut self, lookup: &Lookup, bundle: &Bundle) -> Result<VerifiedBundle, Error> {
        let domain = lookup.domain();
        let keys = self.pin(domain).map(|pin| pin.keys().to_vec()).unwrap_or_default();
        let introduction = bundle.introduction(domain, &keys, self.now).map_err(|error| {
            let own_keys =
                bundle.domain(domain, self.now).map(|document| document.keys.clone()).unwrap_or_default();
            let changed = !own_keys.is_empty() && own_keys != keys;
            if changed {
                Error::new(Code::DomainKeyChanged, format!("{domain} shows another key"))
            } else {
                error
            }
        })?;
        let peer = introduction.chain.peer();
        match lookup {
            Lookup::Name(name, _) if introduction.name.name != *name => {
                return Err(Error::new(Code::WrongDomain, "the domain introduced another name"));
            }
            Lookup::Peer(asked, _) if peer != *asked => {
                return Err(Error::new(Code::WrongDomain, "the domain introduced another peer"));
            }
            _ => {}
        }
        let address = format!("{}@{domain}", introduction.name.name);
        if self.introduced.get(&address).is_some_and(|known| *known != peer) {
            let error = Error::new(Code::Reset, format!("{address} shows another peer than before"));
            self.alarm(error.clone(), Some(peer));
            return Err(error);
        }
        if let Some(contact) = self.contacts.get(&peer) {
            introduction.chain.extends(&contact.chain()?)?;
        }
        Ok(introduction)
    }

    /// Goes on with somebody whom a domain introduced: finds a contact, knocks at a stranger's door.
    fn meet(&mut self, request: RequestId, introduction: &VerifiedBundle) {
        let (peer, now) = (introduction.chain.peer(), self.now);
        if peer == self.peer() {
            return self.fail(request, Error::new(Code::InvalidArgument, "that is this peer itself"));
        }
        if self.is_blocked(peer) {
            return self.fail(request, Code::Blocked.into());
        }
        let address = format!("{}@{}", introduction.name.name, introduction.name.domain);
        let contact = self
            .contacts
            .entry(peer)
            .or_insert_with(|| Contact::new(peer, ContactState::Requested, &introduction.chain, now));
        contact.set_chain(&introduction.chain);
        contact.introduced.get_or_insert_with(|| address.clone());
        if contact.state == ContactState::None {
            contact.state = ContactState::Requested;
        }
        self.introduced.insert(address, peer);
        self.save_contact(peer);
        if let Some(entry) = self.requests.get_mut(&request) {
            entry.peer = Some(peer);
        }
        if introduction.public.policy == StrangerPolicy::Refuse {
            return self.fail(request, Code::Declined.into());
        }
        self.knock(request, peer, &introduction.public);
    }

    /// Finds a contact at all its locations, or knocks again if nothing that is known of it can be used any more.
    pub(super) fn find_contact(&mut self, request: RequestId, peer: PeerId) {
        if let Some(entry) = self.requests.get_mut(&request) {
            entry.peer = Some(peer);
        }
        if let Some(link) = self.open_link_with(peer) {
            return self.fulfil(link, peer, Some(request));
        }
        let locations = self.findable_locations(peer);
        if locations.is_empty() {
            return self.knock_again(request, peer);
        }
        self.progress(request, Progress::Finding(locations.len()));
        for location in locations.into_iter().take(MAX_PARALLEL_EXCHANGES) {
            self.seek_location(request, peer, location);
        }
    }

    fn knock_again(&mut self, request: RequestId, peer: PeerId) {
        let introduced = self.contacts.get(&peer).and_then(|contact| contact.introduced.clone());
        match introduced.and_then(|address| Address::from_text(&address).ok()) {
            Some(Address::Name { name, domain }) => self.look_up(request, Lookup::Name(name, domain)),
            _ => self.fail(
                request,
                Error::new(Code::NeedsIntroduction, "all known ways to this contact have expired"),
            ),
        }
    }

    /// Makes a wish known that begins with somebody else's knock.
    pub(super) fn start_request(&mut self, request: RequestId) {
        let entry = Request { peer: None, text: String::new(), failure: None };
        self.requests.insert(request, entry);
    }

    pub(super) fn set_request_peer(&mut self, request: RequestId, peer: PeerId) {
        if let Some(entry) = self.requests.get_mut(&request) {
            entry.peer = Some(peer);
        }
    }

    /// A request that nobody fulfilled in time.
    pub(super) fn fail_if_waiting(&mut self, request: RequestId) {
        if self.requests.contains_key(&request) {
            self.fail(request, Code::Timeout.into());
        }
    }

    /// The text that the user gave for a knock.
    pub(super) fn request_text(&self, request: RequestId) -> String {
        self.requests.get(&request).map(|entry| entry.text.clone()).unwrap_or_default()
    }

    /// The user gave up.
    pub(super) fn cancel(&mut self, request: RequestId) {
        if self.requests.contains_key(&request) {
            self.fail(request, Code::Cancelled.into());
        }
    }

    pub(super) fn progress(&mut self, request: RequestId, progress: Progress) {
        if !request.is_own() {
            self.event(Event::Progress { request, progress });
        }
    }

    /// One of a request's attempts failed. The request fails with the last one, for the most telling reason.
    pub(super) fn attempt_failed(&mut self, request: RequestId, error: Error) {
        let busy = self.seeks.values().any(|seek| seek.request == Some(request))
            || self.links.values().any(|link| link.request == Some(request));
        let Some(entry) = self.requests.get_mut(&request) else { return };
        let telling = match entry.failure.take() {
            Some(before) if weight(before.code()) >= weight(error.code()) => before,
            _ => error,
        };
        if busy {
            entry.failure = Some(telling);
        } else {
            self.fail(request, telling);
        }
    }

    pub(super) fn fail(&mut self, request: RequestId, error: Error) {
        self.requests.remove(&request);
        self.drop_attempts(request, None);
        self.refuse(request, error);
    }

    fn refuse(&mut self, request: RequestId, error: Error) {
        if request.is_own() {
            self.alarm(error, None);
        } else {
            self.event(Event::RequestFailed { request, error });
        }
    }

    /// A link is open; tells the user, and every request that waits for this peer.
    pub(super) fn fulfil(&mut self, link: LinkId, peer: PeerId, request: Option<RequestId>) {
        let Some(location) = self.links.get(&link).map(|link| link.location) else { return };
        let waiting =
            self.requests.iter().filter(|(_, entry)| entry.peer == Some(peer)).map(|(request, _)| *request);
        let mut fulfilled: Vec<_> = waiting.chain(request).collect();
        fulfilled.sort_unstable();
        fulfilled.dedup();
        for request in &fulfilled {
            self.requests.remove(request);
            self.drop_attempts(*request, Some(link));
        }
        fulfilled.retain(|request| !request.is_own());
        for request in &fulfilled {
            self.event(Event::LinkOpen { link, peer, location, request: Some(*request) });
        }
        if fulfilled.is_empty() {
            self.event(Event::LinkOpen { link, peer, location, request: None });
        }
    }

    fn is_blocked(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| contact.state == ContactState::Blocked)
    }
}

/// How much a failure tells: what a peer said outweighs what a finder said, which outweighs silence.
const fn weight(code: Code) -> u8 {
    match code {
        Code::Timeout => 0,
        Code::FinderUnreachable | Code::DomainUnreachable => 1,
        Code::Offline => 2,
        Code::ConnectFailed | Code::BadFingerprint => 3,
        _ => 4,
    }
}
