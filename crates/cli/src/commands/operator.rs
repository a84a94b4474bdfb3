//! What an operator does to the data of a domain while its server is stopped.

use crate::args::{Invite, Unblock};
use crate::defaults::INVITE_CODE_BYTES;
use crate::failure::Failure;
use crate::output::Output;
use data_encoding::BASE32_NOPAD;
use openpeer_core::document::Name;
use openpeer_server::invite_hash;
use openpeer_store::{SqliteStore, Store as _};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// `openpeer invite`: makes codes; only their hashes are kept.
pub(super) async fn invite(arguments: &Invite, output: Output) -> Result<(), Failure> {
    let store = open(&arguments.data)?;
    let life = Duration::from_secs(u64::from(arguments.days) * 24 * 3600);
    let expires_at = unix_millis(SystemTime::now() + life);
    for _ in 0..arguments.count {
        let code = new_code()?;
        store.add_invite(invite_hash(&code), expires_at).await?;
        output.result(&json!({ "invite": code, "days": arguments.days }), || code.clone())?;
    }
    Ok(())
}

/// `openpeer unblock`: lets a released name be claimed again.
pub(super) async fn unblock(arguments: &Unblock, output: Output) -> Result<(), Failure> {
    let name = Name::from_text(&arguments.name)?;
    if !open(&arguments.data)?.unblock_name(name.as_str()).await? {
        return Err(Failure::new("not-found", format!("{name} is not blocked: check the spelling")));
    }
    output.result(&json!({ "unblocked": name }), || format!("{name} can be claimed again"))
}

fn open(data: &Path) -> Result<SqliteStore, Failure> {
    if !data.is_dir() {
        let message = format!("{} is not a directory: give the server's data directory", data.display());
        return Err(Failure::new("invalid-argument", message));
    }
    Ok(SqliteStore::open(data)?)
}

fn new_code() -> Result<String, Failure> {
    let mut bytes = [0; INVITE_CODE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new("internal", error.to_string()))?;
    Ok(BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
}

fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
