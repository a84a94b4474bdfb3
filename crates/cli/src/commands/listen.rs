//! `openpeer listen`: being reachable.
//!
//! One loop owns the terminal; a task for each link serves its channels and asks through that loop.

use super::contacts::look_up;
use super::lines::Typed;
use super::open;
use super::reach::is_for_the_user;
use crate::args::Listen;
use crate::chat;
use crate::defaults::QUESTION_QUEUE;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::FileProgress;
use crate::screen::plain;
use crate::signals::Signals;
use crate::transfer::{self, Decision};
use openpeer::{Channel, Event, Knock, Link, Peer};
use openpeer_core::document::PeerId;
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

pub(super) async fn run(arguments: Listen, output: Output) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let peer = open(&arguments.peer).await?;
    let mut accepted = Vec::new();
    for who in &arguments.accept {
        accepted.push(look_up(&peer, who).await?);
    }
    let (questions, asked) = mpsc::channel(QUESTION_QUEUE);
    let host = Host {
        peer: peer.clone(),
        output,
        accept_all: arguments.accept_all,
        accepted: accepted.into(),
        files: arguments.files,
        questions,
    };
    let domains: Vec<_> = peer.domains().iter().map(ToString::to_string).collect();
    output.result(&json!({ "event": "listening", "peer": peer.id(), "domains": domains }), || {
        format!("{} listens; end with Ctrl-C", peer.id())
    })?;
    let result = tokio::select! {
        result = serve(&host, Desk::new(output, asked)) => result,
        () = signals.next() => Ok(()),
    };
    peer.close().await;
    result
}

async fn serve(host: &Host, mut desk: Desk) -> Result<(), Failure> {
    loop {
        tokio::select! {
            event = host.peer.next_event() => match event {
                Some(event) => host.handle(event).await?,
                None => return Err(openpeer::Error::Closed.into()),
            },
            () = desk.work() => {}
        }
    }
}

/// What every task of this command shares.
#[derive(Clone)]
struct Host {
    peer: Peer,
    output: Output,
    accept_all: bool,
    accepted: Arc<[PeerId]>,
    files: PathBuf,
    questions: mpsc::Sender<Request>,
}

/// What tasks want of the terminal.
enum Request {
    /// A question to be answered with yes or no.
    Ask { question: String, answer: oneshot::Sender<bool> },
    /// Lines that answer no question go to this chat from now on.
    Chat(mpsc::Sender<String>),
}

impl Host {
    async fn handle(&self, event: Event) -> Result<(), Failure> {
        let output = self.output;
        match event {
            Event::Online(domain) => output.result(&json!({ "event": "online", "domain": domain }), || {
                format!("reachable through {domain}")
            }),
            Event::Offline(domain) => output.result(&json!({ "event": "offline", "domain": domain }), || {
                format!("not reachable through {domain}; trying again")
            }),
            Event::Knock(knock) => self.announce(knock),
            Event::LinkOpened(link) => self.host(link).await,
            Event::LinkEnded { peer, reason, .. } => output
                .result(&json!({ "event": "link-ended", "peer": peer, "code": reason.as_str() }), || {
                    format!("{peer} left ({reason})")
                }),
            Event::Alarm { error, peer } if is_for_the_user(error.code()) => {
                let object = json!({ "event": "alarm", "code": error.code().as_str(), "peer": peer });
                output.result(&object, || format!("warning: {error}"))
            }
            Event::Failed(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn announce(&self, knock: Knock) -> Result<(), Failure> {
        let (peer, name, text) = (knock.peer(), knock.name().map(plain), plain(knock.text()));
        let object =
            json!({ "event": "knock", "peer": peer, "claimed_name": knock.name(), "text": knock.text() });
        let claimed =
            name.map_or_else(String::new, |name| format!(" (says to be {name}; nobody has checked it)"));
        self.output.result(&object, || format!("{peer}{claimed} knocks: {text}"))?;
        let host = self.clone();
        tokio::spawn(async move {
            if !host.decide(peer, "let them in?".to_owned()).await {
                knock.decline();
                return;
            }
            match knock.accept().await {
                Ok(link) => {
                    // Where nobody reads, the loop ends too.
                    let _ = host.host(link).await;
                }
                Err(error) => host.output.failure(&error.into()),
            }
        });
        Ok(())
    }

    async fn host(&self, link: Link) -> Result<(), Failure> {
        let peer = link.peer();
        let label = self.label(peer).await;
        self.output
            .result(&json!({ "event": "link-opened", "peer": peer }), || format!("{label} is here"))?;
        let host = self.clone();
        tokio::spawn(async move {
            while let Some(channel) = link.incoming().await {
                let host = host.clone();
                match channel.name() {
                    chat::CHANNEL => drop(tokio::spawn(async move { host.chat(channel).await })),
                    transfer::CHANNEL => drop(tokio::spawn(async move { host.take_file(channel).await })),
                    // Something that this program does not speak; dropping the channel closes it.
                    _ => {}
                }
            }
        });
        Ok(())
    }

    async fn chat(&self, channel: Channel) {
        let (typed, mut lines) = mpsc::channel(1);
        // Without the terminal there is only listening.
        let _ = self.questions.send(Request::Chat(typed)).await;
        let peer = channel.link().peer();
        let label = self.label(peer).await;
        loop {
            let text = tokio::select! {
                text = chat::receive(&channel) => text,
                Some(line) = lines.recv() => {
                    if let Err(error) = chat::send(&channel, &line).await {
                        self.output.failure(&error);
                    }
                    continue;
                }
            };
            let Some(text) = text else { return };
            let object = json!({ "event": "message", "peer": peer, "text": text });
            if self.output.result(&object, || format!("{label}: {}", plain(&text))).is_err() {
                return;
            }
        }
    }

    async fn take_file(&self, channel: Channel) {
        let (peer, output) = (channel.link().peer(), self.output);
        let label = self.label(peer).await;
        let bar = FileProgress::new(output);
        let decide = async |offer: &transfer::Offer| {
            let object =
                json!({ "event": "file-offered", "peer": peer, "name": offer.name, "bytes": offer.size });
            let shown = output
                .result(&object, || format!("{label} offers {} ({} bytes)", plain(&offer.name), offer.size));
            let yes = shown.is_ok() && self.decide(peer, "take it?".to_owned()).await;
            if yes { Decision::Accept } else { Decision::Decline }
        };
        let taken =
            transfer::receive(&channel, &self.files, decide, |done, total| bar.show(done, total)).await;
        bar.end();
        let told = match taken {
            Ok((path, bytes)) => {
                let path = path.display().to_string();
                let object = json!({ "event": "file-received", "peer": peer, "file": path, "bytes": bytes });
                output.result(&object, || {
                    format!("{} is complete ({bytes} bytes, SHA-256 compared)", plain(&path))
                })
            }
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = told {
            output.failure(&failure);
        }
    }

    /// How to show somebody: the user's name for them, the introduction, or the peer id.
    async fn label(&self, peer: PeerId) -> String {
        let contacts = self.peer.contacts().await.unwrap_or_default();
        let contact = contacts.iter().find(|contact| contact.peer == peer);
        contact.map_or_else(|| peer.to_string(), |contact| plain(&contact.label()))
    }

    /// By rule, or by the user.
    async fn decide(&self, peer: PeerId, question: String) -> bool {
        if self.accept_all || self.accepted.contains(&peer) {
            return true;
        }
        let (answer, answered) = oneshot::channel();
        let asked = self.questions.send(Request::Ask { question, answer }).await;
        asked.is_ok() && answered.await.unwrap_or(false)
    }
}

/// The terminal: one question at a time, in order; other lines go to the newest chat.
struct Desk {
    output: Output,
    typed: Typed,
    requests: mpsc::Receiver<Request>,
    waiting: VecDeque<(String, oneshot::Sender<bool>)>,
    chat: Option<mpsc::Sender<String>>,
    has_ended: bool,
}

impl Desk {
    fn new(output: Output, requests: mpsc::Receiver<Request>) -> Self {
        Self { output, typed: Typed::new(), requests, waiting: VecDeque::new(), chat: None, has_ended: false }
    }

    /// The next thing to do. Cancelling it loses nothing.
    async fn work(&mut self) {
        tokio::select! {
            line = self.typed.next() => match line {
                Some(line) => self.line(&line),
                None => self.end(),
            },
            Some(request) = self.requests.recv() => match request {
                // Nobody is there to say yes.
                Request::Ask { answer, .. } if self.has_ended => drop(answer),
                Request::Ask { question, answer } => {
                    self.waiting.push_back((question, answer));
                    if self.waiting.len() == 1 {
                        self.ask();
                    }
                }
                Request::Chat(lines) => self.chat = Some(lines),
            },
        }
    }

    fn line(&mut self, line: &str) {
        let Some((_, answer)) = self.waiting.pop_front() else {
            if let Some(chat) = &self.chat
                && !line.is_empty()
                && chat.try_send(line.to_owned()).is_err()
            {
                self.output.note("nobody is in the chat any more, or the last line is still on its way");
            }
            return;
        };
        let yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        // Whoever asked may have given up.
        let _ = answer.send(yes);
        self.ask();
    }

    fn ask(&self) {
        if let Some((question, _)) = self.waiting.front() {
            self.output.note(&format!("{question} [y/n]"));
        }
    }

    /// Nobody will type any more: every open question is answered with no.
    fn end(&mut self) {
        self.has_ended = true;
        self.waiting.clear();
    }
}
