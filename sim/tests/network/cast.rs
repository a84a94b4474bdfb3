//! The cast of most tests: two domains, and a peer at each.

use openpeer_core::document::{Document, Draft, PeerId};
use openpeer_core::key::Seed;
use openpeer_core::peer::{Event, LinkId, RequestId};
use openpeer_core::{Code, Time};
use openpeer_sim::{Domain, Manners, Path, Peer, World};

/// Long enough for everything that is going to happen at all, milliseconds.
pub(crate) const LONG: u64 = 60_000;

/// alice@a.test and bob@b.test.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) a: Domain,
    pub(crate) b: Domain,
    pub(crate) alice: Peer,
    pub(crate) bob: Peer,
}

impl Pair {
    /// Both online with their names, strangers to each other. Bob accepts every knock after a second.
    pub(crate) fn strangers(seed: u64) -> Self {
        Self::strangers_over(seed, Path::steady(20))
    }

    pub(crate) fn strangers_over(seed: u64, path: Path) -> Self {
        let mut world = World::new(seed);
        world.set_common_path(path);
        let (a, b) = (world.add_domain("a.test"), world.add_domain("b.test"));
        world.offer_stun(a);
        world.offer_stun(b);
        let (alice, bob) = (world.add_peer("alice", &[a]), world.add_peer("bob", &[b]));
        world.set_manners(bob, Manners::Accept(1_000));
        let mut pair = Self { world, a, b, alice, bob };
        pair.world.start(alice);
        pair.world.start(bob);
        pair.online(alice);
        pair.online(bob);
        pair.named(alice, "alice", a);
        pair.named(bob, "bob", b);
        pair
    }

    /// Contacts that have dropped their link and all connections but those to their own finders.
    pub(crate) fn contacts(seed: u64) -> Self {
        Self::contacts_over(seed, Path::steady(20))
    }

    pub(crate) fn contacts_over(seed: u64, path: Path) -> Self {
        let mut pair = Self::strangers_over(seed, path);
        let link = pair.meet();
        pair.drop_link(link);
        pair.world.run_for(LONG + 20_000);
        pair
    }

    /// Alice knocks, Bob accepts: both have the link.
    pub(crate) fn meet(&mut self) -> LinkId {
        let request = self.world.connect(self.alice, "bob@b.test");
        let link = self.linked(self.alice, request);
        let (bob, alice_id) = (self.bob, self.world.id(self.alice));
        assert!(
            self.world.run_until(LONG, |world| open_link(world, bob, alice_id).is_some()),
            "bob's end opens"
        );
        // Documents and tickets travel right after.
        self.world.run_for(1_000);
        link
    }

    pub(crate) fn drop_link(&mut self, link: LinkId) {
        let (alice, bob, alice_id) = (self.alice, self.bob, self.world.id(self.alice));
        self.world.feed(alice, openpeer_core::peer::Input::CloseLink { link });
        assert!(
            self.world.run_until(LONG, |world| open_link(world, bob, alice_id).is_none()),
            "bob's end closes"
        );
    }

    /// Alice finds Bob; waits until both ends are open and says when that was.
    pub(crate) fn find(&mut self) -> (LinkId, Time) {
        let id = self.world.id(self.bob);
        let request = self.world.connect_contact(self.alice, id);
        let link = self.linked(self.alice, request);
        let (bob, alice_id) = (self.bob, self.world.id(self.alice));
        assert!(
            self.world.run_until(LONG, |world| open_link(world, bob, alice_id).is_some()),
            "bob's end opens"
        );
        (link, self.world.now())
    }

    pub(crate) fn linked(&mut self, peer: Peer, request: RequestId) -> LinkId {
        let done = self.world.run_until(LONG, |world| outcome(world, peer, request).is_some());
        assert!(done, "request {request:?} ends");
        outcome(&self.world, peer, request)
            .expect("it ended")
            .unwrap_or_else(|code| panic!("request failed: {code}"))
    }

    /// How a request fails.
    pub(crate) fn fails(&mut self, peer: Peer, request: RequestId) -> Code {
        let done = self.world.run_until(LONG, |world| outcome(world, peer, request).is_some());
        assert!(done, "request {request:?} ends");
        outcome(&self.world, peer, request).expect("it ended").expect_err("the request fails")
    }

    fn online(&mut self, peer: Peer) {
        assert!(self.world.run_until(LONG, |world| is_online(world, peer)), "{peer:?} comes online");
    }

    fn named(&mut self, peer: Peer, name: &str, domain: Domain) {
        let request = self.world.claim(peer, name, domain);
        let claimed = |event: &Event| matches!(event, Event::NameClaimed { request: r, .. } if *r == request);
        assert!(self.world.run_until(LONG, |world| told(world, peer, claimed)), "{name} is granted");
    }
}

/// Whether a peer's machine ever told its user something like this.
pub(crate) fn told(world: &World, peer: Peer, what: impl Fn(&Event) -> bool) -> bool {
    world.diary(peer).iter().any(|(_, event)| what(event))
}

/// Whether a peer's last word about its finders is that it is online.
pub(crate) fn is_online(world: &World, peer: Peer) -> bool {
    let last =
        world.diary(peer).iter().rev().find(|(_, e)| matches!(e, Event::Online(_) | Event::Offline(_)));
    matches!(last, Some((_, Event::Online(_))))
}

/// How a request ended.
pub(crate) fn outcome(world: &World, peer: Peer, request: RequestId) -> Option<Result<LinkId, Code>> {
    world.diary(peer).iter().find_map(|(_, event)| match event {
        Event::LinkOpen { link, request: Some(r), .. } if *r == request => Some(Ok(*link)),
        Event::RequestFailed { request: r, error } if *r == request => Some(Err(error.code())),
        _ => None,
    })
}

/// A link of a peer with somebody that is open by what its user was told.
pub(crate) fn open_link(world: &World, peer: Peer, other: PeerId) -> Option<LinkId> {
    let mut open = std::collections::BTreeSet::new();
    for (_, event) in world.diary(peer) {
        match event {
            Event::LinkOpen { link, peer, .. } if *peer == other => {
                open.insert(*link);
            }
            Event::LinkEnded { link, .. } => {
                open.remove(link);
            }
            _ => {}
        }
    }
    open.into_iter().next_back()
}

/// Signs a document with any key.
pub(crate) fn sign<D: Document>(document: D, key: &Seed) -> String {
    let draft = Draft::new(document, key.public_key().id());
    let signature = key.sign(draft.signing_input());
    draft.finish(&signature).compact().to_owned()
}

/// How often a peer's machine told its user that a link is open.
pub(crate) fn links_opened(world: &World, peer: Peer) -> usize {
    world.diary(peer).iter().filter(|(_, event)| matches!(event, Event::LinkOpen { .. })).count()
}
