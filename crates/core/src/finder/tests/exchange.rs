use super::harness::{Harness, headers, mailbox, seed};
use crate::Code;
use crate::defaults::{EXCHANGE_BYTES, EXCHANGE_FRAMES, EXCHANGE_LIFE, MAX_FRAME_BYTES, MAX_OPEN_EXCHANGES};
use crate::finder::{ConnectionId, FIRST_LOCATION_EXCHANGE};
use crate::frame::{ExchangeId, Frame, Header, MailboxId};

/// A location and a seeker with an exchange between them; the seeker's number is 1.
fn introduced() -> (Harness, ConnectionId, ConnectionId, ExchangeId) {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let (seeker, x) = harness.exchange(location, mailbox(&seed(1)));
    (harness, seeker, location, x)
}

fn limit(x: ExchangeId) -> Frame {
    Frame::error(Some(x), Code::ExchangeLimit, None)
}

#[test]
fn passes_bodies_unread_in_both_directions() {
    let (mut harness, seeker, location, x) = introduced();
    assert_eq!(x, FIRST_LOCATION_EXCHANGE);
    harness.send(location, Header::Answer { x }, b"sealed answer");
    let answer = Frame { header: Header::Answer { x: 1 }, body: b"sealed answer".to_vec() };
    assert_eq!(harness.take(seeker), [answer]);
    harness.send(seeker, Header::More { x: 1 }, b"to the location");
    let more = Frame { header: Header::More { x }, body: b"to the location".to_vec() };
    assert_eq!(harness.take(location), [more]);
    harness.send(location, Header::More { x }, b"to the seeker");
    let more = Frame { header: Header::More { x: 1 }, body: b"to the seeker".to_vec() };
    assert_eq!(harness.take(seeker), [more]);
    harness.send(seeker, Header::Done { x: 1 }, b"");
    assert_eq!(harness.take_one(location), Header::Done { x });
    assert_eq!(harness.take(seeker), []);
    assert_eq!(harness.finder.exchanges.len(), (0, 0), "nothing is kept");
}

#[test]
fn a_location_ends_it_too() {
    let (mut harness, seeker, location, x) = introduced();
    harness.send(location, Header::Done { x }, b"");
    assert_eq!(harness.take_one(seeker), Header::Done { x: 1 });
    harness.send(seeker, Header::Done { x: 1 }, b"");
    assert_eq!(harness.take(seeker), [], "both at once is no mistake");
    assert_eq!(harness.finder.exchanges.len(), (0, 0));
}

#[test]
fn keeps_apart_the_seekers_of_one_location() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let (first, x_first) = harness.exchange(location, mailbox(&seed(1)));
    let (second, x_second) = harness.exchange(location, mailbox(&seed(1)));
    harness.send(location, Header::Answer { x: x_second }, b"2");
    harness.send(location, Header::Answer { x: x_first }, b"1");
    assert_eq!(harness.take(first)[0].body, b"1");
    assert_eq!(harness.take(second)[0].body, b"2");
    harness.disconnect(first);
    assert_eq!(harness.take_one(location), Header::Done { x: x_first });
    harness.send(location, Header::More { x: x_second }, b"3");
    assert_eq!(harness.take(second)[0].body, b"3");
}

#[test]
fn a_location_answers_only_its_own_exchanges() {
    let (mut harness, seeker, _, x) = introduced();
    let other = harness.location(&seed(2));
    for header in [Header::Answer { x }, Header::More { x }] {
        harness.send(other, header, b"forged");
        assert_eq!(harness.take_error(other), Code::UnknownExchange);
    }
    harness.send(other, Header::Done { x }, b"");
    assert_eq!(harness.take(seeker), []);
}

#[test]
fn one_connection_may_seek_and_be_found_at_once() {
    let mut harness = Harness::new();
    let (alice, bob) = (harness.location(&seed(1)), harness.location(&seed(2)));
    let (to_alice, to_bob) = (harness.ticket(mailbox(&seed(1))), harness.ticket(mailbox(&seed(2))));
    harness.find(alice, 1, mailbox(&seed(2)), Some(to_bob));
    harness.find(bob, 1, mailbox(&seed(1)), Some(to_alice));
    let x = FIRST_LOCATION_EXCHANGE;
    assert!(matches!(harness.take_one(bob), Header::Find { x: FIRST_LOCATION_EXCHANGE, .. }));
    assert!(matches!(harness.take_one(alice), Header::Find { x: FIRST_LOCATION_EXCHANGE, .. }));
    harness.send(bob, Header::Answer { x }, b"to alice");
    assert_eq!(harness.take_one(alice), Header::Answer { x: 1 });
    harness.send(bob, Header::Done { x: 1 }, b"");
    assert_eq!(harness.take_one(alice), Header::Done { x }, "bob's own find is over");
    harness.send(alice, Header::More { x: 1 }, b"to bob");
    assert_eq!(harness.take_one(bob), Header::More { x }, "alice's is not");
}

#[test]
fn a_seeker_has_three_open_at_most() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let seeker = harness.location(&seed(2));
    for x in 1..=MAX_OPEN_EXCHANGES as u32 {
        let ticket = harness.ticket(mailbox(&seed(1)));
        harness.find(seeker, x, mailbox(&seed(1)), Some(ticket));
    }
    assert_eq!(harness.take(location).len(), 3);
    harness.advance(10_000);
    let ticket = harness.ticket(mailbox(&seed(1)));
    harness.find(seeker, 4, mailbox(&seed(1)), Some(ticket));
    assert_eq!(harness.take(seeker), [Frame::error(Some(4), Code::RateLimited, Some(50))]);
    harness.send(seeker, Header::Done { x: 2 }, b"");
    harness.find(seeker, 4, mailbox(&seed(1)), Some(ticket));
    assert_eq!(harness.take(seeker), []);
    assert_eq!(harness.finder.counters().finds.too_many, 1);
}

#[test]
fn a_location_may_be_in_many() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let seekers: Vec<_> = (0..50).map(|_| harness.exchange(location, mailbox(&seed(1)))).collect();
    for (seeker, x) in seekers {
        harness.send(location, Header::Answer { x }, b"answer");
        assert_eq!(harness.take_one(seeker), Header::Answer { x: 1 });
    }
}

#[test]
fn ends_after_sixteen_frames_of_both_sides() {
    let (mut harness, seeker, location, x) = introduced();
    for round in 1..EXCHANGE_FRAMES {
        let (sender, number) = if round % 2 == 0 { (seeker, 1) } else { (location, x) };
        harness.send(sender, Header::More { x: number }, b"more");
    }
    assert!(harness.take(seeker).iter().chain(&harness.take(location)).all(|frame| !is_error(frame)));
    harness.send(seeker, Header::More { x: 1 }, b"one too many");
    assert_eq!(harness.take(seeker), [limit(1)]);
    assert_eq!(harness.take(location), [limit(x)]);
    assert_eq!(harness.finder.exchanges.len(), (0, 0));
    assert_eq!(harness.finder.counters().exchange_limits, 1);
}

#[test]
fn ends_after_sixty_four_kibibytes_of_both_sides() {
    let (mut harness, seeker, location, x) = introduced();
    let mut bytes = Frame { header: find_header(), body: b"sealed find".to_vec() }.encode().len();
    for (sender, number) in [(seeker, 1), (location, x), (seeker, 1)] {
        let frame = Frame { header: Header::More { x: number }, body: vec![0; MAX_FRAME_BYTES - 64] };
        bytes += frame.encode().len();
        harness.send(sender, frame.header, &frame.body);
    }
    let empty = Frame::bare(Header::More { x: 1 }).encode().len();
    let rest = EXCHANGE_BYTES as usize - bytes - empty;
    harness.send(seeker, Header::More { x: 1 }, &vec![0; rest - empty - 2]);
    assert_eq!(harness.take(location).len(), 3);
    harness.take(seeker);
    harness.send(location, Header::More { x }, &[0; 2]);
    assert_eq!(harness.take(location), [limit(x)], "the location's header has the longer number");
    assert_eq!(harness.take(seeker), [limit(1)]);
}

fn find_header() -> Header {
    let ticket = crate::ticket::Ticket([0; 32]);
    Header::Find { x: 1, to: MailboxId([0; 16]), ticket: Some(ticket), kept: None }
}

#[test]
fn ends_after_a_minute() {
    let (mut harness, seeker, location, x) = introduced();
    harness.send(location, Header::Answer { x }, b"answer");
    harness.take(seeker);
    harness.advance(EXCHANGE_LIFE - 1);
    assert_eq!(harness.take(seeker), []);
    harness.advance(1);
    assert_eq!(harness.take(seeker), [limit(1)]);
    assert_eq!(harness.take(location), [limit(x)]);
    assert_eq!(harness.finder.exchanges.len(), (0, 0));
}

#[test]
fn a_location_that_never_answers_costs_nothing_after_a_minute() {
    let (mut harness, seeker, location, _) = introduced();
    harness.find(seeker, 2, mailbox(&seed(1)), None);
    harness.disconnect(seeker);
    assert_eq!(headers(&harness.take(location)).len(), 3, "the second find and both ends");
    harness.exchange(location, mailbox(&seed(1)));
    harness.advance(3 * EXCHANGE_LIFE);
    assert_eq!(harness.entries(), [1, 1, 0, 0, 0]);
}

#[test]
fn late_frames_of_a_location_are_nobodys_fault() {
    let (mut harness, seeker, location, x) = introduced();
    harness.disconnect(seeker);
    harness.take(location);
    for _ in 0..10 {
        harness.send(location, Header::Answer { x }, b"late");
        assert_eq!(harness.take_error(location), Code::UnknownExchange);
        harness.send(location, Header::Done { x }, b"");
    }
    assert!(harness.closed.is_empty());
}

#[test]
fn a_leaving_location_ends_it_for_who_knew_that_it_was_there() {
    let (mut harness, with_ticket, location, _) = introduced();
    let answered = harness.connect();
    harness.find(answered, 1, mailbox(&seed(1)), None);
    let Header::Find { x, .. } = harness.take_one(location) else { panic!("no find") };
    harness.send(location, Header::Answer { x }, b"answer");
    let stranger = harness.connect();
    harness.find(stranger, 1, mailbox(&seed(1)), None);
    for connection in [answered, stranger] {
        harness.take(connection);
    }
    harness.disconnect(location);
    assert_eq!(harness.take_one(with_ticket), Header::Done { x: 1 });
    assert_eq!(harness.take_one(answered), Header::Done { x: 1 });
    assert_eq!(harness.take(stranger), []);
    assert_eq!(harness.finder.exchanges.len(), (1, 0));
    harness.advance(EXCHANGE_LIFE);
    assert_eq!(harness.take(stranger), [limit(1)]);
}

#[test]
fn bytes_are_counted_by_kind_of_traffic() {
    let (mut harness, seeker, location, x) = introduced();
    harness.send(location, Header::Answer { x }, b"answer");
    harness.send(seeker, Header::Done { x: 1 }, b"");
    let counters = harness.finder.counters().clone();
    let find = Frame { header: find_header(), body: b"sealed find".to_vec() }.encode().len();
    let answer = Frame { header: Header::Answer { x }, body: b"answer".to_vec() }.encode().len();
    let done = Frame::bare(Header::Done { x: 1 }).encode().len();
    assert_eq!(counters.exchange.bytes_in, (find + answer + done) as u64);
    let found: usize = harness.take(location).iter().map(|frame| frame.encode().len()).sum();
    assert!(counters.exchange.bytes_out > found as u64 && counters.session.bytes_out > 0);

    harness.location(&seed(2));
    harness.send(seeker, Header::Hello { jws: String::new() }, b"");
    harness.advance(EXCHANGE_LIFE * 100);
    let later = harness.finder.counters();
    assert_eq!(later.exchange, counters.exchange, "an idle finder has no exchange traffic");
    assert!(later.session.bytes_in > counters.session.bytes_in);
}

fn is_error(frame: &Frame) -> bool {
    matches!(frame.header, Header::Error { .. })
}
