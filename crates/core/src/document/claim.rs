use super::bundle::verify_public;
use super::{Chain, Document, Name, NameRecord, Public, Signed, V1};
use crate::frame::Nonce;
use crate::time::secs;
use crate::uri::Domain;
use crate::{Code, Error, Time, json};
use serde::{Deserialize, Serialize};

/// What a claim wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimAction {
    /// Take the name, or renew what the domain keeps under it.
    Claim,
    /// Give the name back.
    Release,
}

/// A peer's request about a name at a domain. Signed by the root over a fresh nonce of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Version.
    pub v: V1,
    /// What is wanted.
    pub action: ClaimAction,
    /// The name.
    pub name: Name,
    /// The domain asked.
    pub domain: Domain,
    /// The server's nonce.
    pub nonce: Nonce,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
}

impl Document for Claim {
    const TYPE: &'static str = "openpeer-claim+jws";

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The body of `POST /openpeer/names`, JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// The claim.
    pub claim: String,
    /// The peer's chain.
    pub a: Vec<String>,
    /// The peer's half of the name record; with `claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The peer's front door; with `claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// An invite code, where the domain asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
}

/// A claim that its peer's root key signed; whether the domain grants it is another matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaim {
    /// The claim; its nonce is for the server to check.
    pub claim: Signed<Claim>,
    /// The peer's chain.
    pub chain: Chain,
    /// The name record and front door of a [`ClaimAction::Claim`].
    pub documents: Option<(Signed<NameRecord>, Signed<Public>)>,
}

impl ClaimRequest {
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

    /// Verifies everything but the nonce.
    ///
    /// # Errors
    /// What the documents' checks find; `wrong-domain` for another domain's claim; `malformed` if the parts do not fit
    /// together.
    pub fn verify(&self, domain: &Domain, now: Time) -> Result<VerifiedClaim, Error> {
        let chain = Chain::verify(self.a.iter().map(String::as_str))?;
        let claim: Signed<Claim> = chain.verify_document(&self.claim)?;
        if claim.domain != *domain {
            return Err(Error::new(Code::WrongDomain, "claim for another domain"));
        }
        let documents = match claim.action {
            ClaimAction::Release => None,
            ClaimAction::Claim => Some(self.verify_documents(&claim, &chain, now)?),
        };
        Ok(VerifiedClaim { claim, chain, documents })
    }

    fn verify_documents(
        &self,
        claim: &Claim,
        chain: &Chain,
        now: Time,
    ) -> Result<(Signed<NameRecord>, Signed<Public>), Error> {
        let (Some(name), Some(public)) = (&self.name, &self.public) else {
            return Err(Error::new(Code::Malformed, "claim without name record or front door"));
        };
        let name = NameRecord::verify_half(name, chain)?;
        if name.name != claim.name || name.domain != claim.domain {
            return Err(Error::new(Code::Malformed, "name record does not match the claim"));
        }
        super::check_time(name.iat, name.exp, now)?;
        Ok((name, verify_public(public, chain, now)?))
    }
}
