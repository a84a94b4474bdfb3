//! Once a link is up, both servers can die: messages, new channels and new paths go on. Without a link, and without
//! servers, everything ends with an error that says so.

use openpeer::{Code, Event};
use openpeer_tests::{World, chat, find, introduce, online, part, wait_for};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_needs_no_server() {
    let (mut world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (ours, theirs) = introduce(&alice, &bob, "bob@b.test").await;
    let before = ours.open("before").await.unwrap();
    before.send("sent before").await.unwrap();
    let incoming = theirs.incoming().await.unwrap();
    assert_eq!(incoming.recv().await.unwrap().unwrap(), "sent before");

    world.stop();
    for peer in [&alice, &bob] {
        wait_for(peer, |event| matches!(event, Event::Offline(_)).then_some(())).await;
    }
    before.send("sent after").await.unwrap();
    assert_eq!(incoming.recv().await.unwrap().unwrap(), "sent after");
    chat(&ours, &theirs, "opened after").await;
    ours.restart_ice().await.unwrap();
    before.send("sent over the new path").await.unwrap();
    assert_eq!(incoming.recv().await.unwrap().unwrap(), "sent over the new path");

    bob.renew_documents();
    wait_for(&alice, |event| {
        matches!(event, Event::DocumentsUpdated { peer } if peer == bob.id()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_servers_connecting_fails_with_the_reason() {
    let (mut world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;
    world.stop();

    let contact = alice.connect("bob@b.test").await.unwrap_err();
    // Which of the two is noticed first depends on how far the domain's end has got around.
    let gone = [Some(Code::FinderUnreachable), Some(Code::DomainUnreachable)];
    assert!(gone.contains(&contact.protocol()), "{contact}");
    let stranger = alice.connect("carol@b.test").await.unwrap_err();
    assert_eq!(stranger.protocol(), Some(Code::DomainUnreachable), "{stranger}");
    assert_eq!(alice.claim("alicia").await.unwrap_err().protocol(), Some(Code::DomainUnreachable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_can_be_found_again_soon_after_their_servers_are_back() {
    let (mut world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;
    world.stop();
    for peer in [&alice, &bob] {
        wait_for(peer, |event| matches!(event, Event::Offline(_)).then_some(())).await;
    }
    tokio::join!(world.a.serve(), world.b.serve());
    let back = Instant::now();
    tokio::join!(online(&alice), online(&bob));
    assert!(back.elapsed() < Duration::from_secs(2), "found again after {:?}", back.elapsed());
    let (ours, theirs) = find(&alice, &bob).await;
    chat(&ours, &theirs, "chat").await;
}
