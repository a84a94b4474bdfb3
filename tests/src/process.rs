//! The program `openpeer` as processes: servers and peers that can be killed, stopped and cut off.

use rustix::process::Pid;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Nothing in these tests takes so long unless it hangs: the demonstration is the longest, with half of it.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A `Command` for the program, without the user's own settings but for `OPENPEER_LOG`.
///
/// # Panics
/// Unless `OPENPEER_BINARY` names the program, as `cargo xtask test` arranges.
#[must_use]
pub fn openpeer() -> Command {
    wrapped(&[])
}

/// A peer's or a server's surroundings: a command line that the program is appended to, such as
/// `ip netns exec NAME`; empty for none.
pub type Wrapper = [String];

fn wrapped(wrapper: &Wrapper) -> Command {
    let binary = std::env::var_os("OPENPEER_BINARY")
        .expect("OPENPEER_BINARY names the program to test: run `cargo xtask test system`");
    let mut command = match wrapper {
        [] => Command::new(binary),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(binary);
            command
        }
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OPENPEER_") && name != "OPENPEER_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// What a command that ran to its end said.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// The last line of standard output as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        self.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }

    /// The stable code of the failure.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Runs the program with nothing on standard input.
///
/// # Panics
/// If it does not end in time.
pub fn run<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Said {
    let mut command = openpeer();
    command.args(arguments.into_iter().map(Into::into));
    finish(&mut command)
}

/// Runs a command with nothing on standard input.
///
/// # Panics
/// If it does not end in time.
pub fn finish(command: &mut Command) -> Said {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Guarded(command.spawn().unwrap());
    let stdout = collect(child.0.stdout.take().unwrap());
    let stderr = collect(child.0.stderr.take().unwrap());
    let status = child.wait();
    Said { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

/// A running program that writes JSON lines. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Guarded,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    log: PathBuf,
}

impl Running {
    /// Starts `openpeer --json ARGUMENTS`; what it logs goes to a file.
    ///
    /// # Panics
    /// If that is not possible.
    #[must_use]
    pub fn start(wrapper: &Wrapper, log: &Path, arguments: &[&str]) -> Self {
        let mut command = wrapped(wrapper);
        command.arg("--json").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(File::create(log).unwrap()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "not JSON": line }));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child: Guarded(child), input, lines, log: log.to_owned() }
    }

    /// The next line.
    ///
    /// # Panics
    /// If none comes in time.
    #[must_use]
    pub fn line(&mut self) -> Value {
        self.line_within(PATIENCE).unwrap_or_else(|| panic!("no line in time; {}", self.logged()))
    }

    /// The next line, if it comes in time.
    ///
    /// # Panics
    /// If the program has ended.
    pub fn line_within(&mut self, patience: Duration) -> Option<Value> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the program has ended ({:?}); {}", self.child.0.try_wait(), self.logged())
            }
        }
    }

    /// Writes a line.
    ///
    /// # Panics
    /// If nobody reads it.
    pub fn write(&mut self, object: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{object}").unwrap();
    }

    /// Names the process, for signals.
    #[must_use]
    pub fn id(&self) -> Pid {
        Pid::from_child(&self.child.0)
    }

    /// Closes standard input and waits for the end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        self.child.wait()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait()
    }

    /// What it has logged.
    #[must_use]
    pub fn logged(&self) -> String {
        format!("log: {}", std::fs::read_to_string(&self.log).unwrap_or_default())
    }
}

/// A child that does not outlive the test.
#[derive(Debug)]
struct Guarded(Child);

impl Guarded {
    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the program ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended; a stopped process dies too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A domain's server as a process.
#[derive(Debug)]
pub struct DomainProcess {
    /// The process.
    pub process: Running,
    name: &'static str,
    listen: SocketAddr,
    stun: SocketAddr,
    cacert: PathBuf,
}

impl DomainProcess {
    /// Starts a server on free ports of an address, with TLS and open names.
    ///
    /// # Panics
    /// If it does not say that it serves.
    #[must_use]
    pub fn start(folder: &Path, name: &'static str, wrapper: &Wrapper, ip: &str) -> Self {
        let (data, free) = (folder.join(name), format!("{ip}:0"));
        let arguments = [
            "serve",
            "--dev",
            "--domain",
            name,
            "--listen",
            &free,
            "--stun",
            &free,
            "--data",
            data.to_str().unwrap(),
        ];
        let mut process = Running::start(wrapper, &folder.join(format!("{name}.log")), &arguments);
        let account = process.line();
        let address = |value: &Value| value.as_str().unwrap().parse().unwrap();
        Self {
            name,
            listen: address(&account["listen"][0]),
            stun: address(&account["stun"]),
            cacert: account["cacert"].as_str().unwrap().into(),
            process,
        }
    }

    /// Where it listens for HTTPS and WebSocket.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Options that let a peer reach the domain; `through` stands in for the server's own address.
    #[must_use]
    pub fn options(&self, through: Option<SocketAddr>) -> Vec<String> {
        let listen = through.unwrap_or(self.listen);
        vec![
            format!("--cacert={}", self.cacert.display()),
            format!("--resolve={}:443:{listen}", self.name),
            format!("--resolve={}:{}:{}", self.name, self.stun.port(), self.stun),
        ]
    }
}

/// A peer as a process, driven through `openpeer agent`.
#[derive(Debug)]
pub struct PeerProcess {
    /// The process.
    pub process: Running,
    last_id: u64,
    unread: VecDeque<Value>,
}

/// Names a command until its answer is read.
#[derive(Clone, Copy, Debug)]
pub struct Pending(u64);

impl PeerProcess {
    /// Makes a peer and goes online with it. `options` are those of its domains and its own.
    ///
    /// # Panics
    /// If that does not succeed.
    #[must_use]
    pub fn start(folder: &Path, name: &str, wrapper: &Wrapper, options: &[String]) -> Self {
        let (data, files) = (folder.join(name), folder.join(format!("{name}-files")));
        let data = format!("--data={}", data.display());
        let options: Vec<&str> =
            options.iter().map(String::as_str).chain([&*data, "--no-passphrase"]).collect();
        let made = run([&["id", "new"][..], &options].concat());
        assert!(made.status.success(), "{made:?}");
        let files = format!("--files={}", files.display());
        let arguments = [&["agent", &*files][..], &options].concat();
        let process = Running::start(wrapper, &folder.join(format!("{name}.log")), &arguments);
        let mut peer = Self { process, last_id: 0, unread: VecDeque::new() };
        let _ = peer.event("online");
        peer
    }

    /// Gives a command and waits for what comes of it.
    ///
    /// # Errors
    /// The code and the message of the failure.
    pub fn call(&mut self, command: Value) -> Result<Value, (String, String)> {
        let pending = self.begin(command);
        self.finish(pending, PATIENCE).expect("an answer comes in time")
    }

    /// Gives a command.
    pub fn begin(&mut self, mut command: Value) -> Pending {
        self.last_id += 1;
        command["id"] = json!(self.last_id);
        self.process.write(&command);
        Pending(self.last_id)
    }

    /// Waits for what comes of a command; `None` if nothing does in time.
    ///
    /// # Panics
    /// If the program has ended.
    pub fn finish(
        &mut self,
        Pending(id): Pending,
        patience: Duration,
    ) -> Option<Result<Value, (String, String)>> {
        let answer = self.find(patience, |line| line["id"] == json!(id))?;
        Some(match answer.get("error") {
            Some(error) => {
                let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
                Err((text("code"), text("message")))
            }
            None => Ok(answer["ok"].clone()),
        })
    }

    /// Waits for an event.
    ///
    /// # Panics
    /// If it does not come in time.
    pub fn event(&mut self, name: &str) -> Value {
        let found = self.find(PATIENCE, |line| line["event"] == name);
        found.unwrap_or_else(|| {
            panic!("no {name} in time; unread: {:?}; {}", self.unread, self.process.logged())
        })
    }

    /// The next event of a name, if it comes in time.
    ///
    /// # Panics
    /// If the program has ended.
    pub fn event_within(&mut self, name: &str, patience: Duration) -> Option<Value> {
        self.find(patience, |line| line["event"] == name)
    }

    /// Forgets the events that came so far.
    ///
    /// # Panics
    /// If the program does not answer any more.
    pub fn forget_events(&mut self) {
        self.call(json!({ "do": "contacts" })).unwrap();
        self.unread.clear();
    }

    fn find(&mut self, patience: Duration, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.unread.iter().position(&is_it) {
            return self.unread.remove(at);
        }
        let deadline = Instant::now() + patience;
        loop {
            let line = self.process.line_within(deadline.saturating_duration_since(Instant::now()))?;
            if is_it(&line) {
                return Some(line);
            }
            self.unread.push_back(line);
        }
    }
}

/// Waits for a condition.
///
/// # Panics
/// If it does not come true in time.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
