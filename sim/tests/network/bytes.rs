//! What an introduction costs the servers.

use crate::cast::Pair;
use openpeer_sim::World;

/// In and out, all frames of exchanges, at both domains.
fn exchange_bytes(world: &World) -> u64 {
    let servers = world.domains().map(|domain| world.server(domain));
    servers
        .map(|server| world.counters(server).exchange)
        .map(|traffic| traffic.bytes_in + traffic.bytes_out)
        .sum()
}

const LIMIT: u64 = 16 * 1024;

#[test]
fn an_introduction_of_contacts_stays_below_sixteen_kibibytes() {
    let mut pair = Pair::contacts(1);
    let before = exchange_bytes(&pair.world);
    pair.find();
    // Whatever still trickles belongs to it.
    pair.world.run_for(5_000);
    let spent = exchange_bytes(&pair.world) - before;
    assert!(spent > 0 && spent <= LIMIT, "{spent} bytes");
}

#[test]
fn a_link_costs_the_servers_nothing() {
    let mut pair = Pair::contacts(1);
    pair.find();
    pair.world.run_for(5_000);
    let before = exchange_bytes(&pair.world);
    pair.world.feed(pair.alice, openpeer_core::peer::Input::RenewDocuments);
    pair.world.run_for(60_000);
    assert_eq!(exchange_bytes(&pair.world), before);
}
