//! The messages of the channel protocol `file`: one byte that says what it is, then its content.
//!
//! ```text
//! 1 offer      sender → receiver   JSON {"v": 1, "name": text, "size": bytes}
//! 2 accept     receiver → sender   nothing
//! 3 decline    receiver → sender   JSON {"code": text}
//! 4 data       sender → receiver   1 to 65,535 bytes of the file
//! 5 end        sender → receiver   SHA-256 of the file, 32 bytes
//! 6 received   receiver → sender   nothing: the hash is right and the file is in its place
//! 7 abort      both                JSON {"code": text}
//! ```

use crate::defaults::{CHUNK_BYTES, MAX_CODE_BYTES, MAX_FILE_BYTES, MAX_FILE_NAME_BYTES, MAX_NOTE_BYTES};
use serde::{Deserialize, Serialize};

/// The version that this program speaks.
const VERSION: u64 = 1;

/// A message of either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Offer(Offer),
    Accept,
    Decline(Reason),
    Data(Vec<u8>),
    End([u8; 32]),
    Received,
    Abort(Reason),
}

/// What the sender has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    v: u64,
    /// The file's name as the sender calls it; never used as a path.
    pub(crate) name: String,
    /// Bytes, at most 2^53.
    pub(crate) size: u64,
}

/// Why a transfer does not take place, or ends early: a code of `docs/channels.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) code: String,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("a message that is not of the file protocol: the other program has a defect")]
    Malformed,
    #[error("a later version of the file protocol: update this program")]
    UnsupportedVersion,
}

impl Offer {
    pub(crate) const fn new(name: String, size: u64) -> Self {
        Self { v: VERSION, name, size }
    }

    const fn has_limits_kept(&self) -> bool {
        self.name.len() <= MAX_FILE_NAME_BYTES && self.size <= MAX_FILE_BYTES
    }
}

impl Reason {
    pub(super) fn new(code: &str) -> Self {
        Self { code: code.to_owned() }
    }
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Offer(offer) => with_json(1, offer),
            Self::Accept => vec![2],
            Self::Decline(reason) => with_json(3, reason),
            Self::Data(bytes) => with_bytes(4, bytes),
            Self::End(hash) => with_bytes(5, hash),
            Self::Received => vec![6],
            Self::Abort(reason) => with_json(7, reason),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let (kind, content) = bytes.split_first().ok_or(MessageError::Malformed)?;
        match (kind, content) {
            (1, json) => offer(json).map(Self::Offer),
            (2, []) => Ok(Self::Accept),
            (3, json) => reason(json).map(Self::Decline),
            (4, data) if (1..=CHUNK_BYTES).contains(&data.len()) => Ok(Self::Data(data.to_vec())),
            (5, hash) => hash.try_into().map(Self::End).map_err(|_| MessageError::Malformed),
            (6, []) => Ok(Self::Received),
            (7, json) => reason(json).map(Self::Abort),
            _ => Err(MessageError::Malformed),
        }
    }
}

fn offer(json: &[u8]) -> Result<Offer, MessageError> {
    /// The version comes first, whatever else a later one may hold.
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    if from_json::<Versioned>(json)?.v != VERSION {
        return Err(MessageError::UnsupportedVersion);
    }
    let offer: Offer = from_json(json)?;
    if offer.has_limits_kept() { Ok(offer) } else { Err(MessageError::Malformed) }
}

fn reason(json: &[u8]) -> Result<Reason, MessageError> {
    let reason: Reason = from_json(json)?;
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let valid = reason.code.len() <= MAX_CODE_BYTES && reason.code.bytes().all(is_code);
    if valid { Ok(reason) } else { Err(MessageError::Malformed) }
}

fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, MessageError> {
    if json.len() > MAX_NOTE_BYTES {
        return Err(MessageError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| MessageError::Malformed)
}

fn with_json(kind: u8, content: &impl Serialize) -> Vec<u8> {
    with_bytes(kind, &serde_json::to_vec(content).expect("texts and numbers can be written as JSON"))
}

fn with_bytes(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + content.len());
    message.push(kind);
    message.extend_from_slice(content);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_wire() {
        for message in [
            Message::Offer(Offer::new("a ünï.txt".to_owned(), MAX_FILE_BYTES)),
            Message::Accept,
            Message::Decline(Reason::new("declined")),
            Message::Data(vec![0; CHUNK_BYTES]),
            Message::End([7; 32]),
            Message::Received,
            Message::Abort(Reason::new("hash-mismatch")),
        ] {
            assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
        let longest = Offer::new("\u{1}".repeat(MAX_FILE_NAME_BYTES), 0);
        assert!(Message::decode(&Message::Offer(longest).encode()).is_ok());
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let offer = Message::Offer(Offer::new("n".to_owned(), 5)).encode();
        assert_eq!(offer, [&[1], &br#"{"v":1,"name":"n","size":5}"#[..]].concat());
        assert_eq!(Message::Abort(Reason::new("x")).encode(), [&[7], &br#"{"code":"x"}"#[..]].concat());
        assert_eq!(Message::Data(vec![9]).encode(), [4, 9]);
    }

    #[test]
    fn refuses_everything_else() {
        let long_name = Offer::new("n".repeat(MAX_FILE_NAME_BYTES + 1), 0);
        let large = Offer::new("n".to_owned(), MAX_FILE_BYTES + 1);
        for bytes in [
            Vec::new(),
            vec![0],
            vec![8],
            vec![2, 0],
            vec![6, 0],
            vec![4],
            [vec![4], vec![0; CHUNK_BYTES + 1]].concat(),
            [vec![5], vec![0; 31]].concat(),
            b"\x01{".to_vec(),
            b"\x01{}".to_vec(),
            b"\x01{\"v\":1,\"name\":\"n\",\"size\":-1}".to_vec(),
            b"\x03{\"code\":\"\\u001b[2J\"}".to_vec(),
            Message::Abort(Reason::new(&"x".repeat(MAX_CODE_BYTES + 1))).encode(),
            Message::Offer(long_name).encode(),
            Message::Offer(large).encode(),
            [b"\x01{\"v\":1,\"name\":\"n\",\"size\":1}".to_vec(), vec![b' '; MAX_NOTE_BYTES]].concat(),
        ] {
            assert_eq!(Message::decode(&bytes), Err(MessageError::Malformed), "{bytes:?}");
        }
        assert_eq!(Message::decode(b"\x01{\"v\":2,\"x\":0}"), Err(MessageError::UnsupportedVersion));
    }
}
