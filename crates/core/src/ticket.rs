//! Tickets: one-time admission tokens (protocol section 6).
//!
//! ```text
//! epoch (4, big-endian) ‖ random (12) ‖ HMAC-SHA256(ticket key, epoch ‖ random) truncated to 16
//! ```
//! The finder derives the ticket key of a mailbox from its own secret and gives it to whoever attaches the mailbox, so
//! that locations issue tickets without asking and the finder remembers only the spent ones.

use crate::defaults::TICKET_EPOCH;
use crate::encoding::byte_string;
use crate::frame::MailboxId;
use crate::{Code, Error, Time};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

byte_string! {
    /// An admission token for one find to one mailbox, 32 bytes.
    Ticket, 32
}

/// The key with which a mailbox's tickets are issued and checked, 32 bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TicketKey([u8; 32]);

impl TicketKey {
    /// The key of `mailbox` at the finder that holds `finder_secret`.
    #[must_use]
    pub fn derive(finder_secret: &[u8; 32], mailbox: &MailboxId) -> Self {
        Self(mac(finder_secret, &[b"openpeer/ticket/v1", &mailbox.0]))
    }

    /// From the bytes in an `attached` frame.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes for an `attached` frame.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Issues a ticket from 12 random bytes.
    #[must_use]
    pub fn issue(&self, now: Time, random: [u8; 12]) -> Ticket {
        let mut ticket = [0; 32];
        ticket[..4].copy_from_slice(&epoch(now).to_be_bytes());
        ticket[4..16].copy_from_slice(&random);
        let tag = mac(&self.0, &[&ticket[..16]]);
        ticket[16..].copy_from_slice(&tag[..16]);
        Ticket(ticket)
    }

    /// Checks a ticket's tag and epoch; whether it was spent is for the finder to know.
    ///
    /// # Errors
    /// `ticket-invalid`.
    pub fn check(&self, ticket: &Ticket, now: Time) -> Result<(), Error> {
        let tag = mac(&self.0, &[&ticket.0[..16]]);
        let genuine: bool = tag[..16].ct_eq(&ticket.0[16..]).into();
        let age = epoch(now).wrapping_sub(ticket.epoch());
        if genuine && age <= 1 { Ok(()) } else { Err(Code::TicketInvalid.into()) }
    }
}

impl Ticket {
    /// The epoch in which the ticket was issued.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(hidden)")
    }
}

impl serde::Serialize for TicketKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::encoding::to_base64url(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for TicketKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        crate::encoding::array_from_base64url(&text).map(Self).map_err(D::Error::custom)
    }
}

/// The ticket epoch of a moment.
#[must_use]
pub const fn epoch(now: Time) -> u32 {
    (now.as_millis() / TICKET_EPOCH) as u32
}

fn mac(key: &[u8; 32], fields: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for field in fields {
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_795_000_000);

    fn key(mailbox: u8) -> TicketKey {
        TicketKey::derive(&[1; 32], &MailboxId([mailbox; 16]))
    }

    #[test]
    fn is_valid_in_its_epoch_and_the_next() {
        let ticket = key(1).issue(NOW, [3; 12]);
        assert!(key(1).check(&ticket, NOW).is_ok());
        assert!(key(1).check(&ticket, NOW + TICKET_EPOCH).is_ok());
        assert_eq!(key(1).check(&ticket, NOW + 2 * TICKET_EPOCH).unwrap_err().code(), Code::TicketInvalid);
        assert_eq!(key(1).check(&ticket, NOW - TICKET_EPOCH).unwrap_err().code(), Code::TicketInvalid);
    }

    #[test]
    fn belongs_to_one_mailbox_and_cannot_be_altered() {
        let ticket = key(1).issue(NOW, [3; 12]);
        assert!(key(2).check(&ticket, NOW).is_err());
        for byte in 0..32 {
            let mut altered = ticket;
            altered.0[byte] ^= 1;
            assert!(key(1).check(&altered, NOW).is_err(), "byte {byte}");
        }
    }
}
