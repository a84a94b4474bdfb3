//! The demonstration, read by a machine: every promise in its account is checked here once more.

use serde_json::Value;

use crate::{
    process::{cargo, run_for_output},
    workspace::Workspace,
};

/// One introduction of contacts with one location each, all frames in and out, TLS aside.
const INTRODUCTION_BYTES: u64 = 16 * 1024;

/// What a session may cost while nothing happens.
const KEEPALIVE_BYTES_PER_MINUTE: u64 = 200;

/// The file that is sent while no server is left.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let output = run_for_output(cargo(&workspace.root).args(["run", "--release", "--", "demo", "--json"]))?;
    print!("{output}");
    let account =
        serde_json::from_str(&output).map_err(|error| format!("the account is not JSON: {error}"))?;
    let broken = broken_promises(&account);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
}

/// Where a value stands in the account, and whether it is as promised.
type Promise = (&'static str, fn(&Value) -> bool);

/// The members of the account that are missing or not as promised.
fn broken_promises(account: &Value) -> Vec<String> {
    let promises: &[Promise] = &[
        ("/steps", are_steps),
        ("/link/path", Value::is_string),
        ("/link/transport", Value::is_string),
        ("/link/dtls", |version| version.as_str().is_some_and(|version| version.contains("1.3"))),
        ("/server_bytes/first_contact", |bytes| bytes.as_u64().is_some_and(|bytes| bytes > 0)),
        ("/server_bytes/contact", |bytes| {
            bytes.as_u64().is_some_and(|bytes| (1..=INTRODUCTION_BYTES).contains(&bytes))
        }),
        ("/server_bytes/after_link", |bytes| bytes.as_u64() == Some(0)),
        ("/server_bytes/keepalive_per_minute", |bytes| {
            bytes.as_f64().is_some_and(|bytes| bytes <= KEEPALIVE_BYTES_PER_MINUTE as f64)
        }),
        ("/servers_killed", holds),
        ("/after_kill/messages", holds),
        ("/after_kill/file_bytes", |bytes| bytes.as_u64() == Some(FILE_BYTES)),
        ("/after_kill/file_ok", holds),
        ("/after_kill/ice_restart", holds),
        ("/after_kill/new_channel", holds),
        ("/after_kill/documents_update", holds),
    ];
    let broken = promises.iter().filter_map(|(path, is_kept)| {
        let value = account.pointer(path).unwrap_or(&Value::Null);
        (!is_kept(value)).then(|| format!("{path} is {value}"))
    });
    broken.collect()
}

/// At least one step, each with its name and how long it took.
fn are_steps(value: &Value) -> bool {
    let is_step = |step: &Value| step["name"].is_string() && step["ms"].as_f64().is_some_and(|ms| ms >= 0.0);
    value.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(is_step))
}

/// `true`, or a number other than 0.
fn holds(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_f64().is_some_and(|number| number > 0.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept() -> Value {
        json!({
            "steps": [{ "name": "knock", "ms": 12 }],
            "link": { "path": "direct", "transport": "webrtc", "dtls": "1.3" },
            "server_bytes": {
                "first_contact": 30000, "contact": 9000, "after_link": 0, "keepalive_per_minute": 12.5
            },
            "servers_killed": true,
            "after_kill": {
                "messages": 100, "file_bytes": FILE_BYTES, "file_ok": true, "ice_restart": true,
                "new_channel": true, "documents_update": true
            },
        })
    }

    #[test]
    fn an_account_that_keeps_its_promises_passes() {
        assert_eq!(broken_promises(&kept()), [""; 0]);
    }

    #[test]
    fn each_promise_is_checked() {
        let breaks = [
            ("/steps", json!([])),
            ("/link/dtls", json!("1.2")),
            ("/server_bytes/contact", json!(16385)),
            ("/server_bytes/after_link", json!(1)),
            ("/server_bytes/keepalive_per_minute", json!(201)),
            ("/servers_killed", json!(false)),
            ("/after_kill/messages", json!(0)),
            ("/after_kill/file_bytes", json!(1)),
            ("/after_kill/file_ok", json!(false)),
            ("/after_kill/documents_update", json!(null)),
        ];
        for (path, value) in breaks {
            let mut account = kept();
            *account.pointer_mut(path).unwrap() = value.clone();
            assert_eq!(broken_promises(&account), [format!("{path} is {value}")]);
        }
    }
}
