use super::{Document, PeerId, V1, check_life};
use crate::defaults::{DOCUMENT_LIFE, MAX_DOMAINS, MAX_LOCATIONS};
use crate::key::KeyId;
use crate::time::secs;
use crate::uri::Domain;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// Section B: which locations a peer has and which domains it uses. Signed by the root, shown to contacts, 30 days.
///
/// A location that the newest B does not list is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct B {
    /// Version.
    pub v: V1,
    /// The peer.
    pub peer: PeerId,
    /// Number of the chain statement whose key signed this.
    pub a: u64,
    /// Rises with every change.
    pub seq: u64,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// When it ends.
    #[serde(with = "secs")]
    pub exp: Time,
    /// The peer's domains, at most 4, the preferred one first.
    pub domains: Vec<Domain>,
    /// The peer's locations, at most 8.
    pub locations: Vec<KeyId>,
    /// What strangers may do.
    pub policy: StrangerPolicy,
}

/// What a stranger may do at a peer's front door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrangerPolicy {
    /// Knock.
    #[default]
    Knock,
    /// Nothing: knocks are dropped unseen.
    Refuse,
}

impl Document for B {
    const TYPE: &'static str = "openpeer-b+jws";

    fn check(&self) -> Result<(), Error> {
        if self.domains.len() > MAX_DOMAINS || self.locations.len() > MAX_LOCATIONS {
            return Err(Error::new(Code::LimitExceeded, "more than 4 domains or 8 locations"));
        }
        check_life(self.iat, self.exp, DOCUMENT_LIFE)
    }
}
