use crate::support::{Entry, check, public_key, read};
use openpeer_core::Time;
use openpeer_core::frame::{Frame, Header, MailboxId, MailboxKind, Nonce, attach_signing_input};
use openpeer_core::key::Signature;
use openpeer_core::ticket::{Ticket, TicketKey, epoch};
use std::collections::BTreeSet;

#[test]
fn frames() {
    let file = read("frames.json");
    let mut types = BTreeSet::new();
    for entry in file.get_list("frames") {
        let bytes = entry.get_bytes("frame");
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!(frame.encode(), bytes);
        assert_eq!(frame.body, entry.get_bytes("body"));
        let header: Header = serde_json::from_str(entry.get_text("header")).unwrap();
        assert_eq!(frame.header, header);
        let value: serde_json::Value = serde_json::from_str(entry.get_text("header")).unwrap();
        types.insert(value.get_text("t").to_owned());
    }
    assert_eq!(types.len(), 13, "one of every type: {types:?}");
    for entry in file.get_list("refused_frames") {
        check(Frame::decode(&entry.get_bytes("frame")), entry);
        assert!(!entry["code"].is_null());
    }
}

#[test]
fn an_attach_is_signed_by_every_mailbox() {
    let file = read("frames.json");
    let entry = &file["attach"];
    let nonce = Nonce::from_text(entry.get_text("nonce")).unwrap();
    let mailboxes = entry.get_list("mailboxes");
    let listed: Vec<(MailboxId, MailboxKind)> = mailboxes
        .iter()
        .map(|mailbox| {
            let id = MailboxId::of(&public_key(mailbox.get_text("key")));
            assert_eq!(id.to_string(), mailbox.get_text("mailbox"));
            (id, serde_json::from_value(mailbox["kind"].clone()).unwrap())
        })
        .collect();
    let input = attach_signing_input(entry.get_text("finder"), &nonce, &listed);
    assert_eq!(input, entry.get_array("signing_input"));
    for mailbox in mailboxes {
        let signature = Signature::from_text(mailbox.get_text("signature")).unwrap();
        public_key(mailbox.get_text("key")).verify(&input, &signature).unwrap();
    }
}

#[test]
fn tickets() {
    let file = read("frames.json");
    let entry = &file["tickets"];
    let secret = entry.get_array("finder_secret");
    let key_of = |mailbox: &str| TicketKey::derive(&secret, &MailboxId::from_text(mailbox).unwrap());
    let key = key_of(entry.get_text("mailbox"));
    assert_eq!(*key.as_bytes(), entry.get_array("ticket_key"));
    let now = Time::from_secs(1_795_000_000);
    assert_eq!(u64::from(epoch(now)), entry.get_number("epoch"));
    assert_eq!(key.issue(now, entry.get_array("random")).0, entry.get_array("ticket"));
    for case in entry.get_list("checks") {
        let ticket = Ticket::from_text(case.get_text("ticket")).unwrap();
        check(key_of(case.get_text("mailbox")).check(&ticket, case.get_time("at")), case);
    }
}
