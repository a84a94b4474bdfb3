use super::harness::{Harness, mailbox, seed};
use crate::Code;
use crate::defaults::{EXCHANGE_LIFE, FINDER_LINGER, FIRST_FRAME_TIMEOUT, TICKET_EPOCH};
use crate::finder::Input;
use crate::frame::{Header, MailboxId, MailboxKind};

#[test]
fn a_silent_connection_is_closed_after_five_seconds() {
    let mut harness = Harness::new();
    let silent = harness.connect();
    let talks = harness.connect();
    harness.find(talks, 1, MailboxId([1; 16]), None);
    harness.advance(FIRST_FRAME_TIMEOUT - 1);
    assert!(harness.closed.is_empty());
    harness.advance(1);
    assert_eq!(harness.closed.get(&silent), Some(&Code::Timeout));
    assert_eq!(harness.closed.get(&talks), None);
}

#[test]
fn a_seeker_may_stay_a_minute_after_its_last_exchange() {
    let mut harness = Harness::new();
    let seeker = harness.connect();
    harness.find(seeker, 1, MailboxId([1; 16]), None);
    harness.advance(30_000);
    harness.send(seeker, Header::Done { x: 1 }, b"");
    harness.advance(FINDER_LINGER - 1);
    harness.find(seeker, 2, MailboxId([1; 16]), None);
    harness.advance(EXCHANGE_LIFE + FINDER_LINGER - 1);
    assert_eq!(harness.closed.get(&seeker), None);
    harness.advance(1);
    assert_eq!(harness.closed.get(&seeker), Some(&Code::Timeout));
    assert_eq!(harness.entries(), [0; 5]);
}

#[test]
fn refused_finds_do_not_keep_a_connection_open() {
    let mut harness = Harness::new();
    let seeker = harness.connect();
    let to = MailboxId([1; 16]);
    let ticket = harness.ticket(to);
    for _ in 0..FINDER_LINGER / 1_000 {
        harness.find(seeker, 1, to, Some(ticket));
        assert_eq!(harness.take_error(seeker), Code::Offline);
        harness.advance(1_000);
    }
    assert_eq!(harness.closed.get(&seeker), Some(&Code::Timeout));
}

#[test]
fn a_location_may_stay_for_ever_at_no_cost() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    assert_eq!(harness.entries(), [1, 1, 0, 0, 0], "no timer runs for it");
    let (seeker, _) = harness.exchange(location, mailbox(&seed(1)));
    harness.disconnect(seeker);
    harness.advance(TICKET_EPOCH);
    assert_eq!(harness.closed.get(&location), None);
    assert_eq!(harness.entries(), [1, 1, 0, 0, 0]);
}

#[test]
fn an_attach_ends_the_wait_also_after_a_find() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    harness.find(connection, 1, MailboxId([1; 16]), None);
    harness.send(connection, harness.attach_header(connection, &[(&seed(1), MailboxKind::Location)]), b"");
    harness.advance(10 * FINDER_LINGER);
    assert_eq!(harness.closed.get(&connection), None);
}

#[test]
fn a_store_that_does_not_answer_holds_nobody_up() {
    let mut harness = Harness::with_turn();
    harness.members.insert(mailbox(&seed(1)), vec![]);
    harness.store_answers = false;
    let connection = harness.connect();
    harness.find(connection, 1, MailboxId([1; 16]), None);
    harness.send(connection, harness.attach_header(connection, &[(&seed(1), MailboxKind::Guest)]), b"");
    harness.send(connection, Header::Done { x: 1 }, b"");
    harness.take(connection);
    harness.advance(5_000);
    assert_eq!(harness.take_one(connection), Header::Attached { tickets: vec![], turn: vec![] });
    harness.advance(10 * FINDER_LINGER);
    assert_eq!(harness.closed.get(&connection), None);
}

#[test]
fn inputs_for_connections_that_are_gone_are_ignored() {
    let mut harness = Harness::with_turn();
    let connection = harness.connect();
    harness.disconnect(connection);
    let counters = harness.finder.counters().clone();
    harness.find(connection, 1, MailboxId([1; 16]), None);
    harness.input(Input::Member { connection, member: true });
    harness.input(Input::Knocks { connection, mailbox: MailboxId([1; 16]), knocks: vec![] });
    harness.input(Input::Signed { connection, signature: seed(1).sign(b"") });
    harness.disconnect(connection);
    assert_eq!(*harness.finder.counters(), counters);
    assert_eq!(harness.entries(), [0; 5]);
}
