use super::domains::Waiter;
use super::timer::Timer;
use super::{ConnectionId, Event, Operation, Output, PeerMachine};
use crate::defaults::{
    ATTACH_RETRY_IDLE, ATTACH_RETRY_MAX, ATTACH_RETRY_MIN, ATTACH_RETRY_PATIENCE, DOCUMENT_FRESHNESS,
};
use crate::document::{DomainDocument, FinderMailbox};
use crate::frame::{MailboxId, MailboxKind, TicketGrant, TurnServer};
use crate::key::{PublicKey, SigningKeyName};
use crate::ticket::TicketKey;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use rand_core::Rng;

/// Our place at one of our own domains.
#[derive(Default)]
pub(super) struct Home {
    /// The finder that we attach to.
    url: Option<FinderUrl>,
    mailbox: Option<PublicKey>,
    guest: Option<PublicKey>,
    tickets: Option<TicketKey>,
    turn: Vec<TurnServer>,
    connection: Option<ConnectionId>,
    online: bool,
    /// Attempts since the finder was lost.
    failures: u32,
    lost_at: Option<Time>,
}

/// Which mailbox key the shell was asked for.
pub(super) enum Step {
    Mailbox(Domain),
    Guest(Domain),
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

    /// Picks a finder by priority and weight; after each failure the next one in that order.
    fn choose_finder(&mut self, domain: &Domain, document: &DomainDocument) {
        let mut finders = document.finders.clone();
        // A draw divided by the weight: the heavier a finder, the more often it comes first among its equals.
        let rng = &mut self.rng;
        finders
            .sort_by_cached_key(|finder| (finder.priority, rng.next_u32() / u32::from(finder.weight.max(1))));
        let Some(home) = self.homes.get_mut(domain) else { return };
        let url = finders[home.failures as usize % finders.len()].url.clone();
        if home.url.as_ref() == Some(&url) && home.mailbox.is_some() && home.guest.is_some() {
            return self.attach_home(domain);
        }
        *home = Home {
            url: Some(url.clone()),
            failures: home.failures,
            lost_at: home.lost_at,
            ..Home::default()
        };
        self.ask_key(SigningKeyName::Mailbox(url.to_string()), Step::Mailbox(domain.clone()));
        self.ask_key(SigningKeyName::GuestMailbox(url.to_string()), Step::Guest(domain.clone()));
    }

    fn ask_key(&mut self, key: SigningKeyName, step: Step) {
        let operation = self.operation(Operation::Home(step));
        self.output(Output::PublicKey { operation, key });
    }

    pub(super) fn home_key(&mut self, step: Step, key: PublicKey) {
        let (Step::Mailbox(domain) | Step::Guest(domain)) = &step;
        let Some(home) = self.homes.get_mut(domain) else { return };
        match &step {
            Step::Mailbox(_) => home.mailbox = Some(key),
            Step::Guest(_) => home.guest = Some(key),
        }
        if home.mailbox.is_some() && home.guest.is_some() {
            self.attach_home(domain);
            self.refresh_own();
        }
    }

    /// After a rotation the guest mailbox has another key: attach again with it.
    pub(super) fn renew_guest_mailboxes(&mut self) {
        let homes: Vec<_> =
            self.homes.iter().filter_map(|(d, home)| Some((d.clone(), home.url.clone()?))).collect();
        for (domain, url) in homes {
            if let Some(home) = self.homes.get_mut(&domain) {
                home.guest = None;
                if let Some(connection) = home.connection.take() {
                    self.hang_up(connection);
                }
            }
            self.ask_key(SigningKeyName::GuestMailbox(url.to_string()), Step::Guest(domain));
        }
    }

    /// The retry timer of a home fired.
    pub(super) fn dial_home(&mut self, domain: &Domain) {
        match self.pinned(domain) {
            Some(document) => self.choose_finder(domain, &document),
            None => self.with_domain(domain, Waiter::Home),
        }
    }

    fn attach_home(&mut self, domain: &Domain) {
        let Some(home) = self.homes.get(domain) else { return };
        let (None, Some(url)) = (home.connection, home.url.clone()) else { return };
        let connection = self.connect_home(domain, &url);
        if let Some(home) = self.homes.get_mut(domain) {
            home.connection = Some(connection);
        }
    }

    /// The mailboxes to open at a home's finder, with the names of their keys.
    pub(super) fn mailboxes(&self, domain: &Domain) -> Vec<(PublicKey, MailboxKind, SigningKeyName)> {
        let Some(Home { url: Some(url), mailbox: Some(mailbox), guest: Some(guest), .. }) =
            self.homes.get(domain)
        else {
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
        let mailbox = home.mailbox.map(|key| MailboxId::of(&key));
        home.tickets =
            tickets.into_iter().find(|grant| Some(grant.mailbox) == mailbox).map(|grant| grant.key);
        home.turn = turn;
        home.failures = 0;
        home.lost_at = None;
        if !home.online {
            home.online = true;
            self.event(Event::Online(domain.clone()));
        }
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
        let jitter = u64::from(self.rng.next_u32()) % base;
        self.set_timer(Timer::Home(domain.clone()), base / 2 + jitter);
    }

    /// Where this location can be found, by domain in the order of preference.
    pub(super) fn own_mailboxes(&self, kind: MailboxKind) -> Vec<FinderMailbox> {
        let place = |domain: &Domain| {
            let home = self.homes.get(domain)?;
            let key = match kind {
                MailboxKind::Location => home.mailbox?,
                MailboxKind::Guest => home.guest?,
            };
            let url = home.url.clone()?;
            Some(FinderMailbox { domain: domain.clone(), url, mailbox: MailboxId::of(&key) })
        };
        self.config.domains.iter().filter_map(place).collect()
    }

    /// The ticket key for our location's mailbox at a domain; known once attached.
    pub(super) fn ticket_key(&self, domain: &Domain) -> Option<&TicketKey> {
        self.homes.get(domain)?.tickets.as_ref()
    }

    /// STUN and TURN servers of our own domains; those of others are never used.
    pub(super) fn ice_servers(&self) -> (Vec<String>, Vec<TurnServer>) {
        let domains = self.config.domains.iter();
        let stun =
            domains.filter_map(|domain| self.pinned(domain)).flat_map(|document| document.stun.clone());
        let turn = self.homes.values().flat_map(|home| home.turn.iter().cloned());
        (stun.take(crate::defaults::MAX_STUN_URLS).collect(), turn.collect())
    }
}
