use super::{Message, MessageId};
use crate::defaults::{FRESHNESS, KNOCK_LIFE, MAX_KNOCK_TEXT_BYTES};
use crate::document::{Document, FinderMailbox, PeerId, V1};
use crate::key::KeyId;
use crate::seal::InboxKey;
use crate::ticket::Ticket;
use crate::time::secs;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// A stranger's request. It carries no address of anybody's device: a yes is a find in the other direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// Version.
    pub v: V1,
    /// Unique id.
    pub jti: MessageId,
    /// When it was written.
    #[serde(with = "secs")]
    pub iat: Time,
    /// Who knocks.
    pub iss: PeerId,
    /// Who is asked.
    pub aud: PeerId,
    /// The guest inbox key it was sealed to.
    pub inbox: KeyId,
    /// A name that the knocker claims, such as `alice@a.test`; nobody has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A few words from person to person, at most 280 bytes, shown as plain text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Where a yes goes.
    pub reply: ReplyTo,
}

/// Where and how to reach the knocking location with a find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Its mailbox.
    pub finder: FinderMailbox,
    /// Its inbox key.
    pub inbox: InboxKey,
    /// One admission at that finder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

impl Document for Knock {
    const TYPE: &'static str = "openpeer-knock+jws";

    fn check(&self) -> Result<(), Error> {
        if self.text.len() > MAX_KNOCK_TEXT_BYTES || self.name.as_ref().is_some_and(|name| name.len() > 300) {
            return Err(Error::new(Code::LimitExceeded, "knock text above 280 bytes"));
        }
        Ok(())
    }
}

impl Message for Knock {
    fn issuer(&self) -> PeerId {
        self.iss
    }

    fn audience(&self) -> String {
        self.aud.to_string()
    }

    fn issued_at(&self) -> Time {
        self.iat
    }

    /// A domain may have kept the knock while its reader was away.
    fn lifetime(&self) -> u64 {
        KNOCK_LIFE + FRESHNESS
    }
}
