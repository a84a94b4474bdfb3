//! A finder that does what it likes with the frames that pass it.

use crate::cast::{Pair, is_online, open_link};
use openpeer_core::Code;
use openpeer_core::finder::ConnectionId;
use openpeer_core::frame::{ExchangeId, Frame, Header, MailboxId};
use openpeer_sim::PassingFrame;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Alice seeks Bob through a hostile finder: no link comes of it. Returns how it failed and what alarmed Bob.
fn seek_in_vain(pair: &mut Pair) -> (Code, Vec<Code>) {
    let bob_id = pair.world.id(pair.bob);
    let before = pair.world.alarms(pair.bob).len();
    let request = pair.world.connect_contact(pair.alice, bob_id);
    let code = pair.fails(pair.alice, request);
    assert!(open_link(&pair.world, pair.bob, pair.world.id(pair.alice)).is_none());
    (code, pair.world.alarms(pair.bob)[before..].to_vec())
}

/// Alters the bodies of finds as they come in.
fn alter_finds(pair: &mut Pair, alter: impl Fn(&mut Vec<u8>) + 'static) {
    let server = pair.world.server(pair.b);
    pair.world.tamper_with_frames(
        server,
        Box::new(move |passing: PassingFrame| {
            let mut frame = Frame::decode(&passing.bytes).expect("honest clients send frames");
            if passing.from_client && matches!(frame.header, Header::Find { .. }) {
                alter(&mut frame.body);
            }
            vec![(passing.connection, frame.encode())]
        }),
    );
}

#[test]
fn cannot_rewrite_an_envelope() {
    for position in [40, 1200, 3000] {
        let mut pair = Pair::contacts(1);
        alter_finds(&mut pair, move |body| body[position] ^= 1);
        let (code, alarms) = seek_in_vain(&mut pair);
        assert_eq!(code, Code::Timeout);
        let refused = |code: &Code| matches!(code, Code::BadSignature | Code::NotContact);
        assert!(alarms.iter().any(refused), "byte {position}: {alarms:?}");
        let server = pair.world.server(pair.b);
        pair.world.stop_tampering(server);
        pair.find();
    }
}

#[test]
fn cannot_offer_a_lower_suite() {
    let mut pair = Pair::contacts(1);
    alter_finds(&mut pair, |body| body[0] = 0);
    let (_, alarms) = seek_in_vain(&mut pair);
    assert!(alarms.contains(&Code::SuiteTooOld), "{alarms:?}");
}

#[test]
fn cannot_answer_by_itself() {
    let mut pair = Pair::contacts(1);
    let server = pair.world.server(pair.b);
    let asked: Rc<RefCell<Option<(ConnectionId, ExchangeId)>>> = Rc::default();
    pair.world.tamper_with_frames(
        server,
        Box::new(move |passing: PassingFrame| {
            let frame = Frame::decode(&passing.bytes).expect("a frame");
            match frame.header {
                Header::Find { x, .. } if passing.from_client => {
                    *asked.borrow_mut() = Some((passing.connection, x));
                    vec![(passing.connection, passing.bytes)]
                }
                Header::Find { .. } => {
                    let Some((connection, x)) = *asked.borrow() else { return Vec::new() };
                    let answer = Frame { header: Header::Answer { x }, body: vec![7; 32 + 2048 + 16] };
                    vec![(connection, answer.encode())]
                }
                _ => vec![(passing.connection, passing.bytes)],
            }
        }),
    );
    let (code, _) = seek_in_vain(&mut pair);
    assert_eq!(code, Code::BadSignature);
    assert!(pair.world.alarms(pair.alice).contains(&Code::BadSignature));
}

#[test]
fn cannot_deliver_a_find_to_another_peer() {
    let mut pair = Pair::contacts(1);
    let server = pair.world.server(pair.b);
    let attached: Rc<RefCell<BTreeMap<ConnectionId, MailboxId>>> = Rc::default();
    let seen = attached.clone();
    pair.world.tamper_with_frames(
        server,
        Box::new(move |passing: PassingFrame| {
            let mut frame = Frame::decode(&passing.bytes).expect("a frame");
            if let (true, Header::Attach { mailboxes, .. }) = (passing.from_client, &frame.header) {
                seen.borrow_mut().insert(passing.connection, MailboxId::of(&mailboxes[0].key));
            }
            if let (false, Header::Find { to, .. }) = (passing.from_client, &mut frame.header)
                && let Some((carol, mailbox)) = seen.borrow().iter().next()
            {
                *to = *mailbox;
                return vec![(*carol, frame.encode())];
            }
            vec![(passing.connection, passing.bytes)]
        }),
    );
    let carol = pair.world.add_peer("carol", &[pair.b]);
    pair.world.start(carol);
    assert!(pair.world.run_until(crate::cast::LONG, |world| is_online(world, carol)));
    assert_eq!(attached.borrow().len(), 1, "only carol attached since");
    seek_in_vain(&mut pair);
    let alarms = pair.world.alarms(carol);
    let refused = |code: &Code| matches!(code, Code::NotContact | Code::BadSignature | Code::Expired);
    assert!(alarms.iter().any(refused), "{alarms:?}");
    assert!(pair.world.open_links(carol).is_empty());
}

#[test]
fn cannot_pass_on_the_nonce_of_another_finder() {
    let mut pair = Pair::contacts(1);
    let (honest, hostile) = (pair.world.server(pair.a), pair.world.server(pair.b));
    let spy = pair.world.add_client();
    let socket = pair.world.client_dials(spy, honest);
    assert!(pair.world.run_until(5_000, |world| !world.client_frames(spy, socket).is_empty()));
    let borrowed = pair.world.client_frames(spy, socket)[0].encode();
    pair.world.tamper_with_frames(
        hostile,
        Box::new(move |passing: PassingFrame| {
            let frame = Frame::decode(&passing.bytes).expect("a frame");
            let hello = matches!(frame.header, Header::Hello { .. });
            vec![(passing.connection, if hello { borrowed.clone() } else { passing.bytes })]
        }),
    );
    pair.world.restart(hostile);
    pair.world.run_for(10_000);
    assert!(!is_online(&pair.world, pair.bob), "bob signs nothing for this finder");
    let refused = |code: &Code| matches!(code, Code::BadSignature | Code::WrongDomain);
    assert!(pair.world.alarms(pair.bob).iter().any(refused));
    pair.world.stop_tampering(hostile);
    pair.world.restart(hostile);
    let bob = pair.bob;
    assert!(pair.world.run_until(5_000, |world| is_online(world, bob)));
}

/// Two finders of one domain share its key, so only the URL in the greeting tells whose nonce it is.
#[test]
fn cannot_pass_on_the_nonce_of_another_finder_of_its_domain() {
    let mut world = openpeer_sim::World::new(1);
    let domain = world.add_domain_with("b.test", 2);
    let servers = world.servers_of(domain);
    let spy = world.add_client();
    let borrowed = servers.iter().map(|server| {
        let socket = world.client_dials(spy, *server);
        world.run_for(1_000);
        world.client_frames(spy, socket)[0].encode()
    });
    let borrowed: Vec<_> = borrowed.collect();
    for (server, other) in [(servers[0], borrowed[1].clone()), (servers[1], borrowed[0].clone())] {
        world.tamper_with_frames(
            server,
            Box::new(move |passing: PassingFrame| {
                let frame = Frame::decode(&passing.bytes).expect("a frame");
                let hello = matches!(frame.header, Header::Hello { .. });
                vec![(passing.connection, if hello { other.clone() } else { passing.bytes })]
            }),
        );
    }
    let bob = world.add_peer("bob", &[domain]);
    world.start(bob);
    world.run_for(10_000);
    assert!(!is_online(&world, bob));
    assert!(world.alarms(bob).contains(&Code::WrongDomain));
}
