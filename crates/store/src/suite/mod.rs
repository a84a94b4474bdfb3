//! What every backend has to pass: [`conformance`], [`survives_reopening`] for those that keep things, and the
//! random comparison with the memory store in [`model`].
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use openpeer_store::{MemoryStore, Store, suite};
//! // #[tokio::test(flavor = "multi_thread")]
//! async fn my_backend_conforms() {
//!     suite::conformance(async || (Arc::new(MemoryStore::new()) as Arc<dyn Store>, ())).await;
//! }
//! ```
#![expect(clippy::unwrap_used, reason = "a test suite reports by panicking")]

mod invites;
mod knocks;
pub mod model;
mod names;
mod server;

use std::pin::Pin;
use std::sync::Arc;

use crate::record::{Admission, ClaimOutcome, InviteHash, Knock, KnockLimits, NameRow, PutKnock};
use crate::store::Store;

/// Runs every case, each on a fresh store. `open` returns an empty store, and something that is dropped after it,
/// such as its temporary directory.
///
/// # Panics
/// If the store does not conform; the location of the panic is the case.
pub async fn conformance<G>(open: impl AsyncFn() -> (Arc<dyn Store>, G)) {
    let cases = names::CASES.iter().chain(invites::CASES).chain(knocks::CASES).chain(server::CASES);
    for case in cases {
        let (store, _guard) = open().await;
        case(store).await;
    }
}

/// Fills a store, drops it and opens it again; everything has to be there. `open` opens the same store each time.
///
/// # Panics
/// If something is missing or different.
pub async fn survives_reopening(open: impl AsyncFn() -> Arc<dyn Store>) {
    let row = row("alice", "peer-a", 3);
    let store = open().await;
    assert_eq!(claim(&*store, &row).await, ClaimOutcome::Claimed);
    assert_eq!(claim(&*store, &self::row("bob", "peer-b", 1)).await, ClaimOutcome::Claimed);
    assert!(store.release_name("bob", "peer-b", 5, 90).await.unwrap());
    store.add_invite(invite(1), 50).await.unwrap();
    store.add_invite(invite(2), 50).await.unwrap();
    assert!(store.consume_invite(invite(2), 5).await.unwrap());
    assert_eq!(put_knock(&*store, &knock("peer-a", 1, 50), 5).await, PutKnock::Stored);
    store.put_value("seed", b"secret").await.unwrap();
    let counts = store.counts().await.unwrap();
    drop(store);

    let store = open().await;
    assert_eq!(store.counts().await.unwrap(), counts);
    assert_eq!(store.name("alice").await.unwrap(), Some(row));
    assert_eq!(claim(&*store, &self::row("bob", "peer-c", 1)).await, ClaimOutcome::Blocked { until: 90 });
    assert!(store.consume_invite(invite(1), 5).await.unwrap());
    assert!(!store.consume_invite(invite(2), 5).await.unwrap());
    assert_eq!(store.knocks(&mailbox("peer-a"), 5).await.unwrap().len(), 1);
    assert_eq!(store.get_value("seed").await.unwrap().unwrap().as_slice(), b"secret");
}

type Case = fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A list of cases, checked for completeness by the compiler: an unlisted one is dead code.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(super) const CASES: &[$crate::suite::Case] = &[$(|store| Box::pin($case(store))),*];
    };
}
use cases;

/// Enough callers at once that an unprotected read-then-write shows.
const RACERS: usize = 32;

/// Runs `call` for 0 to `RACERS` at the same time and returns the answers in that order.
async fn race<T, F>(call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let racers: Vec<_> = (0..RACERS).map(|number| tokio::spawn(call(number))).collect();
    let mut answers = Vec::new();
    for racer in racers {
        answers.push(racer.await.unwrap());
    }
    answers
}

fn row(name: &str, peer: &str, seq: u64) -> NameRow {
    NameRow {
        name: name.to_owned(),
        peer: peer.to_owned(),
        guest_mailbox: mailbox(peer),
        seq,
        updated_at: 1_000 + seq,
        bundle: format!("bundle {seq} of {peer}").into_bytes(),
    }
}

fn mailbox(peer: &str) -> Vec<u8> {
    format!("mailbox of {peer}").into_bytes()
}

fn invite(number: u8) -> InviteHash {
    InviteHash([number; 32])
}

fn knock(peer: &str, id: u8, expires_at: u64) -> Knock {
    Knock { mailbox: mailbox(peer), knock_id: vec![id], body: vec![id; 100], expires_at }
}

async fn claim(store: &dyn Store, row: &NameRow) -> ClaimOutcome {
    store.claim_name(row.clone(), Admission::Open, 0).await.unwrap()
}

async fn put_knock(store: &dyn Store, knock: &Knock, now: u64) -> PutKnock {
    store.put_knock(knock.clone(), KnockLimits::default(), now).await.unwrap()
}
