use super::Message;
use crate::document::{Document, DocumentId, PeerId, V1};
use crate::time::secs;
use crate::transport::{Fingerprint, Transport, TransportParameters};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// The answer to a find. Both fingerprints and both peer ids are under one signature (RFC 8844).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Version.
    pub v: V1,
    /// When it was written.
    #[serde(with = "secs")]
    pub iat: Time,
    /// The find.
    pub find: DocumentId,
    /// The callee.
    pub iss: PeerId,
    /// The seeker.
    pub aud: PeerId,
    /// Yes or no.
    #[serde(flatten)]
    pub result: AnswerResult,
}

/// Yes, with the callee's end of the link, or no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum AnswerResult {
    /// Set up the link.
    Accept {
        /// The chosen transport.
        transport: Transport,
        /// The callee's end.
        webrtc: TransportParameters,
        /// The seeker's fingerprint as the callee read it.
        fingerprint: Fingerprint,
    },
    /// No link.
    Decline {
        /// Why, as far as the callee wants to say.
        reason: DeclineReason,
    },
}

/// Why a find was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclineReason {
    /// The two are not contacts, or not any more; a blocked peer hears the same.
    NotContact,
    /// Too many links or exchanges at once.
    Busy,
    /// The seeker's documents are older than the ones that the callee has.
    StaleDocument,
    /// The seeker's location was revoked.
    LocationRevoked,
    /// The seeker's clock is off by more than ten minutes.
    ClockSkew,
}

impl DeclineReason {
    /// The error that the seeker reports.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::NotContact => Code::NotContact,
            Self::Busy => Code::Busy,
            Self::StaleDocument => Code::StaleDocument,
            Self::LocationRevoked => Code::LocationRevoked,
            Self::ClockSkew => Code::ClockSkew,
        }
    }
}

impl Document for Answer {
    const TYPE: &'static str = "openpeer-answer+jws";

    fn check(&self) -> Result<(), Error> {
        match &self.result {
            AnswerResult::Accept { transport: Transport::WebRtc, webrtc, .. } => webrtc.check(),
            AnswerResult::Accept { .. } => {
                Err(Error::new(Code::UnsupportedVersion, "answer with another transport"))
            }
            AnswerResult::Decline { .. } => Ok(()),
        }
    }
}

impl Message for Answer {
    fn issuer(&self) -> PeerId {
        self.iss
    }

    fn audience(&self) -> String {
        self.aud.to_string()
    }

    fn issued_at(&self) -> Time {
        self.iat
    }

    /// An answer is bound to its find by digest and keys, so that none can be kept back for later. Its age tells of
    /// clocks only, and a seeker whose clock is ahead has to be able to read that it is.
    fn lifetime(&self) -> u64 {
        u64::MAX
    }
}
