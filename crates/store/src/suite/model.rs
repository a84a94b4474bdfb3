//! Random operations, and what a store answers to them. [`MemoryStore`](crate::MemoryStore) is the model: another
//! backend has to give the same answers to the same operations.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{invite, mailbox};
use crate::record::{Admission, Knock, KnockLimits, NameRow};
use crate::store::Store;

/// A call with small arguments, so that a few dozen of them meet each other often.
#[derive(Clone, Debug)]
pub enum Operation {
    /// [`Store::claim_name`]
    Claim(NameRow, Admission, u64),
    /// [`Store::release_name`]: name, peer, now.
    Release(String, String, u64),
    /// [`Store::unblock_name`]
    Unblock(String),
    /// [`Store::add_invite`]: number of the invite, expiry.
    AddInvite(u8, u64),
    /// [`Store::consume_invite`]: number of the invite, now.
    ConsumeInvite(u8, u64),
    /// [`Store::put_knock`]
    PutKnock(Knock, u64),
    /// [`Store::delete_knock`]: mailbox, knock id.
    DeleteKnock(Vec<u8>, Vec<u8>),
    /// [`Store::expire`]; how many were still there is the backend's affair and not compared.
    Expire(u64),
    /// [`Store::put_value`]
    PutValue(String, Vec<u8>),
    /// Everything that can be read.
    Read(u64),
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const PEERS: [&str; 4] = ["peer-a", "peer-b", "peer-c", "peer-d"];
const INVITES: u8 = 3;
const KEYS: [&str; 2] = ["seed", "seq"];
/// Small, so that random knocks reach them.
const LIMITS: KnockLimits = KnockLimits { max_count: 2, max_bytes: 8 };
/// Milliseconds; times are random and go back too, as clocks do.
const TIMES: u64 = 20;

/// Up to `most` random operations, the last of which reads everything.
pub fn operations(most: usize) -> impl Strategy<Value = Vec<Operation>> {
    let last = (0..TIMES).prop_map(Operation::Read);
    (vec(operation(), 1..most), last).prop_map(|(mut operations, last)| {
        operations.push(last);
        operations
    })
}

/// Performs the operations one after the other and returns each answer in readable form.
pub async fn perform(store: &dyn Store, operations: &[Operation]) -> Vec<String> {
    let mut answers = Vec::new();
    for operation in operations {
        answers.push(match operation.clone() {
            Operation::Claim(row, admission, now) => show(store.claim_name(row, admission, now).await),
            Operation::Release(name, peer, now) => {
                show(store.release_name(&name, &peer, now, now + 90).await)
            }
            Operation::Unblock(name) => show(store.unblock_name(&name).await),
            Operation::AddInvite(number, expiry) => show(store.add_invite(invite(number), expiry).await),
            Operation::ConsumeInvite(number, now) => show(store.consume_invite(invite(number), now).await),
            Operation::PutKnock(knock, now) => show(store.put_knock(knock, LIMITS, now).await),
            Operation::DeleteKnock(mailbox, id) => show(store.delete_knock(&mailbox, &id).await),
            Operation::Expire(now) => show(store.expire(now).await.map(drop)),
            Operation::PutValue(key, value) => show(store.put_value(&key, &value).await),
            Operation::Read(now) => read(store, now).await,
        });
    }
    answers
}

fn operation() -> impl Strategy<Value = Operation> {
    let now = || 0..TIMES;
    let name = || proptest::sample::select(NAMES.as_slice()).prop_map(str::to_owned);
    let peer = || proptest::sample::select(PEERS.as_slice());
    let mailbox = || peer().prop_map(mailbox);
    let admission = prop_oneof![Just(Admission::Open), option_of_invite().prop_map(Admission::Invite)];
    let row = (name(), peer(), mailbox(), 0..4_u64, now(), vec(any::<u8>(), 0..2)).prop_map(
        |(name, peer, guest_mailbox, seq, updated_at, bundle)| NameRow {
            name,
            peer: peer.to_owned(),
            guest_mailbox,
            seq,
            updated_at,
            bundle,
        },
    );
    let knock_id = || vec(0..4_u8, 1);
    let knock = (mailbox(), knock_id(), vec(any::<u8>(), 0..10), now())
        .prop_map(|(mailbox, knock_id, body, expires_at)| Knock { mailbox, knock_id, body, expires_at });
    let key = proptest::sample::select(KEYS.as_slice()).prop_map(str::to_owned);
    prop_oneof![
        6 => (row, admission, now()).prop_map(|(row, admission, now)| Operation::Claim(row, admission, now)),
        2 => (name(), peer(), now()).prop_map(|(name, peer, now)| Operation::Release(name, peer.to_owned(), now)),
        2 => name().prop_map(Operation::Unblock),
        2 => (0..INVITES, now()).prop_map(|(number, expiry)| Operation::AddInvite(number, expiry)),
        1 => (0..INVITES, now()).prop_map(|(number, now)| Operation::ConsumeInvite(number, now)),
        6 => (knock, now()).prop_map(|(knock, now)| Operation::PutKnock(knock, now)),
        2 => (mailbox(), knock_id()).prop_map(|(mailbox, id)| Operation::DeleteKnock(mailbox, id)),
        1 => now().prop_map(Operation::Expire),
        1 => (key, vec(any::<u8>(), 0..4)).prop_map(|(key, value)| Operation::PutValue(key, value)),
        2 => now().prop_map(Operation::Read),
    ]
}

fn option_of_invite() -> impl Strategy<Value = Option<crate::record::InviteHash>> {
    proptest::option::of((0..INVITES).prop_map(invite))
}

/// Expired records count for as long as a backend likes, so the counts are taken without them.
async fn read(store: &dyn Store, now: u64) -> String {
    let mut seen = Vec::new();
    for name in NAMES {
        seen.push(show(store.name(name).await));
    }
    for peer in PEERS {
        seen.push(show(store.name_by_peer(peer).await));
        seen.push(show(store.knocks(&mailbox(peer), now).await));
    }
    for key in KEYS {
        seen.push(show(store.get_value(key).await));
    }
    seen.push(show(store.list_names(Some("b"), 9).await));
    seen.push(show(store.list_blocked(None, 2).await));
    seen.push(show(store.expire(now).await.map(drop)));
    seen.push(show(store.counts().await));
    seen.join("\n")
}

fn show(answer: impl std::fmt::Debug) -> String {
    format!("{answer:?}")
}
