use crate::support::http::{Answer, get, post};
use crate::support::peer::{TestPeer, nonce, now, submit};
use crate::support::{dial, domain_document, plain, spawn, spawn_with, tls};
use openpeer_core::document::{Bundle, ClaimAction};
use openpeer_core::frame::Nonce;
use openpeer_core::uri::Domain;
use openpeer_server::config::{NamePolicy, Names};
use openpeer_server::{Config, Server, invite_hash};
use openpeer_store::{MemoryStore, Store};
use std::path::Path;
use std::sync::Arc;

fn open_names(data: &Path) -> Config {
    Config { names: Some(Names::new(NamePolicy::Open)), ..plain(data) }
}

async fn look_up(server: &Server, query: &str) -> Answer {
    get(dial(server).await, &format!("/.well-known/openpeer{query}")).await
}

async fn verify(server: &Server, answer: &Answer, peer: &TestPeer) {
    let bundle = Bundle::parse(&answer.body).unwrap();
    let domain = Domain::from_text("a.test").unwrap();
    let keys = bundle.domain(&domain, now()).unwrap().keys.clone();
    assert_eq!(keys, domain_document(server).await.keys);
    let verified = bundle.introduction(&domain, &keys, now()).unwrap();
    assert_eq!(verified.chain, peer.chain);
    assert_eq!(verified.public.finders[0].mailbox, peer.guest_mailbox());
}

#[tokio::test]
async fn a_claimed_name_is_found_by_name_and_by_peer() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(Config { dev: true, ..open_names(data.path()) }).await;
    let bob = TestPeer::new(1);
    let answer = bob.claim(&server, "bob").await;
    assert_eq!(answer.status, 201);
    verify(&server, &answer, &bob).await;
    for query in ["?name=bob", "?name=BOB", &format!("?peer={}", bob.chain.peer())] {
        let answer = look_up(&server, query).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert_eq!(answer.headers["cache-control"], "public, max-age=300");
        assert!(!answer.headers.contains_key("set-cookie"));
        verify(&server, &answer, &bob).await;
    }
    assert_eq!(bob.claim(&server, "bob").await.status, 200, "the same once more");
}

/// Headers that differ by nature are left out.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), headers.collect(), answer.body.to_vec())
}

#[tokio::test]
async fn whoever_is_not_listed_looks_like_nobody() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let (unlisted, released) = (TestPeer::new(1), TestPeer::new(2));
    assert_eq!(released.claim(&server, "gone").await.status, 201);
    assert_eq!(released.release(&server, "gone").await.status, 204);
    let nobody = comparable(&look_up(&server, "?name=nobody").await);
    assert_eq!(nobody.0, 404);
    for query in [
        "?name=gone",
        "?name=admin",
        "?name=no%20name",
        "?name=",
        "?peer=",
        "?peer=p1abc",
        &format!("?peer={}", unlisted.chain.peer()),
        &format!("?peer={}", released.chain.peer()),
    ] {
        assert_eq!(comparable(&look_up(&server, query).await), nobody, "{query}");
    }
}

#[tokio::test]
async fn nobody_takes_or_releases_anothers_name() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let (bob, mallory) = (TestPeer::new(1), TestPeer::new(2));
    assert_eq!(bob.claim(&server, "bob").await.status, 201);
    assert_eq!(mallory.claim(&server, "bob").await.code(), "name-taken");
    assert_eq!(mallory.release(&server, "bob").await.code(), "not-found");
    assert_eq!(mallory.claim(&server, "postmaster").await.code(), "name-reserved");
    let squatter = TestPeer { guest: bob.guest.clone(), ..TestPeer::new(3) };
    assert_eq!(squatter.claim(&server, "bobby").await.code(), "unauthorized", "bob's mailbox");
    assert_eq!(bob.claim(&server, "robert").await.code(), "quota", "one name each");
    assert_eq!(bob.release(&server, "bob").await.status, 204);
    for peer in [&bob, &mallory] {
        assert_eq!(peer.claim(&server, "bob").await.code(), "name-reserved", "blocked after its release");
    }
}

#[tokio::test]
async fn a_nonce_is_needed_and_good_once() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let bob = TestPeer::new(1);
    let request = bob.request(ClaimAction::Claim, "bob", nonce(&server).await);
    assert_eq!(submit(&server, &request).await.status, 201);
    assert_eq!(submit(&server, &request).await.code(), "unauthorized", "replayed");
    let made_up = bob.request(ClaimAction::Release, "bob", Nonce([7; 32]));
    assert_eq!(submit(&server, &made_up).await.code(), "unauthorized");
}

#[tokio::test]
async fn a_thief_with_the_old_key_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let before = TestPeer::new(1);
    assert_eq!(before.claim(&server, "bob").await.status, 201);
    let after = before.rotated();
    let answer = after.claim(&server, "bob").await;
    assert_eq!(answer.status, 200);
    let thief = TestPeer { seq: 9, ..before };
    assert_eq!(thief.claim(&server, "bob").await.code(), "stale-document");
    assert_eq!(thief.release(&server, "bob").await.code(), "stale-document");
    verify(&server, &look_up(&server, "?name=bob").await, &after).await;
}

#[tokio::test]
async fn altered_claims_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let (bob, mallory) = (TestPeer::new(1), TestPeer::new(2));
    let genuine = bob.request(ClaimAction::Claim, "bob", nonce(&server).await);
    let theirs = mallory.request(ClaimAction::Claim, "bob", nonce(&server).await);
    let mut altered = vec![genuine.clone(), genuine.clone(), genuine.clone(), genuine.clone()];
    altered[0].claim.clone_from(&theirs.claim);
    altered[1].name.clone_from(&theirs.name);
    altered[2].public.clone_from(&theirs.public);
    altered[3].a.clone_from(&theirs.a);
    for request in altered {
        assert_eq!(submit(&server, &request).await.code(), "bad-signature");
    }
    let without = openpeer_core::document::ClaimRequest { name: None, ..genuine };
    assert_eq!(submit(&server, &without).await.code(), "malformed");
    for (body, code) in [("", "malformed"), ("{}", "malformed"), ("[[", "malformed")] {
        assert_eq!(post(dial(&server).await, "/openpeer/names", body).await.code(), code);
    }
}

#[tokio::test]
async fn large_bodies_and_frequent_claims_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(open_names(data.path())).await;
    let large = post(dial(&server).await, "/openpeer/names", vec![b' '; 70_000]).await;
    assert_eq!((large.status.as_u16(), large.code().as_str()), (413, "too-large"));
    let mut answer = large;
    for _ in 0..openpeer_server::defaults::CLAIMS_PER_MINUTE {
        answer = post(dial(&server).await, "/openpeer/names", "{}").await;
    }
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "rate-limited"));
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn an_invite_is_good_for_one_newcomer() {
    let data = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let config = Config { names: Some(Names::new(NamePolicy::Invite)), ..plain(data.path()) };
    let server = spawn_with(config, store.clone()).await;
    store.add_invite(invite_hash("welcome"), now().as_millis() + 60_000).await.unwrap();
    let guest = TestPeer::new(3);
    for (n, peer, invite, status) in [
        (1, TestPeer::new(1), None, 403),
        (2, TestPeer::new(2), Some("guess"), 403),
        (3, guest.clone(), Some("welcome"), 201),
        (4, TestPeer::new(4), Some("welcome"), 403),
    ] {
        let mut request = peer.request(ClaimAction::Claim, &format!("peer{n}"), nonce(&server).await);
        request.invite = invite.map(str::to_owned);
        assert_eq!(submit(&server, &request).await.status, status, "{n}");
    }
    let later = TestPeer { seq: 2, ..guest };
    assert_eq!(later.claim(&server, "peer3").await.status, 200, "an update needs no invite");
}

#[tokio::test]
async fn without_names_there_are_none() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(tls(data.path())).await;
    assert_eq!(look_up(&server, "?name=bob").await.status, 404);
    assert_eq!(get(dial(&server).await, "/openpeer/nonce").await.status, 404);
    assert_eq!(post(dial(&server).await, "/openpeer/names", "{}").await.status, 404);
    assert_eq!(look_up(&server, "").await.status, 200);
}
