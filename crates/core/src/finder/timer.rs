use super::ConnectionId;
use super::exchange::End;
use crate::Time;
use std::collections::BTreeSet;

/// Every reason for which the machine wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection said nothing yet, waits for the store, or seeks nobody any more.
    Connection(ConnectionId),
    /// An exchange, named by its seeker's end, used up its time.
    Exchange(End),
    /// A kept knock was delivered, and its location does not say that it took it.
    Knock(End),
    /// The time that a draining finder gives its sessions is over.
    Drained,
}

/// The timers that run, soonest first.
#[derive(Default)]
pub(super) struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    /// Starts a timer.
    pub(super) fn start(&mut self, at: Time, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// Stops a timer that was started for `at`.
    pub(super) fn stop(&mut self, at: Time, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes a timer that is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
