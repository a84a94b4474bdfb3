use crate::defaults::{DOMAIN_DOCUMENT_LIFE, DOMAIN_DOCUMENT_RENEWAL, MAX_NONCES, NAME_BLOCK};
use crate::dice::Dice;
use openpeer_core::defaults::{MAX_STORED_KNOCK_BYTES, MAX_STORED_KNOCKS};
use openpeer_core::document::{
    Bundle, ClaimAction, ClaimRequest, DomainDocument, Draft, FinderEntry, Name, NameRecord, PeerId, Public,
    Signed, V1, VerifiedClaim,
};
use openpeer_core::finder::{KnockId, StoredKnock};
use openpeer_core::frame::{MailboxId, Nonce};
use openpeer_core::key::Seed;
use openpeer_core::peer::{HttpRequest, HttpResponse};
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_core::{Code, Error, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What a domain keeps durably, and its web server: bootstrapper, nonces, names, and knocks for members who are away.
pub(crate) struct Directory {
    pub(crate) domain: Domain,
    key: Seed,
    finders: Vec<FinderUrl>,
    stun: Vec<String>,
    seq: u64,
    document: Option<(Time, String)>,
    nonces: BTreeSet<Nonce>,
    names: BTreeMap<Name, Entry>,
    released: BTreeMap<Name, Time>,
    knocks: BTreeMap<MailboxId, Vec<(StoredKnock, Time)>>,
    dice: Dice,
}

/// A claimed name.
struct Entry {
    peer: PeerId,
    chain: Vec<String>,
    record: String,
    seq: u64,
    public: Signed<Public>,
}

impl Directory {
    pub(crate) fn new(domain: Domain, finders: Vec<FinderUrl>, mut dice: Dice) -> Self {
        Self {
            domain,
            key: Seed::new(dice.bytes()),
            finders,
            stun: Vec::new(),
            seq: 0,
            document: None,
            nonces: BTreeSet::new(),
            names: BTreeMap::new(),
            released: BTreeMap::new(),
            knocks: BTreeMap::new(),
            dice,
        }
    }

    pub(crate) const fn key(&self) -> &Seed {
        &self.key
    }

    /// Replaces the domain key, as an operator without backup does, or somebody who took over the name in the DNS.
    pub(crate) fn replace_key(&mut self) {
        self.key = Seed::new(self.dice.bytes());
        self.document = None;
    }

    pub(crate) fn set_finders(&mut self, finders: Vec<FinderUrl>) {
        self.finders = finders;
        self.document = None;
    }

    pub(crate) fn set_stun(&mut self, stun: Vec<String>) {
        self.stun = stun;
        self.document = None;
    }

    /// Who bears a name.
    pub(crate) fn bearer(&self, name: &Name) -> Option<PeerId> {
        self.names.get(name).map(|entry| entry.peer)
    }

    /// Answers a request over HTTPS.
    pub(crate) fn answer(&mut self, now: Time, request: &HttpRequest) -> HttpResponse {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let result = match (path, &request.body) {
            ("/.well-known/openpeer", None) => self.bootstrap(now, query),
            ("/openpeer/nonce", None) => Ok(self.nonce()),
            ("/openpeer/names", Some(body)) => self.claim(now, body),
            _ => Err(Code::NotFound.into()),
        };
        result.map_or_else(|error| problem(error.code()), |body| HttpResponse { status: 200, body })
    }

    fn bootstrap(&mut self, now: Time, query: &str) -> Result<Vec<u8>, Error> {
        let name = match query.split_once('=') {
            None => None,
            Some(("name", name)) => Some(Name::from_text(name).map_err(|_| Error::from(Code::NotFound))?),
            Some(("peer", peer)) => Some(self.name_of(PeerId::from_text(peer)?)?),
            Some(_) => return Err(Code::Malformed.into()),
        };
        let Some(name) = name else {
            let domain = self.document(now);
            return Ok(Bundle { domain, name: None, a: Vec::new(), public: None }.to_json());
        };
        self.bundle(now, &name)
    }

    fn name_of(&self, peer: PeerId) -> Result<Name, Error> {
        let entry = self.names.iter().find(|(_, entry)| entry.peer == peer);
        Ok(entry.ok_or(Code::NotFound)?.0.clone())
    }

    fn bundle(&mut self, now: Time, name: &Name) -> Result<Vec<u8>, Error> {
        let domain = self.document(now);
        let entry = self.names.get(name).ok_or(Code::NotFound)?;
        let bundle = Bundle {
            domain,
            name: Some(entry.record.clone()),
            a: entry.chain.clone(),
            public: Some(entry.public.compact().to_owned()),
        };
        Ok(bundle.to_json())
    }

    /// The domain document, written anew when it is about to end.
    pub(crate) fn document(&mut self, now: Time) -> String {
        if let Some((exp, document)) = &self.document
            && exp.millis_since(now) > DOMAIN_DOCUMENT_RENEWAL
        {
            return document.clone();
        }
        self.seq += 1;
        let exp = now + DOMAIN_DOCUMENT_LIFE;
        let document = self.write_document(now, self.seq, exp);
        self.document = Some((exp, document.clone()));
        document
    }

    /// Signs a domain document of any number.
    pub(crate) fn write_document(&self, iat: Time, seq: u64, exp: Time) -> String {
        let entry = |url: &FinderUrl| FinderEntry { url: url.clone(), priority: 0, weight: 1 };
        let document = DomainDocument {
            v: V1,
            domain: self.domain.clone(),
            seq,
            iat,
            exp,
            keys: vec![self.key.public_key()],
            finders: self.finders.iter().map(entry).collect(),
            stun: self.stun.clone(),
            contact: None,
        };
        let draft = Draft::new(document, self.key.public_key().id());
        let signature = self.key.sign(draft.signing_input());
        draft.finish(&signature).compact().to_owned()
    }

    fn nonce(&mut self) -> Vec<u8> {
        let nonce = Nonce(self.dice.bytes());
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.pop_first();
        }
        self.nonces.insert(nonce);
        format!(r#"{{"nonce":"{nonce}"}}"#).into_bytes()
    }

    fn claim(&mut self, now: Time, body: &[u8]) -> Result<Vec<u8>, Error> {
        let request = ClaimRequest::parse(body)?;
        let claim = request.verify(&self.domain, now)?;
        if !self.nonces.remove(&claim.claim.nonce) {
            return Err(Error::new(Code::Unauthorized, "nonce unknown or used before"));
        }
        let name = claim.claim.name.clone();
        if self.names.get(&name).is_some_and(|entry| entry.peer != claim.chain.peer()) {
            return Err(Code::NameTaken.into());
        }
        match claim.claim.action {
            ClaimAction::Claim => self.grant(now, name.clone(), claim)?,
            ClaimAction::Release => self.release(now, &name)?,
        }
        match self.names.contains_key(&name) {
            true => self.bundle(now, &name),
            false => Ok(b"{}".to_vec()),
        }
    }

    fn grant(&mut self, now: Time, name: Name, claim: VerifiedClaim) -> Result<(), Error> {
        let blocked = |at: &Time| now.millis_since(*at) < NAME_BLOCK;
        if name.is_reserved() || self.released.get(&name).is_some_and(blocked) {
            return Err(Code::NameReserved.into());
        }
        let (half, public) = claim.documents.ok_or(Code::Malformed)?;
        if let Some(entry) = self.names.get(&name)
            && (half.seq < entry.seq || public.seq < entry.public.seq)
        {
            return Err(Code::StaleDocument.into());
        }
        let record = format!("{}~{}", half.compact(), self.countersign(&half));
        let chain = claim.chain.compacts().map(str::to_owned).collect();
        self.names.insert(name, Entry { peer: claim.chain.peer(), chain, record, seq: half.seq, public });
        Ok(())
    }

    /// The domain's half of a name record: its signature over the same payload.
    pub(crate) fn countersign(&self, half: &Signed<NameRecord>) -> String {
        let draft = Draft::new((**half).clone(), self.key.public_key().id());
        let signature = self.key.sign(draft.signing_input());
        draft.finish(&signature).compact().to_owned()
    }

    fn release(&mut self, now: Time, name: &Name) -> Result<(), Error> {
        self.names.remove(name).ok_or(Code::NotFound)?;
        self.released.insert(name.clone(), now);
        Ok(())
    }

    /// Whether one of these guest mailboxes belongs to a claimed name.
    pub(crate) fn is_member(&self, mailboxes: &[MailboxId]) -> bool {
        let mut doors = self.names.values().flat_map(|entry| &entry.public.finders);
        doors.any(|door| mailboxes.contains(&door.mailbox))
    }

    pub(crate) fn keep_knock(&mut self, mailbox: MailboxId, knock: StoredKnock, expires: Time) {
        if !self.is_member(&[mailbox]) || knock.body.len() > MAX_STORED_KNOCK_BYTES {
            return;
        }
        let kept = self.knocks.entry(mailbox).or_default();
        let known = kept.iter().any(|(other, _)| other.id == knock.id);
        if !known && kept.len() < MAX_STORED_KNOCKS {
            kept.push((knock, expires));
        }
    }

    pub(crate) fn kept_knocks(&mut self, now: Time, mailbox: MailboxId) -> Vec<StoredKnock> {
        let Some(kept) = self.knocks.get_mut(&mailbox) else { return Vec::new() };
        kept.retain(|(_, expires)| *expires > now);
        kept.iter().map(|(knock, _)| knock.clone()).collect()
    }

    pub(crate) fn delete_knock(&mut self, mailbox: MailboxId, id: KnockId) {
        if let Some(kept) = self.knocks.get_mut(&mailbox) {
            kept.retain(|(knock, _)| knock.id != id);
        }
    }
}

/// A problem document (RFC 9457).
fn problem(code: Code) -> HttpResponse {
    let body = format!(r#"{{"code":"{code}","status":{}}}"#, code.status());
    HttpResponse { status: code.status(), body: body.into_bytes() }
}
