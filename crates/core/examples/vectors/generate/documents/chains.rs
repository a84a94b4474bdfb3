//! Chains and numbers (section 3.2, A).

use super::super::cast::{NOW, Person, secret, sign};
use super::super::json::{Json, object};
use super::{refusal, verdict};
use openpeer_core::Code;
use openpeer_core::document::{Age, Chain, ChainStatement, Document, DocumentId, Pin, Salt, V1};
use openpeer_core::key::{KeyHash, Seed};

fn seeds() -> [Seed; 4] {
    [1, 2, 3, 4].map(|number| Seed::new(secret(0x80, number)))
}

fn commit(keys: &[&Seed]) -> Vec<KeyHash> {
    keys.iter().map(|key| key.public_key().commitment()).collect()
}

fn inception(keys: &[&Seed], thr: u8, next: &[&Seed]) -> ChainStatement {
    ChainStatement {
        v: V1,
        seq: 0,
        prev: None,
        iat: NOW,
        salt: Some(Salt(secret(0x80, 0))),
        keys: keys.iter().map(|key| key.public_key()).collect(),
        thr,
        next: commit(next),
        recovery: Vec::new(),
        suites: vec!["PS1".to_owned()],
    }
}

fn id_of(statement: &ChainStatement) -> DocumentId {
    DocumentId::of(ChainStatement::TYPE, &serde_json::to_vec(statement).unwrap())
}

fn successor(before: &ChainStatement, keys: &[&Seed], thr: u8, next: &[&Seed]) -> ChainStatement {
    let prev = Some(id_of(before));
    ChainStatement { seq: before.seq + 1, prev, salt: None, ..inception(keys, thr, next) }
}

fn signed(statement: &ChainStatement, by: &[&Seed]) -> String {
    by.iter().map(|key| sign(statement.clone(), key).compact().to_owned()).collect::<Vec<_>>().join("~")
}

fn good(why: &str, statements: Vec<String>) -> Json {
    let chain = Chain::verify(statements.iter().map(String::as_str)).unwrap();
    object! {
        "why": why, "statements": statements, "peer": chain.peer().to_string(), "seq": chain.seq(),
        "code": Json::Null,
    }
}

fn bad(why: &str, statements: Vec<String>, code: Code) -> Json {
    let code = refusal(Chain::verify(statements.iter().map(String::as_str)), code, why);
    object! { "why": why, "statements": statements, "code": code }
}

pub(crate) fn chains() -> Json {
    let [a, b, c, d] = &seeds();
    let bob = Person::bob();
    let first = inception(&[a], 1, &[b]);
    let second = successor(&first, &[b], 1, &[c]);
    let third = successor(&second, &[c], 1, &[]);
    let thief = successor(&first, &[a], 1, &[a]);
    let mixed = successor(&first, &[b, d], 1, &[]);
    let guest = inception(&[a], 1, &[]);
    let after_guest = successor(&guest, &[b], 1, &[]);
    let pair = inception(&[a, b], 2, &[c, d]);
    let pair_second = successor(&pair, &[c, d], 2, &[]);
    let lowered = successor(&pair, &[c], 1, &[]);
    let texts = [signed(&first, &[a]), signed(&second, &[b]), signed(&third, &[c])];
    let [one, two, three] = texts.clone();
    let newer = serde_json::to_string(&first).unwrap().replace(r#""v":1"#, r#""v":2"#);
    let old_suite = ChainStatement { suites: vec!["PS0".to_owned()], ..first.clone() };
    let impossible = ChainStatement { thr: 2, ..first.clone() };
    let unsalted = ChainStatement { salt: None, ..first };
    let elsewhere = ChainStatement { prev: Some(DocumentId([1; 32])), ..second };
    vec![
        good("bob", bob.chain_texts()),
        good("bob after typing his recovery code", bob.rotated().chain_texts()),
        good("three statements", texts.to_vec()),
        good("two keys of which both sign", vec![signed(&pair, &[a, b]), signed(&pair_second, &[d, c])]),
        good("a guest, who cannot rotate", vec![signed(&guest, &[a])]),
        bad(
            "the thief of a device rotates",
            vec![one.clone(), signed(&thief, &[a])],
            Code::PrerotationMismatch,
        ),
        bad(
            "one key was not committed to",
            vec![one.clone(), signed(&mixed, &[b])],
            Code::PrerotationMismatch,
        ),
        bad(
            "a guest rotates",
            vec![signed(&guest, &[a]), signed(&after_guest, &[b])],
            Code::PrerotationMismatch,
        ),
        bad("below the threshold", vec![signed(&pair, &[a])], Code::BadSignature),
        bad("twice by one key", vec![signed(&pair, &[a, a])], Code::Malformed),
        bad("by a key that the statement lacks", vec![signed(&pair, &[a, c])], Code::BadSignature),
        bad(
            "one committed key lowers the threshold",
            vec![signed(&pair, &[a, b]), signed(&lowered, &[c])],
            Code::BadSignature,
        ),
        bad(
            "signatures over different payloads",
            vec![format!("{}~{}", signed(&pair, &[a]), signed(&lowered, &[c]))],
            Code::BadSignature,
        ),
        bad("threshold above the number of keys", vec![signed(&impossible, &[a])], Code::Malformed),
        bad("inception without salt", vec![signed(&unsalted, &[a])], Code::Malformed),
        bad("without inception", vec![two.clone()], Code::Malformed),
        bad("with a gap", vec![one.clone(), three], Code::Malformed),
        bad("in the wrong order", vec![two, one.clone()], Code::Malformed),
        bad("with another predecessor", vec![one, signed(&elsewhere, &[b])], Code::Malformed),
        bad("no statement", Vec::new(), Code::Malformed),
        bad("without suite PS1", vec![signed(&old_suite, &[a])], Code::SuiteTooOld),
        bad("of a later version", vec![sign_text(&newer, a)], Code::UnsupportedVersion),
    ]
    .into()
}

fn sign_text(payload: &str, key: &Seed) -> String {
    let input = openpeer_core::signing_input(ChainStatement::TYPE, key.public_key().id(), payload.as_bytes());
    format!("{input}.{}", key.sign(input.as_bytes()))
}

/// What is known of a peer, and what is shown.
pub(crate) fn successions() -> Json {
    let [a, b, c, d] = &seeds();
    let first = inception(&[a], 1, &[b, c]);
    let short = vec![signed(&first, &[a])];
    let branch = |key: &Seed| vec![signed(&first, &[a]), signed(&successor(&first, &[key], 1, &[d]), &[key])];
    let stranger = Person::bob().chain_texts();
    let one = |why: &str, known: &[String], shown: &[String]| {
        let chain = |list: &[String]| Chain::verify(list.iter().map(String::as_str)).unwrap();
        let result = chain(shown).extends(&chain(known));
        let age = result.as_ref().ok().map(|age| age_text(*age));
        object! {
            "why": why, "known": known.to_vec(), "shown": shown.to_vec(), "age": age, "code": verdict(result),
        }
    };
    vec![
        one("a rotation", &short, &branch(b)),
        one("nothing new", &branch(b), &branch(b)),
        one("one statement is missing", &branch(b), &short),
        one("another second statement", &branch(b), &branch(c)),
        one("another peer", &short, &stranger),
    ]
    .into()
}

/// The highest number known of a document, and what is shown.
pub(crate) fn numbers() -> Json {
    let (known, other) = (DocumentId([1; 32]), DocumentId([2; 32]));
    let one = |why: &str, pin: Option<Pin>, seq: u64, id: DocumentId| {
        let result = Pin::compare(pin.as_ref(), seq, id);
        let age = result.as_ref().ok().map(|age| age_text(*age));
        let known = pin.map(|pin| object! { "seq": pin.seq, "id": pin.id.to_string() });
        object! {
            "why": why, "known": known, "shown": object! { "seq": seq, "id": id.to_string() }, "age": age,
            "code": verdict(result),
        }
    };
    let pin = Some(Pin { seq: 5, id: known });
    vec![
        one("first sight", None, 0, other),
        one("higher", pin, 6, other),
        one("the same", pin, 5, known),
        one("lower", pin, 4, other),
        one("another one of the same number", pin, 5, other),
    ]
    .into()
}

const fn age_text(age: Age) -> &'static str {
    match age {
        Age::Newer => "newer",
        Age::Same => "same",
    }
}
