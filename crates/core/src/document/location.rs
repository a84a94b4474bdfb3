use super::{Document, PeerId, V1, check_life};
use crate::defaults::DOCUMENT_LIFE;
use crate::key::{KeyId, PublicKey};
use crate::time::secs;
use crate::{Error, Time};
use serde::{Deserialize, Serialize};

/// Certifies a location: the root's word that a device key speaks for the peer. Signed by the root, 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationCertificate {
    /// Version.
    pub v: V1,
    /// The peer.
    pub peer: PeerId,
    /// Number of the chain statement whose key signed this.
    pub a: u64,
    /// The device key.
    pub key: PublicKey,
    /// What the device can do beyond the protocol's minimum; unknown entries are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// When it ends.
    #[serde(with = "secs")]
    pub exp: Time,
}

impl LocationCertificate {
    /// The location's id: the id of its key.
    #[must_use]
    pub fn location(&self) -> KeyId {
        self.key.id()
    }
}

impl Document for LocationCertificate {
    const TYPE: &'static str = "openpeer-location+jws";

    fn check(&self) -> Result<(), Error> {
        check_life(self.iat, self.exp, DOCUMENT_LIFE)
    }
}
