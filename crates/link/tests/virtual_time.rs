//! The whole link stack in virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod common;

use common::{ANSWERER, Net, SEEKER, address};
use openpeer_link::machine::{CONTROL, Event, MachineConfig};
use openpeer_link::{ChannelOptions, EndReason, PathKind, Reliability, StartError};
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

/// Opening, data both ways, an ICE restart in the middle, a channel of the other side, closing: with delay and loss.
#[test]
fn three_hundred_links_over_lossy_networks() {
    for seed in 0..300 {
        one_link_over_a_lossy_network(seed);
    }
}

fn one_link_over_a_lossy_network(seed: u64) {
    let mut net = Net::new(seed);
    net.delay = Duration::from_millis(1 + seed % 80);
    net.loss = u32::try_from(seed % 11).unwrap() * 10;
    net.start();
    net.run_until_open();
    let (near, far) = net.open_channel(SEEKER, "first");
    let message = |number: u8| vec![number; 700 * usize::from(number)];
    net.write_all(SEEKER, near, (1..6).map(message));
    net.restart_ice(if seed.is_multiple_of(2) { SEEKER } else { ANSWERER });
    net.write_all(SEEKER, near, (6..12).map(message));
    let (back, front) = net.open_channel(ANSWERER, "second");
    net.write_all(ANSWERER, back, [b"answer".to_vec()]);
    net.run_until("all messages", Duration::from_secs(300), |net| {
        net.messages(ANSWERER, far).len() == 11 && net.messages(SEEKER, front).len() == 1
    });
    assert_eq!(net.messages(ANSWERER, far), (1..12).map(message).collect::<Vec<_>>(), "seed {seed}");
    let now = net.now;
    net.machines[SEEKER].close(now);
    net.run_until("closed", Duration::from_secs(5), |net| net.ended(SEEKER).is_some());
    assert_eq!(net.ended(SEEKER), Some(EndReason::ClosedLocally), "seed {seed}");
}

#[test]
fn carries_messages_both_ways() {
    let mut net = Net::open(2);
    let (near, far) = net.open_channel(SEEKER, "chat");
    net.write_all(SEEKER, near, [b"hello".to_vec(), vec![1], vec![7; 65536]]);
    net.write_all(ANSWERER, far, [b"yes".to_vec()]);
    net.run_until("all messages", Duration::from_secs(10), |net| {
        net.messages(ANSWERER, far).len() == 3 && net.messages(SEEKER, near).len() == 1
    });
    assert_eq!(net.messages(ANSWERER, far), [b"hello".to_vec(), vec![1], vec![7; 65536]]);
}

#[test]
fn the_peer_of_a_channel_learns_its_options() {
    let options = [
        ChannelOptions { ordered: false, reliability: Reliability::MaxRetransmits(2) },
        ChannelOptions { ordered: true, reliability: Reliability::MaxLifetime(500) },
    ];
    let mut net = Net::open(3);
    for option in options {
        let now = net.now;
        net.machines[ANSWERER].open_channel("odd", option, now).unwrap();
        let is_there = move |event: &Event| matches!(event, Event::IncomingChannel { options, .. } if *options == option);
        net.run_until("channel", Duration::from_secs(5), |net| net.events[SEEKER].iter().any(is_there));
    }
}

#[test]
fn unreliable_messages_are_given_up_and_reliable_ones_are_not() {
    let mut net = Net::open(4);
    let options = ChannelOptions { ordered: false, reliability: Reliability::MaxRetransmits(0) };
    let now = net.now;
    let near = net.machines[SEEKER].open_channel("lossy", options, now).unwrap();
    net.run_until("channel", Duration::from_secs(5), |net| net.incoming(ANSWERER, "lossy").is_some());
    let far = net.incoming(ANSWERER, "lossy").unwrap();
    let (sure, sure_far) = net.open_channel(SEEKER, "sure");
    net.loss = 300;
    for number in 0..100 {
        net.write_all(SEEKER, near, [vec![number]]);
        net.write_all(SEEKER, sure, [vec![number]]);
        net.run_for(Duration::from_millis(200));
    }
    net.loss = 0;
    net.run_until("all reliable messages", Duration::from_secs(300), |net| {
        net.messages(ANSWERER, sure_far).len() == 100
    });
    let arrived = net.messages(ANSWERER, far).len();
    assert!((30..95).contains(&arrived), "{arrived} of 100 unreliable messages arrived");
}

#[test]
fn channel_names_and_sizes_are_checked() {
    let mut net = Net::open(5);
    let now = net.now;
    let machine = &mut net.machines[SEEKER];
    for name in ["", "openpeer/control", &"x".repeat(129)] {
        assert_eq!(
            machine.open_channel(name, ChannelOptions::default(), now).unwrap_err().code(),
            "channel-name"
        );
    }
    assert_eq!(machine.write(CONTROL, &[], now).unwrap_err().code(), "message-empty");
    assert_eq!(machine.write(CONTROL, &[0; 65537], now).unwrap_err().code(), "message-too-large");
    for number in 1..256 {
        machine.open_channel(&number.to_string(), ChannelOptions::default(), now).unwrap();
    }
    let one_more = machine.open_channel("one more", ChannelOptions::default(), now);
    assert_eq!(one_more.unwrap_err().code(), "limit-exceeded");
    net.run_for(Duration::from_secs(5));
    assert!(net.machines.iter().all(|machine| machine.is_open()));
}

#[test]
fn a_channel_closed_before_it_opened_does_not_come_back() {
    let mut net = Net::open(6);
    let now = net.now;
    let early = net.machines[SEEKER].open_channel("early", ChannelOptions::default(), now).unwrap();
    net.machines[SEEKER].close_channel(early, now);
    net.run_for(Duration::from_secs(5));
    let far = net.incoming(ANSWERER, "early").unwrap();
    assert!(net.has_event(ANSWERER, &Event::ChannelClosed(far)));
    assert!(!net.events[SEEKER].iter().any(|event| matches!(event, Event::IncomingChannel { .. })));
    // The stream can be used again.
    net.open_channel(SEEKER, "next");
}

#[test]
fn a_slow_reader_slows_the_writer_and_loses_nothing() {
    const TOTAL: usize = 400;
    let mut net = Net::open(7);
    let (near, far) = net.open_channel(SEEKER, "flood");
    net.delay = Duration::from_millis(2);
    net.reads = false;
    let mut written = 0;
    let give_up = net.now + Duration::from_secs(60);
    while written < TOTAL && net.now < give_up {
        let now = net.now;
        match net.machines[SEEKER].write(near, &[u8::try_from(written % 251).unwrap(); 16384], now) {
            Ok(()) => written += 1,
            Err(error) => {
                assert_eq!(error.code(), "would-block");
                if !net.step(give_up) {
                    break;
                }
            }
        }
    }
    // 1 MiB unread, 1 MiB of SCTP's window at most, 128 KiB written and not acknowledged.
    assert!(written * 16384 < 2_500_000, "{written} messages were taken from the writer");
    net.reads = true;
    net.read(ANSWERER);
    let rest = (written..TOTAL).map(|number| vec![u8::try_from(number % 251).unwrap(); 16384]);
    net.write_all(SEEKER, near, rest);
    net.run_until("all messages", Duration::from_secs(300), |net| net.messages(ANSWERER, far).len() == TOTAL);
    let in_order = net
        .messages(ANSWERER, far)
        .iter()
        .enumerate()
        .all(|(at, message)| usize::from(message[0]) == at % 251);
    assert!(in_order);
}

// --- ICE restart ---

#[test]
fn a_restart_moves_the_link_to_a_new_address() {
    for mover in [SEEKER, ANSWERER] {
        let mut net = Net::open(8);
        let (near, far) = net.open_channel(SEEKER, "roaming");
        let new_address = ([10, 0, 9, 9], 5000).into();
        net.remove_address(mover, address(mover));
        net.add_address(mover, new_address);
        net.restart_ice(mover);
        net.write_all(SEEKER, near, [vec![1; 40_000]]);
        net.run_until("message", Duration::from_secs(30), |net| net.messages(ANSWERER, far).len() == 1);
        assert!(net.machines[SEEKER].report(true).pairs.iter().any(|pair| {
            let addresses = pair.addresses.unwrap();
            pair.answered && (addresses.local == new_address || addresses.remote == new_address)
        }));
    }
}

#[test]
fn of_two_restarts_at_once_the_seekers_counts() {
    let mut net = Net::open(9);
    let now = net.now;
    let seekers = net.machines[SEEKER].restart_ice(now).unwrap();
    let answerers = net.machines[ANSWERER].restart_ice(now).unwrap();
    assert_eq!(net.machines[SEEKER].accept_ice_restart(&answerers, now).unwrap(), None);
    let answer = net.machines[ANSWERER].accept_ice_restart(&seekers, now).unwrap().unwrap();
    net.machines[SEEKER].finish_ice_restart(&answer, now).unwrap();
    // The answerer's own restart is void.
    let void = net.machines[ANSWERER].finish_ice_restart(&seekers, now);
    assert!(matches!(void, Err(StartError::NoRestart)), "{void:?}");
    let (near, far) = net.open_channel(SEEKER, "after");
    net.write_all(SEEKER, near, [b"works".to_vec()]);
    net.run_for(Duration::from_secs(60));
    assert_eq!(net.messages(ANSWERER, far), [b"works".to_vec()]);
    assert!(net.machines.iter().all(|machine| machine.ended().is_none()));
    assert!(!net.has_event(SEEKER, &Event::Paused) && !net.has_event(ANSWERER, &Event::Paused));
}

// --- consent ---

#[test]
fn an_idle_link_stays_up() {
    let mut net = Net::open(10);
    let sent = net.sent;
    net.run_for(Duration::from_secs(3600));
    assert!(!net.has_event(SEEKER, &Event::Paused) && !net.has_event(ANSWERER, &Event::Paused));
    let per_minute = (net.sent - sent) / 60;
    assert!(per_minute < 120, "{per_minute} datagrams a minute");
}

#[test]
fn without_a_path_a_link_pauses_and_goes_on_when_it_is_back() {
    for outage in [40, 600, 7200] {
        let mut net = Net::open(11);
        let (near, far) = net.open_channel(SEEKER, "patient");
        net.is_up = false;
        let cut = net.now;
        net.write_all(SEEKER, near, [vec![5; 30_000]]);
        let both = |net: &Net, event: &Event| net.has_event(SEEKER, event) && net.has_event(ANSWERER, event);
        net.run_until("paused", Duration::from_secs(60), |net| both(net, &Event::Paused));
        let after = net.now - cut;
        assert!((25..36).contains(&after.as_secs()), "paused after {after:?}");
        net.run_for(Duration::from_secs(outage) - after);
        net.is_up = true;
        let back = net.now;
        net.run_until("resumed", Duration::from_secs(90), |net| both(net, &Event::Resumed));
        net.run_until("message", Duration::from_secs(90), |net| net.messages(ANSWERER, far).len() == 1);
        let took = net.now - back;
        assert!(took < Duration::from_secs(75), "went on {took:?} after the path was back");
        assert!(net.machines.iter_mut().all(|machine| machine.is_open()));
    }
}

#[test]
fn a_paused_link_sends_nothing_but_checks() {
    let mut net = Net::open(12);
    let (near, _) = net.open_channel(SEEKER, "silent");
    net.is_up = false;
    net.write_all(SEEKER, near, [vec![5; 30_000]]);
    net.run_until("paused", Duration::from_secs(60), |net| net.has_event(SEEKER, &Event::Paused));
    net.tap = Some(Box::new(|transmit, _| {
        assert!(transmit.payload[0] < 2, "a paused link sent data");
        None
    }));
    net.run_for(Duration::from_secs(600));
}

#[test]
fn a_link_that_stays_without_a_path_ends() {
    let config = MachineConfig { paused_retention: Duration::from_secs(120), ..MachineConfig::default() };
    let mut net = Net::with_config(13, &config);
    net.start();
    net.run_until_open();
    net.is_up = false;
    net.run_until("ended", Duration::from_secs(200), |net| {
        net.ended(SEEKER).is_some() && net.ended(ANSWERER).is_some()
    });
    assert_eq!(net.ended(SEEKER), Some(EndReason::PathLost));
    assert_eq!(net.machines[SEEKER].poll_timeout(), None);
}

// --- failing ---

#[test]
fn a_link_without_any_path_fails_and_says_why() {
    let mut net = Net::new(14);
    net.is_up = false;
    net.start();
    net.run_until("ended", Duration::from_secs(31), |net| net.ended(SEEKER).is_some());
    let report = net.machines[SEEKER].report(false);
    assert_eq!(report.ended, Some(EndReason::ConnectTimeout));
    assert_eq!((report.local.host, report.remote.host), (1, 1));
    assert!(report.pairs.iter().all(|pair| pair.checks > 3 && !pair.answered), "{report:?}");
    assert!(report.advice.unwrap().contains("TURN relay"));
    assert!(report.phases.ice_ms.is_none());
}

#[test]
fn a_link_prefers_direct_paths_and_says_so() {
    let net = Net::open(15);
    let path = net.machines[SEEKER].path().unwrap();
    assert_eq!(path.kind, PathKind::Direct);
    assert!(net.has_event(SEEKER, &Event::PathChanged(path)));
}
