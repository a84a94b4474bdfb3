//! A peer as a process: somebody with a name, driven through `openpeer agent`.

use super::domain::DomainServer;
use super::process::{Family, Process};
use crate::defaults::DEMO_PATIENCE;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use tokio::time::timeout;

pub(super) struct Person {
    /// `alice`.
    pub(super) name: &'static str,
    /// `alice@a.test`.
    pub(super) address: String,
    process: Process,
    last_id: u64,
    /// Lines that were read while waiting for another one.
    unread: VecDeque<Value>,
}

/// Names a command until its answer is read.
#[derive(Clone, Copy)]
pub(super) struct Pending(u64);

impl Person {
    /// Makes a peer, starts it, and waits until it can be found.
    pub(super) async fn start(
        family: &Family,
        name: &'static str,
        home: &DomainServer,
        away: &DomainServer,
    ) -> Result<Self, Failure> {
        let data = family.folder().join(name);
        let files = family.folder().join(format!("{name}-files"));
        let options = options(&data, home, away);
        let make = Process::start(
            family,
            name,
            &[vec!["id".to_owned(), "new".to_owned()], options.clone()].concat(),
        )?;
        make.finish().await?;
        let agent = ["agent", "--files", &files.display().to_string()].map(str::to_owned);
        let process = Process::start(family, name, &[agent.to_vec(), options].concat())?;
        let mut person = Self {
            name,
            address: format!("{name}@{}", home.name),
            process,
            last_id: 0,
            unread: VecDeque::new(),
        };
        person.event("online").await?;
        Ok(person)
    }

    /// Gives a command and waits for what comes of it.
    pub(super) async fn call(&mut self, command: Value) -> Result<Value, Failure> {
        let pending = self.begin(command).await?;
        self.end(pending).await
    }

    /// Gives a command.
    pub(super) async fn begin(&mut self, mut command: Value) -> Result<Pending, Failure> {
        self.last_id += 1;
        command["id"] = json!(self.last_id);
        self.process.write(&command).await?;
        Ok(Pending(self.last_id))
    }

    /// Waits for what comes of a command.
    pub(super) async fn end(&mut self, Pending(id): Pending) -> Result<Value, Failure> {
        let mut answer = self.wait("an answer", |line| line["id"] == json!(id)).await?;
        match answer.get("error") {
            Some(error) => {
                let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
                Err(Failure::new(&text("code"), format!("{}: {}", self.name, text("message"))))
            }
            None => Ok(answer["ok"].take()),
        }
    }

    /// Waits for an event.
    pub(super) async fn event(&mut self, name: &str) -> Result<Value, Failure> {
        self.wait(name, |line| line["event"] == name).await
    }

    /// Forgets the events of one name that came so far.
    pub(super) async fn forget(&mut self, name: &str) -> Result<(), Failure> {
        // Whatever was written before this answer has been read after it.
        self.call(json!({ "do": "contacts" })).await?;
        self.unread.retain(|line| line["event"] != name);
        Ok(())
    }

    /// Lets the agent close everything in good order.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        self.process.finish().await
    }

    async fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value, Failure> {
        if let Some(at) = self.unread.iter().position(&is_it) {
            return Ok(self.unread.remove(at).unwrap_or_default());
        }
        let search = async {
            loop {
                let line = self.process.line().await?;
                if is_it(&line) {
                    return Ok(line);
                }
                self.unread.push_back(line);
            }
        };
        match timeout(DEMO_PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => Err(Failure::new("timeout", format!("{} waited in vain for: {what}", self.name))),
        }
    }
}

fn options(data: &Path, home: &DomainServer, away: &DomainServer) -> Vec<String> {
    let mut options: Vec<String> =
        ["--dev", "--no-passphrase", "--domain", home.name].map(str::to_owned).into();
    options.extend(["--data".to_owned(), data.display().to_string()]);
    for server in [home, away] {
        options.extend(["--cacert".to_owned(), server.cacert.display().to_string()]);
        options.extend(server.resolve_rules().into_iter().flat_map(|rule| ["--resolve".to_owned(), rule]));
    }
    options
}
