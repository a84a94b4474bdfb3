//! Cases about stored knocks.

use std::sync::Arc;

use super::{cases, claim, knock, mailbox, put_knock, race, row};
use crate::defaults::{MAX_KNOCK_BYTES, MAX_KNOCKS};
use crate::record::{Knock, KnockLimits, NameRow, PutKnock, StoredKnock};
use crate::store::Store;

cases![
    knocks_wait_in_the_order_they_came,
    only_the_guest_mailbox_of_a_name_takes_knocks,
    a_body_may_be_as_large_as_the_limit,
    the_same_knock_again_is_a_duplicate,
    a_full_mailbox_takes_no_more,
    expired_knocks_are_gone_and_make_room,
    a_new_mailbox_keeps_the_old_knocks_and_brings_no_new_room,
    releasing_the_name_deletes_its_knocks,
    racing_knocks_keep_the_limit,
];

async fn ids(store: &dyn Store, mailbox: &[u8], now: u64) -> Vec<u8> {
    store.knocks(mailbox, now).await.unwrap().into_iter().flat_map(|knock| knock.knock_id).collect()
}

async fn knocks_wait_in_the_order_they_came(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    claim(&*store, &row("bob", "peer-b", 1)).await;
    for id in [3, 1, 2] {
        assert_eq!(put_knock(&*store, &knock("peer-a", id, 100), 10).await, PutKnock::Stored);
    }
    assert_eq!(put_knock(&*store, &knock("peer-b", 9, 100), 10).await, PutKnock::Stored);
    assert_eq!(ids(&*store, &mailbox("peer-a"), 10).await, [3, 1, 2]);
    let waiting = store.knocks(&mailbox("peer-b"), 10).await.unwrap();
    let expected = StoredKnock { knock_id: vec![9], body: vec![9; 100], received_at: 10, expires_at: 100 };
    assert_eq!(waiting, [expected]);

    assert!(!store.delete_knock(&mailbox("peer-b"), &[1]).await.unwrap());
    assert!(store.delete_knock(&mailbox("peer-a"), &[1]).await.unwrap());
    assert!(!store.delete_knock(&mailbox("peer-a"), &[1]).await.unwrap());
    assert_eq!(ids(&*store, &mailbox("peer-a"), 10).await, [3, 2]);
}

async fn only_the_guest_mailbox_of_a_name_takes_knocks(store: Arc<dyn Store>) {
    let early = knock("peer-a", 1, 100);
    assert_eq!(put_knock(&*store, &early, 0).await, PutKnock::NoMailbox);
    let large = Knock { body: vec![0; MAX_KNOCK_BYTES + 1], ..early.clone() };
    assert_eq!(put_knock(&*store, &large, 0).await, PutKnock::NoMailbox);
    claim(&*store, &row("alice", "peer-a", 1)).await;
    assert_eq!(ids(&*store, &mailbox("peer-a"), 0).await, []);
    assert_eq!(put_knock(&*store, &early, 0).await, PutKnock::Stored);
}

async fn a_body_may_be_as_large_as_the_limit(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    let sized = |id, bytes| Knock { body: vec![7; bytes], ..knock("peer-a", id, 100) };
    assert_eq!(put_knock(&*store, &sized(1, MAX_KNOCK_BYTES + 1), 0).await, PutKnock::TooLarge);
    assert_eq!(put_knock(&*store, &sized(2, MAX_KNOCK_BYTES), 0).await, PutKnock::Stored);
    assert_eq!(put_knock(&*store, &sized(3, 0), 0).await, PutKnock::Stored);
    let waiting = store.knocks(&mailbox("peer-a"), 0).await.unwrap();
    let lengths: Vec<_> = waiting.iter().map(|knock| knock.body.len()).collect();
    assert_eq!(lengths, [MAX_KNOCK_BYTES, 0]);
}

async fn the_same_knock_again_is_a_duplicate(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    claim(&*store, &row("bob", "peer-b", 1)).await;
    put_knock(&*store, &knock("peer-a", 1, 100), 0).await;
    let other_body = Knock { body: b"other".to_vec(), ..knock("peer-a", 1, 200) };
    assert_eq!(put_knock(&*store, &other_body, 5).await, PutKnock::Duplicate);
    assert_eq!(put_knock(&*store, &knock("peer-b", 1, 100), 0).await, PutKnock::Stored);
    let waiting = store.knocks(&mailbox("peer-a"), 0).await.unwrap();
    let first = StoredKnock { knock_id: vec![1], body: vec![1; 100], received_at: 0, expires_at: 100 };
    assert_eq!(waiting, [first]);
}

async fn a_full_mailbox_takes_no_more(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    claim(&*store, &row("bob", "peer-b", 1)).await;
    let limits = KnockLimits { max_count: 3, ..KnockLimits::default() };
    let put = async |id| store.put_knock(knock("peer-a", id, 100), limits, 0).await.unwrap();
    for id in 0..3 {
        assert_eq!(put(id).await, PutKnock::Stored);
    }
    assert_eq!(put(3).await, PutKnock::Full);
    assert_eq!(put(2).await, PutKnock::Duplicate);
    assert_eq!(put_knock(&*store, &knock("peer-b", 1, 100), 0).await, PutKnock::Stored);
    store.delete_knock(&mailbox("peer-a"), &[0]).await.unwrap();
    assert_eq!(put(3).await, PutKnock::Stored);
    assert_eq!(ids(&*store, &mailbox("peer-a"), 0).await, [1, 2, 3]);
}

async fn expired_knocks_are_gone_and_make_room(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    let limits = KnockLimits { max_count: 2, ..KnockLimits::default() };
    let put =
        async |id, expires, now| store.put_knock(knock("peer-a", id, expires), limits, now).await.unwrap();
    put(1, 100, 0).await;
    put(2, 200, 0).await;
    assert_eq!(ids(&*store, &mailbox("peer-a"), 99).await, [1, 2]);
    assert_eq!(ids(&*store, &mailbox("peer-a"), 100).await, [2]);
    assert_eq!(put(3, 300, 99).await, PutKnock::Full);
    assert_eq!(put(1, 300, 100).await, PutKnock::Stored, "an expired id may come again");
    assert_eq!(ids(&*store, &mailbox("peer-a"), 100).await, [2, 1]);
}

async fn a_new_mailbox_keeps_the_old_knocks_and_brings_no_new_room(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    for id in 1..=5 {
        put_knock(&*store, &knock("peer-a", id, 100), 0).await;
    }
    let moved = NameRow { guest_mailbox: mailbox("moved"), ..row("alice", "peer-a", 2) };
    claim(&*store, &moved).await;
    assert_eq!(put_knock(&*store, &knock("peer-a", 6, 100), 0).await, PutKnock::NoMailbox);
    assert_eq!(ids(&*store, &mailbox("peer-a"), 0).await, [1, 2, 3, 4, 5]);
    for id in 1..=3 {
        assert_eq!(put_knock(&*store, &knock("moved", id, 100), 0).await, PutKnock::Stored);
    }
    assert_eq!(put_knock(&*store, &knock("moved", 4, 100), 0).await, PutKnock::Full);
}

async fn releasing_the_name_deletes_its_knocks(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    claim(&*store, &row("bob", "peer-b", 1)).await;
    put_knock(&*store, &knock("peer-a", 1, 100), 0).await;
    put_knock(&*store, &knock("peer-b", 2, 100), 0).await;
    store.release_name("alice", "peer-a", 1, 90).await.unwrap();
    assert_eq!(ids(&*store, &mailbox("peer-a"), 0).await, []);
    assert_eq!(put_knock(&*store, &knock("peer-a", 3, 100), 0).await, PutKnock::NoMailbox);
    assert_eq!(ids(&*store, &mailbox("peer-b"), 0).await, [2]);
}

async fn racing_knocks_keep_the_limit(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    let outcomes = race(|number| {
        let (store, id) = (Arc::clone(&store), u8::try_from(number).unwrap());
        async move { put_knock(&*store, &knock("peer-a", id, 100), 0).await }
    });
    let stored = outcomes.await.into_iter().filter(|outcome| *outcome == PutKnock::Stored).count();
    assert_eq!(stored, MAX_KNOCKS);
    assert_eq!(ids(&*store, &mailbox("peer-a"), 0).await.len(), MAX_KNOCKS);
}
