//! A domain: its finder and the few HTTP requests that it answers.

use super::super::cast::{NOW, domain, domain_seed, secret, sign};
use super::super::contents;
use openpeer_core::Time;
use openpeer_core::defaults::SOURCE_RATE;
use openpeer_core::document::{Bundle, ClaimRequest};
use openpeer_core::finder::{Finder, FinderConfig};
use openpeer_core::frame::Nonce;
use openpeer_core::key::Seed;
use openpeer_core::peer::{HttpRequest, HttpResponse};
use openpeer_core::uri::Domain;

pub(super) struct Server {
    pub(super) key: Seed,
    pub(super) finder: Finder,
    domain: Domain,
    /// The bundle that introduces the one peer who has a name here.
    introduction: Option<Bundle>,
}

/// Every nonce for a claim; a real server never gives one twice.
const NONCE: Nonce = Nonce(secret(0x70, 0));

impl Server {
    pub(super) fn new(name: &str) -> Self {
        let key = domain_seed(name);
        let config = FinderConfig {
            domain: domain(name),
            url: contents::url(name),
            domain_key: key.public_key(),
            finder_secret: [key.expose()[0] ^ 0xF0; 32].into(),
            stun: vec![format!("stun:{name}:3478")],
            turn: None,
            source_rate: SOURCE_RATE,
        };
        let finder = Finder::new(config, *key.expose()).unwrap();
        Self { key, finder, domain: domain(name), introduction: None }
    }

    pub(super) fn answer(&mut self, request: &HttpRequest, now: Time) -> HttpResponse {
        let ok = |body: Vec<u8>| HttpResponse { status: 200, body };
        match (request.path.as_str(), &request.body) {
            ("/.well-known/openpeer", None) => ok(self.bare_bundle().to_json()),
            ("/openpeer/nonce", None) => ok(format!(r#"{{"nonce":"{NONCE}"}}"#).into_bytes()),
            ("/openpeer/names", Some(body)) => ok(self.claim(body, now).to_json()),
            (path, None) if path.starts_with("/.well-known/openpeer?name=") => {
                ok(self.introduction.as_ref().unwrap().to_json())
            }
            (path, _) => unreachable!("nobody asks for {path}"),
        }
    }

    fn bare_bundle(&self) -> Bundle {
        let document = sign(contents::domain_document(self.domain.as_str(), 1, NOW), &self.key);
        Bundle { domain: document.compact().to_owned(), name: None, a: Vec::new(), public: None }
    }

    /// Grants every claim.
    fn claim(&mut self, body: &[u8], now: Time) -> Bundle {
        let request = ClaimRequest::parse(body).unwrap();
        let verified = request.verify(&self.domain, now).unwrap();
        assert_eq!(verified.claim.nonce, NONCE);
        let (half, public) = verified.documents.unwrap();
        let countersigned = sign((*half).clone(), &self.key);
        let bundle = Bundle {
            name: Some(format!("{}~{}", half.compact(), countersigned.compact())),
            a: request.a,
            public: Some(public.compact().to_owned()),
            ..self.bare_bundle()
        };
        self.introduction = Some(bundle.clone());
        bundle
    }
}
