//! What must hold in every world, whatever happens in it.

use super::links::{EndId, EndOwner};
use super::{Peer, World};
use openpeer_core::Time;
use openpeer_core::defaults::EXCHANGE_LIFE;
use openpeer_core::document::PeerId;
use openpeer_core::finder::ConnectionId;
use openpeer_core::frame::{ExchangeId, Frame, Header};
use openpeer_core::key::KeyId;
use openpeer_core::peer::{ContactState, Event, KnockId, LinkId, Progress, Target};
use openpeer_core::uri::Address;
use std::collections::{BTreeMap, BTreeSet};

/// What users agreed to, and which exchanges finders know of.
#[derive(Default)]
pub(super) struct Watch {
    violations: Vec<String>,
    /// Whose users want to hear of whom.
    consents: BTreeSet<(PeerId, PeerId)>,
    blocked: BTreeSet<(Peer, PeerId)>,
    /// When exchanges began, by either end's number.
    exchanges: BTreeMap<(ConnectionId, ExchangeId), Time>,
}

impl World {
    /// What went wrong so far; empty in every good run.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.watch.violations
    }

    /// Notes that something went wrong that a story watches over.
    pub fn report(&mut self, what: String) {
        self.violation(what);
    }

    pub(super) fn violation(&mut self, what: String) {
        let since = self.now.millis_since(crate::defaults::BEGINNING);
        self.watch.violations.push(format!("after {since} ms: {what}"));
    }

    /// Reports requests that have been open for longer than `limit` milliseconds, though no person is to decide.
    pub fn check_requests(&mut self, limit: u64) {
        let now = self.now;
        let late: Vec<String> = self
            .peers
            .iter()
            .flat_map(|node| node.open_requests.iter().map(move |(request, since)| (node, request, since)))
            .filter(|(_, _, since)| now.millis_since(**since) > limit)
            .map(|(node, request, _)| format!("{} still waits for request {}", node.name, request.0))
            .collect();
        for late in late {
            self.violation(late);
        }
    }

    pub(super) fn check_event(&mut self, peer: Peer, event: &Event) {
        match event {
            Event::Progress { request, progress: Progress::Knocking } => {
                // From here on a person decides.
                self.peers[peer.0].open_requests.remove(request);
            }
            Event::RequestFailed { request, .. }
            | Event::NameClaimed { request, .. }
            | Event::NameReleased { request } => {
                self.peers[peer.0].open_requests.remove(request);
            }
            Event::LinkOpen { link, peer: other, location, request } => {
                if let Some(request) = request {
                    self.peers[peer.0].open_requests.remove(request);
                }
                self.peers[peer.0].open_links.insert(*link, *other);
                self.check_consent(peer, *other);
                self.check_identity(peer, *link, *other, *location);
            }
            Event::LinkEnded { link, .. } => {
                self.peers[peer.0].open_links.remove(link);
            }
            _ => {}
        }
    }

    fn check_consent(&mut self, peer: Peer, other: PeerId) {
        let own = self.id(peer);
        let consents = &self.watch.consents;
        let (we, they) = (consents.contains(&(own, other)), consents.contains(&(other, own)));
        let blocked = self.watch.blocked.contains(&(peer, other));
        if !we || !they || blocked {
            let name = self.peers[peer.0].name.clone();
            self.violation(format!(
                "{name} is linked: own consent {we}, other's consent {they}, blocked {blocked}"
            ));
        }
    }

    /// The link must really lead to the location of the peer that the machine names.
    fn check_identity(&mut self, peer: Peer, link: LinkId, other: PeerId, location: KeyId) {
        let partner = self.end_of(peer, link).and_then(|end| self.ends.get(&end)?.partner);
        let owner = partner.and_then(|(partner, _)| self.ends.get(&partner)).map(|end| end.owner);
        let Some(EndOwner::Peer { peer: found, .. }) = owner else { return };
        if self.id(found) != other || self.location(found) != location {
            let names = [peer, found].map(|peer| self.peers[peer.0].name.clone());
            self.violation(format!("{} is linked to {} and takes it for another", names[0], names[1]));
        }
    }

    pub(super) fn end_of(&self, peer: Peer, link: LinkId) -> Option<EndId> {
        let owned = |end: &EndOwner| matches!(end, EndOwner::Peer { peer: p, link: l, life } if *p == peer && *l == link && *life == self.peers[peer.0].life);
        self.ends.iter().find(|(_, end)| owned(&end.owner)).map(|(id, _)| *id)
    }

    pub(super) fn consent_to_target(&mut self, peer: Peer, target: &Target) {
        let other = match target {
            Target::Contact(other) | Target::Address(Address::Peer { peer: other, .. }) => Some(*other),
            Target::Address(Address::Name { name, domain }) => {
                let at = self.domains.iter().find(|entry| entry.directory.domain == *domain);
                at.and_then(|entry| entry.directory.bearer(name))
            }
        };
        let own = self.id(peer);
        self.watch.consents.extend(other.map(|other| (own, other)));
    }

    pub(super) fn consent_to_knock(&mut self, peer: Peer, accepted: KnockId) {
        let knocker = self.diary(peer).iter().find_map(|(_, event)| match event {
            Event::Knock { knock, peer, .. } if *knock == accepted => Some(*peer),
            _ => None,
        });
        let own = self.id(peer);
        self.watch.consents.extend(knocker.map(|knocker| (own, knocker)));
    }

    pub(super) fn change_consent(&mut self, peer: Peer, other: PeerId, state: ContactState) {
        let own = self.id(peer);
        match state {
            ContactState::Blocked => {
                self.watch.blocked.insert((peer, other));
            }
            ContactState::None => {
                self.watch.consents.remove(&(own, other));
                self.watch.blocked.remove(&(peer, other));
            }
            ContactState::Contact | ContactState::Requested => {
                self.watch.blocked.remove(&(peer, other));
            }
        }
    }

    pub(super) fn watch_finder(&mut self, connection: ConnectionId, from_client: bool, bytes: &[u8]) {
        let Ok(frame) = Frame::decode(bytes) else { return };
        match frame.header {
            Header::Find { x, .. } => {
                self.watch.exchanges.insert((connection, x), self.now);
            }
            Header::Answer { x } | Header::More { x } if !from_client => {
                let began = self.watch.exchanges.get(&(connection, x));
                if began.is_none_or(|began| self.now.millis_since(*began) > EXCHANGE_LIFE) {
                    self.violation(
                        "a finder still passes frames of an exchange whose time is over".to_owned(),
                    );
                }
            }
            _ => {}
        }
    }
}
