use super::{Document, Signed, V1, check_life, check_time};
use crate::defaults::{DOMAIN_DOCUMENT_LIFE, MAX_FINDERS, MAX_STUN_URLS};
use crate::key::PublicKey;
use crate::time::secs;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// What a domain says about itself at `/.well-known/openpeer`. Signed by a key that it lists, at most 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainDocument {
    /// Version.
    pub v: V1,
    /// The domain, with its port if that is not 443.
    pub domain: Domain,
    /// Rises with every change.
    pub seq: u64,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// When it ends.
    #[serde(with = "secs")]
    pub exp: Time,
    /// The domain's keys, 1 to 3; the first one signs.
    pub keys: Vec<PublicKey>,
    /// Its finders, 1 to 8.
    pub finders: Vec<FinderEntry>,
    /// STUN servers (RFC 7064 URLs), at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stun: Vec<String>,
    /// Where to report abuse, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// A finder of a domain. Lower priorities are tried first; among equals, weight is the share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinderEntry {
    /// The finder.
    pub url: FinderUrl,
    /// Order of trial.
    #[serde(default)]
    pub priority: u16,
    /// Share among finders of one priority.
    #[serde(default = "one")]
    pub weight: u16,
}

const fn one() -> u16 {
    1
}

impl Document for DomainDocument {
    const TYPE: &'static str = "openpeer-domain+jws";

    fn check(&self) -> Result<(), Error> {
        if self.keys.is_empty() || self.keys.len() > 3 {
            return Err(Error::new(Code::Malformed, "domain document without 1 to 3 keys"));
        }
        if self.finders.is_empty() || self.finders.len() > MAX_FINDERS || self.stun.len() > MAX_STUN_URLS {
            return Err(Error::new(Code::LimitExceeded, "domain document with too many or no servers"));
        }
        check_life(self.iat, self.exp, DOMAIN_DOCUMENT_LIFE)
    }
}

impl DomainDocument {
    /// Verifies a document as it came from `domain` over HTTPS: signed by one of its own keys, alive, and naming the
    /// domain. Whether those keys are the known ones is for [`super::DomainPin`] to say.
    ///
    /// # Errors
    /// As [`Signed::verify`]; `wrong-domain`, `expired`, `clock-skew`.
    pub fn verify(compact: &str, domain: &Domain, now: Time) -> Result<Signed<Self>, Error> {
        let document: Signed<Self> = Signed::verify_with(compact, |id, document: &Self| {
            let key = document.keys.iter().find(|key| key.id() == id);
            key.copied()
                .ok_or_else(|| Error::new(Code::BadSignature, "domain document not signed by its own key"))
        })?;
        if document.domain != *domain {
            return Err(Error::new(Code::WrongDomain, "document of another domain"));
        }
        check_time(document.iat, document.exp, now)?;
        Ok(document)
    }
}
