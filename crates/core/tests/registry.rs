//! `docs/registry.md` lists what the code defines, no more and no less.

use openpeer_core::Code;
use openpeer_core::document::{
    B, ChainStatement, Claim, Document, DomainDocument, LocationCertificate, NameRecord, Public, Reach,
};
use openpeer_core::finder::Hello;
use openpeer_core::message::{Answer, Find, Knock};

const REGISTRY: &str = include_str!("../../../docs/registry.md");

/// The rows of the table under a heading, without head and rule.
fn rows(heading: &str) -> Vec<&'static str> {
    let section =
        REGISTRY.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| `")).collect()
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
    assert_eq!(rows("Error codes"), expected, "write this:\n{}\n", expected.join("\n"));
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
    let listed: Vec<&str> = rows("Document types").iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(listed, expected);
}
