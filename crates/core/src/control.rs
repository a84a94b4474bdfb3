//! The control channel of a link, `openpeer/control` (protocol section 7): one JSON object per message.

use crate::defaults::{MAX_CONTROL_BYTES, MAX_DOCUMENTS_BYTES, TICKETS_ISSUED};
use crate::document::DocumentId;
use crate::encoding::byte_string;
use crate::key::KeyId;
use crate::seal::InboxKey;
use crate::ticket::Ticket;
use crate::time::secs;
use crate::transport::{Candidate, IceCredentials, check_candidates};
use crate::{Code, Error, Time, json};
use serde::{Deserialize, Serialize};

/// Label of the control channel.
pub const CONTROL_CHANNEL: &str = "openpeer/control";

byte_string! {
    /// One end's contribution to a pre-shared key, 32 bytes.
    Contribution, 32
}

/// A message on the control channel, by its member `t`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Control {
    /// First message of each end.
    Hello {
        /// Protocol version.
        v: u64,
        /// Contribution to the pre-shared key.
        random: Contribution,
        /// The find that led to this link. A find names both peers, so two ends that were brought together by somebody
        /// who gave each of them the other's end as its own disagree (RFC 8844).
        find: DocumentId,
    },
    /// The writer's own documents; to contacts only.
    Documents(Box<Documents>),
    /// An ICE restart, offered or answered (RFC 8445 section 2.4).
    Ice {
        /// Whether this answers the other end's restart.
        answer: bool,
        /// New credentials.
        ice: IceCredentials,
        /// Candidates known so far.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        candidates: Vec<Candidate>,
    },
    /// Candidates found later, on a running link.
    Candidates {
        /// At most 16.
        candidates: Vec<Candidate>,
    },
    /// The writer removed the reader from its contacts.
    #[serde(rename = "contact.remove")]
    ContactRemove {},
    /// The writer is about to end the link.
    Bye {
        /// A stable code, such as `cancelled`.
        reason: String,
    },
    /// A message of a later version; ignored.
    #[serde(other)]
    Unknown,
}

/// A peer's own documents as shown to a contact.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Documents {
    /// The chain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub a: Vec<String>,
    /// The writing location's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The newest B.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// The writing location's reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<String>,
    /// Tickets for the writing location's mailboxes, by position in `reach.finders`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<Vec<Ticket>>,
    /// A long-lived key for this contact alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<PairKey>,
}

/// An inbox key for one contact, used only in PSK mode when the daily keys have run out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PairKey {
    /// The key.
    pub key: InboxKey,
    /// When it ends.
    #[serde(with = "secs")]
    pub exp: Time,
    /// The location that holds it.
    pub location: KeyId,
}

impl Control {
    /// Parses a message.
    ///
    /// # Errors
    /// `too-large`, `malformed` or `limit-exceeded`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.len() > MAX_CONTROL_BYTES {
            return Err(Error::new(Code::TooLarge, "control message above 64 KiB"));
        }
        let message: Self = json::parse(text)?;
        message.check(text.len())?;
        Ok(message)
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        match self {
            Self::Hello { v, .. } if *v != 1 => {
                Err(Error::new(Code::UnsupportedVersion, "control channel version"))
            }
            Self::Documents(_) if bytes > MAX_DOCUMENTS_BYTES => {
                Err(Error::new(Code::TooLarge, "documents above 16 KiB"))
            }
            Self::Documents(documents)
                if documents.tickets.iter().any(|list| list.len() > TICKETS_ISSUED) =>
            {
                Err(Error::new(Code::LimitExceeded, "more than 32 tickets"))
            }
            Self::Ice { ice, candidates, .. } => ice.check().and_then(|()| check_candidates(candidates)),
            Self::Candidates { candidates } => check_candidates(candidates),
            _ => Ok(()),
        }
    }
}
