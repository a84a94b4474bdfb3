//! The shell of the finder machine: one lock around it, outputs carried out in order, its timer, and the store.

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use openpeer_core::finder::{ConnectionId, Counters, Finder, Input, KnockId, Output, Source, StoredKnock};
use openpeer_core::frame::MailboxId;
use openpeer_core::key::Seed;
use openpeer_core::{Code, Time};
use openpeer_store::{Knock, KnockLimits, PutKnock, Store, StoreError};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The machine and what it acts on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FinderShell(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    timer: Notify,
    clock: Clock,
    domain_key: Seed,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    /// Store calls under way.
    calls: TaskTracker,
}

struct State {
    machine: Finder,
    sessions: HashMap<ConnectionId, Arc<Outbox>>,
    last_connection: u64,
    /// When the timer task will wake next.
    armed: Time,
    /// Signatures that the machine waits for, made once its outputs are carried out.
    to_sign: VecDeque<(ConnectionId, Vec<u8>)>,
}

/// What a machine's output turned into that has to wait for somebody.
enum Call {
    CheckMember(ConnectionId, Vec<MailboxId>),
    FetchKnocks(ConnectionId, MailboxId),
    KeepKnock(Knock, Time),
    DeleteKnock(MailboxId, KnockId),
}

impl State {
    /// The machine's next output; when there is none, gives it a signature it waits for. Ed25519 takes some 20 µs: not
    /// worth a task.
    fn next_output(&mut self, domain_key: &Seed, clock: Clock) -> Option<Output> {
        loop {
            if let Some(output) = self.machine.poll_output() {
                return Some(output);
            }
            let (connection, input) = self.to_sign.pop_front()?;
            let signature = domain_key.sign(&input);
            self.machine.handle_input(clock.now(), Input::Signed { connection, signature });
        }
    }
}

impl FinderShell {
    pub(crate) fn new(
        machine: Finder,
        domain_key: Seed,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let state = State {
            machine,
            sessions: HashMap::new(),
            last_connection: 0,
            armed: Time::NEVER,
            to_sign: VecDeque::new(),
        };
        let calls = TaskTracker::new();
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            timer: Notify::new(),
            clock,
            domain_key,
            store,
            metrics,
            calls,
        }))
    }

    /// Names a new connection to the machine.
    pub(crate) fn attend(&self, source: Source) -> Attendance {
        let outbox = Arc::new(Outbox::default());
        let mut state = self.lock();
        state.last_connection += 1;
        let connection = ConnectionId(state.last_connection);
        state.sessions.insert(connection, outbox.clone());
        self.drive(state, Input::Connected { connection, source });
        Attendance { finder: self.clone(), connection, outbox }
    }

    /// Tells the machine that the server is about to stop.
    pub(crate) fn drain(&self) {
        self.drive(self.lock(), Input::Drain);
    }

    /// Ends all sessions, whatever the machine thinks of it.
    pub(crate) fn close_all(&self) {
        self.lock().sessions.values().for_each(|outbox| outbox.close(Code::Draining));
    }

    pub(crate) fn counters(&self) -> Counters {
        self.lock().machine.counters().clone()
    }

    /// Runs the machine's timer until cancelled.
    pub(crate) async fn run_timer(self, stop: CancellationToken) {
        loop {
            let wake_at = self.arm();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.timer.notified() => {}
                () = sleep_until(self.0.clock.instant(wake_at)) => {
                    let mut state = self.lock();
                    state.machine.handle_timeout(self.0.clock.now());
                    self.carry_out(state);
                }
            }
        }
    }

    /// Waits for the store calls under way.
    pub(crate) async fn finish_calls(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
    }

    fn arm(&self) -> Time {
        let mut state = self.lock();
        state.armed = state.machine.poll_timeout().unwrap_or(Time::NEVER);
        state.armed
    }

    fn input(&self, input: Input<'_>) {
        self.drive(self.lock(), input);
    }

    fn drive(&self, mut state: MutexGuard<'_, State>, input: Input<'_>) {
        state.machine.handle_input(self.0.clock.now(), input);
        self.carry_out(state);
    }

    /// Carries the machine's outputs out in their order: frames go to the mailboxes under the lock, so that two tasks
    /// cannot overtake each other; store calls start after it is released.
    fn carry_out(&self, mut state: MutexGuard<'_, State>) {
        let mut calls = Vec::new();
        while let Some(output) = state.next_output(&self.0.domain_key, self.0.clock) {
            match output {
                Output::Send { connection, bytes } => {
                    if let Some(outbox) = state.sessions.get(&connection) {
                        outbox.push(bytes.into());
                    }
                }
                Output::Close { connection, code } => {
                    if let Some(outbox) = state.sessions.remove(&connection) {
                        tracing::debug!(
                            connection = connection.0,
                            code = code.as_str(),
                            "finder closes session"
                        );
                        outbox.close(code);
                    }
                }
                Output::Sign { connection, input } => state.to_sign.push_back((connection, input)),
                Output::CheckMember { connection, mailboxes } => {
                    calls.push(Call::CheckMember(connection, mailboxes))
                }
                Output::FetchKnocks { connection, mailbox } => {
                    calls.push(Call::FetchKnocks(connection, mailbox))
                }
                Output::KeepKnock { mailbox, id, body, received, expires } => {
                    let (mailbox, knock_id) = (mailbox.0.to_vec(), id.0.to_vec());
                    let knock = Knock { mailbox, knock_id, body, expires_at: expires.as_millis() };
                    calls.push(Call::KeepKnock(knock, received));
                }
                Output::DeleteKnock { mailbox, id } => calls.push(Call::DeleteKnock(mailbox, id)),
            }
        }
        if state.machine.poll_timeout().is_some_and(|deadline| deadline < state.armed) {
            self.0.timer.notify_one();
        }
        drop(state);
        for call in calls {
            let finder = self.clone();
            self.0.calls.spawn(async move { finder.call(call).await });
        }
    }

    async fn call(&self, call: Call) {
        match call {
            Call::CheckMember(connection, mailboxes) => {
                let member = self.is_member(&mailboxes).await;
                self.input(Input::Member { connection, member });
            }
            Call::FetchKnocks(connection, mailbox) => {
                let knocks = self.fetch_knocks(mailbox).await;
                self.input(Input::Knocks { connection, mailbox, knocks });
            }
            Call::KeepKnock(knock, received) => {
                let call = self.0.store.put_knock(knock, KnockLimits::default(), received.as_millis());
                self.timed("put_knock", call).await;
            }
            Call::DeleteKnock(mailbox, id) => {
                self.timed("delete_knock", self.0.store.delete_knock(&mailbox.0, &id.0)).await;
            }
        }
    }

    /// A failing store makes nobody a member: TURN and kept knocks wait until it works again, attaching does not.
    async fn is_member(&self, mailboxes: &[MailboxId]) -> bool {
        for mailbox in mailboxes {
            // Offers a knock for which there is never room: the store says first whether the mailbox is a member's.
            let knock =
                Knock { mailbox: mailbox.0.to_vec(), knock_id: Vec::new(), body: Vec::new(), expires_at: 0 };
            let no_room = KnockLimits { max_count: 0, max_bytes: 0 };
            let call = self.0.store.put_knock(knock, no_room, self.0.clock.now().as_millis());
            match self.timed("check_member", call).await {
                None | Some(PutKnock::NoMailbox) => {}
                Some(_) => return true,
            }
        }
        false
    }

    async fn fetch_knocks(&self, mailbox: MailboxId) -> Vec<StoredKnock> {
        let call = self.0.store.knocks(&mailbox.0, self.0.clock.now().as_millis());
        let stored = self.timed("knocks", call).await.unwrap_or_default();
        let knock = |one: openpeer_store::StoredKnock| {
            let id = KnockId(one.knock_id.try_into().ok()?);
            Some(StoredKnock { id, body: one.body, received: Time::from_millis(one.received_at) })
        };
        stored.into_iter().filter_map(knock).collect()
    }

    async fn timed<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<T> {
        self.0.metrics.store_call(name, call).await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place at the finder, left on drop.
pub(crate) struct Attendance {
    finder: FinderShell,
    connection: ConnectionId,
    /// What the finder wants sent.
    pub(crate) outbox: Arc<Outbox>,
}

impl Attendance {
    /// Hands a message to the machine.
    pub(crate) fn frame(&self, bytes: &[u8]) {
        self.finder.input(Input::Frame { connection: self.connection, bytes });
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.finder.0.metrics
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut state = self.finder.lock();
        state.sessions.remove(&self.connection);
        self.finder.drive(state, Input::Disconnected { connection: self.connection });
    }
}
