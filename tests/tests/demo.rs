//! The demonstration keeps its promises, and leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use openpeer_tests::process::{finish, openpeer};
use serde_json::Value;

const FILE_BYTES: u64 = 64 * 1024 * 1024;

#[test]
fn the_demonstration_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let said = finish(openpeer().args(["demo", "--json"]).env("TMPDIR", folder.path()));
    assert!(said.status.success(), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 1, "one object");
    let account = said.json();

    let steps = account["steps"].as_array().unwrap();
    assert!(steps.len() >= 10 && steps.iter().all(|step| step["name"].is_string() && step["ms"].is_number()));
    assert_eq!(account["link"]["path"], "direct");
    assert_eq!(account["link"]["dtls"], "1.3");
    let bytes = |name: &str| account["server_bytes"][name].as_f64().unwrap();
    assert!(bytes("first_contact") > 0.0);
    assert!((1.0..=16384.0).contains(&bytes("contact")), "{account}");
    assert_eq!(account["server_bytes"]["after_link"], 0);
    assert!(bytes("keepalive_per_minute") <= 200.0, "{account}");
    assert_eq!(account["servers_killed"], 2);
    for part in ["before_kill", "after_kill"] {
        let Value::Object(conversation) = &account[part] else { panic!("no {part}") };
        assert!(conversation["messages"].as_u64().unwrap() >= 50, "{part}");
        assert_eq!(conversation["file_bytes"], FILE_BYTES, "{part}");
        for holds in ["file_ok", "ice_restart", "new_channel"] {
            assert_eq!(conversation[holds], true, "{part}: {holds}");
        }
    }
    assert_eq!(account["after_kill"]["documents_update"], true);

    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its folder is gone");
    assert_eq!(processes_that_name(folder.path().to_str().unwrap()), 0, "its processes are gone");
}

#[test]
fn an_interrupted_demonstration_leaves_nothing_behind() {
    use openpeer_tests::process::wait_until;
    use rustix::process::{Pid, Signal, kill_process};

    let folder = tempfile::tempdir().unwrap();
    let mut command = openpeer();
    command.args(["demo", "--json"]).env("TMPDIR", folder.path()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let name = folder.path().to_str().unwrap();
    wait_until("both servers and both peers run", || processes_that_name(name) == 4);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    wait_until("the demonstration ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(processes_that_name(name), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_killed_demonstration_leaves_no_process_behind() {
    use openpeer_tests::process::wait_until;

    let folder = tempfile::tempdir().unwrap();
    let mut command = openpeer();
    command.args(["demo", "--json"]).env("TMPDIR", folder.path()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let name = folder.path().to_str().unwrap();
    wait_until("both servers and both peers run", || processes_that_name(name) == 4);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its processes are gone", || processes_that_name(name) == 0);
}

/// How many processes have a text on their command line.
fn processes_that_name(text: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}
