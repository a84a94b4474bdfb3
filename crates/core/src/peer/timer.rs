use super::seek::SeekId;
use super::{ConnectionId, LinkId, PeerMachine, RequestId};
use crate::Time;
use crate::uri::Domain;

/// Every reason for which a peer machine wakes up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An own document or inbox key needs renewal.
    Renew,
    /// A home finder is dialled again.
    Home(Domain),
    /// A finder connection that did not open, greet or attach in time, or that nobody needs any more.
    Connection(ConnectionId),
    /// A finder had its head start; the next one is tried beside it.
    NextRoute(SeekId),
    /// A find that was to yield to this one gets its turn.
    Rival(SeekId),
    /// A find was not answered in time.
    Seek(SeekId),
    /// Candidates wait to be sent through an exchange.
    Trickle(LinkId),
    /// A link did not open in time.
    Link(LinkId),
    /// The fetch of a contact's documents takes too long; the link goes on with what is known.
    Freshness(LinkId),
    /// Changed documents of ours wait to be sent on a link.
    Documents(LinkId),
    /// TURN credentials of a home are about to end.
    Turn(Domain),
    /// A domain did not take our new front door; it is told again.
    Names,
    /// A claim waited too long for its domain to be reached.
    Claim(RequestId),
    /// A contact that we had to knock at did not come back: no person has to decide there.
    Knocking(RequestId),
}

impl PeerMachine {
    pub(super) fn set_timer(&mut self, timer: Timer, millis: u64) {
        self.timers.insert(timer, self.now + millis);
    }

    pub(super) fn set_timer_at(&mut self, timer: Timer, at: Time) {
        self.timers.insert(timer, at);
    }

    pub(super) fn stop_timer(&mut self, timer: &Timer) {
        self.timers.remove(timer);
    }

    pub(super) fn due_timer(&self) -> Option<Timer> {
        let due = self.timers.iter().filter(|(_, at)| **at <= self.now);
        due.min_by_key(|(_, at)| **at).map(|(timer, _)| timer.clone())
    }

    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Renew => self.refresh_own(),
            Timer::Home(domain) => self.dial_home(&domain),
            Timer::Connection(connection) => self.connection_timeout(connection),
            Timer::NextRoute(seek) => self.try_next_route(seek),
            Timer::Rival(seek) => self.rival_timeout(seek),
            Timer::Seek(seek) => self.seek_timeout(seek),
            Timer::Trickle(link) => self.flush_candidates(link),
            Timer::Link(link) => self.link_timeout(link),
            Timer::Freshness(link) => self.freshness_settled(link),
            Timer::Documents(link) => self.send_documents(link),
            Timer::Turn(domain) => self.renew_turn(&domain),
            Timer::Names => self.renew_names(),
            Timer::Knocking(request) => self.fail_if_waiting(request),
            Timer::Claim(request) => self.claim_timeout(request),
        }
    }
}
