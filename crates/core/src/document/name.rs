use super::{Chain, Document, DocumentId, PeerId, Signed, V1, check_life, check_time, split_signatures};
use crate::defaults::DOCUMENT_LIFE;
use crate::jws::Jws;
use crate::key::PublicKey;
use crate::time::secs;
use crate::uri::Domain;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A name at a domain: `[a-z0-9][a-z0-9._-]{1,31}`, lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Names that a domain never gives to a user, because mail, web and people expect them to be the operator.
const RESERVED: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "finder",
    "help",
    "hostmaster",
    "info",
    "mail",
    "noreply",
    "openpeer",
    "operator",
    "postmaster",
    "root",
    "security",
    "support",
    "system",
    "webmaster",
    "www",
];

impl Name {
    /// Reads a name, folding ASCII case.
    ///
    /// # Errors
    /// `name-invalid`.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let name = text.to_ascii_lowercase();
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = (2..=32).contains(&name.len())
            && name.bytes().enumerate().all(|(at, b)| letter(b) || (at > 0 && b"._-".contains(&b)));
        if valid { Ok(Self(name)) } else { Err(Code::NameInvalid.into()) }
    }

    /// Whether only the operator may use it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.0.as_str())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Documents carry the folded form only.
impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        match Self::from_text(&text) {
            Ok(name) if name.0 == text => Ok(name),
            _ => Err(D::Error::custom("not a name in lower case")),
        }
    }
}

/// Binds a name at a domain to a peer. Signed by the peer's root **and** by the domain key, 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    /// Version.
    pub v: V1,
    /// The name.
    pub name: Name,
    /// The domain.
    pub domain: Domain,
    /// The peer.
    pub peer: PeerId,
    /// Rises with every change.
    pub seq: u64,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// When it ends.
    #[serde(with = "secs")]
    pub exp: Time,
}

impl Document for NameRecord {
    const TYPE: &'static str = "openpeer-name+jws";

    fn check(&self) -> Result<(), Error> {
        check_life(self.iat, self.exp, DOCUMENT_LIFE)
    }
}

impl NameRecord {
    /// Verifies the peer's half of a record.
    ///
    /// # Errors
    /// As [`Signed::verify`]; `wrong-audience` if it names another peer than the chain's.
    pub fn verify_half(compact: &str, chain: &Chain) -> Result<Signed<Self>, Error> {
        let half: Signed<Self> = chain.verify_document(compact)?;
        if half.peer != chain.peer() {
            return Err(Error::new(Code::WrongAudience, "name record of another peer"));
        }
        Ok(half)
    }

    /// Verifies both halves, joined by `~`: the peer's first, then the domain's, over one payload.
    ///
    /// # Errors
    /// As [`Self::verify_half`], `wrong-domain` if it names another domain, `expired`.
    pub fn verify(
        joined: &str,
        chain: &Chain,
        domain: &Domain,
        domain_keys: &[PublicKey],
        now: Time,
    ) -> Result<Self, Error> {
        let mut halves = split_signatures(joined);
        let (Some(ours), Some(theirs), None) = (halves.next(), halves.next(), halves.next()) else {
            return Err(Error::new(Code::Malformed, "name record without its two signatures"));
        };
        let record = Self::verify_half(ours, chain)?;
        let domain_half = Jws::parse(theirs, Self::TYPE)?;
        let key = domain_keys.iter().find(|key| key.id() == domain_half.key());
        domain_half.verify(key.ok_or_else(|| Error::new(Code::BadSignature, "not signed by the domain"))?)?;
        if DocumentId::of(Self::TYPE, domain_half.payload()) != record.id() || record.domain != *domain {
            return Err(Error::new(Code::WrongDomain, "name record of another domain"));
        }
        check_time(record.iat, record.exp, now)?;
        Ok((*record).clone())
    }
}
