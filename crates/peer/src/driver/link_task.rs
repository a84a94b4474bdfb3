//! One link: moves what the machine and `openpeer-link` have to say to each other.

use crate::Error;
use crate::link::Shared;
use openpeer_core::transport::{Candidate, TransportParameters};
use openpeer_link::{
    CandidateError, ConnectReport, EndReason, IceParameters, LinkConfig, LinkEvent, PreparedLink, Role,
    StartError,
};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What a link's task is told.
pub(super) enum Order {
    /// The other end is known.
    Start(TransportParameters),
    /// More candidates of the other end.
    AddCandidates(Vec<Candidate>),
    /// The other end restarts ICE, or answers our restart.
    Ice { answer: bool, parameters: IceParameters },
    /// The user wants an ICE restart.
    RestartIce(oneshot::Sender<Result<(), Error>>),
    /// A message for the control channel.
    SendControl(Vec<u8>),
    /// Ends the link once its control messages are sent.
    End,
}

/// What a link's task reports.
pub(super) enum LinkNews {
    Prepared(TransportParameters),
    Candidates {
        candidates: Vec<Candidate>,
        end: bool,
    },
    Open(Arc<Shared>),
    Control(Vec<u8>),
    Ice {
        answer: bool,
        parameters: IceParameters,
    },
    Paused,
    Resumed,
    /// The last one, unless the driver ended the link.
    Ended {
        reason: EndReason,
        report: Option<Box<ConnectReport>>,
    },
}

/// The task of one link. It ends with the link, or when the driver is gone.
pub(super) struct LinkTask<R> {
    report: R,
    inbox: mpsc::UnboundedReceiver<Order>,
    /// Control messages that wait for room.
    outbox: VecDeque<Vec<u8>>,
    /// Channels that the other end opened, for the user.
    incoming: Option<mpsc::UnboundedSender<openpeer_link::IncomingChannel>>,
    /// Who waits for the answer to an ICE restart.
    restarting: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl<R, F> LinkTask<R>
where
    R: Fn(LinkNews) -> F,
    F: Future<Output = ()>,
{
    pub(super) const fn new(report: R, inbox: mpsc::UnboundedReceiver<Order>) -> Self {
        Self { report, inbox, outbox: VecDeque::new(), incoming: None, restarting: Vec::new() }
    }

    pub(super) async fn run(mut self, config: LinkConfig, role: Role) {
        let prepared = match openpeer_link::Link::prepare(&config, role) {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::warn!(code = error.code(), "no link can be prepared: {error}");
                return self.end(EndReason::NoSockets, None).await;
            }
        };
        (self.report)(LinkNews::Prepared(prepared.local_parameters())).await;
        let Some(remote) = self.prepare(&prepared).await else { return };
        match prepared.start(&remote) {
            Ok(link) => self.live(link).await,
            Err(error) => {
                tracing::debug!(code = error.code(), "the other end's link parameters are refused");
                self.end(EndReason::ConnectTimeout, None).await;
            }
        }
    }

    /// Reports candidates until the other end is known; `None` if the link is not wanted any more.
    async fn prepare(&mut self, prepared: &PreparedLink) -> Option<TransportParameters> {
        let mut gathered = false;
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order? {
                    Order::Start(remote) => return Some(remote),
                    Order::AddCandidates(candidates) => {
                        for candidate in &candidates {
                            log_refused(prepared.add_remote_candidate(candidate));
                        }
                    }
                    Order::End => return None,
                    // There is nothing yet that these could be about.
                    Order::Ice { .. } | Order::RestartIce(_) | Order::SendControl(_) => {}
                },
                candidate = prepared.next_candidate(), if !gathered => {
                    gathered = candidate.is_none();
                    self.report_candidates(candidate.into_iter().collect(), gathered).await;
                }
            }
        }
    }

    /// Moves events, orders and control messages until the link ends.
    async fn live(mut self, link: openpeer_link::Link) {
        let control = link.control();
        let (incoming, channels) = mpsc::unbounded_channel();
        self.incoming = Some(incoming);
        let link = Arc::new(link);
        let shared = Arc::new(Shared::new(Arc::downgrade(&link), channels));
        // The machine takes control messages of an open link only, and both can be ready at the same moment.
        let mut readable = false;
        loop {
            let waiting = self.outbox.front().map_or(&[][..], Vec::as_slice);
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(Order::End) | None => return self.close(link, &control, &shared).await,
                    Some(order) => self.carry_out(&link, order).await,
                },
                event = link.next_event() => match event {
                    Some(LinkEvent::Ended(reason)) => return self.ended(&link, &shared, reason).await,
                    None => return self.ended(&link, &shared, EndReason::Internal).await,
                    Some(event) => {
                        readable |= matches!(event, LinkEvent::Open);
                        self.on_event(&shared, event).await;
                    }
                },
                message = control.recv(), if readable => match message {
                    Ok(message) => (self.report)(LinkNews::Control(message.into())).await,
                    // Why the link ends is an event of its own.
                    Err(_) => readable = false,
                },
                sent = control.send(waiting), if !waiting.is_empty() => {
                    if let Err(error) = sent {
                        tracing::debug!(code = error.code(), "a control message is lost");
                    }
                    self.outbox.pop_front();
                }
            }
        }
    }

    async fn carry_out(&mut self, link: &openpeer_link::Link, order: Order) {
        match order {
            Order::AddCandidates(candidates) => {
                for candidate in &candidates {
                    log_refused(link.add_remote_candidate(candidate));
                }
            }
            Order::Ice { answer: false, parameters } => match link.accept_ice_restart(&parameters) {
                Ok(Some(parameters)) => (self.report)(LinkNews::Ice { answer: true, parameters }).await,
                // Both sides restarted at once, and ours counts.
                Ok(None) => {}
                Err(error) => log_restart(&error),
            },
            Order::Ice { answer: true, parameters } => match link.finish_ice_restart(&parameters) {
                // Whoever asked for it may not wait any more.
                Ok(()) => self.restarting.drain(..).for_each(|reply| drop(reply.send(Ok(())))),
                Err(error) => log_restart(&error),
            },
            Order::RestartIce(reply) => match link.restart_ice() {
                Ok(parameters) => {
                    self.restarting.push(reply);
                    (self.report)(LinkNews::Ice { answer: false, parameters }).await;
                }
                // Dropping the reply says that the link is over.
                Err(error) => log_restart(&error),
            },
            Order::SendControl(message) => self.outbox.push_back(message),
            // The machine starts and ends a link once.
            Order::Start(_) | Order::End => {}
        }
    }

    async fn on_event(&self, shared: &Arc<Shared>, event: LinkEvent) {
        match event {
            LinkEvent::LocalCandidate(candidate) => self.report_candidates(vec![candidate], false).await,
            LinkEvent::GatheringDone => self.report_candidates(Vec::new(), true).await,
            LinkEvent::Open => (self.report)(LinkNews::Open(Arc::clone(shared))).await,
            LinkEvent::IncomingChannel(channel) => {
                if let Some(incoming) = &self.incoming {
                    // A user who dropped the link does not want the channel either.
                    drop(incoming.send(channel));
                }
            }
            LinkEvent::Paused => (self.report)(LinkNews::Paused).await,
            LinkEvent::Resumed => (self.report)(LinkNews::Resumed).await,
            // Read from the link when somebody asks for it.
            _ => {}
        }
    }

    async fn report_candidates(&self, candidates: Vec<Candidate>, end: bool) {
        (self.report)(LinkNews::Candidates { candidates, end }).await;
    }

    /// The driver ends the link: sends what still waits and says goodbye.
    async fn close(self, link: Arc<openpeer_link::Link>, control: &openpeer_link::Channel, shared: &Shared) {
        for message in &self.outbox {
            if let Err(error) = control.try_send(message) {
                tracing::debug!(code = error.code(), "a last control message is lost");
            }
        }
        shared.set_ended(EndReason::ClosedLocally, link.report());
        // Whoever else uses the link at this moment closes it by being the last to drop it.
        if let Some(link) = Arc::into_inner(link) {
            link.close().await;
        }
    }

    /// The link ended by itself or by the other side.
    async fn ended(self, link: &openpeer_link::Link, shared: &Shared, reason: EndReason) {
        let report = link.report();
        shared.set_ended(reason, report.clone());
        self.end(reason, Some(Box::new(report))).await;
    }

    async fn end(self, reason: EndReason, report: Option<Box<ConnectReport>>) {
        tracing::debug!(code = reason.code(), "a link ended");
        (self.report)(LinkNews::Ended { reason, report }).await;
    }
}

/// A candidate that is not used harms nothing; it is counted in the report.
fn log_refused(result: Result<(), CandidateError>) {
    if let Err(error) = result {
        tracing::debug!(code = error.code(), "a candidate of the other end is not used");
    }
}

fn log_restart(error: &StartError) {
    tracing::debug!(code = error.code(), "an ICE restart came to nothing");
}
