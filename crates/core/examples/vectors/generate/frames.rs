//! Finder frames, the signature of an attach, tickets and TURN credentials (section 6).

use super::cast::{NOW, Person, domain_seed, finder_url, secret, sign};
use super::json::{Json, hex, object};
use super::{book, contents};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac};
use openpeer_core::defaults::{MAX_FRAME_BYTES, MAX_FRAME_HEADER_BYTES, TICKET_EPOCH};
use openpeer_core::frame::{
    Frame, Header, MailboxId, MailboxKind, MailboxProof, Nonce, TicketGrant, TurnServer, attach_signing_input,
};
use openpeer_core::key::SigningKeyName;
use openpeer_core::ticket::{Ticket, TicketKey, epoch};
use openpeer_core::{Code, Time};
use sha1::Sha1;

const FINDER_SECRET: [u8; 32] = secret(0xF0, 3);
const NONCE: Nonce = Nonce(secret(0xF0, 4));
const TURN_SECRET: &str = "north";

pub(crate) fn file() -> Json {
    object! {
        "frames": frames(),
        "refused_frames": refused_frames(),
        "attach": attach(),
        "tickets": tickets(),
        "turn": turn(),
    }
}

fn mailbox(kind: fn(String) -> SigningKeyName) -> MailboxId {
    contents::place(&Person::bob(), "b.test", kind).mailbox
}

fn ticket_key() -> TicketKey {
    TicketKey::derive(&FINDER_SECRET, &mailbox(SigningKeyName::Mailbox))
}

fn attach_frame() -> Frame {
    let keyring = Person::bob().keyring();
    let url = finder_url("b.test");
    let names = [SigningKeyName::Mailbox(url.clone()), SigningKeyName::GuestMailbox(url.clone())];
    let kinds = [MailboxKind::Location, MailboxKind::Guest];
    let keys = names.clone().map(|name| keyring.public_key(&name).unwrap());
    let listed = [(MailboxId::of(&keys[0]), kinds[0]), (MailboxId::of(&keys[1]), kinds[1])];
    let input = attach_signing_input(&url, &NONCE, &listed);
    let mailboxes = (0..2).map(|index| MailboxProof {
        key: keys[index],
        kind: kinds[index],
        sig: keyring.sign(&names[index], &input).unwrap(),
    });
    Frame::bare(Header::Attach { nonce: NONCE, mailboxes: mailboxes.collect() })
}

fn frames() -> Json {
    let to = mailbox(SigningKeyName::Mailbox);
    let guest = mailbox(SigningKeyName::GuestMailbox);
    let ticket = ticket_key().issue(NOW, secret(0xF0, 5));
    let hello = sign(contents::hello("b.test", NONCE), &domain_seed("b.test"));
    let tickets = vec![TicketGrant { mailbox: to, key: ticket_key() }];
    let body = || vec![0xAB, 0xCD, 0xEF];
    let late = Header::Error { x: None, code: "rate-limited".into(), status: 429, retry: Some(7) };
    let list = vec![
        Frame::bare(Header::Hello { jws: hello.compact().to_owned() }),
        attach_frame(),
        Frame::bare(Header::Attached { tickets: tickets.clone(), turn: Vec::new() }),
        Frame::bare(Header::Attached { tickets, turn: vec![turn_server()] }),
        Frame { header: Header::Find { x: 1, to, ticket: Some(ticket), kept: None }, body: body() },
        Frame { header: Header::Find { x: 2, to: guest, ticket: None, kept: None }, body: body() },
        Frame { header: Header::Find { x: 1 << 31, to, ticket: None, kept: None }, body: body() },
        Frame {
            header: Header::Find { x: u32::MAX, to: guest, ticket: None, kept: Some(NOW.as_secs()) },
            body: body(),
        },
        Frame::bare(Header::Accepted { x: 2 }),
        Frame { header: Header::Answer { x: 1 }, body: body() },
        Frame { header: Header::More { x: 1 }, body: body() },
        Frame::bare(Header::Done { x: 1 }),
        Frame::bare(Header::Admit { to, ticket }),
        Frame::bare(Header::Admitted { turn: vec![turn_server()] }),
        Frame::bare(Header::Replaced {}),
        Frame::bare(Header::Drain { within: 10 }),
        Frame::error(Some(1), Code::Offline, None),
        Frame::bare(late),
    ];
    list.iter().map(frame_json).collect::<Vec<_>>().into()
}

fn frame_json(frame: &Frame) -> Json {
    let bytes = frame.encode();
    assert_eq!(Frame::decode(&bytes).unwrap(), *frame);
    object! {
        "header": serde_json::to_string(&frame.header).unwrap(), "body": hex(&frame.body), "frame": hex(&bytes),
    }
}

fn refused_frames() -> Json {
    let bare = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let with_body = |text: &str| [bare(text), vec![0]].concat();
    let to = mailbox(SigningKeyName::Mailbox);
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("nothing", vec![], Code::Malformed),
        ("half a length", vec![0], Code::Malformed),
        ("header cut short", vec![0, 9, b'{'], Code::Malformed),
        ("empty header", vec![0, 0], Code::Malformed),
        ("no type", bare("{}"), Code::Malformed),
        ("unknown type", bare(r#"{"t":"unheard"}"#), Code::Malformed),
        ("missing member", bare(r#"{"t":"done"}"#), Code::Malformed),
        ("member twice", bare(r#"{"t":"done","x":1,"x":1}"#), Code::Malformed),
        ("exchange number too large", bare(r#"{"t":"done","x":4294967296}"#), Code::Malformed),
        ("negative exchange number", bare(r#"{"t":"done","x":-1}"#), Code::Malformed),
        ("body where there is none", with_body(r#"{"t":"done","x":1}"#), Code::Malformed),
        ("short mailbox id", bare(r#"{"t":"find","x":1,"to":"AQEBAQEBAQEBAQEBAQEB"}"#), Code::Malformed),
        ("padded mailbox id", bare(&format!(r#"{{"t":"find","x":1,"to":"{to}=="}}"#)), Code::Malformed),
        ("not UTF-8", vec![0, 2, 0xFF, 0xFF], Code::Malformed),
        ("header above 4 KiB", vec![0x10, 0x01], Code::TooLarge),
        ("frame above 20 KiB", vec![0; MAX_FRAME_BYTES + 1], Code::TooLarge),
    ];
    assert_eq!(MAX_FRAME_HEADER_BYTES, 0x1000);
    let one = |(why, bytes, expected): (&str, Vec<u8>, Code)| {
        assert_eq!(Frame::decode(&bytes).unwrap_err().code(), expected, "{why}");
        object! { "why": why, "frame": hex(&bytes), "code": expected.as_str() }
    };
    cases.into_iter().map(one).collect::<Vec<_>>().into()
}

fn attach() -> Json {
    let Frame { header: Header::Attach { nonce, mailboxes }, .. } = attach_frame() else { unreachable!() };
    let listed: Vec<(MailboxId, MailboxKind)> =
        mailboxes.iter().map(|proof| (MailboxId::of(&proof.key), proof.kind)).collect();
    let url = finder_url("b.test");
    let input = attach_signing_input(&url, &nonce, &listed);
    let plain = [(listed[0].0.0, 0), (listed[1].0.0, 1)];
    assert_eq!(input, book::attach_input(&url, &nonce.0, &plain));
    let mailbox = |proof: &MailboxProof| {
        object! {
            "key": proof.key.to_string(),
            "mailbox": MailboxId::of(&proof.key).to_string(),
            "kind": if proof.kind == MailboxKind::Location { "location" } else { "guest" },
            "signature": proof.sig.to_string(),
        }
    };
    object! {
        "finder": url,
        "nonce": nonce.to_string(),
        "mailboxes": mailboxes.iter().map(mailbox).collect::<Vec<_>>(),
        "signing_input": hex(&input),
    }
}

fn tickets() -> Json {
    let (to, guest) = (mailbox(SigningKeyName::Mailbox), mailbox(SigningKeyName::GuestMailbox));
    let key = ticket_key();
    assert_eq!(*key.as_bytes(), book::ticket_key(&FINDER_SECRET, &to.0));
    let random: [u8; 12] = secret(0xF0, 5);
    let ticket = key.issue(NOW, random);
    assert_eq!(ticket.0, book::ticket(key.as_bytes(), epoch(NOW), &random));
    let one = |why: &str, ticket: Ticket, mailbox: MailboxId, at: Time, good: bool| {
        let result = TicketKey::derive(&FINDER_SECRET, &mailbox).check(&ticket, at);
        assert_eq!(result.is_ok(), good, "{why}");
        let code = result.err().map(|error| error.code().as_str());
        object! {
            "why": why, "ticket": ticket.to_string(), "mailbox": mailbox.to_string(), "at": at.as_secs(),
            "code": code,
        }
    };
    let mut forged = ticket;
    forged.0[31] ^= 1;
    let mut dated = ticket;
    dated.0[3] += 1;
    object! {
        "finder_secret": hex(&FINDER_SECRET),
        "mailbox": to.to_string(),
        "ticket_key": hex(key.as_bytes()),
        "epoch": epoch(NOW),
        "random": hex(&random),
        "ticket": hex(&ticket.0),
        "checks": vec![
            one("now", ticket, to, NOW, true),
            one("in the next epoch", ticket, to, NOW + TICKET_EPOCH, true),
            one("two epochs later", ticket, to, NOW + 2 * TICKET_EPOCH, false),
            one("from the future", ticket, to, NOW - TICKET_EPOCH, false),
            one("at another mailbox", ticket, guest, NOW, false),
            one("altered tag", forged, to, NOW, false),
            one("altered epoch", dated, to, NOW, false),
        ],
    }
}

fn turn_server() -> TurnServer {
    let expires = NOW.as_secs() + 3600;
    let username = format!("{expires}:AAAAAAAAAAAAAAAA");
    let mut mac = Hmac::<Sha1>::new_from_slice(TURN_SECRET.as_bytes()).unwrap();
    mac.update(username.as_bytes());
    let credential = BASE64.encode(&mac.finalize().into_bytes());
    TurnServer { urls: vec!["turn:turn.b.test:3478".to_owned()], username, credential, expires }
}

fn turn() -> Json {
    let TurnServer { username, credential, .. } = turn_server();
    object! { "secret": TURN_SECRET, "username": username, "credential": credential }
}
