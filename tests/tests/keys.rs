//! What becomes of a peer's keys: rotation, export, import, theft.

use openpeer::{ContactState, RecoveryCode};
use openpeer_tests::{World, chat, find, introduce, online, part};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_peer_keeps_its_id_and_its_contacts() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let home = directory.path().join("alice");
    let (alice, code) = world.builder(&home).domain("a.test").create().await.unwrap();
    alice.claim("alice").await.unwrap();
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (ours, theirs) = introduce(&bob, &alice, "alice@a.test").await;

    let guess = RecoveryCode::from_entropy([7; 16]);
    assert_eq!(alice.rotate(&guess).await.unwrap_err().code(), "no-recovery-code");
    alice.rotate(&code).await.unwrap();
    alice.rotate(&code).await.unwrap();
    chat(&ours, &theirs, "after").await;
    part(ours, &alice).await;
    let id = alice.id();
    alice.close().await;

    let alice = world.builder(&home).open().await.unwrap();
    assert_eq!(alice.id(), id);
    online(&alice).await;
    let (ours, theirs) = find(&alice, &bob).await;
    chat(&ours, &theirs, "again").await;
    alice.rotate(&code).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_peer_is_another_location_with_the_same_contacts() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let alice = world.peer(&directory.path().join("alice"), "alice", "a.test").await;
    let bob = world.peer(&directory.path().join("bob"), "bob", "b.test").await;
    let (ours, _theirs) = introduce(&alice, &bob, "bob@b.test").await;
    part(ours, &bob).await;

    let exported = alice.export("correct horse").await.unwrap();
    // Neither can come about by chance in base64url.
    for name in ["bob@b.test".to_owned(), bob.id().to_string()] {
        assert!(!exported.contains(&name), "the file tells who is known");
    }
    let import = |name: &str, passphrase| {
        let builder = world.builder(&directory.path().join(name)).domain("a.test");
        let exported = exported.clone();
        async move { builder.import(&exported, passphrase).await }
    };
    assert_eq!(import("wrong", "wrong horse").await.unwrap_err().code(), "wrong-passphrase");
    let phone = import("phone", "correct horse").await.unwrap();
    assert_eq!(phone.id(), alice.id());
    assert_ne!(phone.location(), alice.location());
    let contacts = phone.contacts().await.unwrap();
    assert_eq!((contacts.len(), contacts[0].peer, contacts[0].state), (1, bob.id(), ContactState::Contact));

    alice.set_other_locations(vec![phone.location()]);
    online(&phone).await;
    let (ours, theirs) = find(&phone, &bob).await;
    assert_eq!(theirs.location(), phone.location());
    chat(&ours, &theirs, "from the phone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystore_is_encrypted_and_used_by_one_process_at_a_time() {
    let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
    let home = directory.path().join("alice");
    let builder = |passphrase: &str| world.builder(&home).domain("a.test").passphrase(passphrase);
    let (alice, _) = builder("correct horse").create().await.unwrap();
    assert_eq!(builder("correct horse").open().await.unwrap_err().code(), "keystore-in-use");
    let id = alice.id();
    alice.close().await;
    assert_eq!(builder("wrong horse").open().await.unwrap_err().code(), "wrong-passphrase");
    assert_eq!(builder("correct horse").create().await.unwrap_err().code(), "keystore-exists");
    let alice = builder("correct horse").offline().open().await.unwrap();
    assert_eq!(alice.id(), id);
    assert_eq!(alice.domains().len(), 1);
}
