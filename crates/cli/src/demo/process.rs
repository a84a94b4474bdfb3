//! A process of this very program, which speaks JSON lines.

use crate::failure::Failure;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Settings of the user's own peer, which has no part in this.
const VARIABLES: &[&str] = &[
    "OPENPEER_DATA",
    "OPENPEER_DOMAIN",
    "OPENPEER_CACERT",
    "OPENPEER_RESOLVE",
    "OPENPEER_PASSPHRASE",
    "OPENPEER_PASSPHRASE_FILE",
];

/// A running process. It is killed when this is dropped; should this process die without a chance to do that, it ends
/// with its standard input.
pub(super) struct Process {
    name: String,
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts `openpeer --json ARGUMENTS`. What it logs goes to `NAME.log` in the folder.
    pub(super) fn start(folder: &Path, name: &str, arguments: &[String]) -> Result<Self, Failure> {
        let log = folder.join(format!("{name}.log"));
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
        Ok(Self { name: name.to_owned(), child, input, lines: BufReader::new(output).lines(), log })
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
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        drop(self.input);
        let status = self.child.wait().await?;
        let message = || format!("{} ended with {status}", self.name);
        if status.success() { Ok(()) } else { Err(Failure::new("demo", message())) }
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    fn ended(&self) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
        Failure::new("demo", format!("the process {} ended unexpectedly: {last}", self.name))
    }
}
