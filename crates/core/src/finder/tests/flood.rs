//! Memory stays flat whatever is thrown at the machine.

use super::harness::{Harness, mailbox, seed};
use crate::Code;
use crate::defaults::{EXCHANGE_LIFE, MAX_FRAME_BYTES, SOURCE_RATE};
use crate::finder::Output;
use crate::finder::session::Session;
use crate::frame::{Frame, Header, MailboxId};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

#[test]
fn a_hundred_thousand_finds_from_as_many_sources_leave_nothing() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    harness.signs = false;
    let mut delivered = 0;
    for number in 0..100_000u64 {
        let seeker = harness.connect_from(number.to_be_bytes());
        let to = if number % 2 == 0 { mailbox(&seed(1)) } else { MailboxId([number as u8; 16]) };
        harness.find(seeker, 1, to, None);
        harness.disconnect(seeker);
        harness.take_raw(seeker);
        delivered +=
            harness.take(location).iter().filter(|f| matches!(f.header, Header::Find { .. })).count();
        harness.commands.clear();
        if number % 1_000 == 0 {
            harness.advance(100);
            assert_eq!(harness.entries(), [1, 1, 0, 0, 0]);
        }
    }
    // Ten seconds went by: two finds a second and the burst.
    assert!((20..=31).contains(&delivered), "{delivered} finds reached the location");
}

#[test]
fn finds_left_open_are_gone_after_their_time() {
    let mut harness = Harness::new();
    harness.location(&seed(1));
    harness.signs = false;
    for number in 0..10_000u64 {
        let seeker = harness.connect_from(number.to_be_bytes());
        for x in 0..3 {
            harness.find(seeker, x, mailbox(&seed(1)), None);
        }
    }
    assert!(harness.entries()[2] <= 30_000);
    harness.advance(2 * EXCHANGE_LIFE);
    assert_eq!(harness.entries(), [1, 1, 0, 0, 0]);
}

#[test]
fn one_source_is_held_to_its_rate_over_all_its_connections() {
    let mut harness = Harness::new();
    harness.signs = false;
    let (mut accepted, mut refused) = (0, 0u64);
    for number in 0..2_000u64 {
        let seeker = harness.connect_from([7; 8]);
        harness.find(seeker, 1, MailboxId([number as u8; 16]), None);
        match harness.take_one(seeker) {
            Header::Accepted { .. } => accepted += 1,
            Header::Error { retry: Some(1..=2), .. } => refused += 1,
            other => panic!("{other:?}"),
        }
        harness.disconnect(seeker);
        harness.advance(10);
    }
    let (rate, burst) = SOURCE_RATE;
    assert!((20 * rate..=20 * rate + burst).contains(&accepted), "{accepted}");
    assert_eq!(refused, harness.finder.counters().refusals[&Code::RateLimited]);
    let other = harness.connect_from([8; 8]);
    harness.find(other, 1, MailboxId([1; 16]), None);
    assert_eq!(harness.take_one(other), Header::Accepted { x: 1 }, "other sources are not affected");
}

#[test]
fn an_absent_mailbox_is_held_to_its_rate_before_the_store() {
    let mut harness = Harness::new();
    harness.signs = false;
    for number in 0..1_000u64 {
        let seeker = harness.connect_from(number.to_be_bytes());
        harness.send(
            seeker,
            Header::Find { x: 1, to: MailboxId([1; 16]), ticket: None, kept: None },
            &number.to_be_bytes(),
        );
        harness.disconnect(seeker);
    }
    let kept = harness.commands.iter().filter(|command| matches!(command, Output::KeepKnock { .. })).count();
    assert!((5..=10).contains(&kept), "{kept} within the burst");
    let seeker = harness.connect();
    harness.find(seeker, 1, MailboxId([2; 16]), None);
    assert_eq!(harness.finder.counters().knocks_to_store, kept as u64 + 1, "others are not affected");
}

#[test]
fn the_store_is_spared_a_flood_to_all_mailboxes() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(1));
    harness.signs = false;
    for number in 0..20_000u64 {
        let seeker = harness.connect_from(number.to_be_bytes());
        let mut to = MailboxId([0; 16]);
        to.0[..8].copy_from_slice(&number.to_be_bytes());
        harness.find(seeker, 1, to, None);
        harness.disconnect(seeker);
        harness.take_raw(seeker);
    }
    let kept = harness.finder.counters().knocks_to_store;
    assert!((1_000..=2_000).contains(&kept), "{kept}");
    let seeker = harness.connect_from([0xFF; 8]);
    harness.find(seeker, 1, mailbox(&seed(1)), None);
    assert_eq!(harness.take(location).len(), 1, "an open mailbox does not notice");
}

#[test]
fn random_truncated_and_huge_frames_leave_nothing() {
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let mut harness = Harness::new();
    harness.signs = false;
    let valid = Frame {
        header: Header::Find { x: 1, to: MailboxId([1; 16]), ticket: None, kept: None },
        body: vec![0; 100],
    }
    .encode();
    for round in 0..20_000 {
        let mut bytes = match round % 3 {
            0 => vec![0; rng.next_u32() as usize % 300],
            1 => vec![0; MAX_FRAME_BYTES - 1 + rng.next_u32() as usize % 3],
            _ => valid[..rng.next_u32() as usize % 40].to_vec(),
        };
        if round % 3 != 2 {
            rng.fill_bytes(&mut bytes);
        }
        let connection = harness.connect();
        harness.send_bytes(connection, &bytes);
        assert!(harness.closed.contains_key(&connection), "{bytes:?}");
        harness.take_raw(connection);
        harness.closed.clear();
        harness.commands.clear();
    }
    assert_eq!(harness.entries(), [0; 5]);
    let counters = harness.finder.counters();
    let known: u64 = [Code::Malformed, Code::TooLarge].iter().map(|code| counters.refusals[code]).sum();
    assert_eq!(known, 20_000, "every refusal has its code");
}

/// The entries of an idle attached session with a location and a guest mailbox, as they lie in the maps. B-trees are
/// two thirds full on average, and each heap block costs its allocator some 16 bytes.
#[test]
fn an_idle_session_is_small() {
    let session = size_of::<(crate::finder::ConnectionId, Session)>() * 3 / 2 + 2 * 16 + 16;
    let mailboxes = crate::finder::registry::ENTRY_BYTES * 3 / 2 * 2 + 8 + 16;
    assert!(session + mailboxes <= 400, "{session} + {mailboxes} bytes");
}
