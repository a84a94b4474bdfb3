//! What belongs to the server itself: invites, values, counts.

use rusqlite::{Connection, OptionalExtension, Result, params};
use zeroize::Zeroizing;

use crate::record::{Counts, InviteHash};

pub(super) fn add_invite(db: &Connection, code: InviteHash, expires_at: u64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO invites (code, expires_at) VALUES (?1, ?2)
         ON CONFLICT (code) DO UPDATE SET expires_at = excluded.expires_at",
    )?
    .execute(params![code.0, expires_at])
    .map(drop)
}

pub(super) fn invite_is_valid(db: &Connection, code: InviteHash, now: u64) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM invites WHERE code = ?1 AND expires_at > ?2")?
        .exists(params![code.0, now])
}

pub(super) fn consume_invite(db: &Connection, code: InviteHash, now: u64) -> Result<bool> {
    let consumed = db
        .prepare_cached("DELETE FROM invites WHERE code = ?1 AND expires_at > ?2")?
        .execute(params![code.0, now])?;
    Ok(consumed > 0)
}

pub(super) fn expire_invites(db: &Connection, now: u64) -> Result<usize> {
    db.prepare_cached("DELETE FROM invites WHERE expires_at <= ?1")?.execute([now])
}

pub(super) fn get_value(db: &Connection, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    db.prepare_cached("SELECT value FROM server_values WHERE key = ?1")?
        .query_row([key], |row| row.get(0).map(Zeroizing::new))
        .optional()
}

pub(super) fn put_value(db: &Connection, key: &str, value: &[u8]) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO server_values (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])
    .map(drop)
}

pub(super) fn counts(db: &Connection) -> Result<Counts> {
    db.prepare_cached(
        "SELECT (SELECT count(*) FROM names), (SELECT count(*) FROM blocked_names),
                (SELECT count(*) FROM invites), (SELECT count(*) FROM knocks)",
    )?
    .query_row([], |row| {
        Ok(Counts {
            names: row.get(0)?,
            blocked_names: row.get(1)?,
            invites: row.get(2)?,
            knocks: row.get(3)?,
        })
    })
}
