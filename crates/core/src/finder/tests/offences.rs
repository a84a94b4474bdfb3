use super::harness::{Harness, mailbox, seed};
use crate::Code;
use crate::defaults::{CONNECTION_RATE, MAX_FRAME_BYTES};
use crate::finder::FIRST_LOCATION_EXCHANGE;
use crate::frame::{Frame, Header, MailboxId};
use crate::ticket::Ticket;

const TO: MailboxId = MailboxId([1; 16]);

fn find(x: u32) -> Header {
    Header::Find { x, to: TO, ticket: None, kept: None }
}

#[test]
fn frames_out_of_place_are_refused_and_the_third_closes() {
    let bodies: &[(Header, &[u8], Code)] = &[
        (Header::Hello { jws: String::new() }, b"", Code::Malformed),
        (Header::Attached { tickets: vec![], turn: vec![] }, b"", Code::Malformed),
        (Header::Accepted { x: 1 }, b"", Code::Malformed),
        (Header::Admitted { turn: vec![] }, b"", Code::Malformed),
        (Header::Replaced {}, b"", Code::Malformed),
        (Header::Drain { within: 1 }, b"", Code::Malformed),
        (Header::Error { x: None, code: "busy".into(), status: 409, retry: None }, b"", Code::Malformed),
        (Header::Find { x: 1, to: TO, ticket: None, kept: Some(1) }, b"body", Code::Malformed),
        (find(FIRST_LOCATION_EXCHANGE), b"body", Code::Malformed),
        (find(1), b"", Code::Malformed),
        (Header::More { x: 1 }, b"", Code::Malformed),
        (Header::Answer { x: 1 }, b"body", Code::Malformed),
        (Header::Answer { x: FIRST_LOCATION_EXCHANGE }, b"", Code::Malformed),
        (Header::More { x: 1 }, b"body", Code::UnknownExchange),
        (Header::Answer { x: FIRST_LOCATION_EXCHANGE }, b"body", Code::UnknownExchange),
        (Header::More { x: FIRST_LOCATION_EXCHANGE }, b"body", Code::UnknownExchange),
    ];
    for (header, body, code) in bodies {
        let mut harness = Harness::new();
        let connection = harness.connect();
        for offence in 1..=3 {
            assert!(harness.closed.is_empty(), "{header:?}");
            harness.send(connection, header.clone(), body);
            assert_eq!(harness.take_error(connection), *code, "{header:?}");
            assert_eq!(harness.finder.counters().refusals[code], offence);
        }
        assert_eq!(harness.closed.get(&connection), Some(code), "{header:?}");
        assert_eq!(harness.entries(), [0; 5]);
    }
}

#[test]
fn offences_are_forgiven_with_time() {
    let mut harness = Harness::new();
    let connection = harness.location(&seed(1));
    for _ in 0..20 {
        harness.send(connection, Header::Replaced {}, b"");
        harness.advance(20_000);
    }
    assert!(harness.closed.is_empty());
}

#[test]
fn failed_attaches_are_offences() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    for _ in 0..3 {
        harness.send(connection, Header::Attach { nonce: harness.nonce(connection), mailboxes: vec![] }, b"");
    }
    assert_eq!(harness.closed.get(&connection), Some(&Code::Malformed));
}

#[test]
fn an_open_number_cannot_be_used_again() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let (seeker, x) = harness.exchange(location, mailbox(&seed(1)));
    harness.find(seeker, 1, TO, None);
    assert_eq!(harness.take(seeker), [Frame::error(None, Code::Malformed, None)]);
    harness.send(location, Header::Answer { x }, b"answer");
    assert_eq!(harness.take_one(seeker), Header::Answer { x: 1 }, "the exchange goes on");
}

#[test]
fn done_is_never_an_offence() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    for x in [0, 1, FIRST_LOCATION_EXCHANGE, u32::MAX] {
        harness.send(connection, Header::Done { x }, b"");
    }
    assert_eq!(harness.take(connection), []);
    assert!(harness.closed.is_empty());
}

#[test]
fn garbage_closes_at_once() {
    let oversized = Frame { header: find(1), body: vec![0; MAX_FRAME_BYTES] }.encode();
    let done = Frame::bare(Header::Done { x: 1 }).encode();
    let cut = &done[..done.len() - 1];
    let garbage: &[(&[u8], Code)] = &[
        (b"", Code::Malformed),
        (b"{\"t\":\"done\",\"x\":1}", Code::TooLarge),
        (b"GET / HTTP/1.1\r\n\r\n", Code::TooLarge),
        (b"\x00\x02{}", Code::Malformed),
        (b"\x00\x11{\"t\":\"unheard of\"}", Code::Malformed),
        (&[0xFF; 100], Code::TooLarge),
        (&[0; 100], Code::Malformed),
        (cut, Code::Malformed),
        (&oversized, Code::TooLarge),
    ];
    for (bytes, code) in garbage {
        let mut harness = Harness::new();
        let connection = harness.connect();
        harness.send_bytes(connection, bytes);
        assert_eq!(harness.take_error(connection), *code, "{bytes:?}");
        assert_eq!(harness.closed.get(&connection), Some(code));
        assert_eq!(harness.finder.counters().session.bytes_in, bytes.len() as u64);
        assert_eq!(harness.entries(), [0; 5]);
    }
}

#[test]
fn size_comes_first_then_bytes_then_header_then_ticket() {
    let mut harness = Harness::new();
    harness.location(&seed(1));
    let connection = harness.connect();
    let ticket = Some(Ticket([1; 32]));
    let full = Frame {
        header: Header::Find { x: 1, to: TO, ticket, kept: None },
        body: vec![0; MAX_FRAME_BYTES - 200],
    };
    let bytes = full.encode();
    let within = u64::from(CONNECTION_RATE.1) / bytes.len() as u64;
    for _ in 0..within {
        harness.send_bytes(connection, &bytes);
        assert_eq!(harness.take_error(connection), Code::TicketInvalid);
    }
    harness.send_bytes(connection, &bytes);
    assert_eq!(harness.take_error(connection), Code::RateLimited);
    harness.send_bytes(connection, b"garbage of a client over its rate");
    assert_eq!(harness.take_error(connection), Code::RateLimited, "not even decoded");
    harness.send_bytes(connection, &[0; MAX_FRAME_BYTES + 1]);
    assert_eq!(harness.take_error(connection), Code::TooLarge);
}

#[test]
fn who_sends_too_much_is_told_when_to_go_on() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let (seeker, x) = harness.exchange(location, mailbox(&seed(1)));
    let noise = Frame { header: Header::More { x }, body: vec![0; 16_000] }.encode();
    for _ in 0..u64::from(CONNECTION_RATE.1) / 16_000 + 1 {
        harness.send_bytes(location, &noise);
    }
    let refusal = harness.take(location).pop().unwrap();
    let Header::Error { x: None, retry: Some(retry), .. } = refusal.header else { panic!("{refusal:?}") };
    harness.advance(retry * 1_000);
    harness.take(seeker);
    let (seeker, x) = harness.exchange(location, mailbox(&seed(1)));
    harness.send(location, Header::Answer { x }, b"answer");
    assert_eq!(harness.take_one(seeker), Header::Answer { x: 1 });
}

#[test]
fn who_does_not_listen_is_closed_after_another_burst() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let tiny = Frame::bare(Header::Done { x: 1 }).encode();
    let two_bursts = 2 * CONNECTION_RATE.1 / 64;
    for _ in 0..two_bursts - 20 {
        harness.send_bytes(location, &tiny);
    }
    assert!(harness.closed.is_empty());
    for _ in 0..20 {
        harness.send_bytes(location, &tiny);
    }
    assert_eq!(
        harness.closed.get(&location),
        Some(&Code::RateLimited),
        "every frame counts 64 bytes at least"
    );
}
