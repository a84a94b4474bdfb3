//! Random stories: what may happen to a network of peers and domains, and what must hold when it is over.

use crate::{Dice, Domain, Host, Manners, Outage, Path, Peer, TraceHash, World};
use openpeer_core::Time;
use openpeer_core::document::PeerId;
use openpeer_core::peer::{ContactState, Event, Input};
use std::collections::BTreeMap;

/// Every request that waits for machines and not for a person ends within this time, milliseconds: a find of 20 s, its
/// link of 30 s, and a fetch of 10 s before each of them.
const REQUEST_LIMIT: u64 = 80_000;
/// After all is healed, streams that hang are given up within this time, milliseconds.
const RECOVERY: u64 = 240_000;
/// A location is attached again so long after its finder is back, milliseconds.
const ATTACH_LIMIT: u64 = 2_000;
/// Clocks are off by up to this much, milliseconds; the protocol tolerates ten minutes between two of them.
const MAX_SKEW: u64 = 300_000;

/// How a story ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hash over everything that happened.
    pub trace: TraceHash,
    /// What went wrong; empty if nothing did.
    pub violations: Vec<String>,
    /// What was done and what users were told, in order.
    pub log: Vec<String>,
    /// Links that opened.
    pub links: usize,
}

/// Plays the story of one seed.
#[must_use]
pub fn play(seed: u64) -> Outcome {
    let mut story = Story::begin(seed);
    story.meet();
    for _ in 0..story.dice.below(12) + 4 {
        story.act();
        let pause = story.dice.below(20_000);
        story.world.run_for(pause);
    }
    story.settle();
    story.check_links();
    story.check_restart();
    story.world.check_requests(REQUEST_LIMIT);
    Outcome {
        trace: story.world.trace(),
        violations: story.world.violations().to_vec(),
        links: story.links,
        log: story.log(),
    }
}

struct Story {
    world: World,
    dice: Dice,
    domains: Vec<Domain>,
    /// Those of them with a STUN server.
    stun: Vec<Domain>,
    /// The locations of each peer.
    people: Vec<Vec<Peer>>,
    names: Vec<String>,
    ids: BTreeMap<Peer, PeerId>,
    cuts: Vec<(Host, Host)>,
    outages: BTreeMap<crate::Server, Outage>,
    acts: Vec<(Time, String)>,
    links: usize,
}

/// What can happen.
const ACTS: &[fn(&mut Story)] = &[
    Story::connect_by_name,
    Story::connect_by_name,
    Story::connect_contact,
    Story::connect_contact,
    Story::glare,
    Story::cut,
    Story::heal,
    Story::break_server,
    Story::repair_server,
    Story::restart_server,
    Story::drain_server,
    Story::crash,
    Story::crash_amid_outputs,
    Story::start,
    Story::rotate,
    Story::block,
    Story::unblock,
    Story::remove,
    Story::close_link,
    Story::restart_ice,
    Story::renew,
    Story::let_days_pass,
];

impl Story {
    fn begin(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut dice = world.dice().fork();
        world.set_common_path(Path {
            latency: 1 + dice.below(120),
            jitter: dice.below(40),
            loss: dice.below(60) as u32,
            duplication: dice.below(30) as u32,
        });
        let mut story = Self {
            world,
            dice,
            domains: Vec::new(),
            stun: Vec::new(),
            people: Vec::new(),
            names: Vec::new(),
            ids: BTreeMap::new(),
            cuts: Vec::new(),
            outages: BTreeMap::new(),
            acts: Vec::new(),
            links: 0,
        };
        story.found_domains();
        story.add_people();
        story
    }

    fn found_domains(&mut self) {
        for number in 0..1 + self.dice.below(3) {
            let finders = 1 + self.dice.below(2) as usize;
            let domain = self.world.add_domain_with(&format!("d{number}.test"), finders);
            if self.dice.chance(500) {
                self.world.offer_stun(domain);
                self.stun.push(domain);
            }
            self.domains.push(domain);
        }
    }

    fn add_people(&mut self) {
        for number in 0..2 + self.dice.below(3) {
            let mut domains = vec![self.dice.pick(&self.domains)];
            let second = self.dice.pick(&self.domains);
            if second != domains[0] && self.dice.chance(300) {
                domains.push(second);
            }
            let name = format!("peer{number}");
            let peer = self.world.add_peer(&name, &domains);
            let skew = self.dice.below(2 * MAX_SKEW) as i64 - MAX_SKEW as i64;
            self.world.set_skew(peer, skew);
            let think = self.dice.below(5_000);
            let manners =
                if self.dice.chance(850) { Manners::Accept(think) } else { Manners::Decline(think) };
            self.world.set_manners(peer, manners);
            // Without STUN and relays nobody gets through two NATs.
            if self.dice.chance(300) && self.stun.contains(&domains[0]) {
                self.world.put_behind_nat(peer);
            }
            self.world.start(peer);
            self.ids.insert(peer, self.world.id(peer));
            self.names.push(format!("{name}@{}", self.world.domain_name(domains[0])));
            self.people.push(vec![peer]);
            self.world.run_for(10_000);
            self.world.claim(peer, &name, domains[0]);
        }
        self.world.run_for(10_000);
    }

    /// Some get to know each other, and some of them get a second device.
    fn meet(&mut self) {
        for _ in 0..=self.people.len() {
            self.connect_by_name();
            self.world.run_for(8_000);
        }
        if self.dice.chance(300) {
            self.add_location();
        }
    }

    fn add_location(&mut self) {
        let who = self.dice.below(self.people.len() as u64) as usize;
        let first = self.people[who][0];
        self.note(format!("another location of {who}"));
        let second = self.world.add_location(first, &format!("peer{who}b"));
        let manners = Manners::Decline(1_000);
        self.world.set_manners(second, manners);
        self.world.start(second);
        self.ids.insert(second, self.world.id(second));
        self.people[who].push(second);
        let locations = self.people[who].clone();
        self.world.tell_siblings(&locations);
        self.world.run_for(5_000);
    }

    fn act(&mut self) {
        let act = self.dice.pick(ACTS);
        act(self);
    }

    fn note(&mut self, what: String) {
        self.acts.push((self.world.now(), what));
    }

    fn log(&self) -> Vec<String> {
        let mut lines = self.acts.clone();
        for peer in self.everybody() {
            let told =
                self.world.diary(peer).iter().map(|(at, event)| (*at, format!("    {peer:?}: {event:?}")));
            lines.extend(told);
        }
        lines.sort_by_key(|(at, _)| *at);
        let since = |at: Time| at.millis_since(crate::defaults::BEGINNING);
        lines.into_iter().map(|(at, line)| format!("{:>9} ms {line}", since(at))).collect()
    }

    // --- acts ---

    fn connect_by_name(&mut self) {
        let (from, to) = self.two_people();
        let Some(peer) = self.running_location(from) else { return };
        let address = self.names[to].clone();
        self.note(format!("{from} connects to {address}"));
        self.world.connect(peer, &address);
    }

    fn connect_contact(&mut self) {
        let (from, to) = self.two_people();
        self.note(format!("{from} connects to contact {to}"));
        self.call(from, to);
    }

    fn glare(&mut self) {
        let (one, other) = self.two_people();
        self.note(format!("{one} and {other} connect to each other at once"));
        self.call(one, other);
        let apart = self.dice.below(200);
        self.world.run_for(apart);
        self.call(other, one);
    }

    fn call(&mut self, from: usize, to: usize) {
        let Some(peer) = self.running_location(from) else { return };
        let id = self.ids[&self.people[to][0]];
        if self.world.contact_state(peer, id) == ContactState::Contact {
            self.world.connect_contact(peer, id);
        }
    }

    fn cut(&mut self) {
        let (a, b) = (self.any_host(), self.any_host());
        if a == b || self.dice.chance(200) {
            self.note(format!("{a:?} is cut off"));
            self.world.isolate(a);
            return;
        }
        self.note(format!("{a:?} and {b:?} are cut apart"));
        self.cuts.push((a, b));
        self.world.cut(a, b);
    }

    fn heal(&mut self) {
        if let Some((a, b)) = self.cuts.pop() {
            self.note(format!("the cut between {a:?} and {b:?} is healed"));
            self.world.heal(a, b);
        }
    }

    fn break_server(&mut self) {
        let server = self.any_server();
        let outage = self.dice.pick(&[Outage::Killed, Outage::Frozen, Outage::BlackHoled]);
        if !self.outages.contains_key(&server) {
            self.note(format!("{server:?} is {outage:?}"));
            self.outages.insert(server, outage);
            self.world.fail(server, outage);
        }
    }

    fn repair_server(&mut self) {
        if let Some((server, outage)) = self.outages.pop_first() {
            self.note(format!("{server:?} is repaired"));
            self.world.repair(server, outage);
        }
    }

    fn restart_server(&mut self) {
        let server = self.any_server();
        if !self.outages.contains_key(&server) {
            self.note(format!("{server:?} is restarted"));
            self.world.restart(server);
        }
    }

    fn drain_server(&mut self) {
        let server = self.any_server();
        if !self.outages.contains_key(&server) {
            self.note(format!("{server:?} drains and is restarted"));
            self.world.drain(server);
            self.world.run_for(11_000);
            self.world.restart(server);
        }
    }

    fn crash(&mut self) {
        let peer = self.any_peer();
        self.note(format!("{peer:?} crashes"));
        self.world.crash(peer);
        if self.dice.chance(700) {
            let pause = self.dice.below(5_000);
            self.world.run_for(pause);
            self.world.start(peer);
        }
    }

    fn crash_amid_outputs(&mut self) {
        let peer = self.any_peer();
        let outputs = self.dice.below(40) as u32;
        self.note(format!("{peer:?} crashes before its {outputs}th output"));
        self.world.light_fuse(peer, outputs);
        if self.dice.chance(700) {
            self.connect_contact();
        }
    }

    fn start(&mut self) {
        for peer in self.everybody() {
            if !self.world.is_running(peer) {
                self.note(format!("{peer:?} starts"));
                return self.world.start(peer);
            }
        }
    }

    /// Locations that were imported before hold a root that is void now, so only peers with one location rotate.
    fn rotate(&mut self) {
        let peer = self.any_peer();
        let alone = self.people.iter().any(|locations| *locations == [peer]);
        if alone && self.world.is_running(peer) {
            self.note(format!("{peer:?} rotates"));
            let code = self.world.recovery_code(peer).clone();
            self.world.rotate(peer, &code);
        }
    }

    fn block(&mut self) {
        self.change_contact(ContactState::Contact, ContactState::Blocked);
    }

    fn unblock(&mut self) {
        self.change_contact(ContactState::Blocked, ContactState::Contact);
    }

    fn remove(&mut self) {
        if self.people.iter().all(|locations| locations.len() == 1) && self.dice.chance(300) {
            self.change_contact(ContactState::Contact, ContactState::None);
        }
    }

    fn change_contact(&mut self, from: ContactState, to: ContactState) {
        let peer = self.any_peer();
        let known = self.world.contacts(peer).into_iter().find(|(_, state)| *state == from);
        if let Some((other, _)) = known {
            self.note(format!("{peer:?} makes somebody {to:?}"));
            self.world.set_contact(peer, other, to);
        }
    }

    fn close_link(&mut self) {
        let peer = self.any_peer();
        if let Some((link, _)) = self.world.open_links(peer).first().copied() {
            self.note(format!("{peer:?} closes a link"));
            self.world.feed(peer, Input::CloseLink { link });
        }
    }

    fn restart_ice(&mut self) {
        let peer = self.any_peer();
        if let Some((link, _)) = self.world.open_links(peer).first().copied() {
            self.note(format!("{peer:?} restarts ICE"));
            self.world.restart_ice(peer, link);
        }
    }

    fn renew(&mut self) {
        let peer = self.any_peer();
        self.note(format!("{peer:?} renews its documents"));
        self.world.feed(peer, Input::RenewDocuments);
    }

    fn let_days_pass(&mut self) {
        let hours = self.dice.below(72);
        self.note(format!("{hours} h pass"));
        self.world.run_for(hours * 3_600_000);
    }

    // --- the end ---

    /// Everything is healed, everybody is there, and nobody is blocked.
    fn settle(&mut self) {
        self.note("everything is healed".to_owned());
        self.world.heal_all();
        while let Some((server, outage)) = self.outages.pop_first() {
            self.world.repair(server, outage);
        }
        for peer in self.everybody() {
            self.world.put_out_fuse(peer);
            if !self.world.is_running(peer) {
                self.world.start(peer);
            }
            for (other, state) in self.world.contacts(peer) {
                if state == ContactState::Blocked {
                    self.world.set_contact(peer, other, ContactState::Contact);
                }
            }
        }
        self.world.run_for(RECOVERY);
        self.world.check_requests(REQUEST_LIMIT);
        for peer in self.everybody() {
            if !self.world.is_online(peer) {
                self.world.report(format!("{peer:?} does not come online again"));
            }
            if self.world.id(peer) != self.ids[&peer] {
                self.world.report(format!("{peer:?} has another id than before"));
            }
        }
        self.close_all_links();
    }

    fn close_all_links(&mut self) {
        for peer in self.everybody() {
            for (link, _) in self.world.open_links(peer) {
                self.world.feed(peer, Input::CloseLink { link });
            }
        }
        self.world.run_for(5_000);
    }

    /// Whoever still are contacts of each other find each other, in both directions.
    fn check_links(&mut self) {
        for from in 0..self.people.len() {
            for to in (0..self.people.len()).filter(|to| *to != from) {
                for peer in self.people[from].clone() {
                    self.check_link(peer, to);
                }
            }
        }
    }

    fn check_link(&mut self, peer: Peer, to: usize) {
        let (own, other) = (self.ids[&peer], self.ids[&self.people[to][0]]);
        let knows = |from: Peer, whom: PeerId| self.world.contact_state(from, whom) == ContactState::Contact;
        if !knows(peer, other) || !self.people[to].iter().all(|location| knows(*location, own)) {
            return;
        }
        let began = self.world.now();
        let request = self.world.connect_contact(peer, other);
        self.world.run_until(REQUEST_LIMIT, |world| world.outcome(peer, request).is_some());
        let said = match self.world.outcome(peer, request) {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("no end".to_owned()),
        };
        match said {
            None => self.links += 1,
            Some(said) => {
                let alarms = self.alarms_since(began);
                self.world
                    .report(format!("{peer:?} does not find its contact {to}: {said}; alarms: {alarms}"));
            }
        }
        self.close_all_links();
    }

    fn alarms_since(&self, began: Time) -> String {
        let mut alarms = Vec::new();
        for peer in self.everybody() {
            for (at, event) in self.world.diary(peer) {
                if let Event::Alarm { error, .. } = event
                    && *at >= began
                {
                    alarms.push(format!("{peer:?} {error}"));
                }
            }
        }
        alarms.join(", ")
    }

    /// Every location is attached again soon after its finder was restarted.
    fn check_restart(&mut self) {
        self.world.set_common_path(Path::steady(20));
        self.world.run_for(1_000);
        let server = self.any_server();
        self.world.fail(server, Outage::Killed);
        let away = self.dice.below(30_000);
        self.world.run_for(away);
        self.world.repair(server, Outage::Killed);
        self.world.run_for(ATTACH_LIMIT);
        for peer in self.everybody() {
            if !self.world.is_online(peer) {
                self.world.report(format!("{peer:?} is not back 2 s after its finder"));
            }
        }
    }

    // --- choices ---

    fn two_people(&mut self) -> (usize, usize) {
        let count = self.people.len() as u64;
        let from = self.dice.below(count);
        let to = (from + 1 + self.dice.below(count - 1)) % count;
        (from as usize, to as usize)
    }

    fn running_location(&mut self, person: usize) -> Option<Peer> {
        let peer = self.dice.pick(&self.people[person]);
        self.world.is_running(peer).then_some(peer)
    }

    fn everybody(&self) -> Vec<Peer> {
        self.people.iter().flatten().copied().collect()
    }

    fn any_peer(&mut self) -> Peer {
        let everybody = self.everybody();
        self.dice.pick(&everybody)
    }

    fn any_server(&mut self) -> crate::Server {
        let domain = self.dice.pick(&self.domains);
        let servers = self.world.servers_of(domain);
        self.dice.pick(&servers)
    }

    fn any_host(&mut self) -> Host {
        if self.dice.chance(600) {
            let peer = self.any_peer();
            self.world.peer_host(peer)
        } else {
            let server = self.any_server();
            self.world.server_host(server)
        }
    }
}
