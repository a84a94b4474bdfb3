use super::timer::Timer;
use super::{Event, HttpRequest, HttpResponse, Operation, Output, PeerMachine, RequestId};
use crate::defaults::{CLAIM_TIMEOUT, DOCUMENT_LIFE, NAMES_RETRY};
use crate::document::{Bundle, Claim, ClaimAction, ClaimRequest, DocumentId, Draft, Name, NameRecord, V1};
use crate::frame::Nonce;
use crate::key::{Signature, SigningKeyName};
use crate::uri::{Address, Domain};
use crate::{Blame, Code, Error, json};
use serde::Deserialize;

/// A claim or release under way, and what it waits for.
pub(super) struct Step {
    wish: Wish,
    waits: Waits,
}

/// What is wanted of a domain.
#[derive(Clone)]
pub(super) struct Wish {
    action: ClaimAction,
    name: Name,
    domain: Domain,
    invite: Option<String>,
}

enum Waits {
    Nonce,
    /// The root's signature under the name record.
    Record(Nonce, Box<Draft<NameRecord>>),
    /// The root's signature under the claim; with our half of the name record.
    Claim(Option<String>, Box<Draft<Claim>>),
    /// The domain's verdict; with the front door that it was shown.
    Verdict(Option<DocumentId>),
}

/// The body of `GET /openpeer/nonce`.
#[derive(Deserialize)]
struct NonceResponse {
    nonce: Nonce,
}

/// The part of a problem document (RFC 9457) that we read.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl PeerMachine {
    pub(super) fn claim_name(
        &mut self,
        request: RequestId,
        name: Name,
        domain: Domain,
        invite: Option<String>,
    ) {
        self.start_request(request);
        if !self.config.domains.contains(&domain) {
            return self.fail(request, Error::new(Code::InvalidArgument, "not one of this peer's domains"));
        }
        let wish = Wish { action: ClaimAction::Claim, name, domain, invite };
        if self.has_front_door(&wish.domain) {
            return self.ask_nonce(request, wish);
        }
        self.waiting_claims.insert(request, wish);
        self.set_timer(Timer::Claim(request), CLAIM_TIMEOUT);
    }

    /// A front door is there: go on with the claims that waited for it.
    pub(super) fn claim_waiting(&mut self) {
        for (request, wish) in std::mem::take(&mut self.waiting_claims) {
            if self.has_front_door(&wish.domain) {
                self.stop_timer(&Timer::Claim(request));
                self.ask_nonce(request, wish);
            } else {
                self.waiting_claims.insert(request, wish);
            }
        }
    }

    pub(super) fn claim_timeout(&mut self, request: RequestId) {
        if self.waiting_claims.remove(&request).is_some() {
            self.fail(request, Error::new(Code::DomainUnreachable, "the domain's finder was not reached"));
        }
    }

    fn has_front_door(&self, domain: &Domain) -> bool {
        self.own_public().is_some_and(|public| public.finders.iter().any(|finder| finder.domain == *domain))
    }

    pub(super) fn release_name(&mut self, request: RequestId, name: Name, domain: Domain) {
        self.start_request(request);
        self.ask_nonce(request, Wish { action: ClaimAction::Release, name, domain, invite: None });
    }

    fn ask_nonce(&mut self, request: RequestId, wish: Wish) {
        let http =
            HttpRequest { domain: wish.domain.clone(), path: "/openpeer/nonce".to_owned(), body: None };
        self.ask(request, wish, Waits::Nonce, http);
    }

    fn ask(&mut self, request: RequestId, wish: Wish, waits: Waits, http: HttpRequest) {
        let operation = self.operation(Operation::Name(request, Step { wish, waits }));
        self.output(Output::Http { operation, request: http });
    }

    pub(super) fn name_answered(
        &mut self,
        request: RequestId,
        step: Step,
        result: Result<HttpResponse, Code>,
    ) {
        // An own name that is being renewed belongs to no request of the user.
        let verdict = result.map_err(Error::from).and_then(success);
        let address = step.wish.address();
        let outcome = verdict.and_then(|body| match step.waits {
            Waits::Nonce => json::parse::<NonceResponse>(&body)
                .and_then(|body| self.write_claim(request, &step.wish, body.nonce)),
            Waits::Verdict(shown) => self.settle(request, &step.wish, shown, &body),
            Waits::Record(..) | Waits::Claim(..) => Ok(()),
        });
        if let Err(error) = outcome {
            self.renewal_failed(&address, &error);
            self.fail(request, error);
        }
    }

    /// A domain that cannot be reached is shown our front door later; one that refuses it is not asked again before the
    /// door changes.
    fn renewal_failed(&mut self, address: &str, error: &Error) {
        self.end_renewal(address);
        let is_passing = matches!(error.code(), Code::RateLimited | Code::Quota | Code::Unauthorized);
        if is_passing || error.code().blame() == Blame::Domain {
            self.set_timer(Timer::Names, NAMES_RETRY);
        } else if let (Some(public), Some(_)) = (self.own_public(), self.shown_at(address)) {
            self.set_shown(address.to_owned(), public.id());
        }
    }

    fn write_claim(&mut self, request: RequestId, wish: &Wish, nonce: Nonce) -> Result<(), Error> {
        if wish.action == ClaimAction::Release {
            return self.sign_claim(request, wish.clone(), nonce, None);
        }
        if !self.own_public().is_some_and(|public| public.finders.iter().any(|f| f.domain == wish.domain)) {
            return Err(Error::new(
                Code::DomainUnreachable,
                "the domain has not been reached yet; try again",
            ));
        }
        let seq = self.next_seq();
        let record = NameRecord {
            v: V1,
            name: wish.name.clone(),
            domain: wish.domain.clone(),
            peer: self.peer(),
            seq,
            iat: self.now,
            exp: self.now + DOCUMENT_LIFE,
        };
        let draft = self.root_draft(record);
        let input = draft.signing_input().to_vec();
        let step = Step { wish: wish.clone(), waits: Waits::Record(nonce, Box::new(draft)) };
        self.sign(SigningKeyName::Root, input, Operation::Name(request, step));
        Ok(())
    }

    fn sign_claim(
        &mut self,
        request: RequestId,
        wish: Wish,
        nonce: Nonce,
        half: Option<String>,
    ) -> Result<(), Error> {
        let claim = Claim {
            v: V1,
            action: wish.action,
            name: wish.name.clone(),
            domain: wish.domain.clone(),
            nonce,
            iat: self.now,
        };
        let draft = self.root_draft(claim);
        let input = draft.signing_input().to_vec();
        let step = Step { wish, waits: Waits::Claim(half, Box::new(draft)) };
        self.sign(SigningKeyName::Root, input, Operation::Name(request, step));
        Ok(())
    }

    pub(super) fn name_signed(&mut self, request: RequestId, step: Step, signature: &Signature) {
        let Step { wish, waits } = step;
        match waits {
            Waits::Record(nonce, draft) => {
                let half = draft.finish(signature).compact().to_owned();
                if let Err(error) = self.sign_claim(request, wish, nonce, Some(half)) {
                    self.fail(request, error);
                }
            }
            Waits::Claim(half, draft) => {
                let public = half.is_some().then(|| self.own_public()).flatten();
                let body = ClaimRequest {
                    claim: draft.finish(signature).compact().to_owned(),
                    a: self.chain().compacts().map(str::to_owned).collect(),
                    name: half,
                    public: public.as_ref().map(|public| public.compact().to_owned()),
                    invite: wish.invite.clone(),
                };
                let http = HttpRequest {
                    domain: wish.domain.clone(),
                    path: "/openpeer/names".to_owned(),
                    body: Some(body.to_json()),
                };
                let shown = public.map(|public| public.id());
                self.ask(request, wish, Waits::Verdict(shown), http);
            }
            Waits::Nonce | Waits::Verdict(_) => {}
        }
    }

    fn settle(
        &mut self,
        request: RequestId,
        wish: &Wish,
        shown: Option<DocumentId>,
        body: &[u8],
    ) -> Result<(), Error> {
        let entry = (wish.name.clone(), wish.domain.clone());
        if wish.action == ClaimAction::Release {
            self.names_mut().retain(|known| *known != entry);
            self.forget_shown(&wish.address());
            self.save_names();
            self.requests.remove(&request);
            self.event(Event::NameReleased { request });
            return Ok(());
        }
        let bundle = Bundle::parse(body)?;
        let document = bundle.domain(&wish.domain, self.now)?;
        let introduction = bundle.introduction(&wish.domain, &document.keys, self.now)?;
        if introduction.chain.peer() != self.peer() || introduction.name.name != wish.name {
            return Err(Error::new(Code::WrongDomain, "the domain granted something else than asked"));
        }
        if !self.names_mut().contains(&entry) {
            self.names_mut().push(entry.clone());
        }
        if let Some(shown) = shown {
            self.set_shown(wish.address(), shown);
        }
        self.save_names();
        self.end_renewal(&wish.address());
        if self.requests.remove(&request).is_some() && !request.is_own() {
            let address = Address::Name { name: entry.0, domain: entry.1 };
            self.event(Event::NameClaimed { request, address });
        }
        // It may have changed while this one was on its way.
        self.renew_names();
        Ok(())
    }

    /// Shows our front door to the domains that list us, unless they show it already.
    pub(super) fn renew_names(&mut self) {
        let Some(public) = self.own_public().map(|public| public.id()) else { return };
        for (name, domain) in self.names_mut().clone() {
            let wish = Wish { action: ClaimAction::Claim, name, domain, invite: None };
            let is_shown = self.shown_at(&wish.address()) == Some(public);
            if !is_shown && self.has_front_door(&wish.domain) && self.begin_renewal(wish.address()) {
                let request = self.own_request();
                self.ask_nonce(request, wish);
            }
        }
    }
}

impl Wish {
    fn address(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }
}

fn success(response: HttpResponse) -> Result<Vec<u8>, Error> {
    if (200..300).contains(&response.status) {
        return Ok(response.body);
    }
    let code = json::parse::<Problem>(&response.body).ok().and_then(|problem| Code::from_text(&problem.code));
    let unexpected = || Error::new(Code::DomainUnreachable, format!("HTTP status {}", response.status));
    Err(code.map_or_else(unexpected, |code| Error::new(code, "said the domain")))
}
