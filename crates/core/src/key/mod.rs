//! Ed25519 keys, key ids and signatures (protocol section 3).

mod keyring;
mod recovery;

pub use keyring::{InboxSecret, Keyring, Seed, SigningKeyName};
pub use recovery::RecoveryCode;

use crate::encoding::{byte_string, hash_fields};
use crate::{Code, Error};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use std::fmt;

byte_string! {
    /// Names a public key: the first 16 bytes of a hash of it; 22 characters in JSON.
    KeyId, 16
}

byte_string! {
    /// An Ed25519 signature (RFC 8032), 64 bytes.
    Signature, 64
}

byte_string! {
    /// Commits to a key that is not shown yet: the `next` entries of a chain statement.
    KeyHash, 32
}

/// An Ed25519 public key that was checked once: canonical, not of small order, torsion-free.
///
/// The check keeps a malicious key owner from writing documents that one implementation accepts and another refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks and takes the 32-byte encoding.
    ///
    /// # Errors
    /// `malformed` if the bytes are not a canonical point of the prime-order group.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        let key =
            VerifyingKey::from_bytes(bytes).map_err(|_| Error::new(Code::Malformed, "not an Ed25519 key"))?;
        let point = key.to_edwards();
        if key.is_weak() || !point.is_torsion_free() || point.compress().as_bytes() != bytes {
            return Err(Error::new(Code::Malformed, "weak or non-canonical Ed25519 key"));
        }
        Ok(Self(key))
    }

    /// The 32-byte encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The id under which documents name this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(truncated(hash_fields("openpeer/key/v1", &[self.as_bytes()])))
    }

    /// The commitment to this key for a chain statement's `next`.
    #[must_use]
    pub fn commitment(&self) -> KeyHash {
        KeyHash(hash_fields("openpeer/next/v1", &[self.as_bytes()]))
    }

    /// Verifies a signature strictly (RFC 8032 with canonical `S` and without small-order `R`).
    ///
    /// # Errors
    /// `bad-signature`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), Error> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| Code::BadSignature.into())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::encoding::to_base64url(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = crate::encoding::array_from_base64url(&text).map_err(D::Error::custom)?;
        Self::from_bytes(&bytes).map_err(D::Error::custom)
    }
}

/// The first 16 bytes of a hash.
pub(crate) fn truncated(hash: [u8; 32]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}
