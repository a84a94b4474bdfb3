//! The links of a peer, as the driver keeps them: a task for each, and what the user's handles share.

use super::link_task::{LinkNews, LinkTask, Order};
use super::{Driver, News};
use crate::handle::Outcome;
use crate::keystore::KeystoreError;
use crate::link::{Inner, Link, Shared};
use crate::{Error, Event};
use openpeer_core::Code;
use openpeer_core::document::PeerId;
use openpeer_core::frame::TurnServer;
use openpeer_core::key::KeyId;
use openpeer_core::peer::{Input, LinkId, LinkRole, Output, RequestId};
use openpeer_link::{EndReason, IceParameters, IceServer, Interfaces, LinkConfig, Role};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// All links of a peer, prepared or running.
#[derive(Default)]
pub(super) struct Links {
    entries: HashMap<LinkId, Entry>,
    tasks: JoinSet<()>,
}

struct Entry {
    orders: mpsc::UnboundedSender<Order>,
    /// Once the link is open.
    shared: Option<Arc<Shared>>,
    /// What the user's handles have in common.
    handles: Weak<Inner>,
}

impl Links {
    pub(super) fn ids(&self) -> Vec<LinkId> {
        self.entries.keys().copied().collect()
    }

    /// Whether no user holds the link any more.
    pub(super) fn is_abandoned(&self, link: LinkId) -> bool {
        self.entries.get(&link).is_some_and(|entry| entry.handles.strong_count() == 0)
    }

    /// Waits until all links have ended.
    pub(super) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    fn tell(&self, link: LinkId, order: Order) {
        if let Some(entry) = self.entries.get(&link) {
            // A task that is gone reports the end of its link, or did.
            let _ = entry.orders.send(order);
        }
    }
}

impl Driver {
    pub(super) fn carry_out_on_link(&mut self, output: Output) {
        match output {
            Output::PrepareLink { link, role, stun, turn, relay_only } => {
                self.prepare_link(link, role, stun, turn, relay_only);
            }
            Output::StartLink { link, remote } => self.links.tell(link, Order::Start(remote)),
            Output::AddCandidates { link, candidates } => {
                self.links.tell(link, Order::AddCandidates(candidates))
            }
            Output::RestartIce { link, answer, ice, candidates } => {
                self.links.tell(link, Order::Ice { answer, parameters: IceParameters { ice, candidates } });
            }
            Output::SendControl { link, bytes } => self.links.tell(link, Order::SendControl(bytes)),
            Output::EndLink { link, reason: _ } => {
                self.links.tell(link, Order::End);
                self.links.entries.remove(&link);
            }
            other => tracing::error!(?other, "the machine wants something unknown"),
        }
    }

    fn prepare_link(
        &mut self,
        id: LinkId,
        role: LinkRole,
        stun: Vec<String>,
        turn: Vec<TurnServer>,
        relay_only: bool,
    ) {
        let (orders, inbox) = mpsc::unbounded_channel();
        self.links.entries.insert(id, Entry { orders, shared: None, handles: Weak::new() });
        let news = self.news_sender.clone();
        let report = move |event| {
            let news = news.clone();
            async move {
                // A driver that is gone needs no report.
                let _ = news.send(News::Link(id, event)).await;
            }
        };
        let config = self.link_config(stun, turn, relay_only);
        let role = match role {
            LinkRole::Seeker => Role::Seeker,
            LinkRole::Callee => Role::Answerer,
        };
        while self.links.tasks.try_join_next().is_some() {}
        self.links.tasks.spawn(LinkTask::new(report, inbox).run(config, role));
    }

    fn link_config(&self, stun: Vec<String>, turn: Vec<TurnServer>, relay_only: bool) -> LinkConfig {
        let stun = stun.into_iter().map(IceServer::stun);
        let turn = turn.into_iter().flat_map(|TurnServer { urls, username, credential, expires: _ }| {
            urls.into_iter().map(move |url| IceServer::turn(url, username.clone(), credential.clone()))
        });
        let named = |server: IceServer| IceServer { url: self.network.rewrite_ice_url(server.url), ..server };
        LinkConfig {
            interfaces: if self.development { Interfaces::UsableAndLoopback } else { Interfaces::Usable },
            servers: stun.chain(turn).map(named).collect(),
            relay_only,
            ..LinkConfig::default()
        }
    }

    pub(super) async fn link_news(&mut self, link: LinkId, news: LinkNews) -> Result<(), KeystoreError> {
        let Some(entry) = self.links.entries.get_mut(&link) else { return Ok(()) };
        let input = match news {
            LinkNews::Prepared(local) => Input::LinkPrepared { link, local },
            LinkNews::Candidates { candidates, end } => Input::LinkCandidates { link, candidates, end },
            LinkNews::Open(shared) => {
                entry.shared = Some(shared);
                Input::LinkOpen { link }
            }
            LinkNews::Control(bytes) => Input::LinkControl { link, bytes },
            LinkNews::Ice { answer, parameters: IceParameters { ice, candidates } } => {
                Input::LinkIce { link, answer, ice, candidates }
            }
            LinkNews::Paused => {
                self.tell_of(link, |link, peer| Event::LinkPaused { link, peer });
                return Ok(());
            }
            LinkNews::Resumed => {
                self.tell_of(link, |link, peer| Event::LinkResumed { link, peer });
                return Ok(());
            }
            LinkNews::Ended { reason, report } => {
                let opened = entry.shared.is_some();
                self.links.entries.remove(&link);
                if let Some(report) = report.filter(|_| !opened) {
                    self.event(Event::LinkFailed { report });
                }
                Input::LinkEnded { link, reason: code_of(reason, opened) }
            }
        };
        self.input(input).await
    }

    /// Tells the user something of a link that he knows.
    fn tell_of(&self, link: LinkId, event: impl FnOnce(LinkId, PeerId) -> Event) {
        let entry = self.links.entries.get(&link);
        if let Some(inner) = entry.and_then(|entry| entry.handles.upgrade()) {
            self.event(event(link, inner.peer()));
        }
    }

    /// The machine says that a link may be used: hands it to whoever wished for it, or to the user.
    pub(super) fn link_open(
        &mut self,
        id: LinkId,
        peer: PeerId,
        location: KeyId,
        request: Option<RequestId>,
    ) {
        let Some(entry) = self.links.entries.get_mut(&id) else { return };
        let Some(shared) = &entry.shared else { return };
        let inner = entry.handles.upgrade().unwrap_or_else(|| {
            Arc::new(Inner::new(id, peer, location, Arc::clone(shared), self.handle.clone()))
        });
        entry.handles = Arc::downgrade(&inner);
        let link = Link::new(inner);
        match request.filter(|request| self.wishes.contains_key(request)) {
            Some(request) => self.fulfil(request, Ok(Outcome::Link(link))),
            None => self.event(Event::LinkOpened(link)),
        }
    }

    pub(super) fn restart_ice(&self, link: LinkId, reply: oneshot::Sender<Result<(), Error>>) {
        // Without such a link the reply is dropped, which says that it is closed.
        self.links.tell(link, Order::RestartIce(reply));
    }
}

/// The protocol's code for the end of a link.
const fn code_of(reason: EndReason, opened: bool) -> Code {
    match reason {
        EndReason::ClosedLocally => Code::Cancelled,
        EndReason::ClosedByPeer if opened => Code::Cancelled,
        EndReason::BadFingerprint => Code::BadFingerprint,
        EndReason::Internal => Code::Internal,
        _ => Code::ConnectFailed,
    }
}
