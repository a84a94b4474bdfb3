//! Documents of the cast, one of every kind.

use super::cast::{NOW, Person, domain, domain_seed, finder_url};
use openpeer_core::Time;
use openpeer_core::defaults::{DOCUMENT_LIFE, DOMAIN_DOCUMENT_LIFE, MAX_FRAME_BYTES, REACH_LIFE};
use openpeer_core::document::{
    B, Claim, ClaimAction, DomainDocument, FinderEntry, FinderMailbox, LocationCertificate, Name, NameRecord,
    Public, Reach, StrangerPolicy, V1,
};
use openpeer_core::finder::{Hello, Limits};
use openpeer_core::frame::{MailboxId, Nonce};
use openpeer_core::key::SigningKeyName;
use openpeer_core::uri::FinderUrl;

/// What `limits` in a `hello` says when a finder keeps to the protocol's.
const _: () = assert!(Limits::PROTOCOL.frame_bytes as usize == MAX_FRAME_BYTES);

pub(crate) fn url(domain: &str) -> FinderUrl {
    FinderUrl::from_text(&finder_url(domain)).unwrap()
}

/// The mailbox that `key` of a person opens at a domain's finder.
pub(crate) fn place(person: &Person, at: &str, key: fn(String) -> SigningKeyName) -> FinderMailbox {
    let key = person.keyring().public_key(&key(finder_url(at))).unwrap();
    FinderMailbox { domain: domain(at), url: url(at), mailbox: MailboxId::of(&key) }
}

pub(crate) fn certificate(person: &Person) -> LocationCertificate {
    LocationCertificate {
        v: V1,
        peer: person.peer(),
        a: person.chain.seq(),
        key: person.location.public_key(),
        features: Vec::new(),
        iat: NOW,
        exp: NOW + DOCUMENT_LIFE,
    }
}

pub(crate) fn b(person: &Person, at: &str) -> B {
    B {
        v: V1,
        peer: person.peer(),
        a: person.chain.seq(),
        seq: NOW.as_secs(),
        iat: NOW,
        exp: NOW + DOCUMENT_LIFE,
        domains: vec![domain(at)],
        locations: vec![person.location_id()],
        policy: StrangerPolicy::Knock,
    }
}

pub(crate) fn reach(person: &Person, at: &str) -> Reach {
    Reach {
        v: V1,
        peer: person.peer(),
        location: person.location_id(),
        seq: NOW.as_secs() + 1,
        iat: NOW,
        exp: NOW + REACH_LIFE,
        finders: vec![place(person, at, SigningKeyName::Mailbox)],
        inbox: person.inbox().public_key(),
        direct: Vec::new(),
    }
}

pub(crate) fn public(person: &Person, at: &str) -> Public {
    let period = u32::try_from(NOW.as_millis() / DOCUMENT_LIFE).unwrap();
    Public {
        v: V1,
        peer: person.peer(),
        a: person.chain.seq(),
        seq: NOW.as_secs() + 2,
        iat: NOW,
        exp: NOW + DOCUMENT_LIFE,
        finders: vec![place(person, at, SigningKeyName::GuestMailbox)],
        inbox: person.keyring().guest_inbox(period).public_key(),
        policy: StrangerPolicy::Knock,
    }
}

pub(crate) fn name_record(person: &Person, at: &str) -> NameRecord {
    NameRecord {
        v: V1,
        name: Name::from_text(person.name).unwrap(),
        domain: domain(at),
        peer: person.peer(),
        seq: NOW.as_secs() + 3,
        iat: NOW,
        exp: NOW + DOCUMENT_LIFE,
    }
}

pub(crate) fn claim(person: &Person, at: &str, action: ClaimAction) -> Claim {
    Claim {
        v: V1,
        action,
        name: Name::from_text(person.name).unwrap(),
        domain: domain(at),
        nonce: Nonce([0x77; 32]),
        iat: NOW,
    }
}

pub(crate) fn domain_document(name: &str, seq: u64, now: Time) -> DomainDocument {
    DomainDocument {
        v: V1,
        domain: domain(name),
        seq,
        iat: now,
        exp: now + DOMAIN_DOCUMENT_LIFE,
        keys: vec![domain_seed(name).public_key()],
        finders: vec![FinderEntry { url: url(name), priority: 0, weight: 1 }],
        stun: vec![format!("stun:{name}:3478")],
        contact: Some(format!("abuse@{name}")),
    }
}

pub(crate) fn hello(name: &str, nonce: Nonce) -> Hello {
    Hello {
        v: V1,
        domain: domain(name),
        finder: url(name),
        nonce,
        time: NOW,
        stun: vec![format!("stun:{name}:3478")],
        limits: Limits::PROTOCOL,
    }
}
