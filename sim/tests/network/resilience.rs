//! What breaks and comes back: finders, programs, keys.

use crate::cast::{LONG, Pair, open_link};
use openpeer_core::Code;
use openpeer_core::defaults::ATTACH_RETRY_MAX;
use openpeer_core::peer::{ContactState, Input};
use openpeer_sim::{Manners, Outage, Path, Peer, World};
use std::collections::BTreeMap;

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

#[test]
fn two_runs_of_one_seed_are_alike_and_of_two_seeds_are_not() {
    let traces = [1, 1, 2].map(|seed| openpeer_sim::story::play(seed).trace);
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
}

#[test]
fn a_location_is_findable_two_seconds_after_its_finder_is_back() {
    for away in [100, SECOND, 10 * SECOND, 100 * SECOND, 9 * 60 * SECOND] {
        let mut pair = Pair::contacts(away);
        let server = pair.world.server(pair.b);
        pair.world.fail(server, Outage::Killed);
        pair.world.run_for(away);
        pair.world.repair(server, Outage::Killed);
        pair.world.run_for(2 * SECOND);
        assert!(pair.world.is_online(pair.bob), "{away} ms away");
        pair.find();
    }
}

/// Locations of one finder, all attached.
fn crowd(size: usize) -> (World, Vec<Peer>) {
    let mut world = World::new(1);
    let domain = world.add_domain("a.test");
    let crowd: Vec<Peer> = (0..size).map(|number| world.add_peer(&number.to_string(), &[domain])).collect();
    for peer in &crowd {
        world.start(*peer);
        world.run_for(5);
    }
    world.run_for(5 * SECOND);
    assert!(crowd.iter().all(|peer| world.is_online(*peer)));
    (world, crowd)
}

#[test]
fn a_thousand_locations_do_not_come_back_in_one_burst() {
    let (mut world, crowd) = crowd(1_000);
    let server = world.server(world.domains().next().expect("there is one"));
    let dialled_before = world.dials().len();
    world.fail(server, Outage::Killed);
    world.run_for(5 * SECOND);
    let back = world.now();
    world.repair(server, Outage::Killed);
    world.run_for(2 * SECOND);
    let missing = crowd.iter().filter(|peer| !world.is_online(**peer)).count();
    assert_eq!(missing, 0, "all are back within two seconds");
    let mut histogram = BTreeMap::<u64, usize>::new();
    for (at, _) in world.dials()[dialled_before..].iter().filter(|(at, _)| *at >= back) {
        *histogram.entry(at.millis_since(back) / 100).or_default() += 1;
    }
    let busiest = histogram.values().max().copied().unwrap_or_default();
    assert!(busiest <= 150, "at most 15 % in any tenth of a second: {histogram:?}");
    // And while it was away, each dialled at its own pace, not faster than twice in the shortest wait.
    let away = world.dials()[dialled_before..].iter().filter(|(at, _)| *at < back).count();
    assert!(away <= crowd.len() * (5 * SECOND / (ATTACH_RETRY_MAX / 4)) as usize);
}

#[test]
fn a_finder_that_hangs_or_vanishes_is_left_and_found_again() {
    for outage in [Outage::Frozen, Outage::BlackHoled] {
        let mut pair = Pair::contacts(1);
        let server = pair.world.server(pair.b);
        pair.world.fail(server, outage);
        pair.world.run_for(200 * SECOND);
        assert!(!pair.world.is_online(pair.bob), "{outage:?}: keep-alives are missed");
        pair.world.repair(server, outage);
        pair.world.run_for(15 * SECOND);
        assert!(pair.world.is_online(pair.bob), "{outage:?}");
        pair.find();
    }
}

/// b.test has two finders. Bob moves to the other one when his dies, and contacts find him at either.
#[test]
fn contacts_are_found_at_any_finder_of_their_domain() {
    for outage in [Outage::Killed, Outage::BlackHoled] {
        let mut world = World::new(1);
        let (a, b) = (world.add_domain("a.test"), world.add_domain_with("b.test", 2));
        let (alice, bob) = (world.add_peer("alice", &[a]), world.add_peer("bob", &[b]));
        world.set_manners(bob, Manners::Accept(0));
        for peer in [alice, bob] {
            world.start(peer);
        }
        world.run_for(5 * SECOND);
        world.claim(bob, "bob", b);
        world.run_for(5 * SECOND);
        let mut pair = Pair { world, a, b, alice, bob };
        let link = pair.meet();
        pair.drop_link(link);
        pair.world.run_for(LONG);
        for server in pair.world.servers_of(b) {
            pair.world.fail(server, outage);
            pair.world.run_for(200 * SECOND);
            assert!(pair.world.is_online(bob), "{outage:?}: Bob is at the other finder");
            let (link, _) = pair.find();
            pair.drop_link(link);
            pair.world.repair(server, outage);
            pair.world.run_for(SECOND);
        }
    }
}

#[test]
fn a_second_domain_stands_in_for_the_first() {
    let mut world = World::new(1);
    let [a, b, c] = ["a.test", "b.test", "c.test"].map(|name| world.add_domain(name));
    let (alice, bob) = (world.add_peer("alice", &[a]), world.add_peer("bob", &[b, c]));
    world.set_manners(bob, Manners::Accept(0));
    for peer in [alice, bob] {
        world.start(peer);
    }
    world.run_for(5 * SECOND);
    world.claim(bob, "bob", b);
    world.run_for(5 * SECOND);
    let mut pair = Pair { world, a, b, alice, bob };
    let link = pair.meet();
    pair.drop_link(link);
    for outage in [Outage::Killed, Outage::Frozen, Outage::BlackHoled] {
        let server = pair.world.server(b);
        pair.world.fail(server, outage);
        let start = pair.world.now();
        let (link, open) = pair.find();
        assert!(open.millis_since(start) <= 15 * SECOND, "{outage:?}: {} ms", open.millis_since(start));
        pair.drop_link(link);
        pair.world.repair(server, outage);
        pair.world.run_for(30 * SECOND);
    }
}

/// The domain moves its finder to another address while Bob's program runs.
#[test]
fn a_domain_may_move_its_finder() {
    let mut pair = Pair::contacts(1);
    let elsewhere = pair.world.add_server_to(pair.b, "wss://new.b.test/finder");
    let old = pair.world.server(pair.b);
    pair.world.set_finders(pair.b, vec![pair.world.url(elsewhere)]);
    pair.world.fail_finder(old);
    pair.world.run_for(60 * SECOND);
    assert!(pair.world.is_online(pair.bob));
}

/// Bob's program dies before any of its outputs, from the knock to the end of the first link.
#[test]
fn a_program_may_die_between_any_two_outputs() {
    for outputs in 0..60 {
        let mut pair = Pair::strangers(outputs);
        let (alice, bob) = (pair.alice, pair.bob);
        let id = pair.world.id(bob);
        pair.world.light_fuse(bob, outputs as u32);
        pair.world.connect(alice, "bob@b.test");
        pair.world.run_for(20 * SECOND);
        pair.world.put_out_fuse(bob);
        if !pair.world.is_running(bob) {
            pair.world.start(bob);
        }
        pair.world.run_for(30 * SECOND);
        assert_eq!(pair.world.id(bob), id);
        // If the first attempt was lost, Alice tries once more.
        if pair.world.contact_state(alice, id) != ContactState::Contact {
            pair.world.connect(alice, "bob@b.test");
            pair.world.run_for(30 * SECOND);
        }
        for (link, _) in pair.world.open_links(alice) {
            pair.world.feed(alice, Input::CloseLink { link });
        }
        pair.world.run_for(5 * SECOND);
        let request = pair.world.connect_contact(alice, id);
        pair.linked(alice, request);
        assert_eq!(pair.world.violations(), [""; 0], "after {outputs} outputs");
    }
}

/// After a restored backup Bob does not know the newest pre-shared keys, but he knows Alice's root.
#[test]
fn a_lost_pre_shared_key_costs_one_more_try() {
    let mut pair = Pair::contacts(1);
    let backup = pair.world.add_copy(pair.bob, "bob restored");
    for _ in 0..3 {
        let (link, _) = pair.find();
        pair.world.run_for(SECOND);
        pair.drop_link(link);
    }
    pair.world.crash(pair.bob);
    pair.world.start(backup);
    pair.world.run_for(5 * SECOND);
    pair.bob = backup;
    pair.find();
    assert!(pair.world.alarms(backup).contains(&Code::NotContact));
}

#[test]
fn contacts_meet_again_after_two_weeks_apart() {
    let mut pair = Pair::contacts(1);
    pair.world.crash(pair.alice);
    pair.world.run_for(14 * DAY);
    pair.world.start(pair.alice);
    pair.world.run_for(5 * SECOND);
    pair.find();
}

#[test]
fn a_rotation_reaches_contacts_in_band_or_with_the_next_find() {
    for linked in [false, true] {
        let mut pair = Pair::contacts(1);
        if linked {
            pair.find();
        }
        let code = pair.world.recovery_code(pair.bob).clone();
        pair.world.rotate(pair.bob, &code);
        pair.world.run_for(20 * SECOND);
        let bob = pair.world.id(pair.bob);
        if let Some(link) = open_link(&pair.world, pair.alice, bob) {
            pair.drop_link(link);
        }
        // Both directions, again after a restart of the rotated one, and from a stranger.
        let (link, _) = pair.find();
        pair.drop_link(link);
        pair.world.crash(pair.bob);
        pair.world.start(pair.bob);
        pair.world.run_for(5 * SECOND);
        let alice = pair.world.id(pair.alice);
        let request = pair.world.connect_contact(pair.bob, alice);
        pair.linked(pair.bob, request);
        let carol = pair.world.add_peer("carol", &[pair.a]);
        pair.world.start(carol);
        pair.world.run_for(5 * SECOND);
        let request = pair.world.connect(carol, "bob@b.test");
        pair.linked(carol, request);
    }
}

/// A domain that was away while its member rotated shows the new chain once it is back.
#[test]
fn a_domain_hears_of_a_rotation_that_it_missed() {
    let mut pair = Pair::contacts(1);
    let server = pair.world.server(pair.b);
    pair.world.fail(server, Outage::Killed);
    let code = pair.world.recovery_code(pair.bob).clone();
    pair.world.rotate(pair.bob, &code);
    pair.world.run_for(60 * SECOND);
    pair.world.crash(pair.bob);
    pair.world.repair(server, Outage::Killed);
    pair.world.start(pair.bob);
    pair.world.run_for(10 * SECOND);
    let carol = pair.world.add_peer("carol", &[pair.a]);
    pair.world.start(carol);
    pair.world.run_for(5 * SECOND);
    let request = pair.world.connect(carol, "bob@b.test");
    pair.linked(carol, request);
}

/// A knock waits at the domain for a peer who is away, for a week.
#[test]
fn a_knock_waits_for_who_is_away() {
    for (days, arrives) in [(6, true), (8, false)] {
        let mut pair = Pair::strangers(1);
        pair.world.crash(pair.bob);
        let request = pair.world.connect(pair.alice, "bob@b.test");
        pair.world.run_for(5 * SECOND);
        // The finder may be restarted meanwhile.
        let server = pair.world.server(pair.b);
        pair.world.restart(server);
        pair.world.run_for(days * DAY);
        pair.world.start(pair.bob);
        pair.world.run_for(60 * SECOND);
        let linked = matches!(pair.world.outcome(pair.alice, request), Some(Ok(_)));
        assert_eq!(linked, arrives, "after {days} days");
    }
}

#[test]
fn loss_reordering_and_duplication_delay_and_nothing_else() {
    for seed in 0..5 {
        let path = Path { latency: 60, jitter: 50, loss: 150, duplication: 150 };
        let mut pair = Pair::contacts_over(seed, path);
        pair.find();
        assert_eq!(pair.world.violations(), [""; 0]);
    }
}

/// The finder is there, but the web server beside it fails for some minutes.
#[test]
fn a_domain_whose_web_server_fails_hears_of_a_rotation_later() {
    let mut pair = Pair::contacts(1);
    let server = pair.world.server(pair.b);
    let failing = |_: &openpeer_core::peer::HttpRequest, _| openpeer_core::peer::HttpResponse {
        status: 500,
        body: Vec::new(),
    };
    pair.world.tamper_with_web(server, Box::new(failing));
    let code = pair.world.recovery_code(pair.bob).clone();
    pair.world.rotate(pair.bob, &code);
    pair.world.run_for(60 * SECOND);
    pair.world.stop_tampering(server);
    pair.world.run_for(400 * SECOND);
    let carol = pair.world.add_peer("carol", &[pair.a]);
    pair.world.start(carol);
    pair.world.run_for(5 * SECOND);
    let request = pair.world.connect(carol, "bob@b.test");
    pair.linked(carol, request);
}

/// Alice hears of Bob's rotation from his find and closes the link before his new documents arrive. What his location
/// gave her before is still good.
#[test]
fn a_link_closed_early_after_a_rotation_leaves_a_way_back() {
    let mut pair = Pair::contacts(1);
    let (alice_id, bob_id) = (pair.world.id(pair.alice), pair.world.id(pair.bob));
    let code = pair.world.recovery_code(pair.bob).clone();
    pair.world.rotate(pair.bob, &code);
    pair.world.run_for(10 * SECOND);
    pair.world.connect_contact(pair.bob, alice_id);
    let alice = pair.alice;
    assert!(pair.world.run_until(LONG, |world| open_link(world, alice, bob_id).is_some()));
    let link = open_link(&pair.world, alice, bob_id).expect("it is open");
    pair.world.feed(alice, Input::CloseLink { link });
    pair.world.run_for(5 * SECOND);
    // Without asking Bob's domain who he is.
    pair.world.tamper_with_web(
        pair.world.server(pair.b),
        Box::new(|_, _| openpeer_core::peer::HttpResponse { status: 500, body: Vec::new() }),
    );
    pair.find();
}
