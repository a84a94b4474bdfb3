use super::harness::{Harness, mailbox, seed};
use crate::Code;
use crate::defaults::DRAIN_TIME;
use crate::finder::Input;
use crate::frame::{Frame, Header, MailboxId, MailboxKind};

#[test]
fn tells_everybody_and_closes_in_time() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    let (seeker, x) = harness.exchange(location, mailbox(&seed(1)));
    let silent = harness.connect();
    harness.input(Input::Drain);
    harness.input(Input::Drain);
    for connection in [location, seeker, silent] {
        assert_eq!(harness.take_one(connection), Header::Drain { within: 10 });
    }
    harness.send(location, Header::Answer { x }, b"answer");
    assert_eq!(harness.take_one(seeker), Header::Answer { x: 1 }, "exchanges end in peace");
    harness.advance(DRAIN_TIME - 1);
    assert_eq!(harness.closed.get(&location), None);
    harness.advance(1);
    assert_eq!(harness.closed.get(&location), Some(&Code::Draining));
    assert_eq!(harness.closed.get(&seeker), Some(&Code::Draining));
    assert_eq!(harness.entries(), [0; 5]);
}

#[test]
fn takes_nothing_new() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let (location, early) = (harness.location(&seed(1)), harness.connect());
    harness.input(Input::Drain);
    harness.take(location);
    harness.take(early);
    let ticket = harness.ticket(to);
    for ticket in [None, Some(ticket)] {
        harness.find(early, 1, to, ticket);
        assert_eq!(harness.take(early), [Frame::error(Some(1), Code::Draining, None)]);
    }
    harness.send(early, harness.attach_header(early, &[(&seed(2), MailboxKind::Location)]), b"");
    assert_eq!(harness.take(early), [Frame::error(None, Code::Draining, None)]);
    assert_eq!(harness.take(location), []);
    let late = harness.connect();
    assert_eq!(harness.closed.get(&late), Some(&Code::Draining));
    harness.find(late, 1, MailboxId([1; 16]), None);
    assert_eq!(harness.finder.counters().finds.draining, 2);
}

#[test]
fn an_attach_that_waits_for_the_store_is_not_opened_any_more() {
    let mut harness = Harness::with_turn();
    harness.store_answers = false;
    let connection = harness.connect();
    harness.send(connection, harness.attach_header(connection, &[(&seed(1), MailboxKind::Guest)]), b"");
    harness.input(Input::Drain);
    harness.take(connection);
    harness.input(Input::Member { connection, member: true });
    assert_eq!(harness.take_error(connection), Code::Draining);
    assert_eq!(harness.finder.registry.len(), 0);
}
