//! The derivations and the sealing once more, written from `docs/protocol.md` on plain primitives and without the
//! core. It shows values that the core never shows, and disagrees loudly if text and code part.

use aes_gcm::aead::{Aead, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, PskBundle};
use sha2::{Digest, Sha256};

/// `H(label, f1, f2, …)` of the protocol's conventions.
pub(crate) fn hash(label: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for field in [&[label.as_bytes()], fields].concat() {
        bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    Sha256::digest(&bytes).into()
}

/// The first 16 bytes of `H`.
pub(crate) fn short_hash(label: &str, fields: &[&[u8]]) -> [u8; 16] {
    hash(label, fields)[..16].try_into().unwrap()
}

pub(crate) fn hkdf<const N: usize>(salt: Option<&[u8]>, ikm: &[u8], info: &[u8]) -> [u8; N] {
    let mut output = [0; N];
    Hkdf::<Sha256>::new(salt, ikm).expand(info, &mut output).unwrap();
    output
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Section 3.3: keys derived from a seed.
pub(crate) fn derived_seed(seed: &[u8; 32], label: &str, context: &[u8]) -> [u8; 32] {
    hkdf(None, seed, &[label.as_bytes(), &[0], context].concat())
}

/// Section 3.2: the root seed that signs chain statement `number`.
pub(crate) fn recovery_seed(code: &[u8; 16], salt: &[u8; 16], number: u64) -> [u8; 32] {
    hkdf(Some(salt), code, &[b"openpeer/recovery/v1".as_slice(), &number.to_be_bytes()].concat())
}

/// Section 4: what both ends of a link agree on.
pub(crate) fn psk(random: [[u8; 32]; 2], peers: [&str; 2], fingerprints: [[u8; 32]; 2]) -> [u8; 32] {
    let (mut random, mut peers, mut fingerprints) = (random, peers, fingerprints);
    random.sort_unstable();
    peers.sort_unstable();
    fingerprints.sort_unstable();
    let fields = [peers[0].as_bytes(), peers[1].as_bytes(), &fingerprints[0], &fingerprints[1]];
    let context = hash("openpeer/psk-context/v1", &fields);
    hkdf(Some(&context), &random.concat(), b"openpeer/psk/v1")
}

/// Section 4: the tag by which a receiver finds the pre-shared key.
pub(crate) fn psk_tag(psk: &[u8; 32], enc: &[u8]) -> [u8; 16] {
    hmac(psk, &[b"openpeer/psk-tag/v1", enc].concat())[..16].try_into().unwrap()
}

/// The parts of an envelope.
pub(crate) struct Envelope<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) inbox: &'a [u8],
    pub(crate) tag: &'a [u8],
    pub(crate) enc: &'a [u8],
    pub(crate) ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(crate) fn split(bytes: &'a [u8]) -> Self {
        let (prefix, rest) = bytes.split_at(35);
        let (enc, ciphertext) = rest.split_at(1120);
        Self { prefix, kind: prefix[2], inbox: &prefix[3..19], tag: &prefix[19..35], enc, ciphertext }
    }

    /// HPKE's `info`.
    pub(crate) fn info(&self, recipient: &str) -> [u8; 32] {
        let kind: &[u8] = if self.kind == 1 { b"find" } else { b"knock" };
        hash("openpeer/seal/v1", &[b"PS1", kind, recipient.as_bytes(), self.inbox])
    }

    /// Opens it: plaintext with padding, and the secret of the exchange.
    pub(crate) fn open(
        &self,
        recipient: &str,
        secret: &[u8; 32],
        psk: Option<&[u8; 32]>,
    ) -> (Vec<u8>, [u8; 32]) {
        let private = <XWing as Kem>::PrivateKey::from_bytes(secret).unwrap();
        let enc = <XWing as Kem>::EncappedKey::from_bytes(self.enc).unwrap();
        let mode = match psk {
            Some(psk) => OpModeR::Psk(PskBundle::new(psk, b"openpeer/psk/v1").unwrap()),
            None => OpModeR::Base,
        };
        let info = self.info(recipient);
        let mut context =
            hpke::setup_receiver::<AesGcm256, HkdfSha256, XWing>(&mode, &private, &enc, &info).unwrap();
        let plaintext = context.open(self.ciphertext, self.prefix).unwrap();
        let mut exchange = [0; 32];
        context.export(b"openpeer/exchange/v1", &mut exchange).unwrap();
        (plaintext, exchange)
    }
}

/// One direction of an exchange, after its find.
pub(crate) struct Direction {
    pub(crate) label: &'static str,
    pub(crate) salt: [u8; 32],
    pub(crate) key: [u8; 32],
    pub(crate) nonce: [u8; 12],
}

impl Direction {
    pub(crate) fn to_callee(exchange: &[u8; 32]) -> Self {
        Self::new(exchange, "openpeer/to-callee/v1", [0; 32])
    }

    pub(crate) fn to_seeker(exchange: &[u8; 32], salt: [u8; 32]) -> Self {
        Self::new(exchange, "openpeer/to-seeker/v1", salt)
    }

    fn new(exchange: &[u8; 32], label: &'static str, salt: [u8; 32]) -> Self {
        let output: [u8; 44] = hkdf(Some(&salt), exchange, label.as_bytes());
        let (key, nonce) = output.split_at(32);
        Self { label, salt, key: key.try_into().unwrap(), nonce: nonce.try_into().unwrap() }
    }

    /// The nonce of a message.
    pub(crate) fn nonce(&self, counter: u32) -> [u8; 12] {
        let mut nonce = self.nonce;
        for (byte, count) in nonce[8..].iter_mut().zip(counter.to_be_bytes()) {
            *byte ^= count;
        }
        nonce
    }

    pub(crate) fn aad(&self, counter: u32) -> Vec<u8> {
        [self.label.as_bytes(), &counter.to_be_bytes()].concat()
    }

    /// Opens a message: plaintext with padding.
    pub(crate) fn open(&self, counter: u32, ciphertext: &[u8]) -> Vec<u8> {
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(self.key));
        let payload = Payload { msg: ciphertext, aad: &self.aad(counter) };
        cipher.decrypt(&Nonce::from(self.nonce(counter)), payload).unwrap()
    }
}

/// Takes the padding off.
pub(crate) fn content(plaintext: &[u8]) -> &[u8] {
    let (length, rest) = plaintext.split_first_chunk::<2>().unwrap();
    &rest[..usize::from(u16::from_be_bytes(*length))]
}

/// Section 6: what the mailbox keys of an attach sign.
pub(crate) fn attach_input(finder: &str, nonce: &[u8; 32], mailboxes: &[([u8; 16], u8)]) -> [u8; 32] {
    let list: Vec<u8> =
        mailboxes.iter().flat_map(|(mailbox, kind)| mailbox.iter().copied().chain([*kind])).collect();
    hash("openpeer/attach/v1", &[finder.as_bytes(), nonce, &list])
}

/// Section 6: the ticket key of a mailbox.
pub(crate) fn ticket_key(finder_secret: &[u8; 32], mailbox: &[u8; 16]) -> [u8; 32] {
    hmac(finder_secret, &[b"openpeer/ticket/v1".as_slice(), mailbox].concat())
}

/// Section 6: a ticket.
pub(crate) fn ticket(key: &[u8; 32], epoch: u32, random: &[u8; 12]) -> [u8; 32] {
    let head = [epoch.to_be_bytes().as_slice(), random].concat();
    [head.clone(), hmac(key, &head)[..16].to_vec()].concat().try_into().unwrap()
}

/// Section 8: the digits of one peer id in a safety number.
pub(crate) fn safety_half(peer: &[u8; 32]) -> String {
    let mut hash_of_rounds = *peer;
    for _ in 0..5_000 {
        hash_of_rounds = hash("openpeer/safety-number/v1", &[&hash_of_rounds, peer]);
    }
    let group = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number * 256 + u64::from(*byte));
    hash_of_rounds.chunks(5).take(6).map(|bytes| format!("{:05}", group(bytes) % 100_000)).collect()
}
