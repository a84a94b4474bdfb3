//! The machine's timers: one enum, one table.

use std::time::Instant;

/// Everything that the machine waits for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Timer {
    /// ICE, DTLS and SCTP want to run.
    Engine,
    /// A STUN or TURN client wants to run.
    Gathering,
    /// The link must be open by now.
    Connect,
    /// The last consent expires.
    Consent,
    /// Another round of connectivity checks while there is no path.
    Revive,
    /// A paused link is given up.
    Retention,
    /// Messages of a closing link must be acknowledged by now.
    Linger,
}

impl Timer {
    const ALL: [Self; 7] = [
        Self::Engine,
        Self::Gathering,
        Self::Connect,
        Self::Consent,
        Self::Revive,
        Self::Retention,
        Self::Linger,
    ];
}

/// Deadline of each timer.
#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        self.deadlines[timer as usize] = deadline;
    }

    pub(super) fn clear_all(&mut self) {
        *self = Self::default();
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes one timer that is due, in the order of the enum.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|timer| self.deadlines[*timer as usize].is_some_and(|deadline| deadline <= now))?;
        self.deadlines[due as usize] = None;
        Some(due)
    }
}
