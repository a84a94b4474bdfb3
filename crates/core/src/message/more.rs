use crate::transport::{Candidate, check_candidates};
use crate::{Error, json};
use serde::{Deserialize, Serialize};

/// A continuation of an exchange, JSON: trickled candidates (RFC 8838). It needs no signature of its own: only the two
/// ends of the exchange hold its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// Candidates found since the last message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// Whether these were the last ones.
    #[serde(default)]
    pub end: bool,
    /// The seeker gave up: somebody else answered first, or its user cancelled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
}

impl More {
    /// Parses the JSON text.
    ///
    /// # Errors
    /// `malformed` or `limit-exceeded`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let more: Self = json::parse(text)?;
        check_candidates(&more.candidates)?;
        Ok(more)
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }
}
