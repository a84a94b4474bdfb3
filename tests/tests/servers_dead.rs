//! Servers that die, hang or vanish behind a black hole, at every step on the way to a link and after it.
//!
//! Everything between peers and servers goes through gates that count what passes; a case lets so many pieces pass and
//! then strikes. The cases go on until the strike no longer comes before the link.
#![expect(clippy::unwrap_used, reason = "tests")]

use openpeer_tests::couple::Couple;
use openpeer_tests::gate::{self, Trap};
use openpeer_tests::process::{DomainProcess, PATIENCE, PeerProcess};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a user may be told when servers are gone.
const CLEAN: &[&str] = &["finder-unreachable", "domain-unreachable", "timeout", "connect-failed"];

/// How the servers fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Killed with SIGKILL: sockets close.
    Killed,
    /// Stopped with SIGSTOP: sockets stay open, the kernel acknowledges, nobody reads.
    Hung,
    /// Cut off: everything sent to them is swallowed.
    BlackHole,
}

#[test]
fn a_contact_is_found_or_not_when_servers_are_killed_on_the_way() {
    at_every_step(Failure::Killed, 1, find_a_contact);
}

#[test]
fn a_contact_is_found_or_not_when_servers_hang_on_the_way() {
    at_every_step(Failure::Hung, 1, find_a_contact);
}

#[test]
fn a_contact_is_found_or_not_when_servers_vanish_on_the_way() {
    at_every_step(Failure::BlackHole, 3, find_a_contact);
}

#[test]
fn a_stranger_is_met_or_not_when_servers_are_killed_on_the_way() {
    at_every_step(Failure::Killed, 2, meet_a_stranger);
}

#[test]
fn a_link_outlives_killed_servers() {
    outlives(Failure::Killed);
}

#[test]
fn a_link_outlives_hung_servers() {
    outlives(Failure::Hung);
}

#[test]
fn a_link_outlives_servers_behind_a_black_hole() {
    outlives(Failure::BlackHole);
}

/// Two domains behind gates, and two peers.
struct World {
    servers: [DomainProcess; 2],
    trap: Trap,
    // Last, so that it outlives the processes that write to it.
    folder: TempDir,
}

impl World {
    fn start() -> (Self, PeerProcess, PeerProcess) {
        let folder = tempfile::tempdir().unwrap();
        let servers =
            ["a.test", "b.test"].map(|name| DomainProcess::start(folder.path(), name, &[], "127.0.0.1"));
        let trap = Trap::default();
        let mut options = vec!["--dev".to_owned()];
        for server in &servers {
            options.extend(server.options(Some(gate::open(server.address(), &trap))));
        }
        let peer = |name: &str, domain: &str| {
            let options = [&options[..], &[format!("--domain={domain}")]].concat();
            PeerProcess::start(folder.path(), name, &[], &options)
        };
        let (alice, bob) = (peer("alice", "a.test"), peer("bob", "b.test"));
        (Self { servers, trap, folder }, alice, bob)
    }

    /// Lets pieces pass and then fails.
    fn fail_after(&self, pieces: usize, failure: Failure) {
        let (servers, trap) = (self.ids(), self.trap.clone());
        self.trap.set(pieces, move || strike(servers, &trap, failure));
    }

    fn ids(&self) -> [Pid; 2] {
        self.servers.each_ref().map(|server| server.process.id())
    }
}

fn strike(servers: [Pid; 2], trap: &Trap, failure: Failure) {
    let signal = match failure {
        Failure::Killed => Signal::KILL,
        Failure::Hung => Signal::STOP,
        Failure::BlackHole => return trap.swallow(),
    };
    for server in servers {
        kill_process(server, signal).unwrap();
    }
}

/// Runs a case for every step, or every `stride`-th, until the failure comes too late to matter.
fn at_every_step(failure: Failure, stride: usize, case: fn(Failure, usize) -> bool) {
    /// Cases mostly wait for what never comes.
    const AT_A_TIME: usize = 4;
    let (next, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let work = || {
            while !done.load(Ordering::SeqCst) {
                let step = next.fetch_add(1, Ordering::SeqCst) * stride;
                assert!(step < 200, "the gates count something else");
                if !case(failure, step) {
                    done.store(true, Ordering::SeqCst);
                }
            }
        };
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("every case ends well");
        }
    });
    assert!(next.load(Ordering::SeqCst) * stride > 4, "there were steps to fail at");
}

/// Alice finds a contact while the servers fail; whether they failed in time.
fn find_a_contact(failure: Failure, step: usize) -> bool {
    let (world, alice, bob) = World::start();
    let mut couple = Couple::meet(alice, bob);
    couple.part();
    couple.bob.forget_events();
    world.fail_after(step, failure);
    let connecting = couple.alice.begin(json!({ "do": "connect", "to": "bob@b.test" }));
    let outcome = couple.alice.finish(connecting, PATIENCE);
    let failed = world.trap.has_sprung();
    check(
        &format!("{failure:?} after {step}"),
        outcome.expect("an answer comes in time"),
        &mut couple,
        failed,
    );
    leave(couple.alice, couple.bob);
    failed
}

/// Alice, a stranger, knocks at Bob's door and Bob says yes while the servers fail; whether they failed in time.
fn meet_a_stranger(failure: Failure, step: usize) -> bool {
    /// Longer than anything takes that no person decides.
    const LONG: Duration = Duration::from_secs(25);
    let (world, mut alice, mut bob) = World::start();
    alice.call(json!({ "do": "claim", "name": "alice" })).unwrap();
    bob.call(json!({ "do": "claim", "name": "bob" })).unwrap();
    world.fail_after(step, failure);
    let connecting = alice.begin(json!({ "do": "connect", "to": "bob@b.test", "text": "hello" }));
    let deadline = Instant::now() + LONG;
    let brief = Duration::from_millis(50);
    let outcome = loop {
        if let Some(outcome) = alice.finish(connecting, brief) {
            break Some(outcome);
        }
        if let Some(knock) = bob.event_within("knock", brief) {
            bob.begin(json!({ "do": "accept", "knock": knock["knock"] }));
        }
        if Instant::now() > deadline {
            break None;
        }
    };
    let failed = world.trap.has_sprung();
    let mut couple = Couple { alice, bob, alice_link: 0, bob_link: 0 };
    match outcome {
        Some(Err((code, message))) => {
            assert!(failed && CLEAN.contains(&&*code), "after {step}: {code} {message}")
        }
        Some(Ok(link)) => {
            couple.alice_link = link["link"].as_u64().unwrap();
            let echo = json!({ "do": "echo", "link": couple.alice_link, "text": "there?" });
            assert_eq!(couple.alice.call(echo).unwrap()["echo"], "there?");
        }
        // The knock may have arrived, and then a person takes as long as a person takes.
        None => assert!(failed, "after {step}: nothing came of it though the servers were there"),
    }
    leave(couple.alice, couple.bob);
    failed
}

/// A link that works, or an error that says what is the matter.
fn check(case: &str, outcome: Result<Value, (String, String)>, couple: &mut Couple, failed: bool) {
    match outcome {
        Ok(link) => {
            couple.take_link(&link);
            couple.echo();
        }
        Err((code, message)) => {
            assert!(failed, "{case}: {code} though the servers were there: {message}");
            assert!(CLEAN.contains(&&*code), "{case}: {code}: {message}");
            assert!(message.len() > 20, "{case}: {message}");
        }
    }
}

/// A link has everything it needs when the servers fail, and both peers end in good order without them.
fn outlives(failure: Failure) {
    let (world, alice, bob) = World::start();
    let mut couple = Couple::meet(alice, bob);
    strike(world.ids(), &world.trap, failure);
    couple.converse(world.folder.path());
    leave(couple.alice, couple.bob);
}

fn leave(mut alice: PeerProcess, mut bob: PeerProcess) {
    for peer in [&mut alice, &mut bob] {
        assert!(peer.call(json!({ "do": "contacts" })).is_ok(), "the peer still answers");
    }
    for peer in [alice, bob] {
        assert!(peer.process.end().success());
    }
}
