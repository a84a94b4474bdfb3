//! Cases about invites.

use std::sync::Arc;

use super::{cases, claim, invite, race, row};
use crate::record::{Admission, ClaimOutcome, NameRow};
use crate::store::Store;

cases![
    an_invite_admits_once,
    a_failed_claim_costs_no_invite,
    an_update_needs_no_invite,
    invites_expire,
    consuming_works_once,
    one_of_many_claims_gets_the_invite,
    one_of_many_consumers_gets_the_invite,
];

async fn claim_with(store: &dyn Store, row: NameRow, number: u8, now: u64) -> ClaimOutcome {
    store.claim_name(row, Admission::Invite(Some(invite(number))), now).await.unwrap()
}

async fn an_invite_admits_once(store: Arc<dyn Store>) {
    store.add_invite(invite(1), 100).await.unwrap();
    let uninvited = store.claim_name(row("alice", "peer-a", 1), Admission::Invite(None), 0).await.unwrap();
    assert_eq!(uninvited, ClaimOutcome::InviteRefused);
    assert_eq!(claim_with(&*store, row("alice", "peer-a", 1), 2, 0).await, ClaimOutcome::InviteRefused);
    assert_eq!(store.name("alice").await.unwrap(), None);
    assert_eq!(claim_with(&*store, row("alice", "peer-a", 1), 1, 0).await, ClaimOutcome::Claimed);
    assert_eq!(claim_with(&*store, row("bob", "peer-b", 1), 1, 0).await, ClaimOutcome::InviteRefused);
    assert_eq!(store.name("bob").await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap().invites, 0);
}

async fn a_failed_claim_costs_no_invite(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    store.add_invite(invite(1), 100).await.unwrap();
    assert_eq!(claim_with(&*store, row("alice", "peer-b", 1), 1, 0).await, ClaimOutcome::TakenByOther);
    assert_eq!(claim_with(&*store, row("bob", "peer-b", 1), 1, 0).await, ClaimOutcome::Claimed);
}

async fn an_update_needs_no_invite(store: Arc<dyn Store>) {
    store.add_invite(invite(1), 100).await.unwrap();
    claim_with(&*store, row("alice", "peer-a", 1), 1, 0).await;
    let update = store.claim_name(row("alice", "peer-a", 2), Admission::Invite(None), 0).await.unwrap();
    assert_eq!(update, ClaimOutcome::Updated);

    store.add_invite(invite(2), 100).await.unwrap();
    assert_eq!(claim_with(&*store, row("alice", "peer-a", 3), 2, 0).await, ClaimOutcome::Updated);
    assert_eq!(store.counts().await.unwrap().invites, 1, "an update consumes none");
}

async fn invites_expire(store: Arc<dyn Store>) {
    store.add_invite(invite(1), 100).await.unwrap();
    assert_eq!(claim_with(&*store, row("alice", "peer-a", 1), 1, 100).await, ClaimOutcome::InviteRefused);
    assert!(!store.consume_invite(invite(1), 100).await.unwrap());
    assert!(store.consume_invite(invite(1), 99).await.unwrap(), "a refusal costs nothing");
    store.add_invite(invite(2), 100).await.unwrap();
    store.add_invite(invite(2), 200).await.unwrap();
    assert_eq!(store.counts().await.unwrap().invites, 1);
    assert_eq!(claim_with(&*store, row("alice", "peer-a", 1), 2, 199).await, ClaimOutcome::Claimed);
}

async fn consuming_works_once(store: Arc<dyn Store>) {
    assert!(!store.consume_invite(invite(1), 0).await.unwrap());
    store.add_invite(invite(1), 100).await.unwrap();
    assert!(store.consume_invite(invite(1), 0).await.unwrap());
    assert!(!store.consume_invite(invite(1), 0).await.unwrap());
}

async fn one_of_many_claims_gets_the_invite(store: Arc<dyn Store>) {
    store.add_invite(invite(1), 100).await.unwrap();
    let claims = race(|number| {
        let store = Arc::clone(&store);
        let row = row(&format!("name-{number}"), &format!("peer-{number}"), 1);
        async move { claim_with(&*store, row, 1, 0).await }
    });
    let claims = claims.await;
    assert_eq!(claims.iter().filter(|claim| **claim == ClaimOutcome::Claimed).count(), 1);
    assert_eq!(
        claims.iter().filter(|claim| **claim == ClaimOutcome::InviteRefused).count(),
        claims.len() - 1
    );
    assert_eq!(store.counts().await.unwrap().names, 1);
}

async fn one_of_many_consumers_gets_the_invite(store: Arc<dyn Store>) {
    store.add_invite(invite(1), 100).await.unwrap();
    let consumed = race(|_| {
        let store = Arc::clone(&store);
        async move { store.consume_invite(invite(1), 0).await.unwrap() }
    });
    assert_eq!(consumed.await.into_iter().filter(|consumed| *consumed).count(), 1);
}
