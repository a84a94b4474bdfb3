//! The whole link stack in virtual time.

mod common;

use common::{ANSWERER, Net, SEEKER};
use openpeer_link::machine::Event;
use std::time::Duration;

#[test]
fn opens_within_four_and_a_half_round_trips_of_the_answer() {
    let mut net = Net::new(1);
    net.start();
    let started = net.now;
    net.run_until_open();
    let round_trip = net.delay * 2;
    let took = net.now - started;
    assert!(took <= round_trip * 9 / 2, "{took:?}");
    assert_eq!(net.machines[SEEKER].dtls(), Some("1.3"));
    assert!(net.has_event(ANSWERER, &Event::Open));
}

#[test]
fn carries_messages_both_ways() {
    let mut net = Net::open(2);
    let (near, far) = net.open_channel(SEEKER, "chat");
    net.write_all(SEEKER, near, [b"hello".to_vec(), vec![1], vec![7; 65536]]);
    net.run_until("three messages", Duration::from_secs(10), |net| net.messages(ANSWERER, far).len() == 3);
    assert_eq!(net.messages(ANSWERER, far), [b"hello".to_vec(), vec![1], vec![7; 65536]]);
}
