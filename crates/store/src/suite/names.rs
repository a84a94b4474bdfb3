//! Cases about names.

use std::sync::Arc;

use super::{cases, claim, mailbox, race, row};
use crate::record::{Admission, BlockedName, ClaimOutcome, NameRow, NameSummary};
use crate::store::Store;

cases![
    a_claimed_name_is_found,
    an_update_needs_a_higher_seq,
    a_refused_claim_changes_nothing,
    the_first_reason_is_told,
    a_released_name_stays_blocked_until_the_operator_unblocks_it,
    only_the_holder_releases,
    a_peer_may_take_another_name_after_releasing,
    a_mailbox_left_behind_is_free,
    one_of_many_peers_gets_the_name,
    one_of_many_names_goes_to_the_peer,
    names_are_listed_in_pages,
    blocked_names_are_listed_in_pages,
];

async fn a_claimed_name_is_found(store: Arc<dyn Store>) {
    let alice = row("alice", "peer-a", 1);
    assert_eq!(store.name("alice").await.unwrap(), None);
    assert_eq!(claim(&*store, &alice).await, ClaimOutcome::Claimed);
    assert_eq!(store.name("alice").await.unwrap(), Some(alice.clone()));
    assert_eq!(store.name_by_peer("peer-a").await.unwrap(), Some(alice));
    assert_eq!(store.name("Alice").await.unwrap(), None);
    assert_eq!(store.name("alic").await.unwrap(), None);
    assert_eq!(store.name_by_peer("peer-b").await.unwrap(), None);
}

async fn an_update_needs_a_higher_seq(store: Arc<dyn Store>) {
    let second = row("alice", "peer-a", 2);
    claim(&*store, &second).await;
    assert_eq!(claim(&*store, &row("alice", "peer-a", 1)).await, ClaimOutcome::Stale { seq: 2 });
    let differs = NameRow { bundle: b"other".to_vec(), ..second.clone() };
    assert_eq!(claim(&*store, &differs).await, ClaimOutcome::Stale { seq: 2 });
    let repeated_later = NameRow { updated_at: 9_999, ..second.clone() };
    assert_eq!(claim(&*store, &repeated_later).await, ClaimOutcome::Updated);
    assert_eq!(store.name("alice").await.unwrap(), Some(second));

    let third = NameRow { guest_mailbox: b"another".to_vec(), ..row("alice", "peer-a", 3) };
    assert_eq!(claim(&*store, &third).await, ClaimOutcome::Updated);
    assert_eq!(store.name("alice").await.unwrap(), Some(third));
}

async fn a_refused_claim_changes_nothing(store: Arc<dyn Store>) {
    let (alice, bob) = (row("alice", "peer-a", 1), row("bob", "peer-b", 1));
    claim(&*store, &alice).await;
    claim(&*store, &bob).await;
    assert_eq!(claim(&*store, &row("alice", "peer-c", 9)).await, ClaimOutcome::TakenByOther);
    let second_name = ClaimOutcome::PeerHasName { name: "alice".to_owned() };
    assert_eq!(claim(&*store, &row("carol", "peer-a", 9)).await, second_name);
    let copied = NameRow { guest_mailbox: mailbox("peer-a"), ..row("carol", "peer-c", 9) };
    assert_eq!(claim(&*store, &copied).await, ClaimOutcome::MailboxTaken);
    let copied = NameRow { guest_mailbox: mailbox("peer-a"), ..row("bob", "peer-b", 9) };
    assert_eq!(claim(&*store, &copied).await, ClaimOutcome::MailboxTaken);

    assert_eq!(store.name("alice").await.unwrap(), Some(alice));
    assert_eq!(store.name("bob").await.unwrap(), Some(bob));
    assert_eq!(store.name("carol").await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap().names, 2);
}

async fn the_first_reason_is_told(store: Arc<dyn Store>) {
    claim(&*store, &row("blocked", "peer-x", 1)).await;
    store.release_name("blocked", "peer-x", 1, 90).await.unwrap();
    claim(&*store, &row("alice", "peer-a", 5)).await;
    claim(&*store, &row("bob", "peer-b", 5)).await;
    let uninvited = async |name, peer, owner_of_mailbox| {
        let row = NameRow { guest_mailbox: mailbox(owner_of_mailbox), ..row(name, peer, 1) };
        store.claim_name(row, Admission::Invite(None), 0).await.unwrap()
    };
    assert_eq!(uninvited("blocked", "peer-a", "peer-b").await, ClaimOutcome::Blocked { until: 90 });
    assert_eq!(uninvited("bob", "peer-a", "peer-b").await, ClaimOutcome::TakenByOther);
    let second_name = ClaimOutcome::PeerHasName { name: "alice".to_owned() };
    assert_eq!(uninvited("carol", "peer-a", "peer-b").await, second_name);
    assert_eq!(uninvited("alice", "peer-a", "peer-b").await, ClaimOutcome::Stale { seq: 5 });
    assert_eq!(uninvited("carol", "peer-c", "peer-b").await, ClaimOutcome::MailboxTaken);
    assert_eq!(uninvited("carol", "peer-c", "peer-c").await, ClaimOutcome::InviteRefused);
}

async fn a_released_name_stays_blocked_until_the_operator_unblocks_it(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    assert!(store.release_name("alice", "peer-a", 10, 90).await.unwrap());
    assert_eq!(store.name("alice").await.unwrap(), None);
    assert_eq!(store.name_by_peer("peer-a").await.unwrap(), None);
    for (peer, now) in [("peer-a", 11), ("peer-b", 11), ("peer-a", 91), ("peer-b", 91)] {
        let outcome = store.claim_name(row("alice", peer, 2), Admission::Open, now).await.unwrap();
        assert_eq!(outcome, ClaimOutcome::Blocked { until: 90 });
    }
    assert_eq!(store.expire(1_000).await.unwrap(), 0, "passing time alone unblocks nothing");
    assert!(store.unblock_name("alice").await.unwrap());
    assert!(!store.unblock_name("alice").await.unwrap());
    assert_eq!(claim(&*store, &row("alice", "peer-b", 1)).await, ClaimOutcome::Claimed);
    assert!(!store.unblock_name("alice").await.unwrap());
    assert_eq!(store.name("alice").await.unwrap(), Some(row("alice", "peer-b", 1)));
}

async fn only_the_holder_releases(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    claim(&*store, &row("bob", "peer-b", 1)).await;
    assert!(!store.release_name("alice", "peer-b", 1, 90).await.unwrap());
    assert!(!store.release_name("carol", "peer-a", 1, 90).await.unwrap());
    assert_eq!(store.counts().await.unwrap().names, 2);
    assert_eq!(store.counts().await.unwrap().blocked_names, 0);
    assert!(store.release_name("alice", "peer-a", 1, 90).await.unwrap());
    assert!(!store.release_name("alice", "peer-a", 2, 99).await.unwrap());
    assert_eq!(store.list_blocked(None, 9).await.unwrap()[0].blocked_until, 90);
}

async fn a_peer_may_take_another_name_after_releasing(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 7)).await;
    store.release_name("alice", "peer-a", 1, 90).await.unwrap();
    assert_eq!(claim(&*store, &row("alicia", "peer-a", 1)).await, ClaimOutcome::Claimed);
}

async fn a_mailbox_left_behind_is_free(store: Arc<dyn Store>) {
    claim(&*store, &row("alice", "peer-a", 1)).await;
    let moved = NameRow { guest_mailbox: b"another".to_vec(), ..row("alice", "peer-a", 2) };
    claim(&*store, &moved).await;
    let heir = NameRow { guest_mailbox: mailbox("peer-a"), ..row("bob", "peer-b", 1) };
    assert_eq!(claim(&*store, &heir).await, ClaimOutcome::Claimed);
}

async fn one_of_many_peers_gets_the_name(store: Arc<dyn Store>) {
    let claims = race(|number| {
        let store = Arc::clone(&store);
        async move { claim(&*store, &row("alice", &format!("peer-{number}"), 1)).await }
    });
    let claims = claims.await;
    let winners: Vec<_> = (0..claims.len()).filter(|&one| claims[one] == ClaimOutcome::Claimed).collect();
    let [winner] = winners[..] else { panic!("{} peers got the name", winners.len()) };
    assert_eq!(claims.iter().filter(|claim| **claim == ClaimOutcome::TakenByOther).count(), claims.len() - 1);
    assert_eq!(store.name("alice").await.unwrap(), Some(row("alice", &format!("peer-{winner}"), 1)));
}

async fn one_of_many_names_goes_to_the_peer(store: Arc<dyn Store>) {
    let claims = race(|number| {
        let store = Arc::clone(&store);
        async move { claim(&*store, &row(&format!("name-{number}"), "peer-a", 1)).await }
    });
    let claimed = claims.await.into_iter().filter(|claim| *claim == ClaimOutcome::Claimed).count();
    assert_eq!((claimed, store.counts().await.unwrap().names), (1, 1));
}

async fn names_are_listed_in_pages(store: Arc<dyn Store>) {
    for name in ["bob", "a-z", "alice", "a.z", "a_z", "0"] {
        claim(&*store, &row(name, &format!("peer of {name}"), 1)).await;
    }
    let first = store.list_names(None, 4).await.unwrap();
    let entry = |name: &str| {
        let NameRow { name, peer, seq, updated_at, .. } = row(name, &format!("peer of {name}"), 1);
        NameSummary { name, peer, seq, updated_at }
    };
    assert_eq!(first, ["0", "a-z", "a.z", "a_z"].map(entry));
    assert_eq!(store.list_names(Some("a_z"), 4).await.unwrap(), ["alice", "bob"].map(entry));
    assert_eq!(store.list_names(Some("am"), 4).await.unwrap(), ["bob"].map(entry));
    assert_eq!(store.list_names(Some("bob"), 4).await.unwrap(), []);
    assert_eq!(store.list_names(None, 0).await.unwrap(), []);
    assert_eq!(store.list_names(None, usize::MAX).await.unwrap().len(), 6);
}

async fn blocked_names_are_listed_in_pages(store: Arc<dyn Store>) {
    for name in ["bob", "alice", "carol"] {
        claim(&*store, &row(name, "peer-a", 1)).await;
        store.release_name(name, "peer-a", 10, 90).await.unwrap();
    }
    let entry = |name: &str| BlockedName {
        name: name.to_owned(),
        former_peer: "peer-a".to_owned(),
        released_at: 10,
        blocked_until: 90,
    };
    assert_eq!(store.list_blocked(None, 2).await.unwrap(), ["alice", "bob"].map(entry));
    assert_eq!(store.list_blocked(Some("bob"), 2).await.unwrap(), ["carol"].map(entry));
}
