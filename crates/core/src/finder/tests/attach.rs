use super::harness::{Harness, URL, attach_header, distinct, mailbox, seed};
use crate::Code;
use crate::finder::{ConnectionId, Input};
use crate::frame::MailboxKind::{Guest, Location};
use crate::frame::{Header, MailboxId, MailboxProof, TicketGrant};
use crate::key::Seed;
use crate::ticket::TicketKey;

fn holders_of(harness: &mut Harness, connections: &[ConnectionId], to: MailboxId) -> Vec<ConnectionId> {
    let seeker = harness.connect();
    harness.find(seeker, 1, to, None);
    let mut reached = connections.to_vec();
    reached.retain(|connection| !harness.take(*connection).is_empty());
    reached
}

#[test]
fn grants_a_ticket_key_for_each_location_mailbox() {
    let mut harness = Harness::new();
    let (first, guest, second) = (seed(1), seed(2), seed(3));
    let connection = harness.connect();
    let header =
        harness.attach_header(connection, &[(&first, Location), (&guest, Guest), (&second, Location)]);
    harness.send(connection, header, b"");
    let grant = |seed: &Seed| TicketGrant {
        mailbox: mailbox(seed),
        key: TicketKey::derive(&[0xF1; 32], &mailbox(seed)),
    };
    let expected = Header::Attached { tickets: vec![grant(&first), grant(&second)], turn: vec![] };
    assert_eq!(harness.take_one(connection), expected);
    for seed in [&first, &guest, &second] {
        assert_eq!(holders_of(&mut harness, &[connection], mailbox(seed)), [connection]);
    }
    assert_eq!(harness.finder.counters().attaches, 1);
    assert_eq!(harness.finder.counters().attached, 1);
}

#[test]
fn needs_every_signature_over_nonce_finder_and_list() {
    let (mine, other) = (seed(1), seed(2));
    let mut harness = Harness::new();
    let elsewhere = harness.connect();
    let stranger_nonce = harness.nonce(elsewhere);
    let mut attempt = |forge: &dyn Fn(&Harness, ConnectionId) -> Header| {
        let connection = harness.connect();
        let header = forge(&harness, connection);
        harness.send(connection, header, b"");
        assert_eq!(harness.take_error(connection), Code::Unauthorized);
        assert_eq!(harness.finder.registry.len(), 0);
    };
    attempt(&|_, _| attach_header(stranger_nonce, URL, &[(&mine, Location)]));
    attempt(&|harness, it| attach_header(harness.nonce(it), "wss://evil.test/finder", &[(&mine, Location)]));
    attempt(&|harness, it| {
        resigned(harness.attach_header(it, &[(&mine, Location)]), |proofs| {
            proofs[0].kind = Guest;
        })
    });
    attempt(&|harness, it| {
        resigned(harness.attach_header(it, &[(&mine, Location)]), |proofs| {
            proofs[0].key = seed(3).public_key();
        })
    });
    attempt(&|harness, it| {
        resigned(harness.attach_header(it, &[(&mine, Location), (&other, Location)]), |proofs| {
            proofs.pop();
        })
    });
    attempt(&|harness, it| {
        resigned(harness.attach_header(it, &[(&mine, Location), (&other, Location)]), |proofs| {
            proofs[1].sig = proofs[0].sig;
        })
    });
}

fn resigned(header: Header, alter: impl Fn(&mut Vec<MailboxProof>)) -> Header {
    let Header::Attach { nonce, mut mailboxes } = header else { panic!("no attach") };
    alter(&mut mailboxes);
    Header::Attach { nonce, mailboxes }
}

#[test]
fn takes_one_to_four_different_mailboxes() {
    let mut harness = Harness::new();
    let seeds: Vec<Seed> = (1..=5).map(seed).collect();
    let list = |count: usize| seeds.iter().take(count).map(|seed| (seed, Location)).collect::<Vec<_>>();
    for mailboxes in
        [list(0), list(5), vec![(&seeds[0], Location); 2], vec![(&seeds[0], Location), (&seeds[0], Guest)]]
    {
        let connection = harness.connect();
        let header = harness.attach_header(connection, &mailboxes);
        harness.send(connection, header, b"");
        assert_eq!(harness.take_error(connection), Code::Malformed);
    }
    harness.attached(&list(4));
}

#[test]
fn happens_once_on_a_connection() {
    let mut harness = Harness::new();
    let connection = harness.location(&seed(1));
    harness.send(connection, harness.attach_header(connection, &[(&seed(2), Location)]), b"");
    assert_eq!(harness.take_error(connection), Code::Malformed);
    assert_eq!(holders_of(&mut harness, &[connection], mailbox(&seed(1))), [connection]);
    assert_eq!(holders_of(&mut harness, &[connection], mailbox(&seed(2))), []);
}

#[test]
fn happens_once_also_while_the_store_is_asked() {
    let mut harness = Harness::with_turn();
    harness.store_answers = false;
    let connection = harness.connect();
    for _ in 0..2 {
        harness.send(connection, harness.attach_header(connection, &[(&seed(1), Guest)]), b"");
    }
    assert_eq!(harness.take_error(connection), Code::Malformed);
    harness.input(Input::Member { connection, member: true });
    assert!(matches!(harness.take_one(connection), Header::Attached { .. }));
    harness.input(Input::Member { connection, member: true });
    assert_eq!(harness.take(connection), [], "a late answer of the store");
}

#[test]
fn replaces_the_older_session_of_a_location_for_good() {
    let mut harness = Harness::new();
    let (location, guest) = (seed(1), seed(2));
    let older = harness.attached(&[(&location, Location), (&guest, Guest)]);
    let newer = harness.location(&location);
    assert_eq!(harness.take_one(older), Header::Replaced {});
    assert_eq!(harness.closed[&older], Code::Replaced);
    assert_eq!(holders_of(&mut harness, &[older, newer], mailbox(&location)), [newer]);
    assert_eq!(
        holders_of(&mut harness, &[older, newer], mailbox(&guest)),
        [],
        "the guest mailbox went with it"
    );
    harness.disconnect(older);
    assert_eq!(
        holders_of(&mut harness, &[newer], mailbox(&location)),
        [newer],
        "a late disconnect changes nothing"
    );
}

#[test]
fn replaces_whoever_opened_the_mailbox_as_the_other_kind() {
    let mut harness = Harness::new();
    let guests = [harness.guest(&seed(1)), harness.guest(&seed(1))];
    let location = harness.location(&seed(1));
    assert_eq!(distinct(&harness.closed.keys().copied().collect::<Vec<_>>()), distinct(&guests));
    harness.guest(&seed(1));
    assert_eq!(harness.closed[&location], Code::Replaced);
}

#[test]
fn guest_mailboxes_reach_up_to_eight_locations() {
    let mut harness = Harness::new();
    let guest = seed(9);
    let locations: Vec<Seed> = (10..18).map(seed).collect();
    let mut connections: Vec<_> =
        locations.iter().map(|location| harness.attached(&[(location, Location), (&guest, Guest)])).collect();
    assert_eq!(holders_of(&mut harness, &connections, mailbox(&guest)), connections);

    let ninth = harness.connect();
    harness.send(ninth, harness.attach_header(ninth, &[(&guest, Guest)]), b"");
    assert_eq!(harness.take_error(ninth), Code::Quota);
    connections[0] = harness.attached(&[(&locations[0], Location), (&guest, Guest)]);
    harness.disconnect(connections[1]);
    harness.send(ninth, harness.attach_header(ninth, &[(&guest, Guest)]), b"");
    assert!(matches!(harness.take_one(ninth), Header::Attached { .. }));
    connections[1] = ninth;
    assert_eq!(distinct(&holders_of(&mut harness, &connections, mailbox(&guest))), distinct(&connections));
}
