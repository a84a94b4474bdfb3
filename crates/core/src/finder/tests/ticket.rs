use super::harness::{Harness, mailbox, seed};
use crate::Code;
use crate::defaults::{MAX_SPENT_TICKETS, TICKET_EPOCH};
use crate::frame::{Header, MailboxId};
use crate::ticket::{Ticket, TicketKey};

fn refusal(harness: &mut Harness, to: MailboxId, ticket: Ticket) -> Code {
    let seeker = harness.connect();
    harness.find(seeker, 1, to, Some(ticket));
    let code = harness.take_error(seeker);
    harness.disconnect(seeker);
    code
}

#[test]
fn admits_one_find_without_accepted() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let location = harness.location(&seed(1));
    let (seeker, ticket) = (harness.connect(), harness.ticket(to));
    harness.find(seeker, 1, to, Some(ticket));
    assert_eq!(harness.take(seeker), []);
    let Header::Find { ticket: shown, kept, .. } = harness.take_one(location) else { panic!("no find") };
    assert_eq!((shown, kept), (None, None), "the location does not see the ticket");
    assert_eq!(refusal(&mut harness, to, ticket), Code::TicketInvalid, "spent");
    assert_eq!(harness.take(location), []);
    assert_eq!(harness.finder.counters().finds.admitted, 1);
    assert_eq!(harness.finder.counters().finds.ticket_invalid, 1);
}

#[test]
fn foreign_forged_and_old_tickets_are_invalid() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let location = harness.location(&seed(1));
    let foreign = harness.ticket(mailbox(&seed(2)));
    let elsewhere = TicketKey::derive(&[0xEE; 32], &to).issue(harness.now, [1; 12]);
    let mut forged = harness.ticket(to);
    forged.0[10] ^= 1;
    let (old, last) = (harness.ticket(to), harness.ticket(to));
    for ticket in [foreign, elsewhere, forged, Ticket([0; 32])] {
        assert_eq!(refusal(&mut harness, to, ticket), Code::TicketInvalid);
    }
    harness.advance(TICKET_EPOCH);
    let seeker = harness.connect();
    harness.find(seeker, 1, to, Some(last));
    assert!(matches!(harness.take_one(location), Header::Find { .. }), "valid in the next epoch");
    harness.advance(TICKET_EPOCH);
    assert_eq!(refusal(&mut harness, to, old), Code::TicketInvalid);
    assert_eq!(harness.take(location).len(), 1, "the end of the exchange");
}

#[test]
fn tells_who_holds_it_that_nobody_is_there_and_is_not_spent() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let ticket = harness.ticket(to);
    for _ in 0..3 {
        assert_eq!(refusal(&mut harness, to, ticket), Code::Offline);
    }
    assert_eq!(harness.entries(), [0; 5]);
    let location = harness.location(&seed(1));
    let seeker = harness.connect();
    harness.find(seeker, 1, to, Some(ticket));
    assert!(matches!(harness.take_one(location), Header::Find { .. }));
}

#[test]
fn an_invalid_ticket_says_nothing_about_the_mailbox() {
    let mut harness = Harness::new();
    harness.location(&seed(1));
    harness.guest(&seed(2));
    for to in [mailbox(&seed(1)), mailbox(&seed(2)), mailbox(&seed(3))] {
        assert_eq!(refusal(&mut harness, to, Ticket([1; 32])), Code::TicketInvalid);
    }
}

#[test]
fn a_ticket_bypasses_the_buckets_of_source_and_mailbox() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let location = harness.location(&seed(1));
    for _ in 0..20 {
        let seeker = harness.connect_from([9; 8]);
        let ticket = harness.ticket(to);
        harness.find(seeker, 1, to, Some(ticket));
        assert_eq!(harness.take(seeker), []);
    }
    assert_eq!(harness.take(location).len(), 20);
    let seeker = harness.connect_from([9; 8]);
    harness.find(seeker, 1, to, None);
    assert_eq!(harness.take_one(seeker), Header::Accepted { x: 1 }, "and leaves them as they were");
    assert_eq!(harness.take(location).len(), 1);
}

#[test]
fn a_mailbox_with_too_many_spent_tickets_waits_for_the_next_epoch() {
    let mut harness = Harness::new();
    let to = mailbox(&seed(1));
    let location = harness.location(&seed(1));
    harness.signs = false;
    for _ in 0..MAX_SPENT_TICKETS {
        let (seeker, ticket) = (harness.connect(), harness.ticket(to));
        harness.find(seeker, 1, to, Some(ticket));
        assert_eq!(harness.take(seeker), []);
        harness.disconnect(seeker);
        harness.take(location);
    }
    let ticket = harness.ticket(to);
    assert_eq!(refusal(&mut harness, to, ticket), Code::TicketInvalid);
    assert_eq!(harness.finder.spent.len(), MAX_SPENT_TICKETS);
    harness.advance(TICKET_EPOCH);
    let (seeker, ticket) = (harness.connect(), harness.ticket(to));
    harness.find(seeker, 1, to, Some(ticket));
    assert_eq!(harness.take(seeker), []);
    harness.advance(2 * TICKET_EPOCH);
    harness.finder.handle_timeout(harness.now);
    assert_eq!(harness.finder.spent.len(), 0);
}
