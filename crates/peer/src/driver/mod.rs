//! The driver: one task that owns the machine and carries out what it wants, in order.
//!
//! Nothing here decides. Everything that happens becomes an input of the machine; its outputs become calls of the
//! keystore, the network and the links. Records are durable before later outputs are carried out, because the driver
//! waits for them.

mod link_task;
mod links;
mod outputs;

use crate::builder::RECORD_LOCATIONS;
use crate::clock::Clock;
use crate::defaults::{CLOCK_CHECK, CLOSE_TIMEOUT, DRIVER_QUEUE, EVENT_QUEUE};
use crate::export::export;
use crate::handle::{Command, Handle, Update};
use crate::keys::Keys;
use crate::keystore::{Keystore, KeystoreError, Kind, Passphrase};
use crate::net::{FinderEvent, FinderSession, Network};
use crate::{Error, Event};
use link_task::LinkNews;
use links::Links;
use openpeer_core::Code;
use openpeer_core::document::PeerId;
use openpeer_core::key::{KeyId, RecoveryCode};
use openpeer_core::peer::{ConnectionId, Input, LinkId, PeerMachine, RequestId};
use std::collections::{HashMap, VecDeque};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// What a driver begins with.
pub(crate) struct Setup {
    pub(crate) machine: PeerMachine,
    pub(crate) keys: Keys,
    /// Other locations that the machine has not been told of yet.
    pub(crate) siblings: Vec<KeyId>,
}

/// A running driver, as handles see it.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) id: PeerId,
    pub(crate) location: KeyId,
    pub(crate) events: mpsc::Receiver<Event>,
}

/// What comes from the driver's own tasks.
enum News {
    Input(Input),
    Finder(ConnectionId, FinderEvent),
    Link(LinkId, LinkNews),
}

/// Whether the driver goes on.
enum Flow {
    Continue,
    Stop(Option<oneshot::Sender<()>>),
}

pub(crate) struct Driver {
    machine: PeerMachine,
    keys: Keys,
    network: Network,
    development: bool,
    clock: Clock,
    handle: Handle,
    commands: mpsc::UnboundedReceiver<Command>,
    news: mpsc::Receiver<News>,
    /// For the driver's tasks.
    news_sender: mpsc::Sender<News>,
    events: mpsc::Sender<Event>,
    sessions: HashMap<ConnectionId, FinderSession>,
    links: Links,
    wishes: HashMap<RequestId, mpsc::UnboundedSender<Update>>,
    /// Answers to the machine's questions that are known at once.
    answers: VecDeque<Input>,
}

impl Driver {
    /// Starts a driver on the current runtime; goes online if `online`.
    pub(crate) fn spawn(setup: Setup, network: Network, development: bool, online: bool) -> Running {
        let Setup { machine, keys, siblings } = setup;
        let (handle, commands) = Handle::new();
        let (news_sender, news) = mpsc::channel(DRIVER_QUEUE);
        let (events_sender, events) = mpsc::channel(EVENT_QUEUE);
        let running =
            Running { handle: handle.clone(), id: machine.peer(), location: machine.location(), events };
        let driver = Self {
            machine,
            keys,
            network,
            development,
            clock: Clock::new(),
            handle,
            commands,
            news,
            news_sender,
            events: events_sender,
            sessions: HashMap::new(),
            links: Links::default(),
            wishes: HashMap::new(),
            answers: VecDeque::new(),
        };
        tokio::spawn(driver.run(siblings, online));
        running
    }

    async fn run(mut self, siblings: Vec<KeyId>, online: bool) {
        let result = match self.begin(siblings, online).await {
            Ok(()) => self.turn().await,
            Err(error) => Err(error),
        };
        let closed = match result {
            Ok(closed) => closed,
            Err(error) => {
                tracing::error!(code = error.code(), "the keystore failed; the peer stops");
                // If nobody reads events, nobody is told; every call fails with `closed` all the same.
                let _ = self.events.try_send(Event::Failed(error.into()));
                None
            }
        };
        // The keystore's lock must be free before whoever closed the peer is told so.
        drop(self);
        if let Some(closed) = closed {
            // Whoever closed the peer may not wait for it.
            let _ = closed.send(());
        }
    }

    async fn begin(&mut self, siblings: Vec<KeyId>, online: bool) -> Result<(), KeystoreError> {
        if !siblings.is_empty() {
            self.input(Input::SetSiblings { siblings }).await?;
            let forget = |keystore: &Keystore| {
                keystore.remove(Kind::Record, RECORD_LOCATIONS)?;
                keystore.sync(Kind::Record)
            };
            self.keys.on_disk(forget).await?;
        }
        if online { self.input(Input::Start).await } else { Ok(()) }
    }

    /// Works until the peer is closed. Gives back whom to tell.
    async fn turn(&mut self) -> Result<Option<oneshot::Sender<()>>, KeystoreError> {
        loop {
            let latest = Instant::now() + CLOCK_CHECK;
            let wake =
                self.machine.poll_timeout().map_or(latest, |time| self.clock.instant_of(time).min(latest));
            tokio::select! {
                Some(command) = self.commands.recv() => {
                    if let Flow::Stop(closed) = self.command(command).await? {
                        return Ok(closed);
                    }
                }
                Some(news) = self.news.recv() => self.learn(news).await?,
                () = sleep_until(wake) => self.wake().await?,
            }
        }
    }

    async fn wake(&mut self) -> Result<(), KeystoreError> {
        let now = self.clock.now();
        self.machine.handle_timeout(now);
        self.settle().await
    }

    /// Gives the machine an input and carries out what follows from it.
    async fn input(&mut self, input: Input) -> Result<(), KeystoreError> {
        let now = self.clock.now();
        self.machine.handle_input(now, input);
        self.settle().await
    }

    async fn learn(&mut self, news: News) -> Result<(), KeystoreError> {
        match news {
            News::Input(input) => self.input(input).await,
            News::Finder(connection, event) => self.finder_event(connection, event).await,
            News::Link(link, news) => self.link_news(link, news).await,
        }
    }

    async fn finder_event(
        &mut self,
        connection: ConnectionId,
        event: FinderEvent,
    ) -> Result<(), KeystoreError> {
        if !self.sessions.contains_key(&connection) {
            return Ok(()); // Hung up meanwhile.
        }
        let input = match event {
            FinderEvent::Open => Input::FinderOpen { connection },
            FinderEvent::Frame(bytes) => Input::FinderFrame { connection, bytes },
            FinderEvent::Closed => {
                self.sessions.remove(&connection);
                Input::FinderClosed { connection }
            }
        };
        self.input(input).await
    }

    async fn command(&mut self, command: Command) -> Result<Flow, KeystoreError> {
        match command {
            Command::Input(input) => self.input(input).await?,
            Command::Wish { request, input, updates } => {
                self.wishes.insert(request, updates);
                self.input(input).await?;
            }
            Command::Query(query) => query(&self.machine),
            Command::Rotate { code, reply } => {
                // Whoever asked may have gone away meanwhile; the same holds for the replies below.
                let _ = reply.send(self.rotate(&code).await?);
            }
            Command::Export { passphrase, reply } => {
                let _ = reply.send(self.export(passphrase).await);
            }
            Command::RestartIce { link, reply } => self.restart_ice(link, reply),
            Command::Abandon { link } => {
                if self.links.is_abandoned(link) {
                    self.input(Input::CloseLink { link }).await?;
                }
            }
            Command::Close { reply } => {
                self.close().await?;
                return Ok(Flow::Stop(Some(reply)));
            }
            Command::Stop => return Ok(Flow::Stop(None)),
        }
        Ok(Flow::Continue)
    }

    /// Says goodbye on every link.
    async fn close(&mut self) -> Result<(), KeystoreError> {
        for link in self.links.ids() {
            self.input(Input::CloseLink { link }).await?;
        }
        if timeout(CLOSE_TIMEOUT, self.links.ended()).await.is_err() {
            tracing::debug!("links did not end in time");
        }
        Ok(())
    }

    async fn rotate(&mut self, code: &RecoveryCode) -> Result<Result<(), Error>, KeystoreError> {
        let before = self.machine.chain().seq();
        match self.keys.stage_rotation(code, self.machine.chain()).await {
            Err(Error::Keystore(error)) => return Err(error),
            Err(error) => return Ok(Err(error)),
            // Signing and committing happen at once.
            Ok((root, next)) => self.input(Input::Rotate { root, next }).await?,
        }
        Ok(if self.machine.chain().seq() > before { Ok(()) } else { Err(Code::Internal.into()) })
    }

    async fn export(&self, passphrase: Passphrase) -> Result<String, Error> {
        let root = self.keys.keyring().root().clone();
        let (chain, location) = (self.machine.chain().clone(), self.machine.location());
        let export = move |keystore: &Keystore| {
            export(&root, &chain, location, keystore.entries(Kind::Record)?, passphrase)
        };
        self.keys.on_disk(export).await
    }
}
