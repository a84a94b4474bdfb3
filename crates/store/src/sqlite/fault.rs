//! From SQLite's errors to ours.

use rusqlite::{Error, ErrorCode};

use crate::error::StoreError;

/// Sorts an error by who has to act. SQLite's messages name tables and columns, never stored bytes.
pub(super) fn fault(error: Error) -> StoreError {
    let detail = error.to_string();
    match error {
        Error::SqliteFailure(failure, _) => by_code(failure.code, detail),
        // What was written through this crate reads back in the same types; anything else is damage.
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => StoreError::Corrupt { detail },
        _ => StoreError::Internal { detail },
    }
}

fn by_code(code: ErrorCode, detail: String) -> StoreError {
    match code {
        ErrorCode::DiskFull => StoreError::Full { detail },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt { detail },
        ErrorCode::CannotOpen
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::SystemIoFailure => StoreError::Unavailable { detail },
        _ => StoreError::Internal { detail },
    }
}
