use super::{Document, PeerId, V1, check_life};
use crate::defaults::{MAX_DIRECT_ADDRESSES, MAX_FINDERS, REACH_LIFE};
use crate::frame::MailboxId;
use crate::key::KeyId;
use crate::seal::InboxKey;
use crate::time::secs;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// How to reach one location. Signed by the location, shown to contacts in band, 8 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Version.
    pub v: V1,
    /// The peer.
    pub peer: PeerId,
    /// The location, whose key signed this.
    pub location: KeyId,
    /// Rises with every change.
    pub seq: u64,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// When it ends; the inbox key is destroyed soon after.
    #[serde(with = "secs")]
    pub exp: Time,
    /// Where the location attaches, 1 to 8.
    pub finders: Vec<FinderMailbox>,
    /// The key to seal finds to.
    pub inbox: InboxKey,
    /// Addresses to try without any finder, at most 4; reserved, empty in this version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub direct: Vec<String>,
}

/// A mailbox at a finder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FinderMailbox {
    /// The domain that the finder serves.
    pub domain: Domain,
    /// The finder.
    pub url: FinderUrl,
    /// The mailbox.
    pub mailbox: MailboxId,
}

impl Document for Reach {
    const TYPE: &'static str = "openpeer-reach+jws";

    fn check(&self) -> Result<(), Error> {
        check_finders(&self.finders)?;
        if self.direct.len() > MAX_DIRECT_ADDRESSES {
            return Err(Error::new(Code::LimitExceeded, "more than 4 direct addresses"));
        }
        check_life(self.iat, self.exp, REACH_LIFE)
    }
}

pub(super) fn check_finders(finders: &[FinderMailbox]) -> Result<(), Error> {
    if finders.len() > MAX_FINDERS {
        return Err(Error::new(Code::LimitExceeded, "more than 8 finders"));
    }
    Ok(())
}
