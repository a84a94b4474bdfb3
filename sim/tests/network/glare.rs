//! Two contacts that find each other at the same time: one link, and both requests get it.

use crate::cast::{LONG, Pair, open_link};
use openpeer_core::Code;
use openpeer_core::peer::{Event, RequestId};
use openpeer_sim::Outage;

/// Alice begins, Bob follows after `apart` milliseconds. Returns both requests.
fn both(pair: &mut Pair, apart: u64) -> (RequestId, RequestId) {
    let (alice_id, bob_id) = (pair.world.id(pair.alice), pair.world.id(pair.bob));
    let first = pair.world.connect_contact(pair.alice, bob_id);
    pair.world.run_for(apart);
    (first, pair.world.connect_contact(pair.bob, alice_id))
}

#[test]
fn whatever_the_order_there_is_one_link_for_both() {
    for apart in (0..400).step_by(20) {
        let mut pair = Pair::contacts(apart);
        let (first, second) = both(&mut pair, apart);
        pair.linked(pair.alice, first);
        pair.linked(pair.bob, second);
        pair.world.run_for(LONG);
        for peer in [pair.alice, pair.bob] {
            assert_eq!(pair.world.open_links(peer).len(), 1, "{apart} ms apart: {peer:?}");
        }
        assert_eq!(pair.world.violations(), [""; 0], "{apart} ms apart");
    }
}

/// Links that lost must not come up later and push the winner aside.
#[test]
fn no_link_is_replaced_by_the_one_that_lost() {
    for apart in (0..200).step_by(20) {
        let mut pair = Pair::contacts(apart);
        let before = [pair.alice, pair.bob].map(|peer| pair.world.diary(peer).len());
        both(&mut pair, apart);
        pair.world.run_for(LONG);
        for (peer, before) in [pair.alice, pair.bob].into_iter().zip(before) {
            let told = &pair.world.diary(peer)[before..];
            assert!(
                !told.iter().any(|(_, event)| matches!(event, Event::LinkEnded { .. })),
                "{apart} ms apart"
            );
            assert_eq!(pair.world.alarms(peer), [], "{apart} ms apart");
        }
    }
}

/// The find that would win hangs at a finder; the other one gets through and must not be lost with it.
#[test]
fn a_find_that_gets_through_is_not_lost_to_one_that_does_not() {
    let mut won_by = [0, 0];
    for seed in 0..12 {
        let mut pair = Pair::contacts(seed);
        let bobs = pair.world.server(pair.b);
        let (alice_id, bob_id) = (pair.world.id(pair.alice), pair.world.id(pair.bob));
        // Warm connections, so that finds leave at once.
        let (link, _) = pair.find();
        pair.drop_link(link);
        pair.world.fail(bobs, Outage::Frozen);
        let (first, second) = both(&mut pair, 0);
        pair.linked(pair.bob, second);
        let linked = open_link(&pair.world, pair.alice, bob_id).is_some();
        assert!(linked && open_link(&pair.world, pair.bob, alice_id).is_some(), "seed {seed}");
        let outcome = pair.world.outcome(pair.alice, first);
        match outcome {
            Some(Ok(_)) => won_by[0] += 1,
            None | Some(Err(_)) => won_by[1] += 1,
        }
    }
    assert_eq!(won_by, [12, 0], "Alice's request gets Bob's link");
}

#[test]
fn a_cancelled_request_takes_its_find_along() {
    let mut pair = Pair::contacts(3);
    let bob_id = pair.world.id(pair.bob);
    let request = pair.world.connect_contact(pair.alice, bob_id);
    pair.world.run_for(200);
    pair.world.feed(pair.alice, openpeer_core::peer::Input::Cancel { request });
    assert_eq!(pair.fails(pair.alice, request), Code::Cancelled);
    pair.world.run_for(LONG);
    for peer in [pair.alice, pair.bob] {
        assert_eq!(pair.world.open_links(peer), [], "{peer:?}");
    }
}
