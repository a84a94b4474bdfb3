//! Errors, grouped by who can do something about them.

use std::path::PathBuf;

/// Why the store could not do what it was asked. Nothing was changed unless a variant says otherwise.
///
/// Outcomes that belong to the protocol, such as a name held by somebody else, are no errors; see
/// [`ClaimOutcome`](crate::ClaimOutcome). Messages contain no stored bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A number is larger than [`MAX_INTEGER`](crate::defaults::MAX_INTEGER).
    #[error("{what} is too large for the store: use at most 2^63 - 1")]
    InvalidArgument {
        /// Which argument.
        what: &'static str,
    },

    /// Another process holds the data directory.
    #[error(
        "the data directory {} is in use by another process: stop that process, or choose another directory",
        directory.display()
    )]
    Locked {
        /// The data directory.
        directory: PathBuf,
    },

    /// The data was written by a newer version of this program.
    #[error(
        "the data has schema version {found}, this program knows versions up to {known}: \
         run the newer program, or restore a copy made before the upgrade"
    )]
    SchemaTooNew {
        /// The version of the data.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },

    /// The file exists but belongs to another program.
    #[error("{} is not an Open Peer store: move it away, or choose another data directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },

    /// The disk, or the quota of this user, is used up.
    #[error("no space left for the store: free disk space, then try again ({detail})")]
    Full {
        /// What the database said.
        detail: String,
    },

    /// The storage does not answer as it should: permissions, a read-only or failing disk, a lost connection.
    /// If it happens while a write waits, whether the write was kept is unknown.
    #[error("the store is unavailable: check the disk and the permissions of the data directory ({detail})")]
    Unavailable {
        /// What the database or the operating system said.
        detail: String,
    },

    /// The stored bytes are damaged.
    #[error("the stored data is damaged: stop the server and restore a backup ({detail})")]
    Corrupt {
        /// What the database said.
        detail: String,
    },

    /// A defect of this program.
    #[error("the store failed because of a defect: please report it ({detail})")]
    Internal {
        /// What the database said.
        detail: String,
    },
}

/// Who has to change something before the same call can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The program that calls the store.
    Caller,
    /// Whoever runs the server.
    Operator,
    /// The disk or the database.
    Storage,
    /// This crate.
    Internal,
}

impl StoreError {
    /// The stable code, for logs, metrics and machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "store-invalid-argument",
            Self::Locked { .. } => "store-locked",
            Self::SchemaTooNew { .. } => "store-schema-too-new",
            Self::Foreign { .. } => "store-foreign",
            Self::Full { .. } => "store-full",
            Self::Unavailable { .. } => "store-unavailable",
            Self::Corrupt { .. } => "store-corrupt",
            Self::Internal { .. } => "store-internal",
        }
    }

    /// Who has to act.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::InvalidArgument { .. } => Blame::Caller,
            Self::Locked { .. } | Self::SchemaTooNew { .. } | Self::Foreign { .. } | Self::Full { .. } => {
                Blame::Operator
            }
            Self::Unavailable { .. } | Self::Corrupt { .. } => Blame::Storage,
            Self::Internal { .. } => Blame::Internal,
        }
    }

    pub(crate) fn unavailable(detail: impl ToString) -> Self {
        Self::Unavailable { detail: detail.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do_and_has_its_own_code() {
        let detail = || "d".to_owned();
        let errors = [
            StoreError::InvalidArgument { what: "seq" },
            StoreError::Locked { directory: "data".into() },
            StoreError::SchemaTooNew { found: 2, known: 1 },
            StoreError::Foreign { path: "data/store.sqlite".into() },
            StoreError::Full { detail: detail() },
            StoreError::Unavailable { detail: detail() },
            StoreError::Corrupt { detail: detail() },
            StoreError::Internal { detail: detail() },
        ];
        let mut codes: Vec<_> = errors.iter().map(StoreError::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), errors.len());
        assert!(errors.iter().all(|error| error.to_string().contains(": ")));
    }
}
