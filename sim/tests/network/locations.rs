//! A contact with several locations: the first answer wins, the others are told.

use crate::cast::{LONG, Pair, links_opened};
use openpeer_core::peer::{Input, Output};
use openpeer_sim::{Path, Peer};
use std::cell::RefCell;
use std::rc::Rc;

/// Bob has a second device that Alice knows too.
fn with_second_device(seed: u64) -> (Pair, Peer) {
    let mut pair = Pair::contacts(seed);
    let second = pair.world.add_location(pair.bob, "bob's second");
    pair.world.start(second);
    pair.world.run_for(5_000);
    pair.world.tell_siblings(&[pair.bob, second]);
    pair.world.run_for(5_000);
    let alice = pair.world.id(pair.alice);
    let request = pair.world.connect_contact(second, alice);
    let link = pair.linked(second, request);
    pair.world.run_for(2_000);
    pair.world.feed(second, Input::CloseLink { link });
    pair.world.run_for(LONG);
    (pair, second)
}

#[test]
fn the_first_answer_wins_and_the_other_device_stops() {
    for nearer_is_second in [false, true] {
        let (mut pair, second) = with_second_device(1);
        let far = if nearer_is_second { pair.bob } else { second };
        let (far_host, server) =
            (pair.world.peer_host(far), pair.world.server_host(pair.world.server(pair.b)));
        pair.world.set_path(far_host, server, Path::steady(120));
        let prepared = Rc::new(RefCell::new((0, 0)));
        let count = Rc::clone(&prepared);
        pair.world.tamper_with_outputs(
            far,
            Box::new(move |output| {
                match &output {
                    Output::PrepareLink { .. } => count.borrow_mut().0 += 1,
                    Output::EndLink { .. } => count.borrow_mut().1 += 1,
                    _ => {}
                }
                vec![output]
            }),
        );
        let before = links_opened(&pair.world, far);
        let bob = pair.world.id(pair.bob);
        let request = pair.world.connect_contact(pair.alice, bob);
        pair.linked(pair.alice, request);
        pair.world.run_for(5_000);
        assert_eq!(*prepared.borrow(), (1, 1), "it was asked, and stopped long before any time-out");
        assert_eq!(links_opened(&pair.world, far), before);
        assert_eq!(pair.world.open_links(pair.alice).len(), 1);
        let near = if nearer_is_second { second } else { pair.bob };
        assert_eq!(pair.world.open_links(near).len(), 1);
        assert_eq!(pair.world.violations(), [""; 0]);
    }
}

#[test]
fn a_device_that_is_away_does_not_matter() {
    for away_is_second in [false, true] {
        let (mut pair, second) = with_second_device(2);
        let (away, there) = if away_is_second { (second, pair.bob) } else { (pair.bob, second) };
        pair.world.crash(away);
        pair.world.run_for(1_000);
        let bob = pair.world.id(pair.bob);
        let request = pair.world.connect_contact(pair.alice, bob);
        pair.linked(pair.alice, request);
        pair.world.run_for(1_000);
        assert_eq!(pair.world.open_links(there).len(), 1);
    }
}

/// A stranger's knock reaches all devices, and one yes is enough.
#[test]
fn a_knock_rings_everywhere() {
    let (mut pair, second) = with_second_device(3);
    let carol = pair.world.add_peer("carol", &[pair.a]);
    pair.world.start(carol);
    pair.world.run_for(5_000);
    let request = pair.world.connect(carol, "bob@b.test");
    pair.linked(carol, request);
    pair.world.run_for(2_000);
    for device in [pair.bob, second] {
        let knocks = |event: &_| matches!(event, openpeer_core::peer::Event::Knock { .. });
        assert!(crate::cast::told(&pair.world, device, knocks), "{device:?}");
    }
    assert_eq!(pair.world.open_links(carol).len(), 1);
}
