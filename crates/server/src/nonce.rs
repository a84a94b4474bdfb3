use crate::defaults::{MAX_SPENT_NONCES, NONCE_LIFE};
use hmac::{Hmac, KeyInit, Mac};
use openpeer_core::frame::Nonce;
use openpeer_core::{Code, Error, Time};
use sha2::Sha256;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Nonces for claims: handed out without keeping anything, accepted once.
///
/// ```text
/// end of life in Unix milliseconds (8, big-endian) ‖ random (8) ‖ HMAC-SHA256(secret, those 16 bytes) truncated to 16
/// ```
/// The secret lives as long as the process: after a restart clients fetch another nonce.
pub(crate) struct Nonces {
    secret: Zeroizing<[u8; 32]>,
    /// By end of life, so that expired ones are the first.
    spent: BTreeSet<[u8; 16]>,
}

impl Nonces {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret), spent: BTreeSet::new() }
    }

    /// A nonce from 8 random bytes.
    pub(crate) fn issue(&self, random: [u8; 8], now: Time) -> Nonce {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&(now + NONCE_LIFE).as_millis().to_be_bytes());
        nonce[8..16].copy_from_slice(&random);
        let tag = self.mac(&nonce[..16]).finalize().into_bytes();
        nonce[16..].copy_from_slice(&tag[..16]);
        Nonce(nonce)
    }

    /// Spends a nonce.
    ///
    /// # Errors
    /// `unauthorized` for one that is forged, expired or spent; `rate-limited` while too many are remembered.
    pub(crate) fn spend(&mut self, nonce: &Nonce, now: Time) -> Result<(), Error> {
        let refused = || Error::new(Code::Unauthorized, "nonce unknown, expired or used");
        let (message, tag) = nonce.0.split_first_chunk::<16>().ok_or_else(refused)?;
        self.mac(message).verify_truncated_left(tag).map_err(|_| refused())?;
        if end_of_life(message) <= now {
            return Err(refused());
        }
        self.forget_expired(now);
        if self.spent.contains(message) {
            return Err(refused());
        }
        if self.spent.len() >= MAX_SPENT_NONCES {
            return Err(Code::RateLimited.into());
        }
        self.spent.insert(*message);
        Ok(())
    }

    fn forget_expired(&mut self, now: Time) {
        while self.spent.first().is_some_and(|first| end_of_life(first) <= now) {
            self.spent.pop_first();
        }
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&*self.secret).expect("HMAC takes keys of any length");
        mac.update(message);
        mac
    }
}

fn end_of_life(message: &[u8; 16]) -> Time {
    let mut millis = [0; 8];
    millis.copy_from_slice(&message[..8]);
    Time::from_millis(u64::from_be_bytes(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_795_000_000);

    #[test]
    fn is_good_once_and_for_two_minutes() {
        let mut nonces = Nonces::new([1; 32]);
        let (first, second) = (nonces.issue([1; 8], NOW), nonces.issue([2; 8], NOW));
        nonces.spend(&first, NOW + 1).unwrap();
        assert_eq!(nonces.spend(&first, NOW + 2).unwrap_err().code(), Code::Unauthorized);
        assert_eq!(nonces.spend(&second, NOW + NONCE_LIFE).unwrap_err().code(), Code::Unauthorized);
        let third = nonces.issue([3; 8], NOW + NONCE_LIFE);
        nonces.spend(&third, NOW + NONCE_LIFE).unwrap();
        assert_eq!(nonces.spent.len(), 1, "expired nonces are forgotten");
    }

    #[test]
    fn cannot_be_made_or_altered_by_others() {
        let mut nonces = Nonces::new([1; 32]);
        let foreign = Nonces::new([2; 32]).issue([1; 8], NOW);
        assert_eq!(nonces.spend(&foreign, NOW).unwrap_err().code(), Code::Unauthorized);
        let genuine = nonces.issue([1; 8], NOW);
        for byte in 0..32 {
            let mut altered = genuine;
            altered.0[byte] ^= 1;
            assert_eq!(nonces.spend(&altered, NOW).unwrap_err().code(), Code::Unauthorized, "byte {byte}");
        }
    }
}
