//! What an agent holds: its peer, open links and questions.

use super::command::ECHO;
use crate::chat;
use crate::failure::Failure;
use crate::output::Output;
use crate::transfer::{self, Decision, Offer};
use openpeer::{Channel, Link, Peer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OnceCell, oneshot};

pub(super) struct Host {
    pub(super) peer: Peer,
    files: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    links: BTreeMap<u64, Held>,
    offers: BTreeMap<u64, oneshot::Sender<Decision>>,
    last_offer: u64,
}

/// An open link and the chat that this side began on it.
#[derive(Clone)]
struct Held {
    link: Link,
    chat: Arc<OnceCell<Channel>>,
}

/// A chat that outlives the borrow of its link.
pub(super) struct Chat(Arc<OnceCell<Channel>>);

impl Host {
    pub(super) fn new(peer: Peer, files: PathBuf) -> Self {
        Self { peer, files, state: Mutex::default() }
    }

    /// Keeps a link open and serves its channels; how the caller names it.
    pub(super) fn keep(self: &Arc<Self>, link: Link) -> Value {
        let id = link.id().0;
        let account = json!({ "link": id, "peer": link.peer() });
        self.lock().links.insert(id, Held { link: link.clone(), chat: Arc::default() });
        let host = self.clone();
        tokio::spawn(async move {
            while let Some(channel) = link.incoming().await {
                let host = host.clone();
                tokio::spawn(async move { host.serve(channel).await });
            }
            host.lock().links.remove(&id);
        });
        account
    }

    pub(super) fn link(&self, id: u64) -> Result<Link, Failure> {
        self.held(id).map(|held| held.link)
    }

    /// No longer keeps a link.
    pub(super) fn forget(&self, id: u64) -> Result<Link, Failure> {
        self.lock().links.remove(&id).map(|held| held.link).ok_or_else(no_link)
    }

    /// The chat of a link, opened if it is the first use.
    pub(super) async fn chat(&self, id: u64) -> Result<Chat, Failure> {
        let Held { link, chat } = self.held(id)?;
        chat.get_or_try_init(async || link.open(chat::CHANNEL).await).await?;
        Ok(Chat(chat))
    }

    /// Answers an offered file.
    pub(super) fn decide(&self, offer: u64, yes: bool) -> Result<(), Failure> {
        let answer = self.lock().offers.remove(&offer);
        let answer = answer.ok_or_else(|| Failure::new("invalid-argument", "there is no such offer"))?;
        // Whoever offered may have given up; that is told by an event.
        let _ = answer.send(if yes { Decision::Accept } else { Decision::Decline });
        Ok(())
    }

    /// Writes the answer to a command.
    pub(super) fn answer(&self, id: u64, result: Result<Value, Failure>) -> Result<(), Failure> {
        self.write(&match result {
            Ok(value) => json!({ "id": id, "ok": value }),
            Err(failure) => {
                json!({ "id": id, "error": { "code": failure.code(), "message": failure.to_string() } })
            }
        })
    }

    /// Writes an event.
    pub(super) fn tell(&self, event: &str, details: Value) -> Result<(), Failure> {
        let mut object = json!({ "event": event });
        if let (Value::Object(object), Value::Object(details)) = (&mut object, details) {
            object.extend(details);
        }
        self.write(&object)
    }

    async fn serve(&self, channel: Channel) {
        let link = channel.link().id().0;
        // What cannot be told because nobody reads ends with the input.
        let _ = match channel.name() {
            chat::CHANNEL => self.listen(link, &channel).await,
            transfer::CHANNEL => self.take_file(link, &channel).await,
            ECHO => {
                while let Ok(Some(message)) = channel.recv().await {
                    if channel.send(&message).await.is_err() {
                        break;
                    }
                }
                Ok(())
            }
            name => self.tell("channel", json!({ "link": link, "name": name })),
        };
    }

    async fn listen(&self, link: u64, channel: &Channel) -> Result<(), Failure> {
        while let Some(text) = chat::receive(channel).await {
            self.tell("message", json!({ "link": link, "text": text }))?;
        }
        Ok(())
    }

    async fn take_file(&self, link: u64, channel: &Channel) -> Result<(), Failure> {
        let decide = async |offer: &Offer| self.ask(link, offer).await;
        match transfer::receive(channel, &self.files, decide, |_, _| ()).await {
            Ok((path, bytes)) => {
                let file = path.display().to_string();
                self.tell("file-received", json!({ "link": link, "file": file, "bytes": bytes }))
            }
            Err(error) => self.tell("file-failed", json!({ "link": link, "code": error.code() })),
        }
    }

    async fn ask(&self, link: u64, offer: &Offer) -> Decision {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            state.last_offer += 1;
            let id = state.last_offer;
            state.offers.insert(id, answer);
            id
        };
        let details = json!({ "link": link, "offer": id, "name": offer.name, "bytes": offer.size });
        match self.tell("file-offered", details) {
            Ok(()) => answered.await.unwrap_or(Decision::Decline),
            Err(_) => Decision::Decline,
        }
    }

    fn held(&self, id: u64) -> Result<Held, Failure> {
        self.lock().links.get(&id).cloned().ok_or_else(no_link)
    }

    fn write(&self, object: &Value) -> Result<(), Failure> {
        Output::new(true).result(object, String::new)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Chat {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        self.0.get().expect("a chat is made after its channel was opened")
    }
}

fn no_link() -> Failure {
    Failure::new("invalid-argument", "there is no such link, or it has ended")
}
