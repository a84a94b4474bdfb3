//! Carrying out what the machine wants.

use super::{Driver, News};
use crate::event::Knock;
use crate::handle::{Outcome, Update};
use crate::keystore::{Keystore, KeystoreError, Kind};
use crate::net::FinderSession;
use crate::{Error, Event};
use openpeer_core::key::SigningKeyName;
use openpeer_core::peer::{self, ConnectionId, HttpRequest, Input, OperationId, Output, RequestId};
use openpeer_core::uri::FinderUrl;
use tokio::sync::mpsc::error::TrySendError;
use zeroize::Zeroizing;

/// A record to be written, or removed if there is no value.
type Record = (String, Option<Zeroizing<Vec<u8>>>);

impl Driver {
    /// Carries out outputs, in order, until the machine wants nothing more.
    pub(super) async fn settle(&mut self) -> Result<(), KeystoreError> {
        loop {
            let mut records = Vec::new();
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Persist { key, value } => records.push((key, value.map(Zeroizing::new))),
                    output => {
                        self.persist(std::mem::take(&mut records)).await?;
                        self.carry_out(output).await?;
                    }
                }
            }
            self.persist(records).await?;
            let Some(answer) = self.answers.pop_front() else { return Ok(()) };
            let now = self.clock.now();
            self.machine.handle_input(now, answer);
        }
    }

    async fn carry_out(&mut self, output: Output) -> Result<(), KeystoreError> {
        match output {
            Output::Persist { key, value } => self.persist(vec![(key, value.map(Zeroizing::new))]).await?,
            Output::Sign { operation, key, input } => self.sign(operation, &key, &input),
            Output::Open { operation, request } => {
                let result = self.keys.keyring().open(&request);
                self.answers.push_back(Input::Opened { operation, result });
            }
            Output::CreateInboxKey { operation, usage } => {
                let key = self.keys.create_inbox(usage).await?;
                self.answers.push_back(Input::InboxKey { operation, key });
            }
            Output::ForgetInboxKey { key } => self.keys.forget_inbox(key).await?,
            Output::PublicKey { operation, key } => self.tell_public_key(operation, &key),
            Output::CommitRotation => self.keys.commit_rotation().await?,
            Output::Http { operation, request } => self.request(operation, request),
            Output::Dial { connection, url } => self.dial(connection, url),
            Output::Send { connection, bytes } => self.send(connection, bytes),
            Output::Hangup { connection } => drop(self.sessions.remove(&connection)),
            Output::Event(event) => self.machine_event(event),
            output => self.carry_out_on_link(output),
        }
        Ok(())
    }

    async fn persist(&self, records: Vec<Record>) -> Result<(), KeystoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let write = move |keystore: &Keystore| {
            for (key, value) in &records {
                match value {
                    Some(value) => keystore.write(Kind::Record, key, value)?,
                    None => keystore.remove(Kind::Record, key)?,
                }
            }
            keystore.sync(Kind::Record)
        };
        self.keys.on_disk(write).await
    }

    fn sign(&mut self, operation: OperationId, key: &SigningKeyName, input: &[u8]) {
        match self.keys.keyring().sign(key, input) {
            Ok(signature) => self.answers.push_back(Input::Signed { operation, signature }),
            Err(error) => {
                tracing::error!(%error, "the machine asked for a signature of a key that is not there")
            }
        }
    }

    fn tell_public_key(&mut self, operation: OperationId, key: &SigningKeyName) {
        match self.keys.keyring().public_key(key) {
            Ok(key) => self.answers.push_back(Input::PublicKey { operation, key }),
            Err(error) => tracing::error!(%error, "the machine asked for a key that is not there"),
        }
    }

    fn request(&self, operation: OperationId, request: HttpRequest) {
        let (network, news) = (self.network.clone(), self.news_sender.clone());
        tokio::spawn(async move {
            let domain = request.domain.clone();
            let result = network.request(request).await.map_err(|error| {
                tracing::debug!(domain = domain.as_str(), %error, "domain not reached");
                error.code()
            });
            // A driver that is gone needs no answer.
            let _ = news.send(News::Input(Input::Http { operation, result })).await;
        });
    }

    fn dial(&mut self, connection: ConnectionId, url: FinderUrl) {
        let news = self.news_sender.clone();
        let report = move |event| {
            let news = news.clone();
            async move {
                // A driver that is gone needs no report.
                let _ = news.send(News::Finder(connection, event)).await;
            }
        };
        self.sessions.insert(connection, FinderSession::dial(self.network.clone(), url, report));
    }

    fn send(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        let Some(session) = self.sessions.get(&connection) else { return };
        if session.send(bytes).is_err() {
            tracing::debug!("a finder does not read its messages");
            self.sessions.remove(&connection);
            self.answers.push_back(Input::FinderClosed { connection });
        }
    }

    fn machine_event(&mut self, event: peer::Event) {
        use peer::Event as E;
        match event {
            E::Ready => self.event(Event::Ready),
            E::Online(domain) => self.event(Event::Online(domain)),
            E::Offline(domain) => self.event(Event::Offline(domain)),
            E::Progress { request, progress } => {
                if let Some(updates) = self.wishes.get(&request) {
                    // The user may have given up meanwhile; the same holds below.
                    let _ = updates.send(Update::Progress(progress));
                }
            }
            E::RequestFailed { request, error } => self.fulfil(request, Err(error.into())),
            E::Knock { knock: id, peer, name, text, at } => {
                let handle = self.handle.clone();
                self.event(Event::Knock(Knock { handle, id, peer, name, text, at }));
            }
            E::LinkOpen { link, peer, location, request } => self.link_open(link, peer, location, request),
            E::LinkEnded { link, peer, reason } => self.event(Event::LinkEnded { link, peer, reason }),
            E::ContactChanged { peer, state } => self.event(Event::ContactChanged { peer, state }),
            E::DocumentsUpdated { peer } => self.event(Event::DocumentsUpdated { peer }),
            E::NameClaimed { request, address } => self.fulfil(request, Ok(Outcome::Claimed(address))),
            E::NameReleased { request } => self.fulfil(request, Ok(Outcome::Released)),
            E::Alarm { error, peer } => self.event(Event::Alarm { error, peer }),
        }
    }

    /// Tells the user; events that nobody reads are dropped.
    pub(super) fn event(&self, event: Event) {
        if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::warn!("nobody reads this peer's events; one is lost");
            drop(event);
        }
    }

    /// Ends a wish.
    pub(super) fn fulfil(&mut self, request: RequestId, result: Result<Outcome, Error>) {
        if let Some(updates) = self.wishes.remove(&request) {
            let _ = updates.send(Update::Done(result));
        }
    }
}
