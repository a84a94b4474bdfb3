use super::timer::Timer;
use super::{Event, InboxUse, LinkId, Operation, Output, PeerMachine, RECORD_CHAIN, RequestId};
use crate::control::PairKey;
use crate::defaults::{
    DOCUMENT_LIFE, FRESHNESS, GUEST_KEY_PERIOD, INBOX_KEY_ROTATION, MAX_LOCATIONS, PAIR_KEY_LIFE, REACH_LIFE,
    RENEW_BEFORE,
};
use crate::document::{
    B, ChainStatement, Document, DocumentId, Draft, FinderMailbox, LocationCertificate, Name, PeerId, Public,
    Reach, Signed, StrangerPolicy, V1,
};
use crate::frame::MailboxKind;
use crate::key::{KeyHash, KeyId, PublicKey, Signature, SigningKeyName};
use crate::seal::InboxKey;
use crate::uri::Domain;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of documents within one second: two of the at most eight locations of a peer share one about once in forty
/// peers that have so many, and the numbers stay far below 2^53.
const SEQ_SLOTS: u64 = 1024;

/// Our own documents and inbox keys.
#[derive(Default)]
pub(super) struct Own {
    started: bool,
    /// A signature or key is on its way; one step at a time.
    busy: bool,
    ready: bool,
    /// Addresses under which domains are being shown our front door.
    renewing: BTreeSet<String>,
    record: OwnRecord,
}

/// As persisted under `self/own`.
#[derive(Clone, Default, Serialize, Deserialize)]
struct OwnRecord {
    certificate: Option<String>,
    b: Option<String>,
    reach: Option<String>,
    public: Option<String>,
    /// Locations of this peer besides this one.
    siblings: Vec<KeyId>,
    /// Daily inbox keys, newest last.
    daily: Vec<DailyKey>,
    /// Guest inbox keys, the current one last; the one before it still opens knocks that a domain kept.
    guest: Vec<GuestKey>,
    pairs: BTreeMap<PeerId, PairKey>,
    names: Vec<(Name, Domain)>,
    /// Which front door the domain shows under each of our addresses.
    #[serde(default)]
    shown: BTreeMap<String, DocumentId>,
    /// The highest number that any of our documents carries.
    last_seq: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct DailyKey {
    key: InboxKey,
    created: Time,
    /// When the last document that names it ends.
    until: Time,
}

#[derive(Clone, Serialize, Deserialize)]
struct GuestKey {
    key: InboxKey,
    period: u32,
    a: u64,
}

/// A step of keeping our documents alive, waiting for its answer.
pub(super) enum Step {
    Certificate(Draft<LocationCertificate>),
    B(Draft<B>),
    Reach(Draft<Reach>),
    Public(Draft<Public>),
    Rotation(Draft<ChainStatement>),
    DailyKey,
    GuestKey(u32),
    PairKey(PeerId, LinkId),
}

impl PeerMachine {
    pub(super) fn start_own(&mut self) {
        self.own.started = true;
        self.persist_chain();
        self.refresh_own();
    }

    pub(super) fn load(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let (kind, rest) = key.split_once('/').unwrap_or((key, ""));
        match kind {
            "self" if rest == "own" => {
                self.own.record = serde_json::from_slice(value)
                    .map_err(|error| Error::new(Code::Malformed, error.to_string()))?;
                Ok(())
            }
            "contact" => self.load_contact(value),
            "domain" => self.load_domain(rest, value),
            "knock" => self.load_knock(rest, value),
            "seen" => self.load_seen(rest),
            _ => Ok(()),
        }
    }

    /// Does the next thing that keeps our documents alive, or sets the timer for it.
    pub(super) fn refresh_own(&mut self) {
        if !self.own.started || self.own.busy {
            return;
        }
        self.forget_old_keys();
        if let Some(step) = self.next_step() {
            self.own.busy = true;
            return self.begin(step);
        }
        if !std::mem::replace(&mut self.own.ready, true) {
            self.event(Event::Ready);
        }
        let due = self.next_renewal();
        self.set_timer_at(Timer::Renew, due.max(self.now + 1000));
        self.renew_names();
        self.claim_waiting();
    }

    fn next_step(&mut self) -> Option<Step> {
        if !self.is_current(&self.own_certificate(), |c| c.a, |c| c.exp) {
            return Some(Step::Certificate(self.draft_certificate()));
        }
        let newest = self.own.record.daily.last().filter(|key| self.now < key.created + INBOX_KEY_ROTATION);
        let Some(inbox) = newest.map(|key| key.key.clone()) else {
            return Some(Step::DailyKey);
        };
        let b = self.own_b();
        let unchanged = b
            .as_ref()
            .is_some_and(|b| b.locations == self.own_locations() && b.domains == self.config.domains);
        if !unchanged || !self.is_current(&b, |b| b.a, |b| b.exp) {
            return Some(Step::B(self.draft_b()));
        }
        let finders = self.own_mailboxes(MailboxKind::Location);
        let reach = self.own_reach();
        if reach.is_none_or(|reach| reach.finders != finders || reach.inbox != inbox || reach.exp <= self.now)
        {
            return Some(Step::Reach(self.draft_reach(finders, inbox)));
        }
        let guest_finders = self.own_mailboxes(MailboxKind::Guest);
        if guest_finders.is_empty() {
            return None;
        }
        let period = (self.now.as_millis() / GUEST_KEY_PERIOD) as u32;
        let newest = self.own.record.guest.last();
        let newest = newest.filter(|key| key.period == period && key.a == self.chain().seq());
        let Some(guest) = newest.map(|key| key.key.clone()) else {
            return Some(Step::GuestKey(period));
        };
        let public = self.own_public();
        let unchanged = public.as_ref().is_some_and(|p| p.finders == guest_finders && p.inbox == guest);
        if !unchanged || !self.is_current(&public, |p| p.a, |p| p.exp) {
            return Some(Step::Public(self.draft_public(guest_finders, guest)));
        }
        None
    }

    fn begin(&mut self, step: Step) {
        let (key, input) = match &step {
            Step::Certificate(draft) => (SigningKeyName::Root, draft.signing_input()),
            Step::B(draft) => (SigningKeyName::Root, draft.signing_input()),
            Step::Public(draft) => (SigningKeyName::Root, draft.signing_input()),
            Step::Reach(draft) => (SigningKeyName::Location, draft.signing_input()),
            Step::Rotation(draft) => (SigningKeyName::NextRoot, draft.signing_input()),
            Step::DailyKey => return self.create_inbox_key(InboxUse::Daily, step),
            Step::GuestKey(period) => return self.create_inbox_key(InboxUse::Guest(*period), step),
            Step::PairKey(peer, _) => return self.create_inbox_key(InboxUse::Pair(*peer), step),
        };
        let input = input.to_vec();
        self.sign(key, input, Operation::Own(step));
    }

    fn create_inbox_key(&mut self, usage: InboxUse, step: Step) {
        let operation = self.operation(Operation::Own(step));
        self.output(Output::CreateInboxKey { operation, usage });
    }

    pub(super) fn own_signed(&mut self, step: Step, signature: &Signature) {
        let record = &mut self.own.record;
        match step {
            Step::Certificate(draft) => record.certificate = Some(compact(draft, signature)),
            Step::B(draft) => record.b = Some(compact(draft, signature)),
            Step::Public(draft) => record.public = Some(compact(draft, signature)),
            Step::Reach(draft) => {
                let signed = draft.finish(signature);
                if let Some(key) = record.daily.iter_mut().find(|key| key.key == signed.inbox) {
                    key.until = key.until.max(signed.exp);
                }
                record.reach = Some(signed.compact().to_owned());
            }
            Step::Rotation(draft) => return self.rotated(draft, signature),
            Step::DailyKey | Step::GuestKey(_) | Step::PairKey(..) => return,
        }
        self.own.busy = false;
        self.save_own();
        self.documents_changed();
        self.refresh_own();
    }

    pub(super) fn own_inbox_key(&mut self, step: Step, key: InboxKey) {
        let (now, a) = (self.now, self.chain().seq());
        let location = self.location();
        let record = &mut self.own.record;
        match step {
            Step::DailyKey => {
                record.daily.push(DailyKey { key, created: now, until: now + INBOX_KEY_ROTATION })
            }
            Step::GuestKey(period) => {
                record.guest.push(GuestKey { key, period, a });
                self.forget_old_guest_keys();
            }
            Step::PairKey(peer, link) => {
                record.pairs.insert(peer, PairKey { key, exp: now + PAIR_KEY_LIFE, location });
                self.save_own();
                return self.send_documents(link);
            }
            _ => return,
        }
        self.own.busy = false;
        self.save_own();
        self.refresh_own();
    }

    /// Writes all documents anew.
    pub(super) fn renew_documents(&mut self) {
        let record = &mut self.own.record;
        (record.b, record.reach, record.public) = (None, None, None);
        self.refresh_own();
    }

    /// Names the peer's other locations; one that is left out is revoked as soon as contacts see the new B.
    pub(super) fn set_siblings(&mut self, siblings: Vec<KeyId>) {
        let own = self.location();
        let siblings = siblings.into_iter().filter(|location| *location != own);
        self.own.record.siblings = siblings.take(MAX_LOCATIONS - 1).collect();
        self.save_own();
        self.refresh_own();
    }

    pub(super) fn rotate(&mut self, root: PublicKey, next: KeyHash) {
        let draft = self.config.chain.draft_rotation(&root, vec![next], self.now);
        self.own.busy = true;
        self.begin(Step::Rotation(draft));
    }

    fn rotated(&mut self, draft: Draft<ChainStatement>, signature: &Signature) {
        self.own.busy = false;
        match self.config.chain.rotated(draft, signature) {
            Err(error) => self.alarm(error, None),
            Ok(chain) => {
                self.config.chain = chain;
                self.persist_chain();
                self.output(Output::CommitRotation);
                self.renew_guest_mailboxes();
            }
        }
        self.refresh_own();
    }

    fn persist_chain(&mut self) {
        let chain: Vec<String> = self.config.chain.compacts().map(str::to_owned).collect();
        self.persist(RECORD_CHAIN.to_owned(), &chain);
    }

    fn save_own(&mut self) {
        let record = self.own.record.clone();
        self.persist("self/own".to_owned(), &record);
    }

    /// Destroys inbox keys that no living document names, and what was remembered for them.
    fn forget_old_keys(&mut self) {
        let (now, pinned) = (self.now, self.own.record.daily.last().map(|key| key.key.id()));
        let dead = |key: &DailyKey| Some(key.key.id()) != pinned && now > key.until + FRESHNESS;
        let old: Vec<KeyId> =
            self.own.record.daily.iter().filter(|key| dead(key)).map(|key| key.key.id()).collect();
        self.own.record.daily.retain(|key| !dead(key));
        for key in old {
            self.output(Output::ForgetInboxKey { key });
            self.forget_seen(key);
        }
    }

    fn forget_old_guest_keys(&mut self) {
        let surplus = self.own.record.guest.len().saturating_sub(2);
        for old in self.own.record.guest.drain(..surplus).collect::<Vec<_>>() {
            self.output(Output::ForgetInboxKey { key: old.key.id() });
            self.forget_seen(old.key.id());
        }
    }

    fn next_renewal(&self) -> Time {
        let record = &self.own.record;
        let rotation = record.daily.last().map(|key| key.created + INBOX_KEY_ROTATION);
        let period_end = Time::from_millis((self.now.as_millis() / GUEST_KEY_PERIOD + 1) * GUEST_KEY_PERIOD);
        let certificate = self.own_certificate().map(|certificate| certificate.exp - RENEW_BEFORE);
        let b = self.own_b().map(|b| b.exp - RENEW_BEFORE);
        [rotation, Some(period_end), certificate, b].into_iter().flatten().min().unwrap_or(period_end)
    }

    fn draft_certificate(&self) -> Draft<LocationCertificate> {
        let certificate = LocationCertificate {
            v: V1,
            peer: self.peer(),
            a: self.chain().seq(),
            key: self.config.location_key,
            features: Vec::new(),
            iat: self.now,
            exp: self.now + DOCUMENT_LIFE,
        };
        self.root_draft(certificate)
    }

    fn draft_b(&mut self) -> Draft<B> {
        let seq = self.next_seq();
        self.root_draft(B {
            v: V1,
            peer: self.peer(),
            a: self.chain().seq(),
            seq,
            iat: self.now,
            exp: self.now + DOCUMENT_LIFE,
            domains: self.config.domains.clone(),
            locations: self.own_locations(),
            policy: StrangerPolicy::Knock,
        })
    }

    fn draft_reach(&mut self, finders: Vec<FinderMailbox>, inbox: InboxKey) -> Draft<Reach> {
        let reach = Reach {
            v: V1,
            peer: self.peer(),
            location: self.location(),
            seq: self.next_seq(),
            iat: self.now,
            exp: self.now + REACH_LIFE,
            finders,
            inbox,
            direct: Vec::new(),
        };
        Draft::new(reach, self.location())
    }

    fn draft_public(&mut self, finders: Vec<FinderMailbox>, inbox: InboxKey) -> Draft<Public> {
        let seq = self.next_seq();
        self.root_draft(Public {
            v: V1,
            peer: self.peer(),
            a: self.chain().seq(),
            seq,
            iat: self.now,
            exp: self.now + DOCUMENT_LIFE,
            finders,
            inbox,
            policy: StrangerPolicy::Knock,
        })
    }

    pub(super) fn root_draft<D: Document>(&self, document: D) -> Draft<D> {
        Draft::new(document, self.chain().head().keys[0].id())
    }

    /// The next number for any document of ours: it rises with the time, so that a restored backup does not fall behind,
    /// but is always above the last one. The remainder is this location's own, so that two locations that write the
    /// same document of their peer at one time do not fork it.
    pub(super) fn next_seq(&mut self) -> u64 {
        let location = self.location();
        let slot = u64::from(u16::from_be_bytes([location.0[0], location.0[1]])) % SEQ_SLOTS;
        let lowest = (self.now.as_secs() * SEQ_SLOTS).max(self.own.record.last_seq + 1);
        let seq = lowest + (slot + SEQ_SLOTS - lowest % SEQ_SLOTS) % SEQ_SLOTS;
        self.own.record.last_seq = seq;
        seq
    }

    fn own_locations(&self) -> Vec<KeyId> {
        let mut locations = self.own.record.siblings.clone();
        locations.push(self.location());
        locations.sort_unstable();
        locations
    }

    fn is_current<D>(
        &self,
        document: &Option<Signed<D>>,
        a: impl Fn(&D) -> u64,
        exp: impl Fn(&D) -> Time,
    ) -> bool {
        document
            .as_ref()
            .is_some_and(|document| a(document) == self.chain().seq() && !self.is_stale(exp(document)))
    }

    fn is_stale(&self, exp: Time) -> bool {
        self.now + RENEW_BEFORE >= exp
    }

    pub(super) fn own_certificate(&self) -> Option<Signed<LocationCertificate>> {
        self.chain().verify_document(self.own.record.certificate.as_ref()?).ok()
    }

    pub(super) fn own_b(&self) -> Option<Signed<B>> {
        self.chain().verify_document(self.own.record.b.as_ref()?).ok()
    }

    pub(super) fn own_public(&self) -> Option<Signed<Public>> {
        self.chain().verify_document(self.own.record.public.as_ref()?).ok()
    }

    pub(super) fn own_reach(&self) -> Option<Signed<Reach>> {
        Signed::verify(self.own.record.reach.as_ref()?, &self.config.location_key).ok()
    }

    pub(super) fn own_chain_id(&self) -> DocumentId {
        self.chain().pin().id
    }

    pub(super) fn own_inbox(&self) -> Option<InboxKey> {
        self.own.record.daily.last().map(|key| key.key.clone())
    }

    pub(super) fn is_guest_key(&self, id: KeyId) -> bool {
        self.own.record.guest.iter().any(|guest| guest.key.id() == id)
    }

    /// A request id of our own, outside the range that callers use.
    pub(super) fn own_request(&mut self) -> RequestId {
        let request = RequestId(u64::MAX - self.fresh_id());
        self.start_request(request);
        request
    }

    pub(super) fn names_mut(&mut self) -> &mut Vec<(Name, Domain)> {
        &mut self.own.record.names
    }

    /// The front door that a domain shows under one of our addresses, as far as we know.
    pub(super) fn shown_at(&self, address: &str) -> Option<DocumentId> {
        self.own.record.shown.get(address).copied()
    }

    pub(super) fn set_shown(&mut self, address: String, public: DocumentId) {
        self.own.record.shown.insert(address, public);
    }

    pub(super) fn forget_shown(&mut self, address: &str) {
        self.own.record.shown.remove(address);
    }

    /// Notes that a domain is being shown our front door; false if it is already.
    pub(super) fn begin_renewal(&mut self, address: String) -> bool {
        self.own.renewing.insert(address)
    }

    pub(super) fn end_renewal(&mut self, address: &str) {
        self.own.renewing.remove(address);
    }

    pub(super) fn save_names(&mut self) {
        self.save_own();
    }

    /// The pair key for a contact; if there is none yet, makes one and then sends our documents on `link`.
    pub(super) fn pair_key(&mut self, peer: PeerId, link: LinkId) -> Option<PairKey> {
        let pair =
            self.own.record.pairs.get(&peer).filter(|pair| pair.exp > self.now + RENEW_BEFORE).cloned();
        if pair.is_none() {
            self.begin(Step::PairKey(peer, link));
        }
        pair
    }

    pub(super) fn forget_pair_key(&mut self, peer: PeerId) {
        if let Some(pair) = self.own.record.pairs.remove(&peer) {
            self.save_own();
            self.output(Output::ForgetInboxKey { key: pair.key.id() });
        }
    }
}

fn compact<D: Document>(draft: Draft<D>, signature: &Signature) -> String {
    draft.finish(signature).compact().to_owned()
}
