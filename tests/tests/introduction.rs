//! Two people of two domains who do not know each other get a link, and find each other again as contacts.

use openpeer::{Code, ContactState, PathKind};
use openpeer_tests::{World, acquainted, chat, find, introduce, knock, link, online, part};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_meet_and_contacts_find_each_other_again() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;

    let connecting = tokio::spawn(alice.connect("bob@b.test").text("Hello Bob").into_future());
    let knock = knock(&bob).await;
    assert_eq!((knock.peer(), knock.name(), knock.text()), (alice.id(), Some("alice@a.test"), "Hello Bob"));
    let theirs = knock.accept().await.unwrap();
    let ours = connecting.await.unwrap().unwrap();
    assert_eq!((ours.peer(), theirs.peer()), (bob.id(), alice.id()));
    assert_eq!(ours.path().unwrap().kind, PathKind::Direct);
    assert_eq!(ours.dtls().as_deref(), Some("1.3"));
    chat(&ours, &theirs, "chat").await;
    chat(&theirs, &ours, "chat back").await;
    assert_eq!(alice.safety_number(bob.id()), bob.safety_number(alice.id()));

    tokio::join!(acquainted(&alice, bob.id()), acquainted(&bob, alice.id()));
    part(ours, &bob).await;
    for (peer, other) in [(&alice, &bob), (&bob, &alice)] {
        let contacts = peer.contacts().await.unwrap();
        assert_eq!(contacts.len(), 1);
        assert_eq!((contacts[0].peer, contacts[0].state), (other.id(), ContactState::Contact));
    }

    let (ours, theirs) = tokio::join!(alice.connect("bob@b.test").into_future(), link(&bob));
    let ours = ours.unwrap();
    chat(&ours, &theirs, "again").await;
    part(ours, &bob).await;
    let (theirs, ours) = find(&bob, &alice).await;
    chat(&theirs, &ours, "the other way").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_find_each_other_after_both_were_restarted() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let [home, away] = ["alice", "bob"].map(|name| directory.path().join(name));
    let alice = world.peer(&home, "alice", "a.test").await;
    let bob = world.peer(&away, "bob", "b.test").await;
    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;
    let ids = (alice.id(), bob.id());
    tokio::join!(alice.close(), bob.close());

    // Their domains are remembered.
    let alice = world.builder(&home).open().await.unwrap();
    let bob = world.builder(&away).open().await.unwrap();
    assert_eq!((alice.id(), bob.id()), ids);
    online(&bob).await;
    let (ours, theirs) = find(&alice, &bob).await;
    chat(&ours, &theirs, "chat").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_there_or_says_no_is_not_reached() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let failure = |to: &str| {
        let connect = alice.connect(to).into_future();
        async { connect.await.unwrap_err() }
    };
    assert_eq!(failure("nobody@b.test").await.protocol(), Some(Code::NotFound));
    assert_eq!(failure("alice@a.test").await.protocol(), Some(Code::InvalidArgument));
    assert_eq!(failure("not an address").await.protocol(), Some(Code::InvalidArgument));

    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;
    alice.block(bob.id());
    assert_eq!(failure("bob@b.test").await.protocol(), Some(Code::Blocked));
    // Bob is not told that he was blocked; a peer who removed him answers alike.
    let refused = bob.connect(alice.id()).await.unwrap_err();
    assert_eq!(refused.protocol(), Some(Code::NotContact), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_belongs_to_whoever_claimed_it_first() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let (mallory, _) =
        world.builder(&directory.path().join("mallory")).domain("a.test").create().await.unwrap();
    assert_eq!(mallory.claim("alice").await.unwrap_err().protocol(), Some(Code::NameTaken));
    assert_eq!(mallory.claim("admin").await.unwrap_err().protocol(), Some(Code::NameReserved));
    assert_eq!(mallory.claim("-").await.unwrap_err().protocol(), Some(Code::NameInvalid));
    alice.release("alice@a.test").await.unwrap();
    assert_eq!(mallory.claim("alice").await.unwrap_err().protocol(), Some(Code::NameReserved));
}
