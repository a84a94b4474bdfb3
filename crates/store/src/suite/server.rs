//! Cases about values, counts, expiry and arguments.

use std::sync::Arc;

use super::{cases, claim, invite, knock, put_knock, race, row};
use crate::defaults::MAX_INTEGER;
use crate::error::StoreError;
use crate::record::{Admission, Counts, Knock, KnockLimits, NameRow};
use crate::store::Store;

cases![
    values_are_kept_and_replaced,
    everything_is_counted,
    expiring_removes_what_has_expired,
    the_largest_numbers_are_kept,
    larger_numbers_are_refused,
    a_write_is_seen_by_the_reads_after_it,
];

async fn values_are_kept_and_replaced(store: Arc<dyn Store>) {
    let get = async |key| store.get_value(key).await.unwrap().map(|value| value.to_vec());
    assert_eq!(get("seed").await, None);
    store.put_value("seed", b"one").await.unwrap();
    store.put_value("", &[0, 255]).await.unwrap();
    store.put_value("empty", b"").await.unwrap();
    assert_eq!(get("seed").await.as_deref(), Some(b"one".as_slice()));
    store.put_value("seed", b"another").await.unwrap();
    assert_eq!(get("seed").await.as_deref(), Some(b"another".as_slice()));
    assert_eq!(get("").await.as_deref(), Some([0, 255].as_slice()));
    assert_eq!(get("empty").await.as_deref(), Some([].as_slice()));
    assert_eq!(get("Seed").await, None);
}

async fn everything_is_counted(store: Arc<dyn Store>) {
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    fill(&*store).await;
    let expected = Counts { names: 2, blocked_names: 1, invites: 2, knocks: 2 };
    assert_eq!(store.counts().await.unwrap(), expected);
}

async fn expiring_removes_what_has_expired(store: Arc<dyn Store>) {
    fill(&*store).await;
    assert_eq!(store.expire(99).await.unwrap(), 0);
    assert_eq!(store.expire(100).await.unwrap(), 2);
    assert_eq!(store.expire(100).await.unwrap(), 0);
    let expected = Counts { names: 2, blocked_names: 1, invites: 1, knocks: 1 };
    assert_eq!(store.counts().await.unwrap(), expected);
    assert!(store.consume_invite(invite(2), 100).await.unwrap());
}

/// Two names, a blocked one, two invites and two knocks; one each expires at 100 and at 200.
async fn fill(store: &dyn Store) {
    for (name, peer) in [("alice", "peer-a"), ("bob", "peer-b"), ("carol", "peer-c")] {
        claim(store, &row(name, peer, 1)).await;
    }
    store.release_name("carol", "peer-c", 0, 50).await.unwrap();
    store.add_invite(invite(1), 100).await.unwrap();
    store.add_invite(invite(2), 200).await.unwrap();
    put_knock(store, &knock("peer-a", 1, 100), 0).await;
    put_knock(store, &knock("peer-b", 1, 200), 0).await;
}

async fn the_largest_numbers_are_kept(store: Arc<dyn Store>) {
    let largest = NameRow { updated_at: MAX_INTEGER, ..row("alice", "peer-a", 0) };
    let largest = NameRow { seq: MAX_INTEGER, ..largest };
    claim(&*store, &largest).await;
    assert_eq!(store.name("alice").await.unwrap(), Some(largest));
    put_knock(&*store, &knock("peer-a", 1, MAX_INTEGER), MAX_INTEGER - 1).await;
    let waiting = store.knocks(&super::mailbox("peer-a"), MAX_INTEGER - 1).await.unwrap();
    assert_eq!((waiting[0].received_at, waiting[0].expires_at), (MAX_INTEGER - 1, MAX_INTEGER));
}

async fn larger_numbers_are_refused(store: Arc<dyn Store>) {
    const ABOVE: u64 = MAX_INTEGER + 1;
    let alice = row("alice", "peer-a", 1);
    let knock = knock("peer-a", 1, 100);
    let limits = KnockLimits::default();
    let with_seq = NameRow { seq: ABOVE, ..alice.clone() };
    let with_time = NameRow { updated_at: ABOVE, ..alice.clone() };
    let knock_until = Knock { expires_at: ABOVE, ..knock.clone() };
    refused("seq", store.claim_name(with_seq, Admission::Open, 0).await);
    refused("updated_at", store.claim_name(with_time, Admission::Open, 0).await);
    refused("now", store.claim_name(alice, Admission::Open, ABOVE).await);
    refused("now", store.release_name("alice", "peer-a", ABOVE, 0).await);
    refused("blocked_until", store.release_name("alice", "peer-a", 0, ABOVE).await);
    refused("expires_at", store.add_invite(invite(1), ABOVE).await);
    refused("now", store.consume_invite(invite(1), ABOVE).await);
    refused("expires_at", store.put_knock(knock_until, limits, 0).await);
    refused("now", store.put_knock(knock.clone(), limits, ABOVE).await);
    refused("now", store.knocks(&knock.mailbox, ABOVE).await);
    refused("now", store.expire(ABOVE).await);
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

fn refused<T: std::fmt::Debug>(what: &'static str, outcome: Result<T, StoreError>) {
    assert_eq!(outcome.unwrap_err(), StoreError::InvalidArgument { what });
}

async fn a_write_is_seen_by_the_reads_after_it(store: Arc<dyn Store>) {
    let written = race(|number| {
        let store = Arc::clone(&store);
        async move {
            let (key, value) = (format!("key-{number}"), number.to_string().into_bytes());
            store.put_value(&key, &value).await.unwrap();
            store.get_value(&key).await.unwrap().is_some_and(|found| *found == value)
        }
    });
    assert!(written.await.into_iter().all(|seen| seen));
}
