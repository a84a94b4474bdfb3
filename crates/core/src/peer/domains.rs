use super::connect::Lookup;
use super::{HttpRequest, HttpResponse, LinkId, Operation, Output, PeerMachine, RequestId};
use crate::document::{Bundle, Continuity, DomainDocument, DomainPin, PeerId, Signed};
use crate::uri::Domain;
use crate::{Code, Error};
use std::collections::{BTreeMap, BTreeSet};

/// Domain documents: pinned ones, and who waits for one that is being fetched.
#[derive(Default)]
pub(super) struct Domains {
    pins: BTreeMap<Domain, DomainPin>,
    waiting: BTreeMap<Domain, Vec<Waiter>>,
    /// Domains whose finder did not greet when it was tried last. One that nobody tried is not among them: a changed key
    /// must not profit from our having had no business there.
    silent: BTreeSet<Domain>,
}

/// Who goes on once a domain's document is there.
pub(super) enum Waiter {
    /// Attaching to our own domain.
    Home,
    /// An exchange that needs a finder of the domain.
    Seek(super::SeekId),
}

/// Why something was fetched.
pub(super) enum Fetch {
    /// A domain document that somebody waits for.
    Document(Domain),
    /// Who is behind a name or peer id that a user asked for.
    Introduction(RequestId, Lookup),
    /// Whether a contact's documents changed while we were apart.
    Freshness(LinkId, Domain, PeerId),
}

impl PeerMachine {
    /// Continues `waiter` as soon as `domain` is pinned; at once if it is.
    pub(super) fn with_domain(&mut self, domain: &Domain, waiter: Waiter) {
        if self.domains.pins.contains_key(domain) {
            return self.resume(domain, waiter, Ok(()));
        }
        let waiting = self.domains.waiting.entry(domain.clone()).or_default();
        waiting.push(waiter);
        if waiting.len() == 1 {
            self.fetch_domain(domain);
        }
    }

    /// Fetches a domain's document whether it is pinned or not.
    pub(super) fn fetch_domain(&mut self, domain: &Domain) {
        self.fetch(Fetch::Document(domain.clone()), domain, "");
    }

    pub(super) fn fetch(&mut self, fetch: Fetch, domain: &Domain, query: &str) {
        let operation = self.operation(Operation::Http(fetch));
        let path = format!("/.well-known/openpeer{query}");
        self.output(Output::Http {
            operation,
            request: HttpRequest { domain: domain.clone(), path, body: None },
        });
    }

    pub(super) fn fetched(&mut self, fetch: Fetch, result: Result<HttpResponse, Code>) {
        let bundle = result.map_err(Error::from).and_then(|response| read_bundle(&response));
        match fetch {
            Fetch::Document(domain) => {
                let result = bundle.and_then(|bundle| self.take_domain(&domain, &bundle));
                self.domain_settled(&domain, result);
            }
            Fetch::Introduction(request, lookup) => {
                let domain = lookup.domain().clone();
                let bundle = bundle.and_then(|bundle| self.take_domain(&domain, &bundle).map(|()| bundle));
                self.introduced(request, &lookup, bundle);
            }
            Fetch::Freshness(link, domain, peer) => {
                let bundle = bundle.and_then(|bundle| self.take_domain(&domain, &bundle).map(|()| bundle));
                self.freshness_answered(link, peer, bundle);
            }
        }
    }

    /// Verifies and pins or weighs the domain document of a bundle.
    fn take_domain(&mut self, domain: &Domain, bundle: &Bundle) -> Result<(), Error> {
        let document = bundle.domain(domain, self.now)?;
        let finder_answers = !self.domains.silent.contains(domain);
        let now = self.now;
        let verdict = match self.domains.pins.get_mut(domain) {
            None => {
                self.domains.pins.insert(domain.clone(), DomainPin::first_sight(&document, now));
                Ok(Continuity::Trusted)
            }
            Some(pin) => pin.weigh(&document, finder_answers, now),
        };
        self.save_domain(domain);
        match verdict {
            Ok(Continuity::Trusted) => Ok(()),
            Ok(Continuity::KeyChanged { .. }) => {
                let error = Error::new(Code::DomainKeyChanged, format!("{domain} shows another key"));
                self.alarm(error, None);
                Ok(())
            }
            // A replayed document is no reason to distrust the pinned one.
            Err(error) if error.code() == Code::StaleDocument => Ok(()),
            Err(error) => {
                self.alarm(error.clone(), None);
                Err(error)
            }
        }
    }

    fn domain_settled(&mut self, domain: &Domain, result: Result<(), Error>) {
        for waiter in self.domains.waiting.remove(domain).unwrap_or_default() {
            self.resume(domain, waiter, result.clone());
        }
    }

    fn resume(&mut self, domain: &Domain, waiter: Waiter, result: Result<(), Error>) {
        match waiter {
            Waiter::Home => self.home_domain_ready(domain, result),
            Waiter::Seek(seek) => self.seek_domain_ready(seek, domain, result),
        }
    }

    /// Notes whether a finder of a domain greeted us when it was tried.
    pub(super) fn finder_tried(&mut self, domain: &Domain, greeted: bool) {
        if greeted {
            self.domains.silent.remove(domain);
        } else {
            self.domains.silent.insert(domain.clone());
        }
    }

    /// The pinned document of a domain.
    pub(super) fn pinned(&self, domain: &Domain) -> Option<Signed<DomainDocument>> {
        self.domains.pins.get(domain).and_then(|pin| pin.document(domain).ok())
    }

    pub(super) fn pin(&self, domain: &Domain) -> Option<&DomainPin> {
        self.domains.pins.get(domain)
    }

    pub(super) fn load_domain(&mut self, domain: &str, value: &[u8]) -> Result<(), Error> {
        let pin =
            serde_json::from_slice(value).map_err(|error| Error::new(Code::Malformed, error.to_string()))?;
        self.domains.pins.insert(Domain::from_text(domain)?, pin);
        Ok(())
    }

    fn save_domain(&mut self, domain: &Domain) {
        if let Some(pin) = self.domains.pins.get(domain).cloned() {
            self.persist(format!("domain/{domain}"), &pin);
        }
    }
}

fn read_bundle(response: &HttpResponse) -> Result<Bundle, Error> {
    match response.status {
        200 => Bundle::parse(&response.body),
        404 => Err(Code::NotFound.into()),
        429 => Err(Code::RateLimited.into()),
        status => Err(Error::new(Code::DomainUnreachable, format!("HTTP status {status}"))),
    }
}
