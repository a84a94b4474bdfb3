//! Sealed files:
//!
//! ```text
//! file      = "OPK1" ‖ nonce (12, random) ‖ AES-256-GCM ciphertext with tag
//! plaintext = name length (2, big-endian) ‖ name ‖ value
//! key       = HKDF-SHA256(file key, "openpeer/keystore/content/v1")
//! AAD       = "OPK1" ‖ place in the directory, such as "records/…"
//! file name = hex of the first 20 bytes of HMAC-SHA256(names key, folder ‖ 0 ‖ name)
//! names key = HKDF-SHA256(file key, "openpeer/keystore/names/v1")
//! ```
//! The place is authenticated, so that files cannot be exchanged for one another.

use super::error::SealedError;
use aes_gcm::aead::{Aead, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MAGIC: &[u8; 4] = b"OPK1";
const NONCE: usize = 12;

/// The key of all sealed files of one keystore, 32 random bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(crate) struct FileKey([u8; 32]);

/// Seals and opens the files of one keystore.
pub(super) struct Sealer {
    cipher: Aes256Gcm,
    names: Zeroizing<[u8; 32]>,
}

impl FileKey {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(label.as_bytes(), key.as_mut())
            .expect("32 bytes are a valid HKDF length");
        key
    }
}

impl Sealer {
    pub(super) fn new(key: &FileKey) -> Self {
        Self {
            cipher: cipher(&key.derive("openpeer/keystore/content/v1")),
            names: key.derive("openpeer/keystore/names/v1"),
        }
    }

    /// The file name for a content; tells nothing about it to whoever lacks the key.
    pub(super) fn file_name(&self, folder: &str, name: &str) -> String {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.names.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(folder.as_bytes());
        mac.update(&[0]);
        mac.update(name.as_bytes());
        mac.finalize().into_bytes().iter().take(20).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The file for a content of at most 64 KiB of name.
    pub(super) fn seal(&self, place: &str, name: &str, value: &[u8]) -> Vec<u8> {
        let length =
            u16::try_from(name.len()).expect("names are key ids or record keys of at most 300 bytes");
        let mut plaintext = Zeroizing::new(Vec::with_capacity(2 + name.len() + value.len()));
        plaintext.extend_from_slice(&length.to_be_bytes());
        plaintext.extend_from_slice(name.as_bytes());
        plaintext.extend_from_slice(value);
        seal(&self.cipher, place, &plaintext)
    }

    /// Name and value of a file.
    pub(super) fn open(&self, place: &str, file: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), SealedError> {
        let plaintext = open(&self.cipher, place, file)?;
        let (length, rest) = plaintext.split_first_chunk::<2>().ok_or(SealedError::Damaged)?;
        let (name, value) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(SealedError::Damaged)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| SealedError::Damaged)?;
        Ok((name, Zeroizing::new(value.to_vec())))
    }
}

/// Seals bytes under a key of their own, for what is not a keystore file.
pub(crate) fn seal_with(key: &[u8; 32], label: &str, plaintext: &[u8]) -> Vec<u8> {
    seal(&cipher(key), label, plaintext)
}

/// Opens what [`seal_with`] sealed.
pub(crate) fn open_with(
    key: &[u8; 32],
    label: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    open(&cipher(key), label, sealed)
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random number generator");
    bytes
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    let mut copy = Key::<Aes256Gcm>::default();
    copy.copy_from_slice(key);
    let cipher = Aes256Gcm::new(&copy);
    copy.zeroize();
    cipher
}

fn seal(cipher: &Aes256Gcm, place: &str, msg: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = random();
    let payload = Payload { msg, aad: &aad(place) };
    let ciphertext =
        cipher.encrypt(&Nonce::from(nonce), payload).expect("files are far below AES-GCM's limit");
    [MAGIC.as_slice(), &nonce, &ciphertext].concat()
}

fn open(cipher: &Aes256Gcm, place: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let (magic, rest) = file.split_first_chunk::<4>().ok_or(SealedError::Damaged)?;
    if magic != MAGIC {
        return Err(if magic.starts_with(b"OPK") { SealedError::TooNew } else { SealedError::Damaged });
    }
    let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(SealedError::Damaged)?;
    let payload = Payload { msg, aad: &aad(place) };
    cipher.decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| SealedError::Damaged)
}

fn aad(place: &str) -> Vec<u8> {
    [MAGIC.as_slice(), place.as_bytes()].concat()
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(hidden)")
    }
}
