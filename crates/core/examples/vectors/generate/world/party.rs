//! The shell around a peer machine: keys and the pretence of a link.

use super::super::cast::{NOW, Person, domain, secret};
use super::super::sealing;
use super::Job;
use super::log::Log;
use openpeer_core::key::{InboxSecret, Keyring};
use openpeer_core::peer::{Config, InboxUse, Input, LinkId, Output, PeerMachine};
use openpeer_core::transport::{Candidate, Fingerprint, TransportParameters};
use std::collections::VecDeque;

pub(super) struct Party {
    pub(super) person: Person,
    pub(super) machine: PeerMachine,
    keyring: Keyring,
    /// The link whose other end is known, with the other end's fingerprint.
    pub(super) running: Option<(LinkId, Fingerprint)>,
}

impl Party {
    pub(super) fn new(person: Person, at: &str) -> Self {
        let config = Config {
            chain: person.chain.clone(),
            location_key: person.location.public_key(),
            domains: vec![domain(at)],
            development: false,
        };
        let seed = *person.location.expose();
        let machine = PeerMachine::new(config, [], seed, NOW).unwrap();
        Self { keyring: person.keyring(), person, machine, running: None }
    }

    /// Answers a command that concerns this peer alone; gives the others back.
    pub(super) fn answer(
        &mut self,
        output: Output,
        jobs: &mut VecDeque<Job>,
        who: usize,
        log: &mut Log,
    ) -> Option<Output> {
        let mut reply = |input| jobs.push_back(Job::Peer(who, input));
        match output {
            Output::Persist { .. } | Output::AddCandidates { .. } => {}
            Output::Sign { operation, key, input } => {
                let signature = self.keyring.sign(&key, &input).unwrap();
                reply(Input::Signed { operation, signature });
            }
            Output::Open { operation, request } => {
                reply(Input::Opened { operation, result: self.keyring.open(&request) });
            }
            Output::PublicKey { operation, key } => {
                reply(Input::PublicKey { operation, key: self.keyring.public_key(&key).unwrap() });
            }
            Output::CreateInboxKey { operation, usage } => {
                let (name, secret) = self.inbox_secret(&usage);
                log.inbox_key(who, name, &secret);
                reply(Input::InboxKey { operation, key: self.keyring.add_inbox(secret) });
            }
            Output::ForgetInboxKey { key } => self.keyring.forget_inbox(&key),
            Output::PrepareLink { link, .. } => {
                reply(Input::LinkPrepared { link, local: self.parameters() });
                let candidates = vec![self.reflexive_candidate()];
                reply(Input::LinkCandidates { link, candidates, end: true });
            }
            other => return Some(other),
        }
        None
    }

    fn inbox_secret(&self, usage: &InboxUse) -> (&'static str, InboxSecret) {
        match usage {
            InboxUse::Daily => ("daily", self.person.inbox()),
            InboxUse::Guest(period) => ("guest", self.keyring.guest_inbox(*period)),
            InboxUse::Pair(_) => {
                ("pair", InboxSecret::new(secret(0x90, self.person.location.expose()[0] & 0x0F)))
            }
        }
    }

    fn parameters(&self) -> TransportParameters {
        sealing::parameters(&self.person)
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.parameters().fingerprint
    }

    fn reflexive_candidate(&self) -> Candidate {
        let last = self.person.location.expose()[0] & 0x0F;
        Candidate(format!(
            "candidate:2 1 udp 1694498815 198.51.100.{last} 61000 typ srflx raddr 192.0.2.1 rport 54321"
        ))
    }

    pub(super) fn started(&mut self, link: LinkId, remote: Fingerprint) {
        self.running = Some((link, remote));
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        self.running.map(|(link, _)| link)
    }

    /// Whether this was the running link.
    pub(super) fn end_link(&mut self, link: LinkId) -> bool {
        self.running.take_if(|(running, _)| *running == link).is_some()
    }
}
