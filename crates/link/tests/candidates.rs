//! Which candidates are offered, taken and checked; in virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod common;

use common::{ANSWERER, Net, SEEKER, address};
use openpeer_link::machine::{Event, MachineConfig, Server, Transmit};
use openpeer_link::{Candidate, PrivateCandidates};
use std::net::SocketAddr;
use std::time::Duration;
use stun_proto::types::attribute::XorMappedAddress;
use stun_proto::types::message::{Message, MessageWriteVec};
use stun_proto::types::prelude::*;

const STUN: ([u8; 4], u16) = ([198, 51, 100, 1], 3478);

fn candidate(address: &str, port: u16) -> Candidate {
    Candidate(format!("candidate:1 1 udp 2130706431 {address} {port} typ host"))
}

#[test]
fn unusable_candidates_are_refused_and_counted() {
    let mut net = Net::open(1);
    let now = net.now;
    let machine = &mut net.machines[SEEKER];
    for (candidate, code) in [
        (candidate("a3c1f0c2-0d9b-4f0e-8f6e-0a1b2c3d4e5f.local", 5000), "candidate-mdns"),
        (candidate("127.0.0.1", 5000), "candidate-forbidden"),
        (candidate("203.0.113.1", 0), "candidate-forbidden"),
        (candidate("not an address", 1), "malformed"),
        (Candidate("candidate:1 1 tcp 1 203.0.113.1 9 typ host".to_owned()), "candidate-transport"),
    ] {
        assert_eq!(machine.add_remote_candidate(&candidate, now).unwrap_err().code(), code);
    }
    assert_eq!(machine.report(false).remote_refused, 5);
}

#[test]
fn no_more_than_sixteen_candidates_are_checked() {
    let mut net = Net::open(2);
    let now = net.now;
    let machine = &mut net.machines[SEEKER];
    for number in 0..15 {
        machine.add_remote_candidate(&candidate("203.0.113.1", 5000 + number), now).unwrap();
    }
    // The same again is no news.
    machine.add_remote_candidate(&candidate("203.0.113.1", 5000), now).unwrap();
    let one_more = machine.add_remote_candidate(&candidate("203.0.113.2", 5000), now);
    assert_eq!(one_more.unwrap_err().code(), "limit-exceeded");
    let mut parameters = net.machines[ANSWERER].local_parameters();
    parameters.candidates = (0..17).map(|number| candidate("203.0.113.1", 6000 + number)).collect();
    let mut other = Net::new(3);
    assert_eq!(other.machines[SEEKER].start(&parameters, other.now).unwrap_err().code(), "limit-exceeded");
}

#[test]
fn candidates_found_after_the_parameters_were_given_trickle() {
    let mut net = Net::new(4);
    let parameters = net.machines[SEEKER].local_parameters();
    assert_eq!(parameters.candidates.len(), 1);
    net.add_address(SEEKER, ([10, 0, 7, 7], 4000).into());
    net.run_for(Duration::ZERO);
    let found = net.events[SEEKER].iter().find_map(|event| match event {
        Event::LocalCandidate(candidate) => Some(candidate.0.clone()),
        _ => None,
    });
    assert!(found.unwrap().contains("10.0.7.7 4000 typ host"));
    assert_eq!(net.machines[SEEKER].local_parameters().candidates.len(), 2);
}

#[test]
fn a_link_needs_candidates_of_one_side_only() {
    let mut net = Net::new(5);
    let mut seeker = net.machines[SEEKER].local_parameters();
    let answerer = net.machines[ANSWERER].local_parameters();
    seeker.candidates.clear();
    let now = net.now;
    net.machines[ANSWERER].start(&seeker, now).unwrap();
    net.machines[SEEKER].start(&answerer, now).unwrap();
    net.run_until_open();
}

/// Answers binding requests to the STUN server, as if each node were behind a NAT with this address.
fn behind_nats(net: &mut Net, mapped: [SocketAddr; 2]) {
    net.tap = Some(Box::new(move |transmit, _| {
        if transmit.destination != STUN.into() {
            return None;
        }
        let request = Message::from_bytes(&transmit.payload).unwrap();
        let node = usize::from(transmit.source != address(SEEKER));
        let mut response = Message::builder_success(&request, MessageWriteVec::new());
        response.add_attribute(&XorMappedAddress::new(mapped[node], request.transaction_id())).unwrap();
        let payload = response.finish();
        Some(vec![Transmit { source: transmit.destination, destination: transmit.source, payload }])
    }));
}

/// Two strangers, each told the other's reflexive address by trickling.
fn strangers(mapped: [SocketAddr; 2]) -> Net {
    let config =
        MachineConfig { private_candidates: PrivateCandidates::SharedReflexive, ..MachineConfig::default() };
    let mut net = Net::with_config(6, &config);
    behind_nats(&mut net, mapped);
    net.start();
    for node in [SEEKER, ANSWERER] {
        net.add_server(node, Server::Stun(STUN.into()));
    }
    net.run_for(Duration::from_millis(200));
    for node in [SEEKER, ANSWERER] {
        let candidates: Vec<_> = net.events[node]
            .iter()
            .filter_map(|event| {
                if let Event::LocalCandidate(candidate) = event { Some(candidate.clone()) } else { None }
            })
            .collect();
        assert_eq!(candidates.len(), 1);
        for candidate in candidates {
            let now = net.now;
            net.machines[1 - node].add_remote_candidate(&candidate, now).unwrap();
        }
    }
    net
}

#[test]
fn strangers_behind_one_nat_meet_inside() {
    let mut net = strangers([([203, 0, 113, 9], 1111).into(), ([203, 0, 113, 9], 2222).into()]);
    net.run_until_open();
}

#[test]
fn a_strangers_private_address_is_not_probed() {
    let mut net = strangers([([203, 0, 113, 9], 1111).into(), ([203, 0, 113, 10], 2222).into()]);
    net.run_for(Duration::from_secs(20));
    for node in [SEEKER, ANSWERER] {
        let report = net.machines[node].report(true);
        assert_eq!(report.remote_refused, 1);
        assert!(!report.pairs.is_empty());
        let is_private = |remote: SocketAddr| remote == address(1 - node);
        assert!(report.pairs.iter().all(|pair| !is_private(pair.addresses.unwrap().remote)));
    }
}

#[test]
fn a_binding_is_refreshed_until_the_link_is_up() {
    let mut net = Net::new(7);
    behind_nats(&mut net, [([203, 0, 113, 9], 1111).into(), ([203, 0, 113, 9], 2222).into()]);
    net.add_server(SEEKER, Server::Stun(STUN.into()));
    let sent = net.sent;
    net.run_for(Duration::from_secs(65));
    assert_eq!(net.sent - sent, 4, "one request and a refresh every 20 s");
    net.start();
    net.run_until_open();
    let mut asked = 0;
    net.tap = Some(Box::new(move |transmit, _| {
        asked += usize::from(transmit.destination == STUN.into());
        assert_eq!(asked, 0, "refreshed beside a working path");
        None
    }));
    net.run_for(Duration::from_secs(60));
}
