use crate::encoding::{from_base32, hash_fields, to_base32};
use crate::{Code, Error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A peer's address: a hash of its first chain statement, stable for ever (protocol section 3).
///
/// Text form: `p1` and 52 characters of lower-case base32, 54 characters in all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// The id of the peer whose statement 0 has this payload.
    #[must_use]
    pub fn of_inception(payload: &[u8]) -> Self {
        Self(hash_fields("openpeer/inception/v1", &[payload]))
    }

    /// Reads the text form, in either case.
    ///
    /// # Errors
    /// `malformed`.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let malformed = || Error::new(Code::Malformed, "not a peer id");
        let hash = text.strip_prefix("p1").or_else(|| text.strip_prefix("P1")).ok_or_else(malformed)?;
        if hash.len() != 52 {
            return Err(malformed());
        }
        Ok(Self(from_base32(hash)?.try_into().map_err(|_| malformed())?))
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p1{}", to_base32(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PeerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Documents carry the lower-case form only, so that equal ids are equal texts.
impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(D::Error::custom("peer id in upper case"));
        }
        Self::from_text(&text).map_err(D::Error::custom)
    }
}
