//! `docs/registry.md` lists what the code defines, no more and no less, and `docs/protocol.md` its numbers.

use openpeer_core::control::Control;
use openpeer_core::document::{
    B, ChainStatement, Claim, Document, DomainDocument, LocationCertificate, NameRecord, Public, Reach,
};
use openpeer_core::finder::Hello;
use openpeer_core::frame::Frame;
use openpeer_core::message::{Answer, Find, Knock};
use openpeer_core::{Code, defaults};
use std::collections::BTreeSet;
use std::path::Path;

const REGISTRY: &str = include_str!("../../../docs/registry.md");
const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

/// The rows of the table under a heading, without head and rule.
fn rows(text: &'static str, heading: &str) -> Vec<&'static str> {
    let section = text.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| `")).collect()
}

/// What stands in backquotes in the first column of a table.
fn names(heading: &str) -> Vec<&'static str> {
    let first_cells = rows(REGISTRY, heading).into_iter().filter_map(|row| row.split('|').nth(1));
    first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn error_codes() {
    let expected: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            let blame = format!("{:?}", code.blame()).to_lowercase();
            format!("| `{code}` | {blame} | {} | {} |", code.status(), code.advice())
        })
        .collect();
    assert_eq!(rows(REGISTRY, "Error codes"), expected, "write this:\n{}\n", expected.join("\n"));
}

#[test]
fn document_types() {
    let expected = [
        ChainStatement::TYPE,
        LocationCertificate::TYPE,
        B::TYPE,
        Reach::TYPE,
        Public::TYPE,
        NameRecord::TYPE,
        DomainDocument::TYPE,
        Hello::TYPE,
        Claim::TYPE,
        Find::TYPE,
        Answer::TYPE,
        Knock::TYPE,
    ];
    assert_eq!(names("Document types"), expected);
    let in_source: BTreeSet<String> = literals()
        .into_iter()
        .filter(|text| text.starts_with("openpeer-") && text.ends_with("+jws"))
        .collect();
    assert_eq!(in_source, expected.map(str::to_owned).into(), "a type that this test does not know");
}

#[test]
fn frame_types() {
    let unknown = br#"{"t":"no such frame"}"#;
    let frame = [&(unknown.len() as u16).to_be_bytes(), unknown.as_slice()].concat();
    let error = Frame::decode(&frame).expect_err("no frame has this type");
    // The parser names the types that it would have taken.
    let known: Vec<&str> = error.detail().split('`').skip(3).step_by(2).collect();
    assert_eq!(names("Frame types"), known);
}

#[test]
fn control_messages() {
    let random = "A".repeat(43);
    let ice = r#"{"ufrag":"abcd","pwd":"abcdefghijklmnopqrstuv"}"#;
    let samples = [
        format!(r#"{{"t":"hello","v":1,"random":"{random}","find":"{random}"}}"#),
        r#"{"t":"documents"}"#.to_owned(),
        format!(r#"{{"t":"ice","answer":false,"ice":{ice}}}"#),
        r#"{"t":"candidates","candidates":[]}"#.to_owned(),
        r#"{"t":"contact.remove"}"#.to_owned(),
        r#"{"t":"bye","reason":"cancelled"}"#.to_owned(),
    ];
    for sample in &samples {
        assert!(!matches!(Control::parse(sample.as_bytes()), Ok(Control::Unknown) | Err(_)), "{sample}");
    }
    let types: Vec<&str> = samples.iter().filter_map(|sample| sample.split('"').nth(3)).collect();
    assert_eq!(names("Control messages"), types);
    let reserved = Control::parse(br#"{"t":"call.offer"}"#);
    assert_eq!(reserved.ok(), Some(Control::Unknown), "what is reserved is ignored");
}

#[test]
fn labels() {
    let in_source: BTreeSet<String> = literals()
        .into_iter()
        .filter(|text| text.starts_with("openpeer/") && text.ends_with("/v1"))
        .collect();
    let listed: BTreeSet<String> = names("Labels").into_iter().map(str::to_owned).collect();
    assert_eq!(listed, in_source);
}

/// Every string literal in the core's sources, without the tests.
fn literals() -> Vec<String> {
    let mut found = Vec::new();
    read_literals(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn read_literals(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the sources can be listed").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            read_literals(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.extend(lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned));
        }
    }
}

/// Names and values of constants.
macro_rules! values {
    ($($name:ident)*) => { vec![$((stringify!($name), format!("{:?}", defaults::$name))),*] };
}

#[test]
fn limits() {
    let expected = values! {
        MAX_DOCUMENT_BYTES
        MAX_JSON_DEPTH
        DOCUMENT_LIFE
        REACH_LIFE
        RENEW_BEFORE
        INBOX_KEY_ROTATION
        PAIR_KEY_LIFE
        MAX_CHAIN
        MAX_CHAIN_KEYS
        MAX_DOMAINS
        MAX_LOCATIONS
        MAX_FINDERS
        MAX_DIRECT_ADDRESSES
        MAX_STUN_URLS
        DOCUMENT_FRESHNESS
        FRESHNESS_CHECK_TIMEOUT
        GUEST_KEY_PERIOD
        CLAIM_TIMEOUT
        DOMAIN_KEY_HOLD_DOWN
        DOMAIN_KEY_HOLD_DOWN_UNREACHABLE
        DOMAIN_DOCUMENT_LIFE
        BUCKETS
        CONTINUATION_BUCKETS
        MAX_FRAME_BYTES
        MAX_FRAME_HEADER_BYTES
        FRESHNESS
        MAX_CANDIDATES
        MAX_CANDIDATE_BYTES
        TRICKLE_INTERVAL
        MAX_KNOCK_TEXT_BYTES
        MAX_PENDING_KNOCKS
        KNOCK_LIFE
        FIND_TIMEOUT
        FINDER_HEAD_START
        LINK_TIMEOUT
        MAX_PARALLEL_EXCHANGES
        MAX_LINKS
        EXCHANGE_LIFE
        EXCHANGE_FRAMES
        EXCHANGE_BYTES
        MAX_OPEN_EXCHANGES
        FIRST_FRAME_TIMEOUT
        MAX_ATTACH_MAILBOXES
        MAX_GUEST_LOCATIONS
        SOURCE_RATE
        MAILBOX_RATE
        CONNECTION_RATE
        TICKET_EPOCH
        TICKETS_ISSUED
        MAX_SPENT_TICKETS
        MAX_STORED_KNOCKS
        MAX_STORED_KNOCK_BYTES
        NAMES_RETRY
        TURN_CREDENTIAL_LIFE
        TURN_RENEW_BEFORE
        DRAIN_TIME
        MAX_CONTROL_BYTES
        DOCUMENTS_INTERVAL
        ICE_INTERVAL
        MAX_DOCUMENTS_BYTES
        ATTACH_RETRY_MIN
        ATTACH_RETRY_MAX
        ATTACH_RETRY_PATIENCE
        ATTACH_RETRY_IDLE
        ATTACH_TIMEOUT
        FINDER_LINGER
        SAFETY_NUMBER_ROUNDS
    };
    let source = include_str!("../src/defaults.rs");
    let defined: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next()).collect();
    let known: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, defined, "a constant that this test does not know");
    let cells = |row: &&'static str| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        (cells.next().unwrap_or_default().trim_matches('`'), cells.next().unwrap_or_default().to_owned())
    };
    let listed: Vec<(&str, String)> = rows(PROTOCOL, "Appendix A: limits").iter().map(cells).collect();
    assert_eq!(listed, expected);
}
