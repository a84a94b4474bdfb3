use super::reach::{FinderMailbox, check_finders};
use super::{Document, PeerId, StrangerPolicy, V1, check_life};
use crate::defaults::DOCUMENT_LIFE;
use crate::seal::InboxKey;
use crate::time::secs;
use crate::{Error, Time};
use serde::{Deserialize, Serialize};

/// A peer's front door for strangers: guest mailboxes and guest inbox key. Signed by the root, 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Public {
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
    /// Where the guest mailbox is open, 1 to 8.
    pub finders: Vec<FinderMailbox>,
    /// The key to seal knocks to.
    pub inbox: InboxKey,
    /// What strangers may do.
    pub policy: StrangerPolicy,
}

impl Document for Public {
    const TYPE: &'static str = "openpeer-public+jws";

    fn check(&self) -> Result<(), Error> {
        check_finders(&self.finders)?;
        check_life(self.iat, self.exp, DOCUMENT_LIFE)
    }
}
