//! What happens in the demonstration, step by step. A step that fails ends it.

use super::account::{Account, Conversation, LinkAccount, ServerBytes, Step};
use super::domain::{DomainServer, Traffic};
use super::file;
use super::person::Person;
use super::process::Family;
use crate::defaults::{DEMO_CHAT, DEMO_CHAT_INTERVAL, DEMO_FILE_BYTES, SETTLED_INTERVAL, SETTLED_READINGS};
use crate::failure::Failure;
use crate::output::Output;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::time::{Instant, interval};

/// The narrator.
pub(super) struct Story<'a> {
    family: &'a Family,
    output: Output,
    steps: Vec<Step>,
}

/// Two people and the link between them, as each of them names it.
struct Couple {
    alice: Person,
    bob: Person,
    alice_link: u64,
    bob_link: u64,
}

struct Servers {
    a: DomainServer,
    b: DomainServer,
}

/// Names of what the two do while the servers live.
const ALIVE: [&str; 4] = [
    "servers alive: they chat",
    "servers alive: they restart ICE",
    "servers alive: they open a new channel",
    "servers alive: Bob takes a file of 64 MiB",
];

/// And once they are dead.
const DEAD: [&str; 4] = [
    "servers dead: they chat",
    "servers dead: they restart ICE",
    "servers dead: they open a new channel",
    "servers dead: Bob takes a file of 64 MiB",
];

impl<'a> Story<'a> {
    pub(super) const fn new(family: &'a Family, output: Output) -> Self {
        Self { family, output, steps: Vec::new() }
    }

    pub(super) async fn tell(mut self) -> Result<Account, Failure> {
        let mut servers = self.start_servers().await?;
        let (alice, bob) = self.start_people(&servers).await?;
        let before = servers.traffic().await?;
        let mut couple = self.meet(alice, bob).await?;
        let introduced = servers.settled().await?;
        self.become_contacts_and_part(&mut couple).await?;

        let before_contact = servers.settled().await?;
        self.find_again(&mut couple).await?;
        let found = servers.settled().await?;
        let link = couple.describe_link().await?;

        let file = self.family.folder().join("holiday.bin");
        file::make(file.clone()).await?;
        let start = Instant::now();
        let before_kill = self.converse(&mut couple, &file, ALIVE).await?;
        let talked = servers.traffic().await? - found;
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        no_exchange(talked)?;

        self.kill(&servers).await?;
        let mut after_kill = self.converse(&mut couple, &file, DEAD).await?;
        after_kill.documents_update = Some(self.update_documents(&mut couple).await?);
        tokio::try_join!(couple.alice.leave(), couple.bob.leave())?;

        let (first, contact) = (introduced - before, found - before_contact);
        let server_bytes = ServerBytes {
            first_contact: first.exchange + first.session,
            first_contact_http: first.http,
            contact: contact.exchange + contact.session,
            contact_http: contact.http,
            after_link: talked.exchange,
            keepalive_per_minute: talked.keepalive as f64 / minutes / talked.sessions.max(1) as f64,
        };
        Ok(Account { steps: self.steps, link, server_bytes, servers_killed: 2, before_kill, after_kill })
    }

    async fn start_servers(&mut self) -> Result<Servers, Failure> {
        let start = Instant::now();
        let (a, b) = tokio::try_join!(
            DomainServer::start(self.family, "a.test"),
            DomainServer::start(self.family, "b.test")
        )?;
        self.done("two domains start", start);
        Ok(Servers { a, b })
    }

    async fn start_people(&mut self, servers: &Servers) -> Result<(Person, Person), Failure> {
        let start = Instant::now();
        let (mut alice, mut bob) = tokio::try_join!(
            Person::start(self.family, "alice", &servers.a, &servers.b),
            Person::start(self.family, "bob", &servers.b, &servers.a)
        )?;
        self.done("two people make their keys and go online", start);
        let start = Instant::now();
        tokio::try_join!(
            alice.call(json!({ "do": "claim", "name": "alice" })),
            bob.call(json!({ "do": "claim", "name": "bob" }))
        )?;
        self.done("they claim alice@a.test and bob@b.test", start);
        Ok((alice, bob))
    }

    /// Alice knocks, Bob says yes, they have a link.
    async fn meet(&mut self, mut alice: Person, mut bob: Person) -> Result<Couple, Failure> {
        let start = Instant::now();
        let text = "Hello Bob, it is Alice";
        let command = json!({ "do": "connect", "to": bob.address, "text": text });
        let connecting = alice.begin(command).await?;
        let knock = bob.event("knock").await?;
        expect(knock["text"] == text, "the knock says what Alice wrote")?;
        self.done("Alice knocks at Bob's door, without any address", start);
        let start = Instant::now();
        let accept = json!({ "do": "accept", "knock": knock["knock"] });
        let (at_alice, at_bob) = tokio::try_join!(alice.end(connecting), bob.call(accept))?;
        self.done("Bob says yes; they have a direct link", start);
        Ok(Couple { alice, bob, alice_link: number(&at_alice["link"])?, bob_link: number(&at_bob["link"])? })
    }

    async fn become_contacts_and_part(&mut self, couple: &mut Couple) -> Result<(), Failure> {
        let start = Instant::now();
        // Each end shows its documents before it answers anything.
        let Couple { alice, bob, alice_link, bob_link } = couple;
        let echo = |link: &u64| json!({ "do": "echo", "link": link, "text": "ready?" });
        tokio::try_join!(alice.call(echo(alice_link)), bob.call(echo(bob_link)))?;
        tokio::try_join!(is_contact(alice), is_contact(bob))?;
        self.done("they are contacts and have each other's documents", start);
        let start = Instant::now();
        alice.call(json!({ "do": "close", "link": alice_link })).await?;
        tokio::try_join!(alice.event("link-ended"), bob.event("link-ended"))?;
        self.done("they part", start);
        Ok(())
    }

    async fn find_again(&mut self, couple: &mut Couple) -> Result<(), Failure> {
        let start = Instant::now();
        let Couple { alice, bob, .. } = couple;
        let connect = json!({ "do": "connect", "to": bob.address });
        let (at_alice, at_bob) = tokio::try_join!(alice.call(connect), bob.event("link-opened"))?;
        couple.alice_link = number(&at_alice["link"])?;
        couple.bob_link = number(&at_bob["link"])?;
        self.done("Alice finds her contact again; nobody has to say yes", start);
        Ok(())
    }

    async fn kill(&mut self, servers: &Servers) -> Result<(), Failure> {
        let start = Instant::now();
        servers.a.kill().await?;
        servers.b.kill().await?;
        self.done("both servers are killed (SIGKILL)", start);
        Ok(())
    }

    /// Chat, a new path, a new channel, a file: everything that a link can do.
    async fn converse(
        &mut self,
        couple: &mut Couple,
        file: &Path,
        [chat, restart, channel, transfer]: [&'static str; 4],
    ) -> Result<Conversation, Failure> {
        let start = Instant::now();
        let messages = couple.chat().await?;
        self.done(chat, start);

        let start = Instant::now();
        couple.alice.call(json!({ "do": "restart-ice", "link": couple.alice_link })).await?;
        let still_there = couple.exchange_texts("after the restart").await?;
        self.done(restart, start);

        let start = Instant::now();
        let echo = json!({ "do": "echo", "link": couple.bob_link, "text": "new" });
        let new_channel = couple.bob.call(echo).await?["echo"] == "new";
        self.done(channel, start);

        let start = Instant::now();
        let received = couple.send_file(file).await?;
        self.done(transfer, start);
        let file_ok = file::are_equal(file, &received).await?;
        expect(new_channel, "the new channel carries a message there and back")?;
        expect(file_ok, "the file is the one that was sent")?;
        Ok(Conversation {
            messages: messages + still_there,
            file_bytes: std::fs::metadata(&received)?.len(),
            file_ok,
            ice_restart: true,
            new_channel,
            documents_update: None,
        })
    }

    async fn update_documents(&mut self, couple: &mut Couple) -> Result<bool, Failure> {
        let start = Instant::now();
        couple.bob.forget("documents-updated").await?;
        couple.alice.call(json!({ "do": "renew-documents" })).await?;
        couple.bob.event("documents-updated").await?;
        self.done("servers dead: Alice writes her documents anew and Bob has them", start);
        Ok(true)
    }

    fn done(&mut self, name: &'static str, start: Instant) {
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        self.output.note(&format!("{ms:>9.1} ms  {name}"));
        self.steps.push(Step { name, ms });
    }
}

impl Servers {
    /// What both have counted together.
    async fn traffic(&mut self) -> Result<Traffic, Failure> {
        let (a, b) = tokio::try_join!(self.a.traffic(), self.b.traffic())?;
        Ok(Traffic {
            exchange: a.exchange + b.exchange,
            session: a.session + b.session,
            keepalive: a.keepalive + b.keepalive,
            http: a.http + b.http,
            sessions: a.sessions + b.sessions,
        })
    }

    /// The same, once the last frames of an exchange have arrived: the counters stand still.
    async fn settled(&mut self) -> Result<Traffic, Failure> {
        let mut readings = interval(SETTLED_INTERVAL);
        let mut last = self.traffic().await?;
        let mut unchanged = 0;
        while unchanged < SETTLED_READINGS {
            readings.tick().await;
            let next = self.traffic().await?;
            let moved = next - last;
            unchanged = if moved.exchange + moved.session + moved.http == 0 { unchanged + 1 } else { 0 };
            last = next;
        }
        Ok(last)
    }
}

impl Couple {
    async fn describe_link(&mut self) -> Result<LinkAccount, Failure> {
        let mut report = self.alice.call(json!({ "do": "report", "link": self.alice_link })).await?;
        Ok(LinkAccount {
            path: report["path"].take(),
            transport: report["transport"].take(),
            dtls: report["dtls"].take(),
        })
    }

    /// Ten seconds of messages in both directions; how many arrived.
    async fn chat(&mut self) -> Result<u64, Failure> {
        let end = Instant::now() + DEMO_CHAT;
        let mut beat = interval(DEMO_CHAT_INTERVAL);
        let mut arrived = 0;
        while Instant::now() < end {
            beat.tick().await;
            arrived += self.exchange_texts(&format!("message {arrived}")).await?;
        }
        Ok(arrived)
    }

    /// A text in each direction; 2 once both have arrived.
    async fn exchange_texts(&mut self, text: &str) -> Result<u64, Failure> {
        let Self { alice, bob, alice_link, bob_link } = self;
        let say = |link: &u64| json!({ "do": "chat", "link": link, "text": text });
        tokio::try_join!(alice.call(say(alice_link)), bob.call(say(bob_link)))?;
        let (at_alice, at_bob) = tokio::try_join!(alice.event("message"), bob.event("message"))?;
        expect(at_alice["text"] == text && at_bob["text"] == text, "messages arrive in order and unaltered")?;
        Ok(2)
    }

    /// Alice offers a file and Bob takes it; where it is then.
    async fn send_file(&mut self, file: &Path) -> Result<PathBuf, Failure> {
        let Self { alice, bob, alice_link, .. } = self;
        let sending = alice.begin(json!({ "do": "send", "link": alice_link, "file": file })).await?;
        let offer = bob.event("file-offered").await?;
        expect(offer["bytes"] == DEMO_FILE_BYTES, "the offer says how large the file is")?;
        bob.call(json!({ "do": "take", "offer": offer["offer"], "yes": true })).await?;
        let (sent, received) = tokio::try_join!(alice.end(sending), bob.event("file-received"))?;
        expect(sent["bytes"] == DEMO_FILE_BYTES, "the whole file is sent")?;
        let path =
            received["file"].as_str().ok_or_else(|| Failure::new("demo", "no received file is named"))?;
        Ok(path.into())
    }
}

/// Somebody counts the other as a contact.
async fn is_contact(person: &mut Person) -> Result<(), Failure> {
    let contacts = person.call(json!({ "do": "contacts" })).await?;
    expect(contacts[0]["state"] == "contact", "they are contacts")
}

/// The promise of the whole project.
fn no_exchange(talked: Traffic) -> Result<(), Failure> {
    if talked.exchange == 0 {
        return Ok(());
    }
    let bytes = talked.exchange;
    Err(Failure::new(
        "demo",
        format!("{bytes} bytes of exchanges went through the servers while the two talked"),
    ))
}

fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new("demo", format!("this does not hold: {what}"))) }
}

fn number(value: &Value) -> Result<u64, Failure> {
    value.as_u64().ok_or_else(|| Failure::new("demo", format!("not a number: {value}")))
}
