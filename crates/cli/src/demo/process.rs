//! Processes of this very program, which speak JSON lines.

use crate::failure::Failure;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Settings of the user's own peer, which has no part in this.
const VARIABLES: &[&str] = &[
    "OPENPEER_DATA",
    "OPENPEER_DOMAIN",
    "OPENPEER_CACERT",
    "OPENPEER_LOG",
    "OPENPEER_RESOLVE",
    "OPENPEER_PASSPHRASE",
    "OPENPEER_PASSPHRASE_FILE",
];

/// All processes of the demonstration. They are killed when this is dropped; should this process die without a chance to
/// do that, they end with their standard input.
#[derive(Clone)]
pub(super) struct Family {
    folder: PathBuf,
    children: Arc<Mutex<Vec<Child>>>,
}

/// A running process. Its standard input ends when this is dropped.
pub(super) struct Process {
    name: String,
    id: Option<u32>,
    family: Family,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Family {
    /// Nobody yet; data and logs go to the folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), children: Arc::default() }
    }

    /// Where data and logs are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills all that still run and waits until they are gone.
    pub(super) async fn end(&self) {
        while let Some(mut child) = self.take(|_| true) {
            // It may have ended by itself; then it only has to be waited for.
            let _ = child.kill().await;
        }
    }

    fn take(&self, which: impl Fn(&Child) -> bool) -> Option<Child> {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let at = children.iter().position(which)?;
        Some(children.swap_remove(at))
    }
}

impl Process {
    /// Starts `openpeer --json ARGUMENTS`. What it logs goes to `NAME.log`.
    pub(super) fn start(family: &Family, name: &str, arguments: &[String]) -> Result<Self, Failure> {
        let log = family.folder.join(format!("{name}.log"));
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        // Ctrl-C reaches this process alone, which then ends the others.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new("internal", "a child process has no pipes"));
        };
        let id = child.id();
        family.children.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        let lines = BufReader::new(output).lines();
        Ok(Self { name: name.to_owned(), id, family: family.clone(), input, lines, log })
    }

    /// Writes a line.
    pub(super) async fn write(&mut self, object: &Value) -> Result<(), Failure> {
        let written = self.input.write_all(format!("{object}\n").as_bytes()).await;
        written.map_err(|_| self.ended())
    }

    /// The next line that the process writes. Cancelling it loses nothing.
    pub(super) async fn line(&mut self) -> Result<Value, Failure> {
        let line = self.lines.next_line().await?.ok_or_else(|| self.ended())?;
        serde_json::from_str(&line).map_err(|error| {
            Failure::new("demo", format!("{} wrote a line that is no JSON: {error}", self.name))
        })
    }

    /// Waits for the end, after closing its input.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        let Self { name, id, family, input, .. } = self;
        drop(input);
        let Some(mut child) = family.take(|child| child.id() == id) else { return Ok(()) };
        let status = child.wait().await?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new("demo", format!("{name} ended with {status}")))
        }
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(super) async fn kill(&self) -> Result<(), Failure> {
        match self.family.take(|child| child.id() == self.id) {
            Some(mut child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }

    fn ended(&self) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
        Failure::new("demo", format!("the process {} ended unexpectedly: {last}", self.name))
    }
}
