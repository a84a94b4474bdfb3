//! How handles talk to the driver: commands, and wishes that end with an outcome.

use crate::keystore::Passphrase;
use crate::{Error, Link};
use openpeer_core::key::RecoveryCode;
use openpeer_core::peer::{Input, LinkId, PeerMachine, Progress, RequestId};
use openpeer_core::uri::Address;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// What handles ask of the driver.
pub(crate) enum Command {
    /// Tell the machine something.
    Input(Input),
    /// Tell the machine a wish and report on it.
    Wish { request: RequestId, input: Input, updates: mpsc::UnboundedSender<Update> },
    /// Read something from the machine.
    Query(Box<dyn FnOnce(&PeerMachine) + Send>),
    /// Rotate the root key.
    Rotate { code: RecoveryCode, reply: oneshot::Sender<Result<(), Error>> },
    /// Export root key and contacts.
    Export { passphrase: Passphrase, reply: oneshot::Sender<Result<String, Error>> },
    /// Restart ICE on a link.
    RestartIce { link: LinkId, reply: oneshot::Sender<Result<(), Error>> },
    /// The last handle of a link is gone.
    Abandon { link: LinkId },
    /// End all links with a word to the other side, and stop.
    Close { reply: oneshot::Sender<()> },
    /// The last handle of the peer is gone.
    Stop,
}

/// What becomes of a wish.
pub(crate) enum Update {
    Progress(Progress),
    Done(Result<Outcome, Error>),
}

/// How a wish ended well.
pub(crate) enum Outcome {
    Link(Link),
    Claimed(Address),
    Released,
}

/// The way to the driver; does not keep it alive.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    next_request: Arc<AtomicU64>,
}

impl Handle {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands, next_request: Arc::new(AtomicU64::new(1)) }, receiver)
    }

    /// Sends a command whose fate does not matter: a driver that is gone has nothing left to do.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Sends a command and waits for the reply.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply));
        answer.await.map_err(|_| Error::Closed)
    }

    /// Reads something from the machine.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&PeerMachine) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let boxed = |reply: oneshot::Sender<T>| {
            Command::Query(Box::new(move |machine| {
                // Nobody listens any more if the caller's future was dropped.
                let _ = reply.send(query(machine));
            }))
        };
        self.ask(boxed).await
    }

    /// Starts a wish; dropping it gives it up.
    pub(crate) fn wish(&self, input: impl FnOnce(RequestId) -> Input) -> Result<Wish, Error> {
        let request = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let (updates, receiver) = mpsc::unbounded_channel();
        let command = Command::Wish { request, input: input(request), updates };
        self.commands.send(command).map_err(|_| Error::Closed)?;
        Ok(Wish { handle: self.clone(), request, updates: receiver })
    }
}

/// A wish under way.
pub(crate) struct Wish {
    handle: Handle,
    request: RequestId,
    updates: mpsc::UnboundedReceiver<Update>,
}

impl Wish {
    /// Waits for the end.
    pub(crate) async fn outcome(mut self, mut progress: impl FnMut(Progress)) -> Result<Outcome, Error> {
        loop {
            match self.updates.recv().await {
                Some(Update::Progress(step)) => progress(step),
                Some(Update::Done(result)) => return result,
                None => return Err(Error::Closed),
            }
        }
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        // The machine ignores this for a wish that has ended.
        self.handle.send(Command::Input(Input::Cancel { request: self.request }));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
