//! A model network in virtual time: two link machines, datagrams with delay and loss, everything from one seed.

#![expect(dead_code, reason = "each test target uses a part of it")]
#![expect(clippy::unwrap_used, reason = "only tests use it")]

use openpeer_link::machine::{ChannelKey, Event, Input, LinkMachine, MachineConfig, Server, Transmit};
use openpeer_link::{EndReason, Role};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The seeker is node 0, the answerer node 1.
pub(crate) const SEEKER: usize = 0;
pub(crate) const ANSWERER: usize = 1;

/// Sees a datagram; `None` lets it pass unchanged, otherwise what stands in its place.
type Tap = Box<dyn FnMut(&Transmit, Instant) -> Option<Vec<Transmit>>>;

pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) machines: Vec<LinkMachine>,
    pub(crate) events: Vec<Vec<Event>>,
    /// Received messages by node and channel.
    pub(crate) received: Vec<BTreeMap<ChannelKey, Vec<Vec<u8>>>>,
    pub(crate) delay: Duration,
    /// Lost datagrams in a thousand.
    pub(crate) loss: u32,
    /// Whether any datagram arrives.
    pub(crate) is_up: bool,
    /// Whether messages are read as soon as they arrive.
    pub(crate) reads: bool,
    /// Sees each datagram; `None` lets it pass unchanged.
    pub(crate) tap: Option<Tap>,
    pub(crate) sent: usize,
    owners: BTreeMap<SocketAddr, usize>,
    readable: Vec<BTreeSet<ChannelKey>>,
    queue: BinaryHeap<Reverse<(Instant, usize, usize)>>,
    in_flight: BTreeMap<usize, Transmit>,
    rng: ChaCha8Rng,
}

pub(crate) fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(node).unwrap() + 1], 4000))
}

impl Net {
    /// Two prepared machines with one host candidate each.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_config(seed, &MachineConfig::default())
    }

    pub(crate) fn with_config(seed: u64, config: &MachineConfig) -> Self {
        let now = Instant::now();
        let machines: Vec<_> = [Role::Seeker, Role::Answerer]
            .into_iter()
            .map(|role| LinkMachine::new(config.clone(), role, now).unwrap())
            .collect();
        let mut net = Self {
            now,
            start: now,
            events: machines.iter().map(|_| Vec::new()).collect(),
            received: machines.iter().map(|_| BTreeMap::new()).collect(),
            readable: machines.iter().map(|_| BTreeSet::new()).collect(),
            machines,
            delay: Duration::from_millis(25),
            loss: 0,
            is_up: true,
            reads: true,
            tap: None,
            sent: 0,
            owners: BTreeMap::new(),
            queue: BinaryHeap::new(),
            in_flight: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        };
        for node in [SEEKER, ANSWERER] {
            net.add_address(node, address(node));
            net.machines[node].handle_input(Input::GatheringComplete, now);
        }
        net
    }

    pub(crate) fn add_address(&mut self, node: usize, address: SocketAddr) {
        self.owners.insert(address, node);
        self.machines[node].handle_input(Input::AddressUp(address), self.now);
    }

    pub(crate) fn remove_address(&mut self, node: usize, address: SocketAddr) {
        self.owners.remove(&address);
        self.machines[node].handle_input(Input::AddressDown(address), self.now);
    }

    pub(crate) fn add_server(&mut self, node: usize, server: Server) {
        self.machines[node].handle_input(Input::Server(server), self.now);
    }

    /// Exchanges the parameters as a find and an answer would: the answerer starts first.
    pub(crate) fn start(&mut self) {
        let seeker = self.machines[SEEKER].local_parameters();
        let answerer = self.machines[ANSWERER].local_parameters();
        self.machines[ANSWERER].start(&seeker, self.now).unwrap();
        self.run_for(self.delay);
        self.machines[SEEKER].start(&answerer, self.now).unwrap();
    }

    /// A link that is open on both sides.
    pub(crate) fn open(seed: u64) -> Self {
        let mut net = Self::new(seed);
        net.start();
        net.run_until_open();
        net
    }

    pub(crate) fn run_until_open(&mut self) {
        self.run_until("open on both sides", Duration::from_secs(60), |net| {
            net.machines.iter().all(LinkMachine::is_open)
        });
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
        self.now = until;
    }

    /// Runs until the condition holds, or panics after so much virtual time.
    pub(crate) fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) {
        let until = self.now + limit;
        while !condition(self) {
            if !self.step(until) {
                panic!("not within {limit:?}: {what}; events {:?}", self.events);
            }
        }
    }

    /// Does the next thing before `until`; `false` if there is none.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let arrival = self.queue.peek().map(|Reverse((at, ..))| *at);
        let timeout = self.machines.iter().filter_map(LinkMachine::poll_timeout).min();
        let Some(next) = arrival.into_iter().chain(timeout).min() else { return false };
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        if arrival == Some(next) {
            self.deliver();
        } else {
            let now = self.now;
            for machine in &mut self.machines {
                if machine.poll_timeout().is_some_and(|at| at <= now) {
                    machine.handle_timeout(now);
                }
            }
        }
        self.drain();
        true
    }

    pub(crate) fn ended(&self, node: usize) -> Option<EndReason> {
        self.machines[node].ended()
    }

    pub(crate) fn has_event(&self, node: usize, event: &Event) -> bool {
        self.events[node].contains(event)
    }

    /// The channel that the peer opened under this name.
    pub(crate) fn incoming(&self, node: usize, wanted: &str) -> Option<ChannelKey> {
        self.events[node].iter().find_map(|event| match event {
            Event::IncomingChannel { channel, name, .. } if name == wanted => Some(*channel),
            _ => None,
        })
    }

    /// All messages of a channel.
    pub(crate) fn messages(&self, node: usize, channel: ChannelKey) -> &[Vec<u8>] {
        self.received[node].get(&channel).map_or(&[], Vec::as_slice)
    }

    /// Writes as the buffer allows, running the network while it is full.
    pub(crate) fn write_all(
        &mut self,
        node: usize,
        channel: ChannelKey,
        messages: impl IntoIterator<Item = Vec<u8>>,
    ) {
        for message in messages {
            let limit = self.now + Duration::from_secs(600);
            while let Err(error) = self.machines[node].write(channel, &message, self.now) {
                assert_eq!(error.code(), "would-block");
                assert!(self.step(limit), "blocked for good");
            }
        }
        self.drain();
    }

    /// Opens a channel from one node and waits until the other has it.
    pub(crate) fn open_channel(&mut self, node: usize, name: &str) -> (ChannelKey, ChannelKey) {
        let options = openpeer_link::ChannelOptions::default();
        let near = self.machines[node].open_channel(name, options, self.now).unwrap();
        let peer = 1 - node;
        self.run_until("incoming channel", Duration::from_secs(120), |net| {
            net.incoming(peer, name).is_some()
        });
        (near, self.incoming(peer, name).unwrap())
    }

    /// ICE restart from one node, over a signalling path that always works.
    pub(crate) fn restart_ice(&mut self, node: usize) {
        let ours = self.machines[node].restart_ice(self.now).unwrap();
        self.run_for(self.delay);
        let theirs = self.machines[1 - node].accept_ice_restart(&ours, self.now).unwrap().unwrap();
        self.run_for(self.delay);
        self.machines[node].finish_ice_restart(&theirs, self.now).unwrap();
    }

    fn drain(&mut self) {
        for node in 0..self.machines.len() {
            while let Some(transmit) = self.machines[node].poll_transmit() {
                self.send(transmit);
            }
            while let Some(event) = self.machines[node].poll_event() {
                if let Event::Readable(channel) = event {
                    self.readable[node].insert(channel);
                } else {
                    self.events[node].push(event);
                }
            }
            if self.reads {
                self.read(node);
            }
        }
    }

    /// Reads everything that arrived at a node.
    pub(crate) fn read(&mut self, node: usize) {
        for channel in std::mem::take(&mut self.readable[node]) {
            while let Ok(Some(message)) = self.machines[node].read(channel, self.now) {
                self.received[node].entry(channel).or_default().push(message.to_vec());
            }
        }
    }

    fn send(&mut self, transmit: Transmit) {
        self.sent += 1;
        let passed = match &mut self.tap {
            Some(tap) => tap(&transmit, self.now),
            None => None,
        };
        for transmit in passed.unwrap_or_else(|| vec![transmit]) {
            if !self.is_up || self.rng.next_u32() % 1000 < self.loss {
                continue;
            }
            let Some(node) = self.owners.get(&transmit.destination) else { continue };
            let number = self.in_flight.last_key_value().map_or(0, |(number, _)| number + 1);
            self.queue.push(Reverse((self.now + self.delay, number, *node)));
            self.in_flight.insert(number, transmit);
        }
    }

    fn deliver(&mut self) {
        let Some(Reverse((_, number, node))) = self.queue.pop() else { return };
        let Some(transmit) = self.in_flight.remove(&number) else { return };
        let Transmit { source, destination, payload } = transmit;
        let input = Input::Datagram { source, local: destination, payload: &payload };
        self.machines[node].handle_input(input, self.now);
    }
}
