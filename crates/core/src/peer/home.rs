use super::domains::Waiter;
use super::timer::Timer;
use super::{ConnectionId, Event, Operation, Output, PeerMachine};
use crate::defaults::{
    ATTACH_RETRY_IDLE, ATTACH_RETRY_MAX, ATTACH_RETRY_MIN, ATTACH_RETRY_PATIENCE, DOCUMENT_FRESHNESS,
    MAX_FINDERS, TURN_RENEW_BEFORE,
};
use crate::document::{DomainDocument, FinderEntry, FinderMailbox};
use crate::encoding::hash_fields;
use crate::frame::{Frame, Header, MailboxId, MailboxKind, TicketGrant, TurnServer};
use crate::key::{PublicKey, SigningKeyName};
use crate::ticket::TicketKey;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use rand_core::Rng;
use std::collections::BTreeMap;

/// After this many attempts in a row that failed, and again after as many more, the domain document is fetched anew: the
/// finders may be elsewhere by now. The first time is after about eight seconds.
const FAILURES_BEFORE_REFETCH: u32 = 8;

/// Our place at one of our own domains.
#[derive(Default)]
pub(super) struct Home {
    /// The finder that we attach to.
    url: Option<FinderUrl>,
    /// The keys of our mailboxes at each finder of the domain: we may be at any of them.
    places: BTreeMap<FinderUrl, Place>,
    /// The finder that we attached to last, and the ticket key for our mailbox there.
    attached: Option<(FinderUrl, Option<TicketKey>)>,
    turn: Vec<TurnServer>,
    connection: Option<ConnectionId>,
    online: bool,
    /// Attempts since the finder was lost.
    failures: u32,
    lost_at: Option<Time>,
}

/// Our mailboxes at one finder.
#[derive(Default)]
struct Place {
    mailbox: Option<PublicKey>,
    guest: Option<PublicKey>,
}

/// Which mailbox key the shell was asked for.
pub(super) struct Step {
    domain: Domain,
    url: FinderUrl,
    kind: MailboxKind,
}

impl PeerMachine {
    pub(super) fn start(&mut self) {
        for domain in self.config.domains.clone() {
            if self.homes.contains_key(&domain) {
                continue;
            }
            self.homes.insert(domain.clone(), Home::default());
            let stale =
                self.pin(&domain).is_some_and(|pin| self.now.millis_since(pin.fetched) > DOCUMENT_FRESHNESS);
            if stale {
                self.fetch_domain(&domain);
            }
            self.with_domain(&domain, Waiter::Home);
        }
        self.start_own();
    }

    pub(super) fn home_domain_ready(&mut self, domain: &Domain, result: Result<(), Error>) {
        match (result, self.pinned(domain)) {
            (_, Some(document)) => self.choose_finder(domain, &document),
            (Err(error), None) => {
                self.alarm(error, None);
                self.retry_home(domain);
            }
            (Ok(()), None) => self.retry_home(domain),
        }
    }

    /// Picks a finder by priority and weight; after each failure the next one in that order. The draw is this
    /// location's own and the same every time, so that it is where its contacts saw it last.
    fn choose_finder(&mut self, domain: &Domain, document: &DomainDocument) {
        let mut finders = document.finders.clone();
        // A draw divided by the weight: the heavier a finder, the more often it comes first among its equals.
        let draw = |finder: &FinderEntry| {
            let fields = [&self.location().0[..], finder.url.as_str().as_bytes()];
            let hash = hash_fields("openpeer/finder-choice/v1", &fields);
            u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) / u32::from(finder.weight.max(1))
        };
        finders.sort_by_cached_key(|finder| (finder.priority, draw(finder)));
        let Some(home) = self.homes.get_mut(domain) else { return };
        home.url = Some(finders[home.failures as usize % finders.len()].url.clone());
        home.places.retain(|url, _| finders.iter().any(|finder| finder.url == *url));
        for finder in finders {
            self.ask_keys(domain, finder.url);
        }
        self.attach_home(domain);
    }

    /// Asks for the mailbox keys at a finder that are not known yet.
    fn ask_keys(&mut self, domain: &Domain, url: FinderUrl) {
        let Some(home) = self.homes.get_mut(domain) else { return };
        let place = home.places.entry(url.clone()).or_default();
        let (mailbox, guest) = (place.mailbox.is_none(), place.guest.is_none());
        for (kind, name, wanted) in [
            (MailboxKind::Location, SigningKeyName::Mailbox(url.to_string()), mailbox),
            (MailboxKind::Guest, SigningKeyName::GuestMailbox(url.to_string()), guest),
        ] {
            if wanted {
                let step = Step { domain: domain.clone(), url: url.clone(), kind };
                let operation = self.operation(Operation::Home(step));
                self.output(Output::PublicKey { operation, key: name });
            }
        }
    }

    pub(super) fn home_key(&mut self, step: Step, key: PublicKey) {
        let Step { domain, url, kind } = step;
        let Some(home) = self.homes.get_mut(&domain) else { return };
        let Some(place) = home.places.get_mut(&url) else { return };
        match kind {
            MailboxKind::Location => place.mailbox = Some(key),
            MailboxKind::Guest => place.guest = Some(key),
        }
        if home.places.values().all(Place::is_complete) {
            self.attach_home(&domain);
            self.refresh_own();
        }
    }

    /// After a rotation the guest mailboxes have other keys: attach again with them.
    pub(super) fn renew_guest_mailboxes(&mut self) {
        for domain in self.homes.keys().cloned().collect::<Vec<_>>() {
            let Some(home) = self.homes.get_mut(&domain) else { continue };
            home.places.values_mut().for_each(|place| place.guest = None);
            let urls: Vec<FinderUrl> = home.places.keys().cloned().collect();
            if let Some(connection) = home.connection.take() {
                self.hang_up(connection);
            }
            for url in urls {
                self.ask_keys(&domain, url);
            }
        }
    }

    /// The retry timer of a home fired.
    pub(super) fn dial_home(&mut self, domain: &Domain) {
        match self.pinned(domain) {
            Some(document) => self.choose_finder(domain, &document),
            None => self.with_domain(domain, Waiter::Home),
        }
    }

    /// Dials the chosen finder, unless we are on the way there or our mailbox keys are still to come.
    fn attach_home(&mut self, domain: &Domain) {
        let Some(home) = self.homes.get(domain) else { return };
        let (None, Some(url)) = (home.connection, home.url.clone()) else { return };
        if !home.places.values().all(Place::is_complete) {
            return;
        }
        let connection = self.connect_home(domain, &url);
        if let Some(home) = self.homes.get_mut(domain) {
            home.connection = Some(connection);
        }
    }

    /// The mailboxes to open at a home's finder, with the names of their keys.
    pub(super) fn mailboxes(&self, domain: &Domain) -> Vec<(PublicKey, MailboxKind, SigningKeyName)> {
        let place = self.homes.get(domain).and_then(|home| {
            let url = home.url.as_ref()?;
            Some((url, home.places.get(url)?))
        });
        let Some((url, Place { mailbox: Some(mailbox), guest: Some(guest) })) = place else {
            return Vec::new();
        };
        vec![
            (*mailbox, MailboxKind::Location, SigningKeyName::Mailbox(url.to_string())),
            (*guest, MailboxKind::Guest, SigningKeyName::GuestMailbox(url.to_string())),
        ]
    }

    pub(super) fn home_attached(
        &mut self,
        domain: &Domain,
        tickets: Vec<TicketGrant>,
        turn: Vec<TurnServer>,
    ) {
        let Some(home) = self.homes.get_mut(domain) else { return };
        let Some(url) = home.url.clone() else { return };
        let mailbox = home.places.get(&url).and_then(|place| place.mailbox).map(|key| MailboxId::of(&key));
        let tickets = tickets.into_iter().find(|grant| Some(grant.mailbox) == mailbox).map(|grant| grant.key);
        let before = home.attached.replace((url.clone(), tickets));
        home.failures = 0;
        home.lost_at = None;
        let was_online = std::mem::replace(&mut home.online, true);
        self.take_turn(domain, turn);
        if !was_online {
            self.event(Event::Online(domain.clone()));
            self.renew_names();
        }
        if before.is_none_or(|(before, _)| before != url) {
            self.refresh_own();
        }
    }

    /// Takes over TURN credentials and sees to the next ones before these end.
    pub(super) fn take_turn(&mut self, domain: &Domain, turn: Vec<TurnServer>) {
        let first_end = turn.iter().map(|server| Time::from_secs(server.expires)).min();
        if let Some(home) = self.homes.get_mut(domain) {
            home.turn = turn;
        }
        if let Some(end) = first_end {
            self.set_timer_at(
                Timer::Turn(domain.clone()),
                (end - TURN_RENEW_BEFORE).max(self.now + TURN_RENEW_BEFORE),
            );
        }
    }

    /// Asks our finder for fresh TURN credentials, with a ticket that we issue to ourselves.
    pub(super) fn renew_turn(&mut self, domain: &Domain) {
        let random = self.random();
        let Some(home) = self.homes.get(domain) else { return };
        let (Some(connection), Some((url, Some(key)))) = (home.connection, &home.attached) else { return };
        let Some(mailbox) = home.places.get(url).and_then(|place| place.mailbox) else { return };
        let (to, ticket) = (MailboxId::of(&mailbox), key.issue(self.now, random));
        self.send_frame(connection, &Frame::bare(Header::Admit { to, ticket }));
    }

    /// The connection to a home finder is gone.
    pub(super) fn home_lost(&mut self, domain: &Domain, connection: ConnectionId) {
        let now = self.now;
        let Some(home) = self.homes.get_mut(domain) else { return };
        if home.connection != Some(connection) {
            return;
        }
        home.connection = None;
        home.lost_at = home.lost_at.or(Some(now));
        if std::mem::take(&mut home.online) {
            self.event(Event::Offline(domain.clone()));
        }
        self.retry_home(domain);
    }

    /// Another session of this location opened the same mailboxes; coming back would start a fight over them.
    pub(super) fn home_replaced(&mut self, domain: &Domain) {
        if let Some(home) = self.homes.get_mut(domain) {
            home.connection = None;
            home.online = false;
            self.event(Event::Offline(domain.clone()));
            self.alarm(Error::new(Code::Replaced, format!("at {domain}")), None);
        }
    }

    fn retry_home(&mut self, domain: &Domain) {
        let now = self.now;
        let Some(home) = self.homes.get_mut(domain) else { return };
        let away = home.lost_at.map_or(0, |at| now.millis_since(at));
        home.lost_at = home.lost_at.or(Some(now));
        let longest = if away > ATTACH_RETRY_PATIENCE { ATTACH_RETRY_IDLE } else { ATTACH_RETRY_MAX };
        let base = (ATTACH_RETRY_MIN << home.failures.min(16)).min(longest);
        home.failures = home.failures.saturating_add(1);
        let moved_perhaps = home.failures % FAILURES_BEFORE_REFETCH == 0;
        let jitter = u64::from(self.rng.next_u32()) % base;
        self.set_timer(Timer::Home(domain.clone()), base / 2 + jitter);
        if moved_perhaps && self.pinned(domain).is_some() {
            self.fetch_domain(domain);
        }
    }

    /// Where this location can be found, by domain in the order of preference: first at the finder that it attached to
    /// last, then at the domain's others, in case that one is gone.
    pub(super) fn own_mailboxes(&self, kind: MailboxKind) -> Vec<FinderMailbox> {
        let at = |domain: &Domain, home: &Home, (url, place): (&FinderUrl, &Place)| {
            let key = match kind {
                MailboxKind::Location => place.mailbox?,
                MailboxKind::Guest => place.guest?,
            };
            let is_last = home.attached.as_ref().is_some_and(|(attached, _)| attached == url);
            Some((
                !is_last,
                FinderMailbox { domain: domain.clone(), url: url.clone(), mailbox: MailboxId::of(&key) },
            ))
        };
        let mut found = Vec::new();
        for domain in &self.config.domains {
            let Some(home) = self.homes.get(domain) else { continue };
            let mut places: Vec<_> = home.places.iter().filter_map(|place| at(domain, home, place)).collect();
            places.sort_by_key(|(is_other, _)| *is_other);
            // Every domain has its share, so that many finders of one do not crowd out another.
            found.extend(
                places.into_iter().take(MAX_FINDERS / self.config.domains.len()).map(|(_, place)| place),
            );
        }
        found
    }

    /// The ticket key for our location's mailbox at a finder; known once attached there.
    pub(super) fn ticket_key(&self, finder: &FinderMailbox) -> Option<&TicketKey> {
        let (url, tickets) = self.homes.get(&finder.domain)?.attached.as_ref()?;
        tickets.as_ref().filter(|_| *url == finder.url)
    }

    /// STUN and TURN servers of our own domains; those of others are never used.
    pub(super) fn ice_servers(&self) -> (Vec<String>, Vec<TurnServer>) {
        let domains = self.config.domains.iter();
        let stun =
            domains.filter_map(|domain| self.pinned(domain)).flat_map(|document| document.stun.clone());
        let alive = |server: &&TurnServer| Time::from_secs(server.expires) > self.now;
        let turn = self.homes.values().flat_map(|home| home.turn.iter().filter(alive).cloned());
        (stun.take(crate::defaults::MAX_STUN_URLS).collect(), turn.collect())
    }
}

impl Place {
    const fn is_complete(&self) -> bool {
        self.mailbox.is_some() && self.guest.is_some()
    }
}
