//! Whoever can read a domain's traffic sends it again: nothing rings twice, and nothing new is learnt.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use openpeer::{Event, Peer};
use openpeer_core::frame::{Frame, Header};
use openpeer_tests::intercept::{Interceptor, RawSession};
use openpeer_tests::{World, chat, find, introduce, knock, online, part};

/// Alice, who sees b.test only through the interceptor, and Bob, who is not watched.
async fn watched(world: &World, directory: &std::path::Path) -> (Interceptor, Peer, Peer) {
    let interceptor = Interceptor::start(world.b.door()).await;
    let alice = world.a.known_to(Peer::builder(directory.join("alice")).unprotected().development(true));
    let (alice, _) = interceptor.mislead(alice).domain("a.test").create().await.unwrap();
    alice.claim("alice").await.unwrap();
    let bob = world.peer(&directory.join("bob"), "bob", "b.test").await;
    (interceptor, alice, bob)
}

/// The same envelope in a new exchange, as somebody without a ticket sends it.
fn again(frame: &Frame) -> Frame {
    let Header::Find { to, .. } = frame.header else { panic!("not a find") };
    Frame { header: Header::Find { x: 1, to, ticket: None, kept: None }, body: frame.body.clone() }
}

fn finds(interceptor: &Interceptor) -> Vec<Frame> {
    let frames = interceptor.frames_to_finder();
    frames.into_iter().filter(|frame| matches!(frame.header, Header::Find { .. })).collect()
}

/// Contacts have tickets, strangers have not.
fn is_by_contact(frame: &Frame) -> bool {
    matches!(frame.header, Header::Find { ticket: Some(_), .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_find_gets_the_same_answer_and_never_one_after_a_restart() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let (interceptor, alice, bob) = watched(&world, directory.path()).await;
    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;
    let (ours, theirs) = find(&alice, &bob).await;
    chat(&ours, &theirs, "chat").await;

    let replayed = again(finds(&interceptor).iter().find(|find| is_by_contact(find)).unwrap());
    let answer = |frame: &Frame| matches!(frame.header, Header::Answer { .. }).then(|| frame.body.clone());
    let original = interceptor.frames_from_finder().iter().find_map(answer).unwrap();
    let mut session = RawSession::open(&world.b.door()).await;
    session.send(&replayed).await;
    let body = loop {
        if let Some(body) = answer(&session.receive().await) {
            break body;
        }
    };
    assert!(body == original, "another answer, so Bob began another link");
    chat(&ours, &theirs, "still there").await;
    part(ours, &bob).await;

    bob.close().await;
    let bob = world.builder(&directory.path().join("bob")).open().await.unwrap();
    online(&bob).await;
    let mut session = RawSession::open(&world.b.door()).await;
    session.send(&replayed).await;
    assert!(matches!(session.receive().await.header, Header::Accepted { .. }));
    // Bob's finder passes messages on in their order: what comes after this find comes after the replay.
    let (ours, theirs) = find(&alice, &bob).await;
    chat(&ours, &theirs, "chat").await;
    let nothing = session.receive_now();
    assert!(nothing.is_none(), "Bob answered a find from before his restart: {nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_knock_is_shown_once() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let (interceptor, alice, bob) = watched(&world, directory.path()).await;
    let carol = world.peer(&directory.path().join("carol"), "carol", "a.test").await;
    let _alice_knocks = tokio::spawn(alice.connect("bob@b.test").into_future());
    assert_eq!(knock(&bob).await.peer(), alice.id());

    let mut session = RawSession::open(&world.b.door()).await;
    session.send(&again(&finds(&interceptor)[0])).await;
    assert!(matches!(session.receive().await.header, Header::Accepted { .. }));
    let _carol_knocks = tokio::spawn(carol.connect("bob@b.test").into_future());
    loop {
        match bob.next_event().await.unwrap() {
            Event::Knock(knock) => {
                break assert_eq!(knock.peer(), carol.id(), "the replayed knock was shown");
            }
            _ => continue,
        }
    }
}
