//! A store in memory: for tests and trials, and the model that other backends are compared with.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::defaults::MAX_PAGE;
use crate::error::StoreError;
use crate::record::{
    Admission, BlockedName, ClaimOutcome, Counts, InviteHash, Knock, KnockLimits, NameRow, NameSummary,
    PutKnock, StoredKnock,
};
use crate::rules::{self, ClaimFacts, KnockFacts, check_integer};
use crate::store::Store;

/// Keeps everything in memory; durable only as long as the value lives. Written for plainness, not for speed.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<String, NameRow>,
    blocked: BTreeMap<String, BlockedName>,
    /// Hash to expiry.
    invites: BTreeMap<InviteHash, u64>,
    /// In the order in which they came.
    knocks: Vec<Waiting>,
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

struct Waiting {
    peer: String,
    mailbox: Vec<u8>,
    knock: StoredKnock,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic in another thread leaves nothing half done: every change below is a single step once it is decided.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim_name(
        &self,
        row: NameRow,
        admission: Admission,
        now: u64,
    ) -> Result<ClaimOutcome, StoreError> {
        row.check()?;
        check_integer("now", now)?;
        Ok(self.state().claim(row, &admission, now))
    }

    async fn name(&self, name: &str) -> Result<Option<NameRow>, StoreError> {
        Ok(self.state().names.get(name).cloned())
    }

    async fn name_by_peer(&self, peer: &str) -> Result<Option<NameRow>, StoreError> {
        Ok(self.state().row_of_peer(peer).cloned())
    }

    async fn release_name(
        &self,
        name: &str,
        peer: &str,
        now: u64,
        blocked_until: u64,
    ) -> Result<bool, StoreError> {
        check_integer("now", now)?;
        check_integer("blocked_until", blocked_until)?;
        Ok(self.state().release(name, peer, now, blocked_until))
    }

    async fn unblock_name(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.state().blocked.remove(name).is_some())
    }

    async fn list_names(&self, after: Option<&str>, limit: usize) -> Result<Vec<NameSummary>, StoreError> {
        Ok(page(&self.state().names, after, limit).map(summary).collect())
    }

    async fn list_blocked(&self, after: Option<&str>, limit: usize) -> Result<Vec<BlockedName>, StoreError> {
        Ok(page(&self.state().blocked, after, limit).cloned().collect())
    }

    async fn add_invite(&self, code: InviteHash, expires_at: u64) -> Result<(), StoreError> {
        check_integer("expires_at", expires_at)?;
        self.state().invites.insert(code, expires_at);
        Ok(())
    }

    async fn consume_invite(&self, code: InviteHash, now: u64) -> Result<bool, StoreError> {
        check_integer("now", now)?;
        let mut state = self.state();
        let valid = state.invite_is_valid(code, now);
        if valid {
            state.invites.remove(&code);
        }
        Ok(valid)
    }

    async fn put_knock(&self, knock: Knock, limits: KnockLimits, now: u64) -> Result<PutKnock, StoreError> {
        check_integer("expires_at", knock.expires_at)?;
        check_integer("now", now)?;
        Ok(self.state().put_knock(knock, limits, now))
    }

    async fn knocks(&self, mailbox: &[u8], now: u64) -> Result<Vec<StoredKnock>, StoreError> {
        check_integer("now", now)?;
        let state = self.state();
        let live = state.knocks.iter().filter(|one| one.mailbox == mailbox && one.knock.expires_at > now);
        Ok(live.map(|one| one.knock.clone()).collect())
    }

    async fn delete_knock(&self, mailbox: &[u8], knock_id: &[u8]) -> Result<bool, StoreError> {
        let mut state = self.state();
        let before = state.knocks.len();
        state.knocks.retain(|one| !one.has_id(mailbox, knock_id));
        Ok(state.knocks.len() < before)
    }

    async fn expire(&self, now: u64) -> Result<usize, StoreError> {
        check_integer("now", now)?;
        let mut state = self.state();
        let before = state.knocks.len() + state.invites.len();
        state.knocks.retain(|one| one.knock.expires_at > now);
        state.invites.retain(|_, expires_at| *expires_at > now);
        Ok(before - state.knocks.len() - state.invites.len())
    }

    async fn get_value(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.state().values.get(key).cloned())
    }

    async fn put_value(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.state().values.insert(key.to_owned(), Zeroizing::new(value.to_vec()));
        Ok(())
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.state();
        Ok(Counts {
            names: state.names.len() as u64,
            blocked_names: state.blocked.len() as u64,
            invites: state.invites.len() as u64,
            knocks: state.knocks.len() as u64,
        })
    }
}

impl State {
    fn claim(&mut self, row: NameRow, admission: &Admission, now: u64) -> ClaimOutcome {
        let outcome = rules::claim(&row, &self.claim_facts(&row, admission, now));
        match outcome {
            ClaimOutcome::Claimed => {
                if let Admission::Invite(Some(code)) = admission {
                    self.invites.remove(code);
                }
                self.names.insert(row.name.clone(), row);
            }
            ClaimOutcome::Updated if !self.names[&row.name].same_content(&row) => {
                self.names.insert(row.name.clone(), row);
            }
            _ => {}
        }
        outcome
    }

    fn claim_facts(&self, row: &NameRow, admission: &Admission, now: u64) -> ClaimFacts {
        ClaimFacts {
            blocked_until: self.blocked.get(&row.name).map(|blocked| blocked.blocked_until),
            current: self.names.get(&row.name).cloned(),
            name_of_peer: self.row_of_peer(&row.peer).map(|held| held.name.clone()),
            peer_of_mailbox: self.row_of_mailbox(&row.guest_mailbox).map(|owner| owner.peer.clone()),
            admitted: match admission {
                Admission::Open => true,
                Admission::Invite(code) => code.is_some_and(|code| self.invite_is_valid(code, now)),
            },
        }
    }

    fn release(&mut self, name: &str, peer: &str, released_at: u64, blocked_until: u64) -> bool {
        if self.names.get(name).is_none_or(|row| row.peer != peer) {
            return false;
        }
        self.names.remove(name);
        self.knocks.retain(|one| one.peer != peer);
        let (name, former_peer) = (name.to_owned(), peer.to_owned());
        self.blocked.insert(name.clone(), BlockedName { name, former_peer, released_at, blocked_until });
        true
    }

    fn put_knock(&mut self, knock: Knock, limits: KnockLimits, now: u64) -> PutKnock {
        let peer = self.row_of_mailbox(&knock.mailbox).map(|row| row.peer.clone());
        let facts = peer.as_ref().map(|peer| {
            self.knocks.retain(|one| one.knock.expires_at > now);
            KnockFacts {
                known: self.knocks.iter().any(|one| one.has_id(&knock.mailbox, &knock.knock_id)),
                count: self.knocks.iter().filter(|one| one.peer == *peer).count(),
            }
        });
        let outcome = rules::put_knock(&knock, facts, limits);
        if let (PutKnock::Stored, Some(peer)) = (outcome, peer) {
            let Knock { mailbox, knock_id, body, expires_at } = knock;
            let knock = StoredKnock { knock_id, body, received_at: now, expires_at };
            self.knocks.push(Waiting { peer, mailbox, knock });
        }
        outcome
    }

    fn invite_is_valid(&self, code: InviteHash, now: u64) -> bool {
        self.invites.get(&code).is_some_and(|expires_at| *expires_at > now)
    }

    fn row_of_peer(&self, peer: &str) -> Option<&NameRow> {
        self.names.values().find(|row| row.peer == peer)
    }

    fn row_of_mailbox(&self, mailbox: &[u8]) -> Option<&NameRow> {
        self.names.values().find(|row| row.guest_mailbox == mailbox)
    }
}

impl Waiting {
    fn has_id(&self, mailbox: &[u8], knock_id: &[u8]) -> bool {
        self.mailbox == mailbox && self.knock.knock_id == knock_id
    }
}

fn page<'a, T>(
    rows: &'a BTreeMap<String, T>,
    after: Option<&str>,
    limit: usize,
) -> impl Iterator<Item = &'a T> + use<'a, T> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    rows.range::<str, _>((start, Bound::Unbounded)).map(|(_, row)| row).take(limit.min(MAX_PAGE))
}

fn summary(row: &NameRow) -> NameSummary {
    NameSummary { name: row.name.clone(), peer: row.peer.clone(), seq: row.seq, updated_at: row.updated_at }
}
