//! What protects a key on disk: a passphrase (Argon2id, RFC 9106) or, by explicit choice, file permissions alone.

use super::error::{KeystoreError, SealedError};
use super::sealed::{FileKey, open_with, random, seal_with};
use crate::defaults::{
    ARGON2_LANES, ARGON2_MAX_MEMORY_KIB, ARGON2_MAX_PASSES, ARGON2_MEMORY_KIB, ARGON2_PASSES,
};
use argon2::{Algorithm, Argon2, Params, Version};
use openpeer_core::encoding::{array_from_base64url, from_base64url, to_base64url};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

const VERSION: u64 = 1;
/// Authenticated with a wrapped key, so that it is nothing else.
const LABEL: &str = "openpeer/keystore/wrapped-key/v1";

/// A passphrase; `Debug` hides it, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Passphrase(Zeroizing<String>);

/// How a keystore is protected.
#[derive(Clone, Debug)]
pub(crate) enum Protection {
    /// Everything is encrypted under a key that takes the passphrase to unwrap.
    Passphrase(Passphrase),
    /// The key lies beside the files, readable by their owner only.
    FilePermissions,
}

/// A [`FileKey`] as it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct WrappedKey {
    v: u64,
    /// Present if a passphrase protects the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argon2id: Option<Argon2Parameters>,
    /// Base64url: the key sealed under Argon2id(passphrase), or the key itself.
    key: Zeroizing<String>,
}

/// Parameters of Argon2id version 1.3 with 32 bytes of output.
#[derive(Serialize, Deserialize)]
struct Argon2Parameters {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// 16 random bytes, base64url.
    salt: String,
}

impl Passphrase {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl WrappedKey {
    /// Takes some tenths of a second and 64 MiB of memory with a passphrase.
    pub(crate) fn wrap(key: &FileKey, protection: &Protection) -> Result<Self, KeystoreError> {
        let Protection::Passphrase(passphrase) = protection else {
            return Ok(Self { v: VERSION, argon2id: None, key: Zeroizing::new(to_base64url(key.expose())) });
        };
        let argon2id = Argon2Parameters::recommended();
        let wrapping = argon2id.derive(passphrase).map_err(|_| KeystoreError::PassphraseUnusable)?;
        let key = Zeroizing::new(to_base64url(&seal_with(&wrapping, LABEL, key.expose())));
        Ok(Self { v: VERSION, argon2id: Some(argon2id), key })
    }

    /// As costly as [`Self::wrap`].
    pub(crate) fn unwrap(&self, protection: &Protection) -> Result<FileKey, SealedError> {
        let Some(argon2id) = &self.argon2id else {
            // Whoever knows a passphrase may open what needs none.
            return array_from_base64url(&self.key)
                .map(FileKey::from_bytes)
                .map_err(|_| SealedError::Damaged);
        };
        let Protection::Passphrase(passphrase) = protection else {
            return Err(SealedError::PassphraseRequired);
        };
        let sealed = from_base64url(&self.key).map_err(|_| SealedError::Damaged)?;
        let wrapping = argon2id.derive(passphrase)?;
        let key = open_with(&wrapping, LABEL, &sealed).map_err(|_| SealedError::WrongPassphrase)?;
        key.as_slice().try_into().map(FileKey::from_bytes).map_err(|_| SealedError::Damaged)
    }

    /// Whether nothing but file permissions protects the key.
    pub(crate) const fn is_bare(&self) -> bool {
        self.argon2id.is_none()
    }

    pub(crate) fn to_json(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).expect("strings and numbers are JSON"))
    }

    pub(crate) fn from_json(text: &[u8]) -> Result<Self, SealedError> {
        #[derive(Deserialize)]
        struct Head {
            v: u64,
        }
        let Head { v } = serde_json::from_slice(text).map_err(|_| SealedError::Damaged)?;
        if v != VERSION {
            return Err(SealedError::TooNew);
        }
        serde_json::from_slice(text).map_err(|_| SealedError::Damaged)
    }
}

impl Argon2Parameters {
    fn recommended() -> Self {
        Self {
            memory_kib: ARGON2_MEMORY_KIB,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            salt: to_base64url(&random::<16>()),
        }
    }

    fn derive(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, SealedError> {
        // A damaged file must not make us allocate or compute without end.
        if self.memory_kib > ARGON2_MAX_MEMORY_KIB || self.passes > ARGON2_MAX_PASSES {
            return Err(SealedError::Damaged);
        }
        let salt: [u8; 16] = array_from_base64url(&self.salt).map_err(|_| SealedError::Damaged)?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| SealedError::Damaged)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.0.as_bytes(), &salt, key.as_mut())
            .map_err(|_| SealedError::Damaged)?;
        Ok(key)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}
