//! Servers that die, hang or vanish before, while and after two peers meet.

use crate::cast::{LONG, Pair, outcome, told};
use openpeer_core::Code;
use openpeer_core::peer::{Event, Input};
use openpeer_sim::{Outage, World};

const OUTAGES: [Outage; 3] = [Outage::Killed, Outage::Frozen, Outage::BlackHoled];

fn fail_all(world: &mut World, outage: Outage) {
    let servers: Vec<_> = world.domains().map(|domain| world.server(domain)).collect();
    for server in servers {
        world.fail(server, outage);
    }
}

#[test]
fn at_any_moment_before_the_link_there_is_a_link_or_a_clear_error() {
    for outage in OUTAGES {
        let mut ends = [false; 2];
        for delay in (0..700).step_by(35) {
            let mut pair = Pair::contacts(delay);
            let bob_id = pair.world.id(pair.bob);
            let request = pair.world.connect_contact(pair.alice, bob_id);
            pair.world.run_for(delay);
            fail_all(&mut pair.world, outage);
            let alice = pair.alice;
            assert!(
                pair.world.run_until(LONG, |world| outcome(world, alice, request).is_some()),
                "{outage:?} {delay}"
            );
            match outcome(&pair.world, alice, request) {
                Some(Ok(_)) => ends[0] = true,
                Some(Err(Code::FinderUnreachable | Code::Timeout | Code::DomainUnreachable)) => {
                    ends[1] = true
                }
                other => panic!("{outage:?} after {delay} ms: {other:?}"),
            }
            assert_eq!(pair.world.violations(), [""; 0]);
        }
        assert_eq!(ends, [true; 2], "{outage:?}: early deaths prevent the link, late ones do not");
    }
}

#[test]
fn a_link_needs_no_server() {
    for outage in OUTAGES {
        let mut pair = Pair::contacts(7);
        let (link, _) = pair.find();
        pair.world.run_for(15_000);
        fail_all(&mut pair.world, outage);
        let end = pair.world.link_end(pair.alice, link).expect("alice's end");
        pair.world.restart_ice(pair.alice, link);
        assert!(pair.world.run_until(LONG, |world| world.restarts(end) == 1), "{outage:?}: ICE restarts");
        pair.world.feed(pair.alice, Input::RenewDocuments);
        let (bob, alice_id) = (pair.bob, pair.world.id(pair.alice));
        let updated = |event: &Event| matches!(event, Event::DocumentsUpdated { peer } if *peer == alice_id);
        assert!(
            pair.world.run_until(LONG, |world| told(world, bob, updated)),
            "{outage:?}: documents travel in band"
        );
        assert!(
            crate::cast::open_link(&pair.world, bob, alice_id).is_some(),
            "{outage:?}: the link is still there"
        );
    }
}
