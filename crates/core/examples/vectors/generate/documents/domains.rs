//! Name records, bundles, claims and the continuity of domains (sections 3.2 and 3.5).

use super::super::cast::{NOW, Person, domain, domain_seed, secret, sign};
use super::super::contents;
use super::super::json::{Json, object};
use super::verdict;
use openpeer_core::defaults::{DOCUMENT_LIFE, DOMAIN_KEY_HOLD_DOWN, DOMAIN_KEY_HOLD_DOWN_UNREACHABLE};
use openpeer_core::document::{
    Bundle, ClaimAction, ClaimRequest, Continuity, DomainDocument, DomainPin, NameRecord, Public, Signed,
};
use openpeer_core::key::{PublicKey, Seed};
use openpeer_core::{Code, Time};

/// Both halves of a name record.
pub(crate) fn joined(record: &NameRecord, by: &Seed, and_by: &Seed) -> String {
    format!("{}~{}", sign(record.clone(), by).compact(), sign(record.clone(), and_by).compact())
}

fn keys() -> [PublicKey; 1] {
    [domain_seed("b.test").public_key()]
}

pub(crate) fn name_records() -> Json {
    let (alice, bob) = (Person::alice(), Person::bob());
    let (key, other_key) = (domain_seed("b.test"), domain_seed("a.test"));
    let record = contents::name_record(&bob, "b.test");
    let good = joined(&record, &bob.root, &key);
    let (ours, theirs) = good.split_once('~').unwrap();
    let expired = NameRecord { iat: NOW - DOCUMENT_LIFE, exp: NOW, ..record.clone() };
    let hijacked = NameRecord { peer: alice.peer(), ..record.clone() };
    let elsewhere = contents::name_record(&bob, "a.test");
    let one = |why: &str, text: String, code: Option<Code>| {
        let result = NameRecord::verify(&text, &bob.chain, &domain("b.test"), &keys(), NOW);
        assert_eq!(result.as_ref().err().map(openpeer_core::Error::code), code, "{why}");
        object! {
            "why": why, "record": text, "chain": bob.chain_texts(), "domain": "b.test",
            "domain_keys": vec![keys()[0].to_string()], "code": verdict(result),
        }
    };
    vec![
        one("both halves", good.clone(), None),
        one("the peer's half alone", ours.to_owned(), Some(Code::Malformed)),
        one("in the wrong order", format!("{theirs}~{ours}"), Some(Code::BadSignature)),
        one("three signatures", format!("{good}~{theirs}"), Some(Code::Malformed)),
        one(
            "countersigned by another domain",
            joined(&record, &bob.root, &other_key),
            Some(Code::BadSignature),
        ),
        one("signed by another peer", joined(&record, &alice.root, &key), Some(Code::BadSignature)),
        one("for another peer", joined(&hijacked, &bob.root, &key), Some(Code::WrongAudience)),
        one("for another domain", joined(&elsewhere, &bob.root, &key), Some(Code::WrongDomain)),
        one("expired", joined(&expired, &bob.root, &key), Some(Code::Expired)),
    ]
    .into()
}

/// The bundle that introduces bob at b.test.
pub(crate) fn bundle(bob: &Person) -> Bundle {
    let key = domain_seed("b.test");
    Bundle {
        domain: sign(contents::domain_document("b.test", 1, NOW), &key).compact().to_owned(),
        name: Some(joined(&contents::name_record(bob, "b.test"), &bob.root, &key)),
        a: bob.chain_texts(),
        public: Some(sign(contents::public(bob, "b.test"), &bob.root).compact().to_owned()),
    }
}

pub(crate) fn bundles() -> Json {
    let (alice, bob) = (Person::alice(), Person::bob());
    let good = bundle(&bob);
    let foreign = sign(contents::public(&alice, "b.test"), &alice.root);
    let old = Public { iat: NOW - DOCUMENT_LIFE, exp: NOW, ..contents::public(&bob, "b.test") };
    let one = |why: &str, bundle: Bundle, code: Option<Code>| {
        let result = bundle.introduction(&domain("b.test"), &keys(), NOW);
        assert_eq!(result.as_ref().err().map(openpeer_core::Error::code), code, "{why}");
        object! {
            "why": why, "bundle": String::from_utf8(bundle.to_json()).unwrap(), "domain": "b.test",
            "domain_keys": vec![keys()[0].to_string()], "peer": result.as_ref().ok().map(|i| i.chain.peer().to_string()),
            "code": verdict(result),
        }
    };
    let only_domain = Bundle { name: None, a: Vec::new(), public: None, ..good.clone() };
    let with_door =
        |door: &Signed<Public>| Bundle { public: Some(door.compact().to_owned()), ..good.clone() };
    vec![
        one("introduces bob", good.clone(), None),
        one("introduces nobody", only_domain, Some(Code::NotFound)),
        one("somebody else's door", with_door(&foreign), Some(Code::BadSignature)),
        one("an expired door", with_door(&sign(old, &bob.root)), Some(Code::Expired)),
        one(
            "documents from before a rotation",
            Bundle { a: bob.rotated().chain_texts(), ..good },
            Some(Code::BadSignature),
        ),
    ]
    .into()
}

pub(crate) fn claims() -> Json {
    let (alice, bob) = (Person::alice(), Person::bob());
    let request = |action: ClaimAction| ClaimRequest {
        claim: sign(contents::claim(&bob, "b.test", action), &bob.root).compact().to_owned(),
        a: bob.chain_texts(),
        name: Some(sign(contents::name_record(&bob, "b.test"), &bob.root).compact().to_owned()),
        public: bundle(&bob).public,
        invite: None,
    };
    let one = |why: &str, request: ClaimRequest, code: Option<Code>| {
        let result = request.verify(&domain("b.test"), NOW);
        assert_eq!(result.as_ref().err().map(openpeer_core::Error::code), code, "{why}");
        let body = String::from_utf8(request.to_json()).unwrap();
        object! { "why": why, "body": body, "domain": "b.test", "code": verdict(result) }
    };
    let base = request(ClaimAction::Claim);
    let elsewhere = sign(contents::claim(&bob, "a.test", ClaimAction::Claim), &bob.root);
    let by_alice = sign(contents::claim(&bob, "b.test", ClaimAction::Claim), &alice.root);
    let other_name = sign(contents::name_record(&Person::new("bobby", 2), "b.test"), &bob.root);
    vec![
        one("a claim", base.clone(), None),
        one(
            "a claim with an invite code",
            ClaimRequest { invite: Some("letmein".into()), ..base.clone() },
            None,
        ),
        one("a release", ClaimRequest { name: None, public: None, ..request(ClaimAction::Release) }, None),
        one("without name record", ClaimRequest { name: None, ..base.clone() }, Some(Code::Malformed)),
        one(
            "record of another name",
            ClaimRequest { name: Some(other_name.compact().to_owned()), ..base.clone() },
            Some(Code::Malformed),
        ),
        one(
            "for another domain",
            ClaimRequest { claim: elsewhere.compact().to_owned(), ..base.clone() },
            Some(Code::WrongDomain),
        ),
        one(
            "signed by somebody else",
            ClaimRequest { claim: by_alice.compact().to_owned(), ..base },
            Some(Code::BadSignature),
        ),
    ]
    .into()
}

/// One client's view of a domain over time.
pub(crate) fn continuity() -> Json {
    let (pinned, other) = (domain_seed("b.test"), Seed::new(secret(0x90, 1)));
    let document = |key: &Seed, seq: u64, at: Time| {
        let document =
            DomainDocument { keys: vec![key.public_key()], ..contents::domain_document("b.test", seq, at) };
        sign(document, key)
    };
    let first = document(&pinned, 5, NOW);
    let second = document(&pinned, 6, NOW);
    let mut fork = contents::domain_document("b.test", 6, NOW);
    fork.contact = None;
    let week = NOW + DOMAIN_KEY_HOLD_DOWN;
    let day = week + DOMAIN_KEY_HOLD_DOWN_UNREACHABLE;
    let steps = [
        (NOW, second.clone(), true),
        (NOW, document(&pinned, 4, NOW), true),
        (NOW, sign(fork, &pinned), true),
        (NOW, document(&other, 1, NOW), true),
        (week - 1_000, document(&other, 2, NOW), true),
        (week - 1_000, second, true),
        (week, document(&other, 2, NOW), true),
        (day - 1_000, document(&other, 2, NOW), false),
        (day, document(&other, 2, NOW), false),
    ];
    let mut pin = DomainPin::first_sight(&first, NOW);
    let step = |(at, document, answers): (Time, Signed<DomainDocument>, bool)| {
        let result = pin.weigh(&document, answers, at);
        let accepted_from = match &result {
            Ok(Continuity::KeyChanged { accepted_from }) => Some(accepted_from.as_secs()),
            Ok(Continuity::Trusted) | Err(_) => None,
        };
        object! {
            "at": at.as_secs(), "document": document.compact(), "a_pinned_finder_answers": answers,
            "accepted_from": accepted_from, "code": verdict(result),
            "pinned_seq": pin.document(&domain("b.test")).unwrap().seq,
        }
    };
    let steps = steps.map(step).to_vec();
    object! { "first_sight": first.compact(), "domain": "b.test", "steps": steps }
}
