//! How many round trips it takes until a link is open at both ends, transport handshakes included.

use crate::cast::{Pair, open_link};
use openpeer_sim::{Manners, Outage, Path};

/// One way between any two sites; whoever is at home with a domain is next door to its server. So every kind of round
/// trip, through a finder or direct, takes the same time, and time is a number of round trips.
const LATENCY: u64 = 50;
const ROUND_TRIP: u64 = 2 * LATENCY;
/// TCP, TLS 1.3, WebSocket upgrade.
const DIAL: u64 = 3;
/// TCP, TLS 1.3, request.
const FETCH: u64 = 3;
/// ICE, DTLS 1.3, SCTP.
const LINK: u64 = 3;
/// Find and answer.
const EXCHANGE: u64 = 1;

fn neighbours(mut pair: Pair) -> Pair {
    for (peer, domain) in [(pair.alice, pair.a), (pair.bob, pair.b)] {
        let (device, server) =
            (pair.world.peer_host(peer), pair.world.server_host(pair.world.server(domain)));
        pair.world.set_path(device, server, Path::steady(0));
    }
    pair.world.run_for(1_000);
    pair
}

fn contacts() -> Pair {
    neighbours(Pair::contacts_over(1, Path::steady(LATENCY)))
}

#[test]
fn a_contact_with_a_warm_finder_costs_one_and_three() {
    let mut pair = contacts();
    let (link, _) = pair.find();
    pair.drop_link(link);
    pair.world.run_for(1_000);
    let start = pair.world.now();
    let (_, open) = pair.find();
    assert_eq!(open.millis_since(start), (EXCHANGE + LINK) * ROUND_TRIP);
    assert_eq!(pair.world.violations(), [""; 0]);
}

#[test]
fn a_cold_finder_costs_three_more() {
    let mut pair = contacts();
    let start = pair.world.now();
    let (_, open) = pair.find();
    assert_eq!(open.millis_since(start), (DIAL + EXCHANGE + LINK) * ROUND_TRIP);
}

#[test]
fn a_contact_calls_back_at_the_same_cost() {
    let mut pair = contacts();
    let (alice, bob, alice_id, bob_id) =
        (pair.alice, pair.bob, pair.world.id(pair.alice), pair.world.id(pair.bob));
    let start = pair.world.now();
    pair.world.connect_contact(bob, alice_id);
    assert!(pair.world.run_until(10_000, |world| open_link(world, alice, bob_id).is_some()));
    assert!(pair.world.run_until(10_000, |world| open_link(world, bob, alice_id).is_some()));
    assert_eq!(pair.world.now().millis_since(start), (DIAL + EXCHANGE + LINK) * ROUND_TRIP);
}

/// The knock goes one way; the yes is a find from a peer that has never heard of the knocker's domain.
#[test]
fn a_first_contact_by_name_costs_the_knock_and_a_cold_find_back() {
    let mut pair = neighbours(Pair::strangers_over(1, Path::steady(LATENCY)));
    pair.world.set_manners(pair.bob, Manners::Accept(0));
    let (alice, bob) = (pair.alice, pair.bob);
    let (alice_id, bob_id) = (pair.world.id(alice), pair.world.id(bob));
    let start = pair.world.now();
    pair.world.connect(alice, "bob@b.test");
    assert!(pair.world.run_until(60_000, |world| {
        open_link(world, alice, bob_id).is_some() && open_link(world, bob, alice_id).is_some()
    }));
    let knock = (FETCH + DIAL) * ROUND_TRIP + LATENCY;
    let find = (FETCH + DIAL + EXCHANGE + LINK) * ROUND_TRIP;
    assert_eq!(pair.world.now().millis_since(start), knock + find);
}

/// The agreement on a pre-shared key, the exchange of documents and their checks do not hold up the link, and neither
/// does a STUN server that does not answer.
#[test]
fn nothing_waits_for_stun() {
    let mut pair = contacts();
    pair.world.fail(pair.world.server(pair.a), Outage::BlackHoled);
    let start = pair.world.now();
    let (_, open) = pair.find();
    assert_eq!(open.millis_since(start), (DIAL + EXCHANGE + LINK) * ROUND_TRIP);
}
