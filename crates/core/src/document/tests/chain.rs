use super::fixture::{NOW, Person, commitments, sign, sign_text, statement};
use crate::defaults::{MAX_CHAIN, MAX_CHAIN_KEYS};
use crate::document::{Age, Chain, ChainStatement, Document, DocumentId, PeerId, Salt, V1};
use crate::key::Seed;
use crate::{Code, Error};

fn seeds() -> [Seed; 4] {
    [1, 2, 3, 4].map(|number| Seed::new([number; 32]))
}

fn inception(keys: &[&Seed], thr: u8, next: &[&Seed]) -> ChainStatement {
    ChainStatement {
        v: V1,
        seq: 0,
        prev: None,
        iat: NOW,
        salt: Some(Salt([9; 16])),
        keys: keys.iter().map(|key| key.public_key()).collect(),
        thr,
        next: commitments(next),
        recovery: Vec::new(),
        suites: vec!["PS1".to_owned()],
    }
}

fn successor(before: &ChainStatement, keys: &[&Seed], thr: u8, next: &[&Seed]) -> ChainStatement {
    let prev = sign(before.clone(), keys[0]).id();
    ChainStatement { seq: before.seq + 1, prev: Some(prev), salt: None, ..inception(keys, thr, next) }
}

fn verify(statements: &[String]) -> Result<Chain, Error> {
    Chain::verify(statements.iter().map(String::as_str))
}

fn code(statements: &[String]) -> Code {
    verify(statements).unwrap_err().code()
}

#[test]
fn the_address_is_the_first_statement() {
    let person = Person::new(1);
    let payload = serde_json::to_vec(person.chain.head()).unwrap();
    assert_eq!(person.peer(), PeerId::of_inception(&payload));
    let rotated = person.rotated();
    assert_eq!((rotated.peer(), rotated.chain.seq()), (person.peer(), 1));
    assert_eq!(rotated.chain.extends(&person.chain).unwrap(), Age::Newer);
    assert_eq!(rotated.chain.salt(), person.salt);
}

#[test]
fn only_the_committed_key_may_rotate() {
    let [a, b, c, _] = &seeds();
    let first = inception(&[a], 1, &[b]);
    let good = successor(&first, &[b], 1, &[c]);
    assert_eq!(verify(&[statement(&first, &[a]), statement(&good, &[b])]).unwrap().seq(), 1);
    // A thief of the device has the current root key, and one with a key of his own has that.
    for thief in [a, c] {
        let bad = successor(&first, &[thief], 1, &[thief]);
        assert_eq!(code(&[statement(&first, &[a]), statement(&bad, &[thief])]), Code::PrerotationMismatch);
    }
    let guest = inception(&[a], 1, &[]);
    let bad = successor(&guest, &[b], 1, &[]);
    assert_eq!(code(&[statement(&guest, &[a]), statement(&bad, &[b])]), Code::PrerotationMismatch);
}

#[test]
fn one_uncommitted_key_among_others_is_one_too_many() {
    let [a, b, c, d] = &seeds();
    let first = inception(&[a], 1, &[b]);
    let bad = successor(&first, &[b, d], 1, &[c]);
    assert_eq!(code(&[statement(&first, &[a]), statement(&bad, &[b])]), Code::PrerotationMismatch);
}

#[test]
fn the_threshold_counts_different_keys() {
    let [a, b, c, _] = &seeds();
    let first = inception(&[a, b], 2, &[c]);
    verify(&[statement(&first, &[a, b])]).unwrap();
    verify(&[statement(&first, &[b, a])]).unwrap();
    assert_eq!(code(&[statement(&first, &[a])]), Code::BadSignature);
    assert_eq!(code(&[statement(&first, &[a, a])]), Code::Malformed);
    assert_eq!(code(&[statement(&first, &[a, c])]), Code::BadSignature, "a key that the statement lacks");
    let mut other = first.clone();
    other.iat = NOW + 1_000;
    let mixed = format!("{}~{}", statement(&first, &[a]), statement(&other, &[b]));
    assert_eq!(code(&[mixed]), Code::Malformed, "signatures over different payloads");
    assert_eq!(code(&[format!("{}~", statement(&first, &[a, b]))]), Code::Malformed);
}

#[test]
fn a_single_committed_key_cannot_lower_the_threshold() {
    let [a, b, c, d] = &seeds();
    let first = inception(&[a, b], 2, &[c, d]);
    let lowered = successor(&first, &[c], 1, &[]);
    assert_eq!(code(&[statement(&first, &[a, b]), statement(&lowered, &[c])]), Code::BadSignature);
    let together = successor(&first, &[c, d], 1, &[]);
    assert_eq!(code(&[statement(&first, &[a, b]), statement(&together, &[c])]), Code::BadSignature);
    verify(&[statement(&first, &[a, b]), statement(&together, &[c, d])]).unwrap();
}

#[test]
fn impossible_statements_are_malformed() {
    let [a, b, c, d] = &seeds();
    let base = inception(&[a], 1, &[b]);
    let signed_by_all = [a, b, c, d];
    let bad = [
        ("no key", inception(&[], 1, &[])),
        ("threshold zero", inception(&[a], 0, &[])),
        ("threshold above the keys", inception(&[a], 2, &[])),
        ("the same key twice", inception(&[a, a], 1, &[])),
        ("too many keys", inception(&[a, b, c, d], 1, &[])),
        ("too many commitments", inception(&[a], 1, &[a, b, c, d])),
        ("inception without salt", ChainStatement { salt: None, ..base.clone() }),
        ("inception with predecessor", ChainStatement { prev: Some(DocumentId([0; 32])), ..base.clone() }),
        ("inception with a number", ChainStatement { seq: 1, ..base.clone() }),
    ];
    for (why, statement_content) in bad {
        let signers = &signed_by_all[..statement_content.keys.len().clamp(1, MAX_CHAIN_KEYS)];
        assert_eq!(code(&[statement(&statement_content, signers)]), Code::Malformed, "{why}");
    }
    let oldest = ChainStatement { suites: vec!["PS0".to_owned()], ..base };
    assert_eq!(code(&[statement(&oldest, &[a])]), Code::SuiteTooOld);
    assert_eq!(code(&[]), Code::Malformed);
}

#[test]
fn statements_stand_in_one_unbroken_row() {
    let [a, b, c, d] = &seeds();
    let first = inception(&[a], 1, &[b]);
    let second = successor(&first, &[b], 1, &[c]);
    let third = successor(&second, &[c], 1, &[d]);
    let texts = [statement(&first, &[a]), statement(&second, &[b]), statement(&third, &[c])];
    assert_eq!(verify(&texts).unwrap().seq(), 2);
    assert_eq!(code(&texts[1..]), Code::Malformed, "without inception");
    assert_eq!(code(&[texts[0].clone(), texts[2].clone()]), Code::Malformed, "with a gap");
    assert_eq!(code(&[texts[0].clone(), texts[0].clone()]), Code::Malformed, "with a repetition");
    let elsewhere = ChainStatement { prev: Some(DocumentId([1; 32])), ..second };
    assert_eq!(
        code(&[texts[0].clone(), statement(&elsewhere, &[b])]),
        Code::Malformed,
        "another predecessor"
    );
}

#[test]
fn a_chain_has_an_end() {
    let mut person = Person::new(1);
    while person.chain.seq() + 1 < MAX_CHAIN as u64 {
        person = person.rotated();
    }
    let root = person.code.root_seed(&person.salt.0, MAX_CHAIN as u64);
    let draft = person.chain.draft_rotation(&root.public_key(), Vec::new(), NOW);
    let signature = root.sign(draft.signing_input());
    assert_eq!(person.chain.rotated(draft, &signature).unwrap_err().code(), Code::LimitExceeded);
}

#[test]
fn known_chains_neither_shrink_nor_split_nor_change_hands() {
    let [a, b, c, d] = &seeds();
    let first = inception(&[a], 1, &[b, c]);
    let branch = |key: &Seed| {
        verify(&[statement(&first, &[a]), statement(&successor(&first, &[key], 1, &[d]), &[key])]).unwrap()
    };
    let (short, one, other) = (verify(&[statement(&first, &[a])]).unwrap(), branch(b), branch(c));
    assert_eq!(short.extends(&one).unwrap_err().code(), Code::StaleDocument);
    assert_eq!(other.extends(&one).unwrap_err().code(), Code::Fork);
    assert_eq!(one.extends(&one).unwrap(), Age::Same);
    let stranger = Person::new(7).chain;
    assert_eq!(stranger.extends(&one).unwrap_err().code(), Code::WrongAudience);
}

#[test]
fn a_rotation_voids_what_the_old_key_signs() {
    let before = Person::new(1);
    let after = before.rotated();
    let certificate = before.by_root(before.certificate());
    let refused = after.chain.verify_document::<crate::document::LocationCertificate>(certificate.compact());
    assert_eq!(refused.unwrap_err().code(), Code::BadSignature);
}

#[test]
fn statements_of_a_later_version_are_told_from_broken_ones() {
    let key = Seed::new([1; 32]);
    let newer = sign_text(ChainStatement::TYPE, r#"{"v":2,"roots":[]}"#, &key);
    assert_eq!(code(&[newer]), Code::UnsupportedVersion);
    assert_eq!(code(&[sign_text(ChainStatement::TYPE, r#"{"v":1}"#, &key)]), Code::Malformed);
    assert_eq!(code(&[sign_text("openpeer-b+jws", r#"{"v":1}"#, &key)]), Code::Malformed);
}
