use crate::support::peer::TestPeer;
use crate::support::{Client, domain_document, eventually, plain, spawn_with};
use openpeer_core::frame::Header;
use openpeer_core::key::Seed;
use openpeer_server::Config;
use openpeer_server::config::{NamePolicy, Names};
use openpeer_store::{SqliteStore, Store};
use std::sync::Arc;

/// A knock for an absent peer outlives the server that took it.
#[tokio::test]
async fn a_kept_knock_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let config = Config { names: Some(Names::new(NamePolicy::Open)), ..plain(data.path()) };
    let bob = TestPeer::new(1);

    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data.path()).unwrap());
    let server = spawn_with(config.clone(), store.clone()).await;
    let domain = domain_document(&server).await;
    assert_eq!(bob.claim(&server, "bob").await.status, 201);
    let mut alice = Client::connect(&server).await;
    alice
        .send(Header::Find { x: 1, to: bob.guest_mailbox(), ticket: None, kept: None }, b"sealed knock")
        .await;
    assert_eq!(alice.receive().await.header, Header::Accepted { x: 1 });
    eventually("knock stored", async || store.counts().await.unwrap().knocks == 1).await;
    drop(alice);
    server.shutdown().await;
    drop(store);

    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data.path()).unwrap());
    let server = spawn_with(config, store.clone()).await;
    assert_eq!(domain_document(&server).await, domain, "same key, same document");
    let mut location = Client::connect(&server).await;
    location.attach(&Seed::new([2; 32]), &bob.guest).await;
    let knock = location.receive().await;
    let Header::Find { x, kept: Some(_), .. } = knock.header else { panic!("{knock:?}") };
    assert_eq!(knock.body, b"sealed knock");
    location.send(Header::Done { x }, &[]).await;
    eventually("knock deleted", async || store.counts().await.unwrap().knocks == 0).await;
}
