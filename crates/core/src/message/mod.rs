//! What travels sealed between two peers (protocol section 5): find, answer, knock and their continuations.
//!
//! Inside an envelope or answer stands a [`Letter`]: the signed message and those documents of its writer that the
//! reader may not have. Every message is a JWS by the writer's location key.

mod answer;
mod find;
mod knock;
mod more;

pub use answer::{Answer, AnswerResult, DeclineReason};
pub use find::{Find, Known, MessageId};
pub use knock::{Knock, ReplyTo};
pub use more::More;

use crate::defaults::FRESHNESS;
use crate::document::{B, Chain, Document, LocationCertificate, Signed, check_subject, check_time};
use crate::key::KeyId;
use crate::{Code, Error, Time, json};
use serde::{Deserialize, Serialize};

/// The content of an envelope or an answer, JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The writer's chain; absent if the reader is known to have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub a: Vec<String>,
    /// The certificate of the writing location; absent if the reader is known to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The writer's newest B, if the reader is a contact that may have an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// The message, a JWS by the writing location.
    pub message: String,
}

/// Who wrote a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The writer's chain.
    pub chain: Chain,
    /// The writing location.
    pub location: Signed<LocationCertificate>,
    /// The newest B known of the writer, if any.
    pub b: Option<Signed<B>>,
}

impl Letter {
    /// Parses the JSON text.
    ///
    /// # Errors
    /// `malformed` or `too-large`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// Verifies who wrote the letter. `known` supplies what the letter leaves out.
    ///
    /// # Errors
    /// `malformed` if chain or certificate are neither in the letter nor known; `bad-signature`, `expired`,
    /// `stale-document`, `fork` and the like from the documents; `location-revoked` if the newest B does not list the
    /// location.
    pub fn writer(&self, known: Option<&Writer>, now: Time) -> Result<Writer, Error> {
        let chain = self.chain(known)?;
        let certificate = match (&self.location, known) {
            (Some(compact), _) => chain.verify_document(compact)?,
            (None, Some(known)) => known.location.clone(),
            (None, None) => return Err(Error::new(Code::Malformed, "letter without location certificate")),
        };
        check_subject(certificate.peer, certificate.a, &chain)?;
        check_time(certificate.iat, certificate.exp, now)?;
        let b = self.newest_b(&chain, known, now)?;
        if b.as_ref().is_some_and(|b| !b.locations.contains(&certificate.location())) {
            return Err(Code::LocationRevoked.into());
        }
        Ok(Writer { chain, location: certificate, b })
    }

    /// Verifies the message of a verified writer, and that it is fresh.
    ///
    /// # Errors
    /// As [`Signed::verify`]; `wrong-audience` if the message names another writer or reader; `expired` or
    /// `clock-skew` if it was not written within ten minutes of now.
    pub fn message<M: Message>(&self, writer: &Writer, reader: &str, now: Time) -> Result<Signed<M>, Error> {
        let message: Signed<M> = Signed::verify(&self.message, &writer.location.key)?;
        if message.issuer() != writer.chain.peer() || message.audience() != reader {
            return Err(Error::new(Code::WrongAudience, "message from or to somebody else"));
        }
        check_fresh(message.issued_at(), message.lifetime(), now)?;
        Ok(message)
    }

    fn chain(&self, known: Option<&Writer>) -> Result<Chain, Error> {
        if self.a.is_empty() {
            let known = known.ok_or_else(|| Error::new(Code::Malformed, "letter without chain"))?;
            return Ok(known.chain.clone());
        }
        let chain = Chain::verify(self.a.iter().map(String::as_str))?;
        if let Some(known) = known {
            chain.extends(&known.chain)?;
        }
        Ok(chain)
    }

    /// The newer of the letter's B and the known one; a B under an older chain statement is void.
    fn newest_b(&self, chain: &Chain, known: Option<&Writer>, now: Time) -> Result<Option<Signed<B>>, Error> {
        let known = known.and_then(|known| known.b.clone()).filter(|b| b.a == chain.seq());
        let Some(compact) = &self.b else { return Ok(known) };
        let shown: Signed<B> = chain.verify_document(compact)?;
        check_subject(shown.peer, shown.a, chain)?;
        check_time(shown.iat, shown.exp, now)?;
        match known {
            Some(known) if known.seq > shown.seq => Ok(Some(known)),
            Some(known) if known.seq == shown.seq && known.id() != shown.id() => Err(Code::Fork.into()),
            _ => Ok(Some(shown)),
        }
    }
}

impl Writer {
    /// The writing location's id.
    #[must_use]
    pub fn location_id(&self) -> KeyId {
        self.location.location()
    }
}

/// What all messages have in common.
pub trait Message: Document {
    /// The writing peer.
    fn issuer(&self) -> crate::document::PeerId;
    /// The reading peer, in text form.
    fn audience(&self) -> String;
    /// When it was written.
    fn issued_at(&self) -> Time;
    /// How long after its writing it may be read, milliseconds.
    fn lifetime(&self) -> u64 {
        FRESHNESS
    }
}

fn check_fresh(iat: Time, lifetime: u64, now: Time) -> Result<(), Error> {
    if iat > now + FRESHNESS {
        return Err(Error::new(Code::ClockSkew, "message from the future"));
    }
    if now.millis_since(iat) > lifetime {
        return Err(Error::new(Code::Expired, "message too old"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
