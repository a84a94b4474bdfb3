//! Who has no ticket learns nothing about a mailbox: not whether it exists, nor whether anybody is there.

use super::harness::{Harness, mailbox, seed};
use crate::Time;
use crate::defaults::MAX_STORED_KNOCKS;
use crate::finder::{ConnectionId, KnockId, StoredKnock};
use crate::frame::MailboxKind::{Guest, Location};
use crate::frame::{Header, MailboxId};

const TO: u8 = 1;

/// Everything that a prober receives, with times and bytes.
type Transcript = Vec<(Time, Vec<u8>)>;

/// Puts a mailbox into some state; returns who holds it.
type Scene = Box<dyn Fn(&mut Harness) -> Vec<ConnectionId>>;

/// What a prober tries, and what the holders of the mailbox do meanwhile.
type Probe<'a> = &'a dyn Fn(&mut Harness, ConnectionId, &[ConnectionId]);

fn scenes() -> Vec<(&'static str, Scene)> {
    let to = mailbox(&seed(TO));
    let knock =
        |number: u8| StoredKnock { id: KnockId([number; 16]), body: vec![number], received: Time::default() };
    vec![
        ("absent", Box::new(|_| vec![])),
        ("location", Box::new(|harness| vec![harness.location(&seed(TO))])),
        ("guest", Box::new(|harness| vec![harness.guest(&seed(TO))])),
        ("guest of eight", Box::new(|harness| (0..8).map(|_| harness.guest(&seed(TO))).collect())),
        (
            "with a second mailbox",
            Box::new(|harness| vec![harness.attached(&[(&seed(TO), Guest), (&seed(2), Location)])]),
        ),
        (
            "member away",
            Box::new(move |harness| {
                harness.members.insert(to, vec![]);
                vec![]
            }),
        ),
        (
            "member away, store full",
            Box::new(move |harness| {
                harness.members.insert(to, (0..MAX_STORED_KNOCKS as u8).map(knock).collect());
                vec![]
            }),
        ),
        (
            "location over its rate",
            Box::new(|harness| {
                let location = harness.location(&seed(TO));
                flood(harness);
                vec![location]
            }),
        ),
        (
            "guest over its rate",
            Box::new(|harness| {
                let guest = harness.guest(&seed(TO));
                flood(harness);
                vec![guest]
            }),
        ),
        (
            "absent over its rate",
            Box::new(|harness| {
                flood(harness);
                vec![]
            }),
        ),
        (
            "gone",
            Box::new(|harness| {
                let location = harness.location(&seed(TO));
                harness.disconnect(location);
                vec![]
            }),
        ),
    ]
}

fn flood(harness: &mut Harness) {
    harness.signs = false;
    for _ in 0..200 {
        let seeker = harness.connect();
        harness.find(seeker, 1, mailbox(&seed(TO)), None);
        harness.disconnect(seeker);
    }
    harness.signs = true;
    assert!(harness.finder.counters().finds.dropped > 100);
}

fn transcript(scene: &Scene, probe: Probe<'_>) -> Transcript {
    let mut harness = Harness::new();
    let holders = scene(&mut harness);
    let prober = harness.connect();
    harness.take_raw(prober);
    probe(&mut harness, prober, &holders);
    harness.advance(600_000);
    harness.take_raw(prober)
}

#[track_caller]
fn same_in_all_scenes(probe: Probe<'_>) {
    let mut scenes = scenes().into_iter();
    let (_, absent) = scenes.next().unwrap();
    let expected = transcript(&absent, probe);
    assert!(!expected.is_empty());
    for (name, scene) in scenes {
        assert_eq!(transcript(&scene, probe), expected, "{name}");
    }
}

fn to() -> MailboxId {
    mailbox(&seed(TO))
}

#[test]
fn a_find_looks_alike() {
    same_in_all_scenes(&|harness, prober, _| harness.find(prober, 1, to(), None));
}

#[test]
fn a_large_find_looks_alike() {
    same_in_all_scenes(&|harness, prober, _| {
        harness.send(prober, Header::Find { x: 1, to: to(), ticket: None, kept: None }, &[0; 17_000]);
    });
}

#[test]
fn continuing_looks_alike_up_to_the_limits() {
    same_in_all_scenes(&|harness, prober, _| {
        harness.find(prober, 1, to(), None);
        for _ in 0..20 {
            harness.advance(100);
            harness.send(prober, Header::More { x: 1 }, b"more");
        }
    });
}

#[test]
fn continuing_with_many_bytes_looks_alike() {
    same_in_all_scenes(&|harness, prober, _| {
        harness.find(prober, 1, to(), None);
        for _ in 0..4 {
            harness.send(prober, Header::More { x: 1 }, &[0; 18_000]);
        }
    });
}

#[test]
fn many_finds_look_alike() {
    same_in_all_scenes(&|harness, prober, _| {
        for x in 0..40 {
            harness.find(prober, x, to(), None);
            if x % 3 == 0 {
                harness.send(prober, Header::Done { x }, b"");
            }
            harness.advance(300);
        }
    });
}

#[test]
fn who_is_there_may_leave_or_refuse_unseen() {
    same_in_all_scenes(&|harness, prober, holders| {
        harness.find(prober, 1, to(), None);
        harness.advance(1_000);
        for holder in holders {
            for frame in harness.take(*holder) {
                if let Header::Find { x, .. } = frame.header {
                    harness.send(*holder, Header::Done { x }, b"");
                }
            }
        }
        harness.find(prober, 2, to(), None);
        harness.advance(1_000);
        for holder in holders {
            harness.disconnect(*holder);
        }
        harness.send(prober, Header::More { x: 2 }, b"more");
    });
}

#[test]
fn somebody_coming_is_unseen() {
    same_in_all_scenes(&|harness, prober, _| {
        harness.find(prober, 1, to(), None);
        harness.advance(1_000);
        harness.location(&seed(TO));
        harness.send(prober, Header::More { x: 1 }, b"more");
    });
}

#[test]
fn an_answer_is_seen() {
    let mut harness = Harness::new();
    let location = harness.location(&seed(TO));
    let seeker = harness.connect();
    harness.find(seeker, 1, to(), None);
    let Header::Find { x, .. } = harness.take_one(location) else { panic!("no find") };
    harness.send(location, Header::Answer { x }, b"answer");
    assert_eq!(harness.take(seeker).last().unwrap().header, Header::Answer { x: 1 });
}
