//! STUN binding over UDP (RFC 8489), what [`respond`] decides, and the socket loop around it.
//!
//! The codec is our own, unlike the link's: this one faces the whole Internet. It is a screenful, allocates nothing, logs
//! nothing, and answers nothing but well-formed binding requests. Tests compare it with an independent implementation.

use crate::clock::Clock;
use crate::defaults::{MAX_TRACKED_SOURCES, STUN_MAX_REQUEST, STUN_RATE};
use crate::metrics::Metrics;
use crate::rate::RateLimit;
use crate::source::source_of;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;

/// Answers until the task is dropped. Errors of single datagrams, such as a full send queue, are the sender's loss: it
/// will ask again.
pub(crate) async fn serve(socket: UdpSocket, clock: Clock, metrics: Arc<Metrics>) {
    let mut limit = RateLimit::new(STUN_RATE.0, 1000, STUN_RATE.1, MAX_TRACKED_SOURCES);
    // One byte more than is looked at, so that longer datagrams are told from those that just fit.
    let mut request = [0; STUN_MAX_REQUEST + 1];
    loop {
        // Linux reports ICMP errors for earlier answers here; they say nothing about the next request.
        let Ok((length, from)) = socket.recv_from(&mut request).await else { continue };
        metrics.stun.bytes_in.inc_by(length as u64);
        let Some(answer) = respond(&request[..length], from) else {
            metrics.stun_ignored.inc();
            continue;
        };
        if limit.take(source_of(from.ip()), clock.now()).is_err() {
            metrics.stun_limited.inc();
            continue;
        }
        if let Ok(sent) = socket.try_send_to(answer.bytes(), from) {
            metrics.stun.bytes_out.inc_by(sent as u64);
            metrics.stun_answers.inc();
        }
    }
}

// RFC 8489 section 5:
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |0 0|     STUN Message Type     |         Message Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                         Magic Cookie                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                     Transaction ID (96 bits)                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const MAGIC_COOKIE: u32 = 0x2112_A442;

// Attributes: type (2), length of the value (2), value, padding to four bytes.
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
/// Attributes from here on may be ignored by whoever does not know them.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;
/// Comprehension-required attributes that a server without authentication may ignore (RFC 8489 sections 9.1.3 and 14.5
/// to 14.10): USERNAME, MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, REALM, NONCE.
const IGNORED: [u16; 5] = [0x0006, 0x0008, 0x001C, 0x0014, 0x0015];
/// Unknown attributes that an error lists at most, so that it never gets long.
const MAX_LISTED: usize = 4;

/// An IPv6 address and a fingerprint, the longest answer.
const MAX_ANSWER: usize = HEADER + 24 + 8;

/// A message on its way out.
struct Answer {
    bytes: [u8; MAX_ANSWER],
    length: usize,
}

/// The answer to a datagram, or `None` for everything that is not a well-formed binding request. An answer has at most
/// 2.2 times the bytes of its request.
fn respond(request: &[u8], from: SocketAddr) -> Option<Answer> {
    let attributes = check_header(request)?;
    let (mut unknown, mut listed) = ([0; MAX_LISTED], 0);
    let mut with_fingerprint = false;
    let mut rest = attributes;
    while !rest.is_empty() {
        let (kind, value, after) = split_attribute(rest)?;
        if kind == FINGERPRINT {
            let start = request.len() - rest.len();
            check_fingerprint(&request[..start], value, after)?;
            with_fingerprint = true;
        } else if kind < COMPREHENSION_OPTIONAL && !IGNORED.contains(&kind) && listed < MAX_LISTED {
            unknown[listed] = kind;
            listed += 1;
        }
        rest = after;
    }
    let mut answer = if listed == 0 {
        Answer::mapped_address(request, from)
    } else {
        Answer::unknown_attributes(request, &unknown[..listed])
    };
    if with_fingerprint {
        answer.push_fingerprint();
    }
    Some(answer)
}

fn check_header(request: &[u8]) -> Option<&[u8]> {
    if request.len() > STUN_MAX_REQUEST {
        return None;
    }
    let (header, attributes) = request.split_at_checked(HEADER)?;
    let well_formed = header[..2] == BINDING_REQUEST.to_be_bytes()
        && header[2..4] == u16::try_from(attributes.len()).ok()?.to_be_bytes()
        && header[4..8] == MAGIC_COOKIE.to_be_bytes();
    well_formed.then_some(attributes)
}

/// The first attribute's type and value, and the attributes after it.
fn split_attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = attributes.split_first_chunk::<4>()?;
    let kind = u16::from_be_bytes([head[0], head[1]]);
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let (padded, after) = rest.split_at_checked(length.next_multiple_of(4))?;
    Some((kind, &padded[..length], after))
}

/// A wrong fingerprint means that the datagram belongs to another protocol (RFC 8489 section 14.7).
fn check_fingerprint(before: &[u8], value: &[u8], after: &[u8]) -> Option<()> {
    (after.is_empty() && *value == fingerprint(before).to_be_bytes()).then_some(())
}

/// CRC-32 over the message up to the attribute, "XOR'ed with the 32-bit value 0x5354554e".
fn fingerprint(message: &[u8]) -> u32 {
    crc32fast::hash(message) ^ 0x5354_554E
}

impl Answer {
    fn new(kind: u16, request: &[u8]) -> Self {
        let mut bytes = [0; MAX_ANSWER];
        bytes[..2].copy_from_slice(&kind.to_be_bytes());
        bytes[4..HEADER].copy_from_slice(&request[4..HEADER]);
        Self { bytes, length: HEADER }
    }

    // RFC 8489 section 14.2: zero (1), family (1), port, address; the last two XORed with cookie and transaction id.
    fn mapped_address(request: &[u8], from: SocketAddr) -> Self {
        let mut answer = Self::new(BINDING_SUCCESS, request);
        let (mut value, length) = ([0; 20], if from.ip().to_canonical().is_ipv4() { 8 } else { 20 });
        value[1] = if length == 8 { 1 } else { 2 };
        value[2..4].copy_from_slice(&from.port().to_be_bytes());
        match from.ip().to_canonical() {
            IpAddr::V4(v4) => value[4..8].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => value[4..].copy_from_slice(&v6.octets()),
        }
        value[2] ^= request[4];
        value[3] ^= request[5];
        value[4..].iter_mut().zip(&request[4..HEADER]).for_each(|(byte, mask)| *byte ^= mask);
        answer.push(XOR_MAPPED_ADDRESS, &value[..length]);
        answer
    }

    /// Error 420 with an empty reason (RFC 8489 sections 14.8 and 14.9).
    fn unknown_attributes(request: &[u8], unknown: &[u16]) -> Self {
        let mut answer = Self::new(BINDING_ERROR, request);
        answer.push(ERROR_CODE, &[0, 0, 4, 20]);
        let mut list = [0; 2 * MAX_LISTED];
        list.chunks_exact_mut(2)
            .zip(unknown)
            .for_each(|(slot, kind)| slot.copy_from_slice(&kind.to_be_bytes()));
        answer.push(UNKNOWN_ATTRIBUTES, &list[..2 * unknown.len()]);
        answer
    }

    fn push_fingerprint(&mut self) {
        self.set_length(self.length - HEADER + 8);
        let value = fingerprint(self.bytes());
        self.push(FINGERPRINT, &value.to_be_bytes());
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let attribute = &mut self.bytes[self.length..];
        attribute[..2].copy_from_slice(&kind.to_be_bytes());
        attribute[2..4].copy_from_slice(&(value.len() as u16).to_be_bytes());
        attribute[4..4 + value.len()].copy_from_slice(value);
        self.length += 4 + value.len().next_multiple_of(4);
        self.set_length(self.length - HEADER);
    }

    const fn set_length(&mut self, length: usize) {
        [self.bytes[2], self.bytes[3]] = (length as u16).to_be_bytes();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stun_types::attribute::{AttributeStaticType, AttributeType, RawAttribute};
    use stun_types::attribute::{
        ErrorCode, Fingerprint, Software, UnknownAttributes, Username, XorMappedAddress,
    };
    use stun_types::message::{BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec};

    const V4: &str = "192.0.2.7:54321";
    const V6: &str = "[2001:db8::7]:54321";

    fn ask(request: &[u8], from: &str) -> Option<Vec<u8>> {
        respond(request, from.parse().unwrap()).map(|answer| answer.bytes().to_vec())
    }

    fn request(build: impl FnOnce(&mut MessageWriteVec)) -> Vec<u8> {
        let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
        build(&mut message);
        message.finish()
    }

    /// RFC 8489 defers to the vectors of RFC 5769; section 2.2 there is a binding response from 192.0.2.1:32853.
    #[test]
    fn known_mapped_address() {
        let mut request = [0; HEADER];
        request[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42]);
        request[8..]
            .copy_from_slice(&[0xB7, 0xE7, 0xA7, 0x01, 0xBC, 0x34, 0xD6, 0x86, 0xFA, 0x87, 0xDF, 0xAE]);
        let answer = ask(&request, "192.0.2.1:32853").unwrap();
        assert_eq!(answer[HEADER..], [0, 0x20, 0, 8, 0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43]);
        assert_eq!(
            ask(&request, "[::ffff:192.0.2.1]:32853").unwrap(),
            answer,
            "IPv4 seen through an IPv6 socket"
        );
        let answer = ask(&request, "[2001:db8:1234:5678:11:2233:4455:6677]:32853").unwrap();
        let expected = [
            0, 0x14, 0, 2, 0xA1, 0x47, 0x01, 0x13, 0xA9, 0xFA, 0xA5, 0xD3, 0xF1, 0x79, 0xBC, 0x25, 0xF4,
            0xB5, 0xBE, 0xD2, 0xB9, 0xD9,
        ];
        assert_eq!(answer[HEADER + 2..], expected);
    }

    #[test]
    fn another_implementation_understands_the_answers() {
        for from in [V4, V6] {
            for fingerprint in [false, true] {
                let request = request(|message| {
                    if fingerprint {
                        message.add_fingerprint().unwrap();
                    }
                });
                let answer = ask(&request, from).unwrap();
                assert!(answer.len() * 10 <= request.len() * 22, "{} for {}", answer.len(), request.len());
                let (request, answer) =
                    (Message::from_bytes(&request).unwrap(), Message::from_bytes(&answer).unwrap());
                assert_eq!(answer.transaction_id(), request.transaction_id());
                let mapped = answer.attribute::<XorMappedAddress>().unwrap().addr(answer.transaction_id());
                assert_eq!(mapped, from.parse().unwrap());
                assert_eq!(answer.has_attribute(Fingerprint::TYPE), fingerprint);
                assert!(!answer.has_attribute(Software::TYPE));
            }
        }
    }

    #[test]
    fn unknown_required_attributes_are_named() {
        let kinds: Vec<AttributeType> = (0x7F00..0x7F06).map(AttributeType::new).collect();
        for count in 1..=kinds.len() {
            let request = request(|message| {
                message.add_attribute(&Username::new("u").unwrap()).unwrap();
                kinds[..count]
                    .iter()
                    .for_each(|kind| message.add_attribute(&RawAttribute::new(*kind, &[])).unwrap());
                message.add_fingerprint().unwrap();
            });
            let answer = ask(&request, V6).unwrap();
            assert!(answer.len() * 10 <= request.len() * 22);
            let answer = Message::from_bytes(&answer).unwrap();
            assert_eq!(answer.attribute::<ErrorCode>().unwrap().code(), 420);
            let unknown = answer.attribute::<UnknownAttributes>().unwrap();
            assert!(kinds[..count.min(MAX_LISTED)].iter().all(|kind| unknown.has_attribute(*kind)));
            assert!(!unknown.has_attribute(Username::TYPE));
        }
    }

    #[test]
    fn is_silent_to_everything_else() {
        let good = request(|message| message.add_fingerprint().unwrap());
        assert!(ask(&good, V4).is_some());
        assert!(ask(&[], V4).is_none());
        assert!((0..good.len()).all(|end| ask(&good[..end], V4).is_none()), "truncated");
        for byte in (0..8).chain(HEADER + 2..good.len()) {
            let mut altered = good.clone();
            altered[byte] ^= 0x10;
            assert!(ask(&altered, V4).is_none(), "byte {byte}");
        }
        let mut long =
            request(|message| message.add_attribute(&RawAttribute::new(0x8FFF.into(), &[0; 600])).unwrap());
        assert!(ask(&long, V4).is_none(), "too long");
        long.push(0);
        assert!(ask(&long, V4).is_none());
        let answer = ask(&good, V4).unwrap();
        assert!(
            ask(&answer, V4).is_none(),
            "answers are not answered: two servers cannot be set on each other"
        );
    }
}
