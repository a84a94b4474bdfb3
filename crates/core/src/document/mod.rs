//! Signed documents (protocol section 3): one format for every statement that a peer or a domain makes.

mod b;
mod bundle;
mod chain;
mod claim;
mod continuity;
mod domain;
mod location;
mod name;
mod peer_id;
mod public;
mod reach;

pub use b::{B, StrangerPolicy};
pub(crate) use bundle::check_subject;
pub use bundle::{Bundle, VerifiedBundle};
pub use chain::{Chain, ChainStatement, Salt};
pub use claim::{Claim, ClaimAction, ClaimRequest, VerifiedClaim};
pub use continuity::{Continuity, DomainPin};
pub use domain::{DomainDocument, FinderEntry};
pub use location::LocationCertificate;
pub use name::{Name, NameRecord};
pub use peer_id::PeerId;
pub use public::Public;
pub use reach::{FinderMailbox, Reach};

use crate::encoding::byte_string;
use crate::jws::{Jws, attach_signature, signing_input};
use crate::key::{KeyId, PublicKey, Signature};
use crate::{Code, Error, Time, json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

byte_string! {
    /// Identifies a document by its type and payload, never by its compact form, which has several spellings.
    DocumentId, 32
}

/// A kind of document.
pub trait Document: Serialize + DeserializeOwned {
    /// The exact `typ` of its JWS header.
    const TYPE: &'static str;

    /// Checks everything that can be checked without other documents and without a clock.
    ///
    /// # Errors
    /// `malformed`, `limit-exceeded` or another code that says what is wrong.
    fn check(&self) -> Result<(), Error>;
}

/// A document whose signature was verified, with the bytes that were signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<D> {
    compact: String,
    document: D,
    id: DocumentId,
}

/// A document on its way to a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft<D> {
    signing_input: String,
    document: D,
    id: DocumentId,
}

/// How a document compares with what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Its number is higher than any seen, or none was seen.
    Newer,
    /// It is the very document that is known.
    Same,
}

/// The highest number seen of one document, and which document carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The number.
    pub seq: u64,
    /// The document.
    pub id: DocumentId,
}

/// The version of a document: always 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct V1;

impl<D: Document> Signed<D> {
    /// Parses and verifies a compact JWS signed by `key`.
    ///
    /// # Errors
    /// `malformed`, `too-large`, `unsupported-version`, `bad-signature`, or what [`Document::check`] finds.
    pub fn verify(compact: &str, key: &PublicKey) -> Result<Self, Error> {
        Self::verify_with(compact, |_, _| Ok(*key))
    }

    /// Like [`Self::verify`], with the key chosen from the header's key id and the unverified content.
    ///
    /// # Errors
    /// As [`Self::verify`], and whatever `key` returns.
    pub fn verify_with(
        compact: &str,
        key: impl FnOnce(KeyId, &D) -> Result<PublicKey, Error>,
    ) -> Result<Self, Error> {
        let jws = Jws::parse(compact, D::TYPE)?;
        let document: D = parse_payload(jws.payload())?;
        jws.verify(&key(jws.key(), &document)?)?;
        document.check()?;
        Ok(Self { compact: compact.to_owned(), document, id: DocumentId::of(D::TYPE, jws.payload()) })
    }

    /// The compact JWS.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// The document's id.
    #[must_use]
    pub const fn id(&self) -> DocumentId {
        self.id
    }
}

impl<D> std::ops::Deref for Signed<D> {
    type Target = D;
    fn deref(&self) -> &D {
        &self.document
    }
}

impl<D: fmt::Debug> fmt::Debug for Signed<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.document).finish()
    }
}

impl<D: Document> Draft<D> {
    /// Prepares a document for a signature by the key with id `key`.
    pub fn new(document: D, key: KeyId) -> Self {
        let payload = json::write(&document);
        let id = DocumentId::of(D::TYPE, &payload);
        Self { signing_input: signing_input(D::TYPE, key, &payload), document, id }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The id that the signed document will have.
    #[must_use]
    pub const fn id(&self) -> DocumentId {
        self.id
    }

    /// Completes the document. The signature is not verified here: it comes from one's own keys.
    #[must_use]
    pub fn finish(self, signature: &Signature) -> Signed<D> {
        Signed {
            compact: attach_signature(&self.signing_input, signature),
            document: self.document,
            id: self.id,
        }
    }
}

impl DocumentId {
    /// `SHA-256("openpeer/doc/v1" ‖ typ ‖ payload)`, each field preceded by its length.
    #[must_use]
    pub fn of(typ: &str, payload: &[u8]) -> Self {
        Self(crate::encoding::hash_fields("openpeer/doc/v1", &[typ.as_bytes(), payload]))
    }
}

impl Pin {
    /// Compares a document with the pin.
    ///
    /// # Errors
    /// `stale-document` for a lower number, `fork` for another document of the same number.
    pub fn compare(pin: Option<&Self>, seq: u64, id: DocumentId) -> Result<Age, Error> {
        match pin {
            None => Ok(Age::Newer),
            Some(pin) if seq > pin.seq => Ok(Age::Newer),
            Some(pin) if seq < pin.seq => Err(Code::StaleDocument.into()),
            Some(pin) if pin.id == id => Ok(Age::Same),
            Some(_) => Err(Code::Fork.into()),
        }
    }
}

impl Serialize for V1 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            _ => Err(serde::de::Error::custom("unknown version")),
        }
    }
}

/// Parses a payload: first its version, so that a newer document is told from a broken one.
pub(crate) fn parse_payload<D: DeserializeOwned>(payload: &[u8]) -> Result<D, Error> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = json::parse(payload)?;
    if v != 1 {
        return Err(Error::new(Code::UnsupportedVersion, format!("version {v}")));
    }
    json::parse(payload)
}

/// Checks that a document is alive: not expired, and not from a future beyond the tolerated clock difference.
///
/// # Errors
/// `expired` or `clock-skew`.
pub fn check_time(iat: Time, exp: Time, now: Time) -> Result<(), Error> {
    if exp <= now {
        return Err(Code::Expired.into());
    }
    if iat > now + crate::defaults::FRESHNESS {
        return Err(Error::new(Code::ClockSkew, "document from the future"));
    }
    Ok(())
}

/// Checks that a document's life is positive and at most `longest` milliseconds.
pub(crate) fn check_life(iat: Time, exp: Time, longest: u64) -> Result<(), Error> {
    if exp > iat && exp.millis_since(iat) <= longest {
        Ok(())
    } else {
        Err(Error::new(Code::Malformed, "document of a life beyond the limit"))
    }
}

/// Several signatures over one payload: compact forms joined by `~`.
pub(crate) fn split_signatures(joined: &str) -> impl Iterator<Item = &str> {
    joined.split('~')
}

#[cfg(test)]
pub(crate) mod tests;
