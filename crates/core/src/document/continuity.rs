use super::{Age, DomainDocument, Pin, Signed};
use crate::defaults::{DOMAIN_KEY_HOLD_DOWN, DOMAIN_KEY_HOLD_DOWN_UNREACHABLE};
use crate::jws::Jws;
use crate::key::PublicKey;
use crate::uri::Domain;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// What is known of a domain since it was first seen (protocol section 3, domain continuity).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainPin {
    /// The pinned document, compact.
    document: String,
    keys: Vec<PublicKey>,
    pin: Pin,
    /// When the document was last fetched.
    pub fetched: Time,
    challenger: Option<Challenger>,
}

/// A domain document under another key, on probation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Challenger {
    keys: Vec<PublicKey>,
    since: Time,
}

/// The verdict on a fetched domain document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// First sight, or signed by a pinned key: the document is pinned.
    Trusted,
    /// Signed by an unknown key: the pinned document stays in use until the moment given.
    KeyChanged {
        /// When the new key is accepted if nothing else changes.
        accepted_from: Time,
    },
}

impl DomainPin {
    /// Pins a document at first sight. WebPKI vouched for it.
    #[must_use]
    pub fn first_sight(document: &Signed<DomainDocument>, now: Time) -> Self {
        Self {
            document: document.compact().to_owned(),
            keys: document.keys.clone(),
            pin: Pin { seq: document.seq, id: document.id() },
            fetched: now,
            challenger: None,
        }
    }

    /// Weighs a newly fetched document. `finder_answers`: whether a pinned finder was reached lately.
    ///
    /// # Errors
    /// `stale-document` for a lower number than pinned, `fork` for two documents of one number under a pinned key.
    pub fn weigh(
        &mut self,
        document: &Signed<DomainDocument>,
        finder_answers: bool,
        now: Time,
    ) -> Result<Continuity, Error> {
        self.fetched = now;
        let signer = Jws::parse(document.compact(), <DomainDocument as super::Document>::TYPE)?.key();
        if self.keys.iter().any(|key| key.id() == signer) {
            self.challenger = None;
            if Pin::compare(Some(&self.pin), document.seq, document.id())? == Age::Newer {
                *self = Self::first_sight(document, now);
            }
            return Ok(Continuity::Trusted);
        }
        let since = match &self.challenger {
            Some(challenger) if challenger.keys == document.keys => challenger.since,
            _ => {
                self.challenger = Some(Challenger { keys: document.keys.clone(), since: now });
                now
            }
        };
        let hold_down = if finder_answers { DOMAIN_KEY_HOLD_DOWN } else { DOMAIN_KEY_HOLD_DOWN_UNREACHABLE };
        if now.millis_since(since) >= hold_down {
            *self = Self::first_sight(document, now);
            return Ok(Continuity::Trusted);
        }
        Ok(Continuity::KeyChanged { accepted_from: since + hold_down })
    }

    /// The pinned keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The pinned document. An expired one stays usable for reaching its finders: they prove themselves by `hello`.
    ///
    /// # Errors
    /// `malformed` or `bad-signature` if the stored pin was damaged.
    pub fn document(&self, domain: &Domain) -> Result<Signed<DomainDocument>, Error> {
        let document: Signed<DomainDocument> = Signed::verify_with(&self.document, |id, _| {
            self.keys.iter().find(|key| key.id() == id).copied().ok_or_else(|| Code::BadSignature.into())
        })?;
        if document.domain == *domain { Ok(document) } else { Err(Code::WrongDomain.into()) }
    }
}
