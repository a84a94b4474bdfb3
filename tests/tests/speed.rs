//! How long a link takes. The limits are far above what a quiet machine needs and far below what a person notices; the
//! numbers themselves are printed.

use openpeer_tests::{World, chat, find, introduce, part};

/// Links of which the fastest counts: others share the machine.
const ATTEMPTS: usize = 5;
/// From the answer to an open link on loopback, in a process that had a link before, milliseconds.
const OPEN_AFTER_ANSWER: f64 = 10.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the number is the result")]
async fn a_second_link_is_open_soon_after_its_answer() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (mut ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    let mut times = Vec::new();
    for _ in 0..ATTEMPTS {
        part(ours, &bob).await;
        let (seeking, theirs) = find(&alice, &bob).await;
        chat(&seeking, &theirs, "chat").await;
        // The seeker's link starts when the answer arrives.
        times.push(seeking.report().phases.total_ms.unwrap());
        ours = seeking;
    }
    times.sort_by(f64::total_cmp);
    eprintln!("from the answer to the open link, ms: {times:.1?}");
    assert!(times[0] <= OPEN_AFTER_ANSWER, "{times:?}");
}
