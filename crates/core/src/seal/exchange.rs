use super::{pad, unpad};
use crate::defaults::{BUCKETS, CONTINUATION_BUCKETS};
use crate::{Code, Error};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The secret exported from the HPKE context of a find; everything after the find is sealed with keys derived from it.
///
/// Seeker to callee: salt of zeros. Callee to seeker: a fresh 32-byte salt per answering location, so that two
/// locations may answer the same find without ever using one key twice. The nonce is the derived base nonce XOR the
/// message counter; label and counter are the additional data.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ExchangeSecret([u8; 32]);

/// Length of the random bytes at the head of an answer.
const SALT: usize = 32;

#[derive(Clone, Copy)]
enum Direction {
    ToCallee,
    ToSeeker,
}

impl Direction {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ToCallee => b"openpeer/to-callee/v1",
            Self::ToSeeker => b"openpeer/to-seeker/v1",
        }
    }
}

impl ExchangeSecret {
    pub(super) fn export(export: impl FnOnce(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>) -> Self {
        let mut secret = [0; 32];
        export(b"openpeer/exchange/v1", &mut secret).expect("32 bytes are a valid HKDF length");
        Self(secret)
    }

    /// From its bytes, for test vectors and other tests.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SALT]) -> Self {
        Self(bytes)
    }

    /// Seals an answer under a fresh salt.
    ///
    /// # Errors
    /// `too-large` above the largest bucket.
    pub fn seal_answer(&self, salt: [u8; SALT], content: &[u8]) -> Result<Vec<u8>, Error> {
        let mut body = salt.to_vec();
        body.extend_from_slice(&self.encrypt(Direction::ToSeeker, &salt, 0, &pad(content, &BUCKETS)?)?);
        Ok(body)
    }

    /// Opens an answer. Returns its content and its salt, which tells the answering location's later frames apart.
    ///
    /// # Errors
    /// `malformed`, or `bad-signature` if anybody but the holder of the inbox key wrote or altered it.
    pub fn open_answer(&self, body: &[u8]) -> Result<(Vec<u8>, [u8; SALT]), Error> {
        let (salt, ciphertext) = body
            .split_first_chunk::<SALT>()
            .ok_or_else(|| Error::new(Code::Malformed, "answer cut short"))?;
        let content = unpad(&self.decrypt(Direction::ToSeeker, salt, 0, ciphertext)?, &BUCKETS)?;
        Ok((content, *salt))
    }

    /// Seals a continuation. A seeker passes no salt and counters from 0, an answering location the salt of its answer
    /// and counters from 1; no counter may be used twice.
    ///
    /// # Errors
    /// `too-large` above the largest bucket.
    pub fn seal_more(
        &self,
        salt: Option<&[u8; SALT]>,
        counter: u32,
        content: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let (direction, salt) = side(salt);
        let mut body = counter.to_be_bytes().to_vec();
        body.extend_from_slice(&self.encrypt(
            direction,
            salt,
            counter,
            &pad(content, &CONTINUATION_BUCKETS)?,
        )?);
        Ok(body)
    }

    /// Opens a continuation from the other side; `salt` as in [`Self::seal_more`]. Returns counter and content.
    ///
    /// # Errors
    /// `malformed` or `bad-signature`.
    pub fn open_more(&self, salt: Option<&[u8; SALT]>, body: &[u8]) -> Result<(u32, Vec<u8>), Error> {
        let (counter, ciphertext) = body
            .split_first_chunk::<4>()
            .ok_or_else(|| Error::new(Code::Malformed, "continuation cut short"))?;
        let counter = u32::from_be_bytes(*counter);
        let (direction, salt) = side(salt);
        let content = unpad(&self.decrypt(direction, salt, counter, ciphertext)?, &CONTINUATION_BUCKETS)?;
        Ok((counter, content))
    }

    fn encrypt(
        &self,
        direction: Direction,
        salt: &[u8; SALT],
        counter: u32,
        msg: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let (cipher, nonce) = self.cipher(direction, salt, counter);
        let aad = aad(direction, counter);
        cipher.encrypt(&nonce, Payload { msg, aad: &aad }).map_err(|_| Error::from(Code::Internal))
    }

    fn decrypt(
        &self,
        direction: Direction,
        salt: &[u8; SALT],
        counter: u32,
        msg: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let (cipher, nonce) = self.cipher(direction, salt, counter);
        let aad = aad(direction, counter);
        cipher
            .decrypt(&nonce, Payload { msg, aad: &aad })
            .map_err(|_| Error::new(Code::BadSignature, "message altered or not of this exchange"))
    }

    fn cipher(
        &self,
        direction: Direction,
        salt: &[u8; SALT],
        counter: u32,
    ) -> (Aes256Gcm, Nonce<aes_gcm::aead::consts::U12>) {
        let mut output = [0; 44];
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(direction.label(), &mut output)
            .expect("44 bytes are a valid HKDF length");
        let mut key = Key::<Aes256Gcm>::default();
        key.copy_from_slice(&output[..32]);
        let mut nonce = Nonce::default();
        nonce.copy_from_slice(&output[32..]);
        for (byte, count) in nonce[8..].iter_mut().zip(counter.to_be_bytes()) {
            *byte ^= count;
        }
        let cipher = Aes256Gcm::new(&key);
        output.zeroize();
        key.zeroize();
        (cipher, nonce)
    }
}

fn side(salt: Option<&[u8; SALT]>) -> (Direction, &[u8; SALT]) {
    salt.map_or((Direction::ToCallee, &[0; SALT]), |salt| (Direction::ToSeeker, salt))
}

fn aad(direction: Direction, counter: u32) -> Vec<u8> {
    [direction.label(), &counter.to_be_bytes()].concat()
}

impl fmt::Debug for ExchangeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeSecret(hidden)")
    }
}
