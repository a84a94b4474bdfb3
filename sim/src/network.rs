//! The model network: who reaches whom, how long that takes and what gets lost.
//!
//! There are two kinds of traffic. *Streams* (TCP) arrive whole and in order; a lost segment is one that comes later.
//! *Datagrams* (the handshake of a link) are lost, reordered and duplicated, and whoever sends them sends them again.
//! Between two hosts there may be a *cut*: streams stall until it is over, datagrams vanish.

use crate::defaults::{LATENCY, MAX_LOSSES, RECOVERY, RETRANSMISSION};
use crate::dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

/// A machine with a network address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(pub(crate) u32);

/// The way between two hosts, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// One way, milliseconds.
    pub latency: u64,
    /// Up to this much more, drawn anew each time, milliseconds. Reorders datagrams.
    pub jitter: u64,
    /// Of a thousand packets, how many are lost.
    pub loss: u32,
    /// Of a thousand datagrams, how many arrive twice.
    pub duplication: u32,
}

impl Path {
    /// A perfect way of `latency` milliseconds one way.
    #[must_use]
    pub const fn steady(latency: u64) -> Self {
        Self { latency, jitter: 0, loss: 0, duplication: 0 }
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    dice: Dice,
    hosts: u32,
    common: Path,
    paths: BTreeMap<(Host, Host), Path>,
    cuts: BTreeSet<(Host, Host)>,
    isolated: BTreeSet<Host>,
}

impl Network {
    pub(crate) const fn new(dice: Dice) -> Self {
        Self {
            dice,
            hosts: 0,
            common: Path::steady(LATENCY),
            paths: BTreeMap::new(),
            cuts: BTreeSet::new(),
            isolated: BTreeSet::new(),
        }
    }

    pub(crate) const fn add_host(&mut self) -> Host {
        self.hosts += 1;
        Host(self.hosts)
    }

    /// The way between hosts for which none was set.
    pub(crate) const fn set_common(&mut self, path: Path) {
        self.common = path;
    }

    pub(crate) fn set_path(&mut self, a: Host, b: Host, path: Path) {
        self.paths.insert(pair(a, b), path);
    }

    fn path(&self, a: Host, b: Host) -> Path {
        if a == b { Path::steady(0) } else { self.paths.get(&pair(a, b)).copied().unwrap_or(self.common) }
    }

    pub(crate) fn cut(&mut self, a: Host, b: Host) {
        self.cuts.insert(pair(a, b));
    }

    pub(crate) fn heal(&mut self, a: Host, b: Host) {
        self.cuts.remove(&pair(a, b));
    }

    /// Cuts a host off from all others.
    pub(crate) fn isolate(&mut self, host: Host) {
        self.isolated.insert(host);
    }

    pub(crate) fn reconnect(&mut self, host: Host) {
        self.isolated.remove(&host);
    }

    pub(crate) fn heal_all(&mut self) {
        self.cuts.clear();
        self.isolated.clear();
    }

    pub(crate) fn connects(&self, a: Host, b: Host) -> bool {
        a == b
            || !(self.cuts.contains(&pair(a, b)) || self.isolated.contains(&a) || self.isolated.contains(&b))
    }

    /// Twice the latency: what a person calls the round trip.
    pub(crate) fn round_trip(&self, a: Host, b: Host) -> u64 {
        2 * self.path(a, b).latency
    }

    /// How long a segment of a stream takes, its retransmissions included.
    pub(crate) fn stream_delay(&mut self, a: Host, b: Host) -> u64 {
        let path = self.path(a, b);
        self.once(path) + self.retransmissions(path)
    }

    /// How long after a cut a stalled segment arrives.
    pub(crate) fn recovery_delay(&mut self, a: Host, b: Host) -> u64 {
        self.dice.below(RECOVERY) + self.stream_delay(a, b)
    }

    /// How long the copies of a datagram take whose sender repeats it until one arrives.
    pub(crate) fn datagram_delays(&mut self, a: Host, b: Host) -> Vec<u64> {
        let path = self.path(a, b);
        let mut delays = vec![self.once(path) + self.retransmissions(path)];
        if self.dice.chance(path.duplication) {
            delays.push(self.once(path) + delays[0]);
        }
        delays
    }

    fn once(&mut self, path: Path) -> u64 {
        path.latency + self.dice.below(path.jitter + 1)
    }

    fn retransmissions(&mut self, path: Path) -> u64 {
        let losses = (0..MAX_LOSSES).take_while(|_| self.dice.chance(path.loss)).count();
        (0..losses).map(|loss| RETRANSMISSION << loss).sum()
    }
}

impl Host {
    /// The address; every host is alone in its /24, as households are.
    pub(crate) const fn address(self) -> Ipv4Addr {
        let [_, a, b, c] = self.0.to_be_bytes();
        // 45.0.0.0/8 and above are ordinary public addresses, so that no filter takes them for anything else.
        Ipv4Addr::new(45 + a, b, c, 7)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.0)
    }
}

fn pair(a: Host, b: Host) -> (Host, Host) {
    if a < b { (a, b) } else { (b, a) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_delays_streams_and_duplication_doubles_datagrams() {
        let mut network = Network::new(Dice::new(1));
        let (a, b) = (network.add_host(), network.add_host());
        network.set_path(a, b, Path::steady(10));
        assert_eq!(network.stream_delay(a, b), 10);
        network.set_path(b, a, Path { loss: 1_000, duplication: 1_000, ..Path::steady(10) });
        assert_eq!(network.stream_delay(a, b), 10 + RETRANSMISSION * 63);
        assert_eq!(network.datagram_delays(a, b).len(), 2);
    }

    #[test]
    fn addresses_are_public_and_in_networks_of_their_own() {
        let mut network = Network::new(Dice::new(1));
        let networks: BTreeSet<_> = (0..2_000).map(|_| network.add_host().address().octets()).collect();
        assert_eq!(networks.len(), 2_000);
        for [a, b, c, d] in networks {
            assert!(openpeer_core::uri::is_dialable(Ipv4Addr::new(a, b, c, d).into(), false));
            assert_eq!(d, 7);
        }
    }
}
