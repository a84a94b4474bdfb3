//! Stored knocks.

use rusqlite::{Connection, Result, params};

use super::names;
use crate::record::{Knock, KnockLimits, PutKnock, StoredKnock};
use crate::rules::{self, KnockFacts};

pub(super) fn put(db: &Connection, knock: &Knock, limits: KnockLimits, now: u64) -> Result<PutKnock> {
    let peer = names::peer_of_mailbox(db, &knock.mailbox)?;
    let facts = match &peer {
        Some(peer) => Some(facts(db, knock, peer, now)?),
        None => None,
    };
    let outcome = rules::put_knock(knock, facts, limits);
    if let (PutKnock::Stored, Some(peer)) = (outcome, peer) {
        insert(db, knock, &peer, now)?;
    }
    Ok(outcome)
}

/// Removes what has expired first: it takes up no room, and its id may come again.
fn facts(db: &Connection, knock: &Knock, peer: &str, now: u64) -> Result<KnockFacts> {
    expire(db, now)?;
    Ok(KnockFacts {
        known: db
            .prepare_cached("SELECT 1 FROM knocks WHERE mailbox = ?1 AND knock_id = ?2")?
            .exists(params![knock.mailbox, knock.knock_id])?,
        count: db
            .prepare_cached("SELECT count(*) FROM knocks WHERE peer = ?1")?
            .query_row([peer], |row| row.get(0))?,
    })
}

fn insert(db: &Connection, knock: &Knock, peer: &str, now: u64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO knocks (peer, mailbox, knock_id, received_at, expires_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![peer, knock.mailbox, knock.knock_id, now, knock.expires_at, knock.body])
    .map(drop)
}

pub(super) fn list(db: &Connection, mailbox: &[u8], now: u64) -> Result<Vec<StoredKnock>> {
    db.prepare_cached(
        "SELECT knock_id, body, received_at, expires_at FROM knocks
         WHERE mailbox = ?1 AND expires_at > ?2 ORDER BY id",
    )?
    .query_map(params![mailbox, now], |row| {
        Ok(StoredKnock {
            knock_id: row.get(0)?,
            body: row.get(1)?,
            received_at: row.get(2)?,
            expires_at: row.get(3)?,
        })
    })?
    .collect()
}

pub(super) fn delete(db: &Connection, mailbox: &[u8], knock_id: &[u8]) -> Result<bool> {
    let deleted = db
        .prepare_cached("DELETE FROM knocks WHERE mailbox = ?1 AND knock_id = ?2")?
        .execute([mailbox, knock_id])?;
    Ok(deleted > 0)
}

pub(super) fn expire(db: &Connection, now: u64) -> Result<usize> {
    db.prepare_cached("DELETE FROM knocks WHERE expires_at <= ?1")?.execute([now])
}
