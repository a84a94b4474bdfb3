//! Names: claiming, releasing, looking up.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::server;
use crate::defaults::MAX_PAGE;
use crate::record::{Admission, BlockedName, ClaimOutcome, NameRow, NameSummary};
use crate::rules::{self, ClaimFacts};

pub(super) fn claim(db: &Connection, row: &NameRow, admission: &Admission, now: u64) -> Result<ClaimOutcome> {
    let facts = claim_facts(db, row, admission, now)?;
    let outcome = rules::claim(row, &facts);
    match &outcome {
        ClaimOutcome::Claimed => {
            insert(db, row)?;
            if let Admission::Invite(Some(code)) = admission {
                server::consume_invite(db, *code, now)?;
            }
        }
        ClaimOutcome::Updated if facts.current.is_none_or(|current| !current.same_content(row)) => {
            update(db, row)?;
        }
        _ => {}
    }
    Ok(outcome)
}

fn claim_facts(db: &Connection, row: &NameRow, admission: &Admission, now: u64) -> Result<ClaimFacts> {
    Ok(ClaimFacts {
        blocked_until: db
            .prepare_cached("SELECT blocked_until FROM blocked_names WHERE name = ?1")?
            .query_row([&row.name], |found| found.get(0))
            .optional()?,
        current: by_name(db, &row.name)?,
        name_of_peer: db
            .prepare_cached("SELECT name FROM names WHERE peer = ?1")?
            .query_row([&row.peer], |found| found.get(0))
            .optional()?,
        peer_of_mailbox: peer_of_mailbox(db, &row.guest_mailbox)?,
        admitted: match admission {
            Admission::Open => true,
            Admission::Invite(None) => false,
            Admission::Invite(Some(code)) => server::invite_is_valid(db, *code, now)?,
        },
    })
}

fn insert(db: &Connection, row: &NameRow) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO names (name, peer, guest_mailbox, seq, updated_at, bundle) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![row.name, row.peer, row.guest_mailbox, row.seq, row.updated_at, row.bundle])
    .map(drop)
}

fn update(db: &Connection, row: &NameRow) -> Result<()> {
    db.prepare_cached(
        "UPDATE names SET guest_mailbox = ?2, seq = ?3, updated_at = ?4, bundle = ?5 WHERE name = ?1",
    )?
    .execute(params![row.name, row.guest_mailbox, row.seq, row.updated_at, row.bundle])
    .map(drop)
}

pub(super) fn by_name(db: &Connection, name: &str) -> Result<Option<NameRow>> {
    db.prepare_cached("SELECT name, peer, guest_mailbox, seq, updated_at, bundle FROM names WHERE name = ?1")?
        .query_row([name], name_row)
        .optional()
}

pub(super) fn by_peer(db: &Connection, peer: &str) -> Result<Option<NameRow>> {
    db.prepare_cached("SELECT name, peer, guest_mailbox, seq, updated_at, bundle FROM names WHERE peer = ?1")?
        .query_row([peer], name_row)
        .optional()
}

pub(super) fn peer_of_mailbox(db: &Connection, mailbox: &[u8]) -> Result<Option<String>> {
    db.prepare_cached("SELECT peer FROM names WHERE guest_mailbox = ?1")?
        .query_row([mailbox], |row| row.get(0))
        .optional()
}

fn name_row(row: &Row<'_>) -> Result<NameRow> {
    Ok(NameRow {
        name: row.get(0)?,
        peer: row.get(1)?,
        guest_mailbox: row.get(2)?,
        seq: row.get(3)?,
        updated_at: row.get(4)?,
        bundle: row.get(5)?,
    })
}

pub(super) fn release(db: &Connection, blocked: &BlockedName) -> Result<bool> {
    let BlockedName { name, former_peer, released_at, blocked_until } = blocked;
    let held =
        db.prepare_cached("DELETE FROM names WHERE name = ?1 AND peer = ?2")?.execute([name, former_peer])?;
    if held == 0 {
        return Ok(false);
    }
    db.prepare_cached("DELETE FROM knocks WHERE peer = ?1")?.execute([former_peer])?;
    db.prepare_cached(
        "INSERT INTO blocked_names (name, former_peer, released_at, blocked_until) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![name, former_peer, released_at, blocked_until])?;
    Ok(true)
}

pub(super) fn unblock(db: &Connection, name: &str) -> Result<bool> {
    Ok(db.prepare_cached("DELETE FROM blocked_names WHERE name = ?1")?.execute([name])? > 0)
}

/// Every name is greater than the empty one, which nobody can claim.
pub(super) fn list(db: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<NameSummary>> {
    db.prepare_cached("SELECT name, peer, seq, updated_at FROM names WHERE name > ?1 ORDER BY name LIMIT ?2")?
        .query_map(params![after.unwrap_or_default(), limit.min(MAX_PAGE)], |row| {
            Ok(NameSummary {
                name: row.get(0)?,
                peer: row.get(1)?,
                seq: row.get(2)?,
                updated_at: row.get(3)?,
            })
        })?
        .collect()
}

/// Like [`list`].
pub(super) fn list_blocked(db: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<BlockedName>> {
    db.prepare_cached(
        "SELECT name, former_peer, released_at, blocked_until FROM blocked_names
         WHERE name > ?1 ORDER BY name LIMIT ?2",
    )?
    .query_map(params![after.unwrap_or_default(), limit.min(MAX_PAGE)], |row| {
        Ok(BlockedName {
            name: row.get(0)?,
            former_peer: row.get(1)?,
            released_at: row.get(2)?,
            blocked_until: row.get(3)?,
        })
    })?
    .collect()
}
