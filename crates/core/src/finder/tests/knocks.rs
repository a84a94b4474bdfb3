use super::harness::{Harness, START, mailbox, seed};
use crate::defaults::{EXCHANGE_LIFE, KNOCK_LIFE, MAX_STORED_KNOCK_BYTES, MAX_STORED_KNOCKS};
use crate::finder::{FIRST_LOCATION_EXCHANGE, Input, KnockId, Output, StoredKnock};
use crate::frame::MailboxKind::{Guest, Location};
use crate::frame::{Frame, Header, MailboxId};
use crate::{Code, Time};

fn knock(harness: &mut Harness, to: MailboxId, body: &[u8]) {
    let seeker = harness.connect();
    harness.send(seeker, Header::Find { x: 1, to, ticket: None, kept: None }, body);
    assert_eq!(harness.take_one(seeker), Header::Accepted { x: 1 });
    harness.send(seeker, Header::Done { x: 1 }, b"");
    assert_eq!(harness.take(seeker), []);
    harness.disconnect(seeker);
}

fn kept_ids(harness: &Harness) -> Vec<KnockId> {
    let id = |command: &Output| match command {
        Output::KeepKnock { id, .. } => Some(*id),
        _ => None,
    };
    harness.commands.iter().filter_map(id).collect()
}

/// A member that is away, and one knock that the store kept for it.
fn knocked() -> (Harness, MailboxId) {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    harness.members.insert(to, vec![]);
    knock(&mut harness, to, b"sealed knock");
    (harness, to)
}

#[test]
fn reaches_every_location_and_leaves_no_exchange() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let locations = [harness.guest(&seed(1)), harness.guest(&seed(1))];
    let seeker = harness.connect();
    harness.send(seeker, Header::Find { x: 1, to, ticket: None, kept: None }, b"sealed knock");
    for location in locations {
        let header = Header::Find { x: FIRST_LOCATION_EXCHANGE, to, ticket: None, kept: None };
        assert_eq!(harness.take(location), [Frame { header, body: b"sealed knock".to_vec() }]);
        harness.send(location, Header::Answer { x: FIRST_LOCATION_EXCHANGE }, b"answer");
        assert_eq!(harness.take_error(location), Code::UnknownExchange, "a knock has no answer");
        harness.send(location, Header::Done { x: FIRST_LOCATION_EXCHANGE }, b"");
        assert_eq!(harness.take(location), []);
    }
    assert_eq!(harness.take_one(seeker), Header::Accepted { x: 1 });
    assert_eq!(harness.finder.exchanges.len(), (1, 0));
    assert_eq!(kept_ids(&harness), []);
    assert_eq!(harness.finder.counters().finds.knocks, 1);
}

#[test]
fn is_kept_for_who_is_away_and_delivered_on_attach() {
    let (mut harness, to) = knocked();
    let id = kept_ids(&harness)[0];
    let keep = Output::KeepKnock {
        mailbox: to,
        id,
        body: b"sealed knock".to_vec(),
        received: START,
        expires: START + KNOCK_LIFE,
    };
    assert_eq!(harness.commands.last(), Some(&keep));
    harness.advance(3_600_000);
    let location = harness.connect();
    harness.send(location, harness.attach_header(location, &[(&seed(2), Location), (&seed(1), Guest)]), b"");
    let frames = harness.take(location);
    assert!(matches!(frames[0].header, Header::Attached { .. }));
    let header = Header::Find { x: FIRST_LOCATION_EXCHANGE, to, ticket: None, kept: Some(START.as_secs()) };
    assert_eq!(frames[1..], [Frame { header, body: b"sealed knock".to_vec() }]);

    harness.send(location, Header::Done { x: FIRST_LOCATION_EXCHANGE }, b"");
    assert_eq!(harness.commands.last(), Some(&Output::DeleteKnock { mailbox: to, id }));
    assert_eq!(harness.members[&to], []);
    assert_eq!(harness.entries(), [1, 2, 0, 0, 0]);
}

#[test]
fn stays_kept_until_a_location_takes_it_over() {
    let (mut harness, to) = knocked();
    let first = harness.guest(&seed(1));
    harness.disconnect(first);
    assert_eq!(harness.entries(), [0; 5], "nothing is left of a delivery to who is gone");
    let second = harness.attached(&[(&seed(1), Guest), (&seed(2), Location)]);
    harness.advance(EXCHANGE_LIFE);
    assert_eq!(harness.entries(), [1, 2, 0, 0, 0], "nor of one that nobody took");
    harness.send(second, Header::Done { x: FIRST_LOCATION_EXCHANGE }, b"");
    assert_eq!(harness.members[&to].len(), 1);
    let third = harness.connect();
    harness.send(third, harness.attach_header(third, &[(&seed(1), Guest)]), b"");
    assert_eq!(harness.take(third).len(), 2);
    harness.send(third, Header::More { x: FIRST_LOCATION_EXCHANGE }, b"more");
    assert_eq!(harness.take_error(third), Code::Malformed, "it is no exchange");
}

#[test]
fn the_same_envelope_is_kept_once() {
    let (mut harness, to) = knocked();
    knock(&mut harness, to, b"sealed knock");
    knock(&mut harness, to, b"another knock");
    let ids = kept_ids(&harness);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(harness.members[&to].len(), 2);
}

#[test]
fn is_offered_to_the_store_whoever_it_is_for_but_not_above_its_size() {
    let mut harness = Harness::new();
    knock(&mut harness, MailboxId([9; 16]), &[0; MAX_STORED_KNOCK_BYTES]);
    assert_eq!(kept_ids(&harness).len(), 1);
    knock(&mut harness, MailboxId([9; 16]), &[0; MAX_STORED_KNOCK_BYTES + 1]);
    assert_eq!(kept_ids(&harness).len(), 1);
    assert_eq!(harness.finder.counters().finds.absent, 2);
    assert_eq!(harness.finder.counters().knocks_to_store, 1);
}

#[test]
fn only_who_holds_the_mailbox_gets_what_is_kept() {
    let mut harness = Harness::new();
    harness.store_answers = false;
    let (holder, other) = (harness.guest(&seed(1)), harness.guest(&seed(2)));
    let seeker = harness.connect();
    let knock = StoredKnock { id: KnockId([1; 16]), body: b"knock".to_vec(), received: Time::default() };
    for connection in [other, seeker] {
        let knocks = vec![knock.clone()];
        harness.input(Input::Knocks { connection, mailbox: mailbox(&seed(1)), knocks });
        assert_eq!(harness.take(connection), []);
    }
    let knocks = vec![knock; MAX_STORED_KNOCKS + 1];
    harness.input(Input::Knocks { connection: holder, mailbox: mailbox(&seed(1)), knocks });
    assert_eq!(harness.take(holder).len(), MAX_STORED_KNOCKS);
}

#[test]
fn a_guest_mailbox_takes_no_tickets() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let guest = harness.guest(&seed(1));
    let (seeker, ticket) = (harness.connect(), harness.ticket(to));
    harness.find(seeker, 1, to, Some(ticket));
    assert_eq!(harness.take_error(seeker), Code::Offline);
    assert_eq!(harness.take(guest), []);
}
