//! Finder frames (protocol section 6).
//!
//! ```text
//! header length (2, big-endian) ‖ header (JSON object with member "t") ‖ body (opaque, may be empty)
//! ```
//! One WebSocket binary message is one frame. Only `find`, `answer` and `more` carry a body; the finder never looks
//! into it.

use crate::defaults::{MAX_FRAME_BYTES, MAX_FRAME_HEADER_BYTES};
use crate::encoding::{byte_string, hash_fields};
use crate::key::{PublicKey, Signature, truncated};
use crate::ticket::{Ticket, TicketKey};
use crate::{Code, Error, json};
use serde::{Deserialize, Serialize};

/// WebSocket subprotocol of version 1.
pub const SUBPROTOCOL: &str = "openpeer.1";

byte_string! {
    /// Where a location can be reached at one finder: a hash of the mailbox public key, 16 bytes.
    MailboxId, 16
}

byte_string! {
    /// A finder's challenge for one connection, 32 bytes.
    Nonce, 32
}

impl MailboxId {
    /// The id of the mailbox that `key` opens.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(truncated(hash_fields("openpeer/mailbox/v1", &[key.as_bytes()])))
    }
}

/// Numbers an exchange on one connection. The seeker chooses its own numbers; towards a location the finder does.
pub type ExchangeId = u32;

/// One frame: header and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the finder reads.
    pub header: Header,
    /// A sealed envelope in `find`, `answer` and `more`, empty in all other frames.
    pub body: Vec<u8>,
}

/// The header of a frame, by its member `t`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Header {
    /// Finder to client, first frame of every connection.
    Hello {
        /// A `hello` document signed by the domain key ([`crate::finder::Hello`]).
        jws: String,
    },
    /// Location to finder: open mailboxes.
    Attach {
        /// The nonce of this connection's `hello`.
        nonce: Nonce,
        /// The mailboxes to open, 1 to 4.
        mailboxes: Vec<MailboxProof>,
    },
    /// Finder to location: the mailboxes are open.
    Attached {
        /// The ticket keys of the location mailboxes, in the order of the attach; guest mailboxes have none.
        tickets: Vec<TicketGrant>,
        /// TURN servers with credentials, for members.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        turn: Vec<TurnServer>,
    },
    /// Seeker to finder, and finder to location: a sealed find or knock.
    Find {
        /// The exchange.
        x: ExchangeId,
        /// The mailbox it is for.
        to: MailboxId,
        /// Admission; only from seeker to finder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<Ticket>,
        /// When the finder took the knock in, seconds since the Unix epoch; only on knocks kept for an absent peer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<u64>,
    },
    /// Finder to seeker: a find without ticket, or a knock, was taken. Says nothing about the mailbox.
    Accepted {
        /// The exchange.
        x: ExchangeId,
    },
    /// Location to finder to seeker: a sealed answer.
    Answer {
        /// The exchange.
        x: ExchangeId,
    },
    /// Either way: a sealed continuation, such as trickled candidates.
    More {
        /// The exchange.
        x: ExchangeId,
    },
    /// Either way: the exchange is over. From a location for a kept knock: it may be deleted.
    Done {
        /// The exchange.
        x: ExchangeId,
    },
    /// Seeker to finder: asks for TURN credentials at the callee's expense.
    Admit {
        /// The mailbox whose owner issued the ticket.
        to: MailboxId,
        /// A ticket that was not used for an `admit` before.
        ticket: Ticket,
    },
    /// Finder to seeker: the credentials.
    Admitted {
        /// TURN servers with credentials.
        turn: Vec<TurnServer>,
    },
    /// Finder to location: another connection opened the same mailboxes. Do not come back by yourself.
    Replaced {},
    /// Finder to client: move to another finder.
    Drain {
        /// Seconds until the finder closes the connection.
        within: u64,
    },
    /// Finder to client: a problem (RFC 9457).
    Error {
        /// The exchange it concerns, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        x: Option<ExchangeId>,
        /// Stable code ([`Code::as_str`]).
        code: String,
        /// HTTP-like status.
        status: u16,
        /// Seconds to wait before trying again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<u64>,
    },
}

/// One mailbox of an attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxProof {
    /// The mailbox public key.
    pub key: PublicKey,
    /// What it is for.
    pub kind: MailboxKind,
    /// Signature by `key` over [`attach_signing_input`].
    pub sig: Signature,
}

/// What a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailboxKind {
    /// One location's own: takes finds; a newer attach replaces an older one.
    Location,
    /// A peer's front door, shared by its locations: takes knocks only and fans out.
    Guest,
}

/// Permission to issue tickets for one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketGrant {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its ticket key at this finder.
    pub key: TicketKey,
}

/// A TURN server with short-lived credentials (the scheme of coturn's `use-auth-secret`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnServer {
    /// `turn:` and `turns:` URLs (RFC 7065).
    pub urls: Vec<String>,
    /// Expiry in Unix seconds, a colon and a random name.
    pub username: String,
    /// Base64 of HMAC-SHA1(shared secret, username).
    pub credential: String,
    /// When the credentials end, seconds since the Unix epoch.
    pub expires: u64,
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { urls, username: _, credential: _, expires } = self;
        f.debug_struct("TurnServer").field("urls", urls).field("expires", expires).finish_non_exhaustive()
    }
}

impl Frame {
    /// A frame without body.
    #[must_use]
    pub const fn bare(header: Header) -> Self {
        Self { header, body: Vec::new() }
    }

    /// An error frame; `retry` in seconds.
    #[must_use]
    pub fn error(x: Option<ExchangeId>, code: Code, retry: Option<u64>) -> Self {
        Self::bare(Header::Error { x, code: code.as_str().to_owned(), status: code.status(), retry })
    }

    /// Encodes the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = json::write(&self.header);
        let length = u16::try_from(header.len()).expect("headers are bounded far below 64 KiB");
        let mut bytes = Vec::with_capacity(2 + header.len() + self.body.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Decodes a frame.
    ///
    /// # Errors
    /// `too-large` above 20 KiB or with a header above 4 KiB; `malformed` otherwise.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(Error::new(Code::TooLarge, "frame above 20 KiB"));
        }
        let (length, rest) = bytes
            .split_first_chunk::<2>()
            .ok_or_else(|| Error::new(Code::Malformed, "frame without header length"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length > MAX_FRAME_HEADER_BYTES {
            return Err(Error::new(Code::TooLarge, "frame header above 4 KiB"));
        }
        let (header, body) = rest
            .split_at_checked(length)
            .ok_or_else(|| Error::new(Code::Malformed, "frame header cut short"))?;
        let header: Header = json::parse(header)?;
        if !body.is_empty() && !header.carries_body() {
            return Err(Error::new(Code::Malformed, "body in a frame that has none"));
        }
        Ok(Self { header, body: body.to_vec() })
    }
}

impl Header {
    const fn carries_body(&self) -> bool {
        matches!(self, Self::Find { .. } | Self::Answer { .. } | Self::More { .. })
    }
}

/// The bytes that each mailbox key signs in an attach: bound to the finder's URL as the client dialled it, so that a
/// finder cannot use another finder's nonce, and to all mailboxes of the attach with their kinds.
#[must_use]
pub fn attach_signing_input(
    finder_url: &str,
    nonce: &Nonce,
    mailboxes: &[(MailboxId, MailboxKind)],
) -> [u8; 32] {
    let list: Vec<u8> = mailboxes
        .iter()
        .flat_map(|(mailbox, kind)| {
            let kind = match kind {
                MailboxKind::Location => 0,
                MailboxKind::Guest => 1,
            };
            mailbox.0.into_iter().chain(std::iter::once(kind))
        })
        .collect();
    hash_fields("openpeer/attach/v1", &[finder_url.as_bytes(), &nonce.0, &list])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_of_a_find() {
        let header = Header::Find { x: 7, to: MailboxId([1; 16]), ticket: None, kept: None };
        let bytes = Frame { header, body: vec![0xAB, 0xCD] }.encode();
        let json = br#"{"t":"find","x":7,"to":"AQEBAQEBAQEBAQEBAQEBAQ"}"#;
        assert_eq!(bytes[..2], (json.len() as u16).to_be_bytes());
        assert_eq!(&bytes[2..2 + json.len()], json);
        assert_eq!(bytes[2 + json.len()..], [0xAB, 0xCD]);
    }

    #[test]
    fn refuses_bad_frames() {
        let bare = |text: &str| {
            let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
            bytes.extend_from_slice(text.as_bytes());
            bytes
        };
        for bytes in [
            vec![],
            vec![0],
            vec![0, 9, b'{'],
            bare("{}"),
            bare(r#"{"t":"unheard"}"#),
            bare(r#"{"t":"done"}"#),
        ] {
            assert_eq!(Frame::decode(&bytes).unwrap_err().code(), Code::Malformed, "{bytes:?}");
        }
        let mut with_body = bare(r#"{"t":"done","x":1}"#);
        with_body.push(0);
        assert_eq!(Frame::decode(&with_body).unwrap_err().code(), Code::Malformed);
        assert_eq!(Frame::decode(&vec![0; MAX_FRAME_BYTES + 1]).unwrap_err().code(), Code::TooLarge);
        assert_eq!(Frame::decode(&[0xFF, 0xFF, 0]).unwrap_err().code(), Code::TooLarge);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn round_trip(x: u32, to: [u8; 16], ticket: Option<[u8; 32]>, body in proptest::collection::vec(any::<u8>(), 0..99)) {
            let header = Header::Find { x, to: MailboxId(to), ticket: ticket.map(Ticket), kept: None };
            let frame = Frame { header, body };
            prop_assert_eq!(Frame::decode(&frame.encode()).unwrap(), frame);
        }
    }
}
