use super::harness::{Harness, mailbox, seed};
use crate::finder::ConnectionId;
use crate::frame::MailboxKind::{Guest, Location};
use crate::frame::{Frame, Header, MailboxId, TurnServer};
use crate::ticket::Ticket;
use crate::{Code, defaults};

/// A member's session with a location and a guest mailbox.
fn member(harness: &mut Harness) -> (ConnectionId, MailboxId) {
    harness.members.insert(mailbox(&seed(2)), vec![]);
    let connection = harness.attached(&[(&seed(1), Location), (&seed(2), Guest)]);
    (connection, mailbox(&seed(1)))
}

fn attach(
    harness: &mut Harness,
    mailboxes: &[(&crate::key::Seed, crate::frame::MailboxKind)],
) -> Vec<TurnServer> {
    let connection = harness.connect();
    harness.send(connection, harness.attach_header(connection, mailboxes), b"");
    match harness.take_one(connection) {
        Header::Attached { turn, .. } => turn,
        other => panic!("{other:?}"),
    }
}

fn admit(harness: &mut Harness, to: MailboxId, ticket: Ticket) -> Frame {
    let seeker = harness.connect();
    harness.send(seeker, Header::Admit { to, ticket }, b"");
    harness.take(seeker).pop().unwrap()
}

fn admitted(frame: &Frame) -> &[TurnServer] {
    match &frame.header {
        Header::Admitted { turn } => turn,
        other => panic!("{other:?}"),
    }
}

fn error(code: Code) -> Frame {
    Frame::error(None, code, None)
}

#[test]
fn members_get_credentials_with_a_name_of_their_own_for_each_attach() {
    let mut harness = Harness::with_turn();
    harness.members.insert(mailbox(&seed(2)), vec![]);
    let first = attach(&mut harness, &[(&seed(2), Guest), (&seed(1), Location)]);
    let second = attach(&mut harness, &[(&seed(2), Guest), (&seed(1), Location)]);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].username, second[0].username);
    assert_eq!(first[0].expires, (harness.now + defaults::TURN_CREDENTIAL_LIFE).as_secs());
    assert!(first[0].username.starts_with(&format!("{}:", first[0].expires)));
}

#[test]
fn others_get_none() {
    let mut harness = Harness::with_turn();
    assert_eq!(attach(&mut harness, &[(&seed(2), Guest)]), []);
    assert_eq!(attach(&mut harness, &[(&seed(1), Location)]), []);
    harness.members.insert(mailbox(&seed(1)), vec![]);
    assert_eq!(attach(&mut harness, &[(&seed(1), Location)]), [], "only a guest mailbox proves membership");
    let mut without_turn = Harness::new();
    without_turn.members.insert(mailbox(&seed(2)), vec![]);
    assert_eq!(attach(&mut without_turn, &[(&seed(2), Guest)]), []);
}

#[test]
fn a_ticket_admits_once_and_still_finds() {
    let mut harness = Harness::with_turn();
    let (location, to) = member(&mut harness);
    let ticket = harness.ticket(to);
    assert_eq!(admitted(&admit(&mut harness, to, ticket)).len(), 1);
    assert_eq!(admit(&mut harness, to, ticket), error(Code::TicketInvalid));
    let seeker = harness.connect();
    harness.find(seeker, 1, to, Some(ticket));
    assert!(matches!(harness.take_one(location), Header::Find { .. }));
    let other = harness.ticket(to);
    harness.find(seeker, 2, to, Some(other));
    assert_eq!(admitted(&admit(&mut harness, to, other)).len(), 1, "in the other order too");
}

#[test]
fn forged_and_foreign_tickets_admit_nobody() {
    let mut harness = Harness::with_turn();
    let (_, to) = member(&mut harness);
    let foreign = harness.ticket(mailbox(&seed(3)));
    for ticket in [foreign, Ticket([0; 32])] {
        assert_eq!(admit(&mut harness, to, ticket), error(Code::TicketInvalid));
    }
    assert_eq!(harness.finder.counters().turn_credentials, 1, "the member's own");
}

#[test]
fn who_is_no_member_cannot_hand_out_the_domains_turn() {
    let mut harness = Harness::with_turn();
    let to = mailbox(&seed(1));
    let ticket = harness.ticket(to);
    assert_eq!(admit(&mut harness, to, ticket), error(Code::Offline));
    harness.attached(&[(&seed(1), Location), (&seed(2), Guest)]);
    assert_eq!(admitted(&admit(&mut harness, to, ticket)), []);
    harness.members.insert(mailbox(&seed(2)), vec![]);
    harness.attached(&[(&seed(1), Location), (&seed(2), Guest)]);
    assert_eq!(admitted(&admit(&mut harness, to, ticket)).len(), 1, "neither of the two spent it");
}

#[test]
fn the_callee_has_a_quota() {
    let mut harness = Harness::with_turn();
    let (_, to) = member(&mut harness);
    let mut last = error(Code::Quota);
    for _ in 0..33 {
        let ticket = harness.ticket(to);
        last = admit(&mut harness, to, ticket);
    }
    assert_eq!(last, Frame::error(None, Code::Quota, Some(30)));
    harness.advance(30_000);
    let ticket = harness.ticket(to);
    assert_eq!(admitted(&admit(&mut harness, to, ticket)).len(), 1);
    assert_eq!(harness.finder.counters().turn_credentials, 1 + 32 + 1);
}
