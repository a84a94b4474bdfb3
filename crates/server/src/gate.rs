use crate::config::Limits;
use openpeer_core::finder::Source;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections and refuses those over a limit.
pub(crate) struct Gate {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    http: usize,
    sessions: usize,
    by_source: BTreeMap<Source, usize>,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The server has as many connections of this kind as it may.
    Server,
    /// The network that it comes from has.
    Source,
}

/// A place for one connection, given back on drop.
pub(crate) struct Permit {
    gate: Arc<Gate>,
    source: Source,
    is_session: bool,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// Admits a new connection, which speaks HTTP first.
    pub(crate) fn admit(self: &Arc<Self>, source: Source) -> Result<Permit, Full> {
        let mut counts = self.lock();
        if counts.http >= self.limits.http_connections {
            return Err(Full::Server);
        }
        let of_source = counts.by_source.get(&source).copied().unwrap_or(0);
        if of_source >= self.limits.connections_per_source {
            return Err(Full::Source);
        }
        counts.by_source.insert(source, of_source + 1);
        counts.http += 1;
        drop(counts);
        Ok(Permit { gate: self.clone(), source, is_session: false })
    }

    /// HTTP connections and sessions now.
    pub(crate) fn open(&self) -> (usize, usize) {
        let counts = self.lock();
        (counts.http, counts.sessions)
    }

    /// Whether another session would be admitted.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().sessions < self.limits.sessions
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Turns the place of an HTTP connection into one of a session.
    pub(crate) fn upgrade(&mut self) -> Result<(), Full> {
        let mut counts = self.gate.lock();
        if counts.sessions >= self.gate.limits.sessions {
            return Err(Full::Server);
        }
        counts.http -= 1;
        counts.sessions += 1;
        drop(counts);
        self.is_session = true;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.lock();
        if self.is_session {
            counts.sessions -= 1;
        } else {
            counts.http -= 1;
        }
        if let Some(count) = counts.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_holds_and_places_come_back() {
        let gate = Gate::new(Limits { sessions: 1, http_connections: 2, connections_per_source: 2 });
        let (one, two) = (Source([1; 8]), Source([2; 8]));
        let mut first = gate.admit(one).unwrap();
        let mut second = gate.admit(one).unwrap();
        assert_eq!(gate.admit(two).err(), Some(Full::Server));
        first.upgrade().unwrap();
        assert_eq!(second.upgrade(), Err(Full::Server));
        assert!(!gate.has_room());
        assert_eq!(gate.admit(one).err(), Some(Full::Source));
        let third = gate.admit(two).unwrap();
        assert_eq!(gate.open(), (2, 1));
        drop((first, second, third));
        assert_eq!(gate.open(), (0, 0));
        assert!(gate.lock().by_source.is_empty());
    }
}
