//! What each kind of document refuses by itself, and beside a chain.

use super::fixture::{NOW, Person, domain, domain_document, mailbox_at, sign, sign_text};
use crate::defaults::{
    DOCUMENT_LIFE, DOMAIN_DOCUMENT_LIFE, FRESHNESS, MAX_DIRECT_ADDRESSES, MAX_DOMAINS, MAX_FINDERS,
    MAX_LOCATIONS, MAX_STUN_URLS, REACH_LIFE,
};
use crate::document::{
    Age, B, Document, DocumentId, DomainDocument, LocationCertificate, Pin, Public, Reach, Signed,
    check_subject, check_time,
};
use crate::finder::Hello;
use crate::key::{KeyId, Seed};
use crate::{Code, Time};

const SECOND: u64 = 1_000;

fn verdict<D: Document>(person: &Person, document: D) -> Option<Code> {
    let compact = sign(document, &person.root).compact().to_owned();
    person.chain.verify_document::<D>(&compact).err().map(|error| error.code())
}

#[test]
fn certificates_live_for_at_most_thirty_days() {
    let person = Person::new(1);
    assert_eq!(verdict(&person, person.certificate()), None);
    for exp in [NOW, NOW - SECOND, NOW + DOCUMENT_LIFE + SECOND] {
        let certificate = LocationCertificate { exp, ..person.certificate() };
        assert_eq!(verdict(&person, certificate), Some(Code::Malformed), "{exp:?}");
    }
}

#[test]
fn only_the_root_certifies() {
    let person = Person::new(1);
    for other in [&person.location, &Person::new(2).root] {
        let certificate = sign(person.certificate(), other);
        let refused = person.chain.verify_document::<LocationCertificate>(certificate.compact());
        assert_eq!(refused.unwrap_err().code(), Code::BadSignature);
    }
}

#[test]
fn b_names_few_domains_and_locations() {
    let person = Person::new(1);
    assert_eq!(verdict(&person, person.b(1)), None);
    let domains = |count: usize| B { domains: vec![domain("a.test"); count], ..person.b(1) };
    let locations = |count: usize| B { locations: vec![KeyId([1; 16]); count], ..person.b(1) };
    assert_eq!(verdict(&person, domains(MAX_DOMAINS)), None);
    assert_eq!(verdict(&person, domains(MAX_DOMAINS + 1)), Some(Code::LimitExceeded));
    assert_eq!(verdict(&person, locations(MAX_LOCATIONS)), None);
    assert_eq!(verdict(&person, locations(MAX_LOCATIONS + 1)), Some(Code::LimitExceeded));
    let long = B { exp: NOW + DOCUMENT_LIFE + SECOND, ..person.b(1) };
    assert_eq!(verdict(&person, long), Some(Code::Malformed));
}

#[test]
fn reach_is_the_locations_own_word_and_short_lived() {
    let person = Person::new(1);
    let check = |reach: Reach| {
        let compact = person.by_location(reach).compact().to_owned();
        Signed::<Reach>::verify(&compact, &person.location.public_key()).err().map(|error| error.code())
    };
    assert_eq!(check(person.reach()), None);
    let finders = |count: usize| Reach { finders: vec![mailbox_at("a.test", 1); count], ..person.reach() };
    let direct = |count: usize| Reach { direct: vec![String::new(); count], ..person.reach() };
    assert_eq!(check(finders(MAX_FINDERS)), None);
    assert_eq!(check(finders(MAX_FINDERS + 1)), Some(Code::LimitExceeded));
    assert_eq!(check(direct(MAX_DIRECT_ADDRESSES)), None);
    assert_eq!(check(direct(MAX_DIRECT_ADDRESSES + 1)), Some(Code::LimitExceeded));
    assert_eq!(check(Reach { exp: NOW + REACH_LIFE + SECOND, ..person.reach() }), Some(Code::Malformed));
    let forged = sign(person.reach(), &person.root);
    let refused = Signed::<Reach>::verify(forged.compact(), &person.location.public_key());
    assert_eq!(refused.unwrap_err().code(), Code::BadSignature);
}

#[test]
fn public_documents_have_few_doors() {
    let person = Person::new(1);
    let finders = |count: usize| Public { finders: vec![mailbox_at("a.test", 1); count], ..person.public() };
    assert_eq!(verdict(&person, finders(MAX_FINDERS)), None);
    assert_eq!(verdict(&person, finders(MAX_FINDERS + 1)), Some(Code::LimitExceeded));
    let long = Public { exp: NOW + DOCUMENT_LIFE + SECOND, ..person.public() };
    assert_eq!(verdict(&person, long), Some(Code::Malformed));
}

#[test]
fn domain_documents_speak_for_themselves_only() {
    let key = Seed::new([1; 32]);
    let check = |document: DomainDocument, signer: &Seed| {
        let compact = sign(document, signer).compact().to_owned();
        DomainDocument::verify(&compact, &domain("a.test"), NOW).err().map(|error| error.code())
    };
    let base = || domain_document("a.test", &key, 1, NOW);
    assert_eq!(check(base(), &key), None);
    assert_eq!(check(base(), &Seed::new([2; 32])), Some(Code::BadSignature));
    assert_eq!(check(domain_document("b.test", &key, 1, NOW), &key), Some(Code::WrongDomain));
    assert_eq!(check(domain_document("a.test:8443", &key, 1, NOW), &key), Some(Code::WrongDomain));
    assert_eq!(
        check(domain_document("a.test", &key, 1, NOW + FRESHNESS + SECOND), &key),
        Some(Code::ClockSkew)
    );
    assert_eq!(
        check(domain_document("a.test", &key, 1, NOW - DOMAIN_DOCUMENT_LIFE), &key),
        Some(Code::Expired)
    );
    let keys = |count: usize| DomainDocument { keys: vec![key.public_key(); count], ..base() };
    assert_eq!(check(keys(3), &key), None);
    assert_eq!(check(keys(4), &key), Some(Code::Malformed));
    let entry = base().finders[0].clone();
    let finders = |count: usize| DomainDocument { finders: vec![entry.clone(); count], ..base() };
    assert_eq!(check(finders(MAX_FINDERS), &key), None);
    assert_eq!(check(finders(MAX_FINDERS + 1), &key), Some(Code::LimitExceeded));
    assert_eq!(check(finders(0), &key), Some(Code::LimitExceeded));
    let stun = |count: usize| DomainDocument { stun: vec!["stun:a.test".into(); count], ..base() };
    assert_eq!(check(stun(MAX_STUN_URLS), &key), None);
    assert_eq!(check(stun(MAX_STUN_URLS + 1), &key), Some(Code::LimitExceeded));
    let long = DomainDocument { exp: NOW + DOMAIN_DOCUMENT_LIFE + SECOND, ..base() };
    assert_eq!(check(long, &key), Some(Code::Malformed));
}

#[test]
fn optional_members_of_a_finder_entry_have_defaults() {
    let key = Seed::new([1; 32]);
    let document = serde_json::to_string(&domain_document("a.test", &key, 1, NOW)).unwrap();
    let short = document.replace(r#","priority":0,"weight":1"#, "");
    assert_ne!(short, document);
    let compact = sign_text(DomainDocument::TYPE, &short, &key);
    let read = DomainDocument::verify(&compact, &domain("a.test"), NOW).unwrap();
    assert_eq!((read.finders[0].priority, read.finders[0].weight), (0, 1));
}

#[test]
fn subjects_and_statements_have_to_match() {
    let (person, other) = (Person::new(1), Person::new(2));
    let code = |peer, a, of: &Person| check_subject(peer, a, &of.chain).err().map(|error| error.code());
    assert_eq!(code(person.peer(), 0, &person), None);
    assert_eq!(code(other.peer(), 0, &person), Some(Code::WrongAudience));
    assert_eq!(code(person.peer(), 0, &person.rotated()), Some(Code::StaleDocument));
    assert_eq!(
        code(person.peer(), 1, &person),
        Some(Code::StaleDocument),
        "a statement that nobody has seen"
    );
}

#[test]
fn time_is_tolerant_by_ten_minutes_in_one_direction() {
    let code = |iat: Time, exp: Time| check_time(iat, exp, NOW).err().map(|error| error.code());
    assert_eq!(code(NOW + FRESHNESS, NOW + DOCUMENT_LIFE), None);
    assert_eq!(code(NOW + FRESHNESS + 1, NOW + DOCUMENT_LIFE), Some(Code::ClockSkew));
    assert_eq!(code(NOW - DOCUMENT_LIFE, NOW + 1), None);
    assert_eq!(code(NOW - DOCUMENT_LIFE, NOW), Some(Code::Expired));
}

#[test]
fn numbers_only_rise() {
    let (one, other) = (DocumentId([1; 32]), DocumentId([2; 32]));
    let pin = Pin { seq: 5, id: one };
    let code = |seq, id| Pin::compare(Some(&pin), seq, id).map_err(|error| error.code());
    assert_eq!(code(4, other), Err(Code::StaleDocument));
    assert_eq!(code(5, one), Ok(Age::Same));
    assert_eq!(code(5, other), Err(Code::Fork));
    assert_eq!(code(6, other), Ok(Age::Newer));
    assert_eq!(Pin::compare(None, 0, one), Ok(Age::Newer));
}

/// The registry names every type exactly once; so do their headers.
#[test]
fn types_are_different() {
    let mut types = super::types();
    let count = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), count);
    assert!(types.contains(&Hello::TYPE) && types.iter().all(|typ| typ.starts_with("openpeer-")));
}
