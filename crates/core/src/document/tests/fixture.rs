//! People and domains with fixed keys, and documents of theirs. Messages are tested with them too.

use crate::Time;
use crate::defaults::{DOCUMENT_LIFE, DOMAIN_DOCUMENT_LIFE, REACH_LIFE};
use crate::document::{
    B, Chain, ChainStatement, Document, DomainDocument, Draft, FinderEntry, FinderMailbox,
    LocationCertificate, Name, NameRecord, PeerId, Public, Reach, Salt, Signed, StrangerPolicy, V1,
};
use crate::frame::MailboxId;
use crate::jws::{attach_signature, signing_input};
use crate::key::{InboxSecret, KeyHash, KeyId, RecoveryCode, Seed};
use crate::uri::{Domain, FinderUrl};

pub(crate) const NOW: Time = Time::from_secs(1_795_000_000);

/// A peer with one location, all of its keys derived from one number.
pub(crate) struct Person {
    pub(crate) root: Seed,
    pub(crate) location: Seed,
    pub(crate) code: RecoveryCode,
    pub(crate) salt: Salt,
    pub(crate) chain: Chain,
}

impl Person {
    pub(crate) fn new(number: u8) -> Self {
        let (root, location) = (Seed::new([number; 32]), Seed::new([number + 100; 32]));
        let (code, salt) = (RecoveryCode::from_entropy([number; 16]), Salt([number; 16]));
        let next = code.root_seed(&salt.0, 1).public_key().commitment();
        let draft = Chain::draft_inception(&root.public_key(), vec![next], salt, NOW);
        let signature = root.sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature).unwrap();
        Self { root, location, code, salt, chain }
    }

    /// The same person after typing the recovery code.
    pub(crate) fn rotated(&self) -> Self {
        let seq = self.chain.seq() + 1;
        let root = self.code.root_seed(&self.salt.0, seq);
        let next = self.code.root_seed(&self.salt.0, seq + 1).public_key().commitment();
        let draft = self.chain.draft_rotation(&root.public_key(), vec![next], NOW);
        let signature = root.sign(draft.signing_input());
        let chain = self.chain.rotated(draft, &signature).unwrap();
        Self { root, chain, location: self.location.clone(), code: self.code.clone(), salt: self.salt }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.chain.peer()
    }

    pub(crate) fn location_id(&self) -> KeyId {
        self.location.public_key().id()
    }

    pub(crate) fn chain_texts(&self) -> Vec<String> {
        self.chain.compacts().map(str::to_owned).collect()
    }

    pub(crate) fn certificate(&self) -> LocationCertificate {
        LocationCertificate {
            v: V1,
            peer: self.peer(),
            a: self.chain.seq(),
            key: self.location.public_key(),
            features: Vec::new(),
            iat: NOW,
            exp: NOW + DOCUMENT_LIFE,
        }
    }

    pub(crate) fn b(&self, seq: u64) -> B {
        B {
            v: V1,
            peer: self.peer(),
            a: self.chain.seq(),
            seq,
            iat: NOW,
            exp: NOW + DOCUMENT_LIFE,
            domains: vec![domain("a.test")],
            locations: vec![self.location_id()],
            policy: StrangerPolicy::Knock,
        }
    }

    pub(crate) fn reach(&self) -> Reach {
        Reach {
            v: V1,
            peer: self.peer(),
            location: self.location_id(),
            seq: 1,
            iat: NOW,
            exp: NOW + REACH_LIFE,
            finders: vec![mailbox_at("a.test", 1)],
            inbox: InboxSecret::new([5; 32]).public_key(),
            direct: Vec::new(),
        }
    }

    pub(crate) fn public(&self) -> Public {
        Public {
            v: V1,
            peer: self.peer(),
            a: self.chain.seq(),
            seq: 1,
            iat: NOW,
            exp: NOW + DOCUMENT_LIFE,
            finders: vec![mailbox_at("a.test", 2)],
            inbox: InboxSecret::new([6; 32]).public_key(),
            policy: StrangerPolicy::Knock,
        }
    }

    pub(crate) fn name_record(&self, name: &str, domain_name: &str) -> NameRecord {
        NameRecord {
            v: V1,
            name: Name::from_text(name).unwrap(),
            domain: domain(domain_name),
            peer: self.peer(),
            seq: 1,
            iat: NOW,
            exp: NOW + DOCUMENT_LIFE,
        }
    }

    pub(crate) fn by_root<D: Document>(&self, document: D) -> Signed<D> {
        sign(document, &self.root)
    }

    pub(crate) fn by_location<D: Document>(&self, document: D) -> Signed<D> {
        sign(document, &self.location)
    }
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::from_text(text).unwrap()
}

pub(crate) fn mailbox_at(domain_name: &str, mailbox: u8) -> FinderMailbox {
    FinderMailbox {
        domain: domain(domain_name),
        url: FinderUrl::from_text(&format!("wss://{domain_name}/finder")).unwrap(),
        mailbox: MailboxId([mailbox; 16]),
    }
}

pub(crate) fn domain_document(name: &str, key: &Seed, seq: u64, now: Time) -> DomainDocument {
    let url = FinderUrl::from_text(&format!("wss://{name}/finder")).unwrap();
    DomainDocument {
        v: V1,
        domain: domain(name),
        seq,
        iat: now,
        exp: now + DOMAIN_DOCUMENT_LIFE,
        keys: vec![key.public_key()],
        finders: vec![FinderEntry { url, priority: 0, weight: 1 }],
        stun: Vec::new(),
        contact: None,
    }
}

pub(crate) fn sign<D: Document>(document: D, key: &Seed) -> Signed<D> {
    let draft = Draft::new(document, key.public_key().id());
    let signature = key.sign(draft.signing_input());
    draft.finish(&signature)
}

/// Signs whatever text as if it were a document.
pub(crate) fn sign_text(typ: &str, payload: &str, key: &Seed) -> String {
    let input = signing_input(typ, key.public_key().id(), payload.as_bytes());
    attach_signature(&input, &key.sign(input.as_bytes()))
}

/// A statement with any content, signed by all of `signers`.
pub(crate) fn statement(content: &ChainStatement, signers: &[&Seed]) -> String {
    let parts: Vec<String> =
        signers.iter().map(|key| sign(content.clone(), key).compact().to_owned()).collect();
    parts.join("~")
}

pub(crate) fn commitments(seeds: &[&Seed]) -> Vec<KeyHash> {
    seeds.iter().map(|seed| seed.public_key().commitment()).collect()
}
