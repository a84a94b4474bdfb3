use crate::encoding::{from_base32, hash_fields, to_base32};
use crate::key::Seed;
use crate::{Code, Error};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The 128-bit code that is shown once when a peer is created and stored nowhere (protocol section 3).
///
/// The next root key is derived from it, so that a thief of the whole device cannot rotate the peer's keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; 16]);

impl RecoveryCode {
    /// A code from 16 random bytes.
    #[must_use]
    pub const fn from_entropy(entropy: [u8; 16]) -> Self {
        Self(entropy)
    }

    /// The form for people: 29 characters `a-z2-7` in groups of five, the last characters being a checksum.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(&self.checksum());
        let text = to_base32(&bytes);
        bytes.zeroize();
        text.as_bytes()
            .chunks(5)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect::<Vec<_>>()
            .join("-")
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    ///
    /// # Errors
    /// `no-recovery-code` if it is not a code or a character is wrong.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let wrong = || Error::new(Code::NoRecoveryCode, "not a recovery code; check every character");
        let letters: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let bytes: [u8; 18] = from_base32(&letters).map_err(|_| wrong())?.try_into().map_err(|_| wrong())?;
        let mut entropy = [0; 16];
        entropy.copy_from_slice(&bytes[..16]);
        let code = Self(entropy);
        if code.checksum() == bytes[16..] { Ok(code) } else { Err(wrong()) }
    }

    /// The seed of the root key that signs chain statement `seq` (1 or more) of the peer whose statement 0 has `salt`.
    #[must_use]
    pub fn root_seed(&self, salt: &[u8; 16], seq: u64) -> Seed {
        let mut seed = [0; 32];
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand_multi_info(&[b"openpeer/recovery/v1", &seq.to_be_bytes()], &mut seed)
            .expect("32 bytes are a valid HKDF length");
        Seed::new(seed)
    }

    fn checksum(&self) -> [u8; 2] {
        let hash = hash_fields("openpeer/recovery-check/v1", &[&self.0]);
        [hash[0], hash[1]]
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_being_typed() {
        let code = RecoveryCode::from_entropy([7; 16]);
        let text = code.to_text();
        for typed in [text.clone(), text.to_uppercase(), text.replace('-', " ")] {
            assert_eq!(RecoveryCode::from_text(&typed).unwrap().0, [7; 16]);
        }
    }

    #[test]
    fn notices_a_wrong_character() {
        let text = RecoveryCode::from_entropy([9; 16]).to_text();
        let swapped = if text.starts_with('a') { "b" } else { "a" }.to_owned() + &text[1..];
        for wrong in [swapped.as_str(), "", "x", &text[1..]] {
            assert_eq!(RecoveryCode::from_text(wrong).unwrap_err().code(), Code::NoRecoveryCode);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", RecoveryCode::from_entropy([1; 16])), "RecoveryCode(hidden)");
    }
}
