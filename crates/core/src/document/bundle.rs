use super::{Chain, DomainDocument, NameRecord, PeerId, Public, Signed, check_time};
use crate::key::PublicKey;
use crate::uri::Domain;
use crate::{Code, Error, Time, json};
use serde::{Deserialize, Serialize};

/// The answer of a bootstrapper, JSON. With `?name=` or `?peer=` it also introduces a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The domain document.
    pub domain: String,
    /// The name record with both signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The peer's chain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub a: Vec<String>,
    /// The peer's front door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// A peer as a domain introduced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBundle {
    /// The name record.
    pub name: NameRecord,
    /// The chain.
    pub chain: Chain,
    /// The front door.
    pub public: Signed<Public>,
}

impl Bundle {
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

    /// Verifies the domain document.
    ///
    /// # Errors
    /// As [`DomainDocument::verify`].
    pub fn domain(&self, domain: &Domain, now: Time) -> Result<Signed<DomainDocument>, Error> {
        DomainDocument::verify(&self.domain, domain, now)
    }

    /// Verifies the introduction of a peer by `domain`, whose trusted keys are given.
    ///
    /// # Errors
    /// `not-found` if the bundle introduces nobody; otherwise what the documents' checks find.
    pub fn introduction(
        &self,
        domain: &Domain,
        domain_keys: &[PublicKey],
        now: Time,
    ) -> Result<VerifiedBundle, Error> {
        let (Some(name), Some(public)) = (&self.name, &self.public) else {
            return Err(Code::NotFound.into());
        };
        let chain = Chain::verify(self.a.iter().map(String::as_str))?;
        let name = NameRecord::verify(name, &chain, domain, domain_keys, now)?;
        let public = verify_public(public, &chain, now)?;
        Ok(VerifiedBundle { name, chain, public })
    }
}

/// Verifies a front door of the chain's peer.
pub(super) fn verify_public(compact: &str, chain: &Chain, now: Time) -> Result<Signed<Public>, Error> {
    let public: Signed<Public> = chain.verify_document(compact)?;
    check_subject(public.peer, public.a, chain)?;
    check_time(public.iat, public.exp, now)?;
    Ok(public)
}

/// Checks that a root-signed document is about the chain's peer and made under its newest statement.
pub(crate) fn check_subject(peer: PeerId, a: u64, chain: &Chain) -> Result<(), Error> {
    if peer != chain.peer() {
        return Err(Error::new(Code::WrongAudience, "document of another peer"));
    }
    if a != chain.seq() {
        return Err(Error::new(Code::StaleDocument, "document under an older chain statement"));
    }
    Ok(())
}
