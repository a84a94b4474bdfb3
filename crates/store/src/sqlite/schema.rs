//! The database file: its settings, whose it is, and its version.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::fault;
use crate::defaults::{BUSY_TIMEOUT, PAGE_SIZE, STATEMENT_CACHE, WAL_SIZE_LIMIT};
use crate::error::StoreError;

/// Marks the file as ours (`PRAGMA application_id`): "OPst" in ASCII.
const APPLICATION_ID: i32 = 0x4F50_7374;

/// Step n takes the schema from version n to version n + 1; the version stands in `PRAGMA user_version`.
/// Released steps never change.
const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// Opens the writing connection and brings the schema up to date.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    open_with(path, STEPS)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open_with(path: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = version(&connection, path)?;
    let known = u32::try_from(steps.len()).expect("there are few steps");
    if version > known {
        return Err(StoreError::SchemaTooNew { found: version, known });
    }
    configure(&connection)?;
    if version < known {
        upgrade(&mut connection, version, steps).map_err(fault)?;
        tracing::info!(from = version, to = known, "store schema is up to date");
    }
    Ok(connection)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fault)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(connection)
}

/// The version of the schema, 0 for a new file.
fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let (application, version, objects): (i32, u32, u32) = connection
        .query_row(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(fault)?;
    let new = application == 0 && version == 0 && objects == 0;
    if new || application == APPLICATION_ID {
        Ok(version)
    } else {
        Err(StoreError::Foreign { path: path.to_owned() })
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    let set = |name, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value).map_err(fault);
    set("page_size", &PAGE_SIZE)?; // takes effect in a new file only
    write_ahead(connection)?;
    set("synchronous", &"FULL")?; // fsync before a commit is acknowledged
    set("journal_size_limit", &WAL_SIZE_LIMIT)?;
    set("secure_delete", &true) // what is released, read or replaced leaves no traces in free pages
}

/// SQLite answers with the mode it is in, and stays in the old one where shared memory does not work.
fn write_ahead(connection: &Connection) -> Result<(), StoreError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(fault)?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(StoreError::unavailable("no write-ahead log possible here, use a local file system"))
    }
}

fn upgrade(connection: &mut Connection, version: u32, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &steps[version as usize..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", steps.len())?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD_TABLE: &str = "CREATE TABLE added (id INTEGER PRIMARY KEY) STRICT;";

    fn version_of(path: &Path) -> u32 {
        version(&open_reader(path).unwrap(), path).unwrap()
    }

    fn new_file() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        std::fs::File::create(&path).unwrap();
        (directory, path)
    }

    #[test]
    fn a_new_file_gets_its_settings() {
        let (_directory, path) = new_file();
        let connection = open(&path).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(pragma("page_size"), PAGE_SIZE);
        assert_eq!(pragma("synchronous"), 2, "2 is FULL");
        assert_eq!(pragma("secure_delete"), 1);
        assert_eq!(version_of(&path) as usize, STEPS.len());
    }

    #[test]
    fn an_older_schema_is_upgraded_and_keeps_its_data() {
        let (_directory, path) = new_file();
        let old = open_with(&path, STEPS).unwrap();
        old.execute("INSERT INTO server_values (key, value) VALUES ('k', x'01')", []).unwrap();
        drop(old);
        let steps = [STEPS, &[ADD_TABLE]].concat();
        let new = open_with(&path, &steps).unwrap();
        assert_eq!(version_of(&path) as usize, steps.len());
        let count =
            |table| new.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u32>(0));
        assert_eq!((count("server_values"), count("added")), (Ok(1), Ok(0)));
    }

    #[test]
    fn a_failing_upgrade_changes_nothing() {
        let (_directory, path) = new_file();
        drop(open(&path).unwrap());
        let steps = [STEPS, &[ADD_TABLE, "CREATE TABLE added (id INTEGER PRIMARY KEY);"]].concat();
        open_with(&path, &steps).unwrap_err();
        assert_eq!(version_of(&path) as usize, STEPS.len());
        open_with(&path, &[STEPS, &[ADD_TABLE]].concat()).unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let (_directory, path) = new_file();
        drop(open_with(&path, &[STEPS, &[ADD_TABLE]].concat()).unwrap());
        let known = u32::try_from(STEPS.len()).unwrap();
        assert_eq!(open(&path).unwrap_err(), StoreError::SchemaTooNew { found: known + 1, known });
    }

    #[test]
    fn the_database_of_another_program_is_refused_and_left_alone() {
        let (_directory, path) = new_file();
        Connection::open(&path).unwrap().execute_batch(ADD_TABLE).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(open(&path).unwrap_err(), StoreError::Foreign { path: path.clone() });
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let (_directory, path) = new_file();
        std::fs::write(&path, [0x55; 4096]).unwrap();
        assert!(matches!(open(&path).unwrap_err(), StoreError::Corrupt { .. }));
    }
}
