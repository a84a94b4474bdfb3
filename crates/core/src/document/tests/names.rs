//! Name records, bundles and claims.

use super::fixture::{NOW, Person, domain, domain_document, sign};
use crate::defaults::DOCUMENT_LIFE;
use crate::document::{Bundle, Claim, ClaimAction, ClaimRequest, Name, NameRecord, Public, V1};
use crate::frame::Nonce;
use crate::key::Seed;
use crate::{Code, Time};

fn domain_key() -> Seed {
    Seed::new([50; 32])
}

/// Both halves of a record, the second one by `countersigner`.
fn joined(person: &Person, record: NameRecord, countersigner: &Seed) -> String {
    let half = person.by_root(record.clone());
    format!("{}~{}", half.compact(), sign(record, countersigner).compact())
}

fn verdict(text: &str, person: &Person, now: Time) -> Option<Code> {
    let keys = [domain_key().public_key()];
    NameRecord::verify(text, &person.chain, &domain("a.test"), &keys, now).err().map(|error| error.code())
}

#[test]
fn a_name_takes_both_signatures_over_one_record() {
    let person = Person::new(1);
    let record = person.name_record("alice", "a.test");
    let good = joined(&person, record.clone(), &domain_key());
    assert_eq!(verdict(&good, &person, NOW), None);
    let (ours, theirs) = good.split_once('~').unwrap();
    let mut elsewhere = record.clone();
    elsewhere.name = Name::from_text("bob").unwrap();
    let mixed = format!("{ours}~{}", sign(elsewhere, &domain_key()).compact());
    for (why, text, code) in [
        ("peer alone", ours.to_owned(), Code::Malformed),
        ("domain alone", theirs.to_owned(), Code::Malformed),
        ("in the wrong order", format!("{theirs}~{ours}"), Code::BadSignature),
        ("three of them", format!("{good}~{theirs}"), Code::Malformed),
        ("the peer for the domain", format!("{ours}~{ours}"), Code::BadSignature),
        ("over different records", mixed, Code::WrongDomain),
        ("by another domain's key", joined(&person, record, &Seed::new([51; 32])), Code::BadSignature),
    ] {
        assert_eq!(verdict(&text, &person, NOW), Some(code), "{why}");
    }
}

#[test]
fn a_domain_cannot_hang_a_name_on_somebody_elses_key() {
    let (alice, mallory) = (Person::new(1), Person::new(2));
    let record = NameRecord { peer: mallory.peer(), ..alice.name_record("alice", "a.test") };
    assert_eq!(verdict(&joined(&alice, record, &domain_key()), &alice, NOW), Some(Code::WrongAudience));
    let record = alice.name_record("alice", "a.test");
    assert_eq!(verdict(&joined(&mallory, record, &domain_key()), &alice, NOW), Some(Code::BadSignature));
}

#[test]
fn a_record_belongs_to_one_domain_and_ends() {
    let person = Person::new(1);
    let foreign = joined(&person, person.name_record("alice", "b.test"), &domain_key());
    assert_eq!(verdict(&foreign, &person, NOW), Some(Code::WrongDomain));
    let good = joined(&person, person.name_record("alice", "a.test"), &domain_key());
    assert_eq!(verdict(&good, &person, NOW + DOCUMENT_LIFE), Some(Code::Expired));
    let long = NameRecord { exp: NOW + DOCUMENT_LIFE + 1_000, ..person.name_record("alice", "a.test") };
    assert_eq!(verdict(&joined(&person, long, &domain_key()), &person, NOW), Some(Code::Malformed));
}

#[test]
fn names_are_plain_and_folded() {
    for (text, name) in [("alice", "alice"), ("Alice", "alice"), ("a1", "a1"), ("0.a_b-c", "0.a_b-c")] {
        assert_eq!(Name::from_text(text).unwrap().as_str(), name);
    }
    let long = "a".repeat(33);
    for text in ["", "a", "-a", ".a", "_a", "a b", "a@b", "ünal", "a/b", "a\u{200d}b", &long] {
        assert_eq!(Name::from_text(text).unwrap_err().code(), Code::NameInvalid, "{text}");
    }
    assert!(Name::from_text("a".repeat(32).as_str()).is_ok());
    assert!(Name::from_text("Postmaster").unwrap().is_reserved());
    assert!(!Name::from_text("alice").unwrap().is_reserved());
    assert!(serde_json::from_str::<Name>(r#""Alice""#).is_err(), "documents carry the folded form only");
}

fn bundle(person: &Person) -> Bundle {
    let key = domain_key();
    Bundle {
        domain: sign(domain_document("a.test", &key, 1, NOW), &key).compact().to_owned(),
        name: Some(joined(person, person.name_record("alice", "a.test"), &key)),
        a: person.chain_texts(),
        public: Some(person.by_root(person.public()).compact().to_owned()),
    }
}

fn introduce(bundle: &Bundle, now: Time) -> Result<crate::document::VerifiedBundle, Code> {
    let keys = [domain_key().public_key()];
    let parsed = Bundle::parse(&bundle.to_json()).unwrap();
    parsed.introduction(&domain("a.test"), &keys, now).map_err(|error| error.code())
}

#[test]
fn a_bundle_introduces_a_peer() {
    let person = Person::new(1);
    let introduction = introduce(&bundle(&person), NOW).unwrap();
    assert_eq!(introduction.chain, person.chain);
    assert_eq!(introduction.name.name.as_str(), "alice");
    assert_eq!(introduction.public.peer, person.peer());
    assert_eq!(bundle(&person).domain(&domain("a.test"), NOW).unwrap().domain, domain("a.test"));
}

#[test]
fn a_bundle_without_parts_introduces_nobody() {
    let person = Person::new(1);
    assert_eq!(introduce(&Bundle { name: None, ..bundle(&person) }, NOW), Err(Code::NotFound));
    assert_eq!(introduce(&Bundle { public: None, ..bundle(&person) }, NOW), Err(Code::NotFound));
    assert_eq!(introduce(&Bundle { a: Vec::new(), ..bundle(&person) }, NOW), Err(Code::Malformed));
    let domain_only = Bundle { name: None, a: Vec::new(), public: None, ..bundle(&person) };
    assert_eq!(serde_json::to_value(&domain_only).unwrap().as_object().unwrap().len(), 1);
}

#[test]
fn a_bundle_shows_nobody_elses_door() {
    let (alice, mallory) = (Person::new(1), Person::new(2));
    let door = |person: &Person, public: Public| Some(person.by_root(public).compact().to_owned());
    let foreign = Bundle { public: door(&mallory, mallory.public()), ..bundle(&alice) };
    assert_eq!(introduce(&foreign, NOW), Err(Code::BadSignature));
    let misnamed =
        Bundle { public: door(&alice, Public { peer: mallory.peer(), ..alice.public() }), ..bundle(&alice) };
    assert_eq!(introduce(&misnamed, NOW), Err(Code::WrongAudience));
    let before = Public { a: 1, ..alice.public() };
    assert_eq!(
        introduce(&Bundle { public: door(&alice, before), ..bundle(&alice) }, NOW),
        Err(Code::StaleDocument)
    );
    let old = Public { iat: NOW - DOCUMENT_LIFE, exp: NOW, ..alice.public() };
    assert_eq!(introduce(&Bundle { public: door(&alice, old), ..bundle(&alice) }, NOW), Err(Code::Expired));
}

/// A domain that knows of no rotation shows documents that the peer itself has voided.
#[test]
fn a_bundle_is_of_one_piece() {
    let before = Person::new(1);
    let after = before.rotated();
    let torn = Bundle { a: after.chain_texts(), ..bundle(&before) };
    assert_eq!(introduce(&torn, NOW), Err(Code::BadSignature));
    assert_eq!(introduce(&bundle(&after), NOW).unwrap().chain.seq(), 1);
}

fn claim(person: &Person, action: ClaimAction) -> ClaimRequest {
    let claim = Claim {
        v: V1,
        action,
        name: Name::from_text("alice").unwrap(),
        domain: domain("a.test"),
        nonce: Nonce([1; 32]),
        iat: NOW,
    };
    ClaimRequest {
        claim: person.by_root(claim).compact().to_owned(),
        a: person.chain_texts(),
        name: Some(person.by_root(person.name_record("alice", "a.test")).compact().to_owned()),
        public: Some(person.by_root(person.public()).compact().to_owned()),
        invite: None,
    }
}

fn judge(request: &ClaimRequest) -> Result<crate::document::VerifiedClaim, Code> {
    let parsed = ClaimRequest::parse(&request.to_json()).unwrap();
    parsed.verify(&domain("a.test"), NOW).map_err(|error| error.code())
}

#[test]
fn a_claim_brings_record_and_door() {
    let person = Person::new(1);
    let verified = judge(&claim(&person, ClaimAction::Claim)).unwrap();
    assert_eq!((verified.chain.peer(), verified.claim.nonce), (person.peer(), Nonce([1; 32])));
    assert_eq!(verified.documents.unwrap().0.name.as_str(), "alice");
    let base = claim(&person, ClaimAction::Claim);
    assert_eq!(judge(&ClaimRequest { name: None, ..base.clone() }), Err(Code::Malformed));
    assert_eq!(judge(&ClaimRequest { public: None, ..base.clone() }), Err(Code::Malformed));
    let other = person.by_root(person.name_record("bob", "a.test")).compact().to_owned();
    assert_eq!(judge(&ClaimRequest { name: Some(other), ..base.clone() }), Err(Code::Malformed));
    let elsewhere = person.by_root(person.name_record("alice", "b.test")).compact().to_owned();
    assert_eq!(judge(&ClaimRequest { name: Some(elsewhere), ..base }), Err(Code::Malformed));
    let refused = claim(&person, ClaimAction::Claim).verify(&domain("b.test"), NOW);
    assert_eq!(refused.unwrap_err().code(), Code::WrongDomain);
}

#[test]
fn a_release_needs_no_documents() {
    let person = Person::new(1);
    let bare = ClaimRequest { name: None, public: None, ..claim(&person, ClaimAction::Release) };
    assert!(judge(&bare).unwrap().documents.is_none());
}

#[test]
fn nobody_claims_with_somebody_elses_chain() {
    let (alice, mallory) = (Person::new(1), Person::new(2));
    let stolen = ClaimRequest { a: alice.chain_texts(), ..claim(&mallory, ClaimAction::Claim) };
    assert_eq!(judge(&stolen), Err(Code::BadSignature));
    let thief = ClaimRequest { a: alice.rotated().chain_texts(), ..claim(&alice, ClaimAction::Release) };
    assert_eq!(judge(&thief), Err(Code::BadSignature), "a key that was rotated away");
}
