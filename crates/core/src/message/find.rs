use super::Message;
use crate::document::{Document, DocumentId, PeerId, V1};
use crate::encoding::byte_string;
use crate::key::KeyId;
use crate::time::secs;
use crate::transport::{Transport, TransportParameters};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

byte_string! {
    /// Makes a message unique, 16 random bytes.
    MessageId, 16
}

/// A sealed, signed offer to set up a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// Version.
    pub v: V1,
    /// Suite of the envelope; a find that names another suite than it was sealed with was tampered with.
    pub suite: String,
    /// Unique id; the same find again gets the same answer again.
    pub jti: MessageId,
    /// When it was written.
    #[serde(with = "secs")]
    pub iat: Time,
    /// The seeker.
    pub iss: PeerId,
    /// The callee.
    pub aud: PeerId,
    /// The callee's location.
    pub to: KeyId,
    /// The inbox key it was sealed to.
    pub inbox: KeyId,
    /// Transports that the seeker can use, the preferred one first.
    pub transports: Vec<Transport>,
    /// The seeker's end of a WebRTC link.
    pub webrtc: TransportParameters,
    /// What the seeker has of the callee, so that the answer need not repeat it.
    pub has: Known,
    /// The knock that this find says yes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knock: Option<DocumentId>,
}

/// Which documents of the other peer a writer has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Newest chain statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<DocumentId>,
    /// Location certificate of the location written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<DocumentId>,
    /// Newest B.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<DocumentId>,
}

impl Document for Find {
    const TYPE: &'static str = "openpeer-find+jws";

    fn check(&self) -> Result<(), Error> {
        if self.suite != "PS1" {
            return Err(Error::new(Code::SuiteTooOld, "find of another suite"));
        }
        if !self.transports.contains(&Transport::WebRtc) {
            return Err(Error::new(Code::UnsupportedVersion, "no common transport"));
        }
        self.webrtc.check()
    }
}

impl Message for Find {
    fn issuer(&self) -> PeerId {
        self.iss
    }

    fn audience(&self) -> String {
        self.aud.to_string()
    }

    fn issued_at(&self) -> Time {
        self.iat
    }
}
