//! Sealing suite `PS1` (protocol section 4): HPKE (RFC 9180) with X-Wing, HKDF-SHA256 and AES-256-GCM for the first
//! message of an exchange, and keys exported from it for everything that follows.
//!
//! ```text
//! envelope = suite (1) ‖ mode (1) ‖ kind (1) ‖ inbox key id (16) ‖ PSK tag (16) ‖ enc (1,120) ‖ ciphertext
//! answer   = random (32) ‖ ciphertext
//! more     = counter (4, big-endian) ‖ ciphertext
//! plaintext = content length (2, big-endian) ‖ content ‖ zeros up to a bucket size
//! ```

mod exchange;

pub use exchange::ExchangeSecret;

use crate::defaults::BUCKETS;
use crate::encoding::{array_from_base64url, byte_string, hash_fields, to_base64url};
use crate::key::{InboxSecret, KeyId, truncated};
use crate::{Code, Error};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable};
use rand_core::CryptoRng;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Suite number of `PS1` in envelopes.
const SUITE: u8 = 1;
const SUITE_NAME: &str = "PS1";
const MODE_BASE: u8 = 0;
const MODE_PSK: u8 = 1;
const PREFIX: usize = 35;
const ENC: usize = 1120;
const PUBLIC_KEY: usize = 1216;
const PSK_ID: &[u8] = b"openpeer/psk/v1";

byte_string! {
    /// Tells a receiver which pre-shared key was used, without telling anybody else: a MAC over the fresh `enc`.
    PskTag, 16
}

/// What an envelope carries; the receiver opens it only as what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnvelopeKind {
    /// A find.
    Find,
    /// A knock.
    Knock,
}

/// An X-Wing public key under which a location or a guest mailbox can be written to, 1,216 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct InboxKey {
    bytes: Box<[u8; PUBLIC_KEY]>,
}

/// A secret that two locations of two contacts agreed on over a link, 32 bytes; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Psk([u8; 32]);

/// A parsed envelope and what it takes to open it: the contents of an *open* command.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenRequest {
    kind: EnvelopeKind,
    recipient: String,
    psk: Option<Psk>,
    envelope: Vec<u8>,
}

/// The result of an *open* command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The content without padding.
    pub content: Vec<u8>,
    /// Keys for the rest of the exchange.
    pub secret: ExchangeSecret,
}

/// Whom an envelope is sealed for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The peer id in text form; it is bound into the key schedule.
    pub peer: &'a str,
    /// The inbox key.
    pub key: &'a InboxKey,
    /// The pre-shared key of two contacts; `None` for strangers.
    pub psk: Option<&'a Psk>,
}

/// Seals the first message of an exchange. Returns the envelope and the keys for the rest of the exchange.
///
/// # Errors
/// `too-large` if the content does not fit the largest bucket, `malformed` if the inbox key is not a valid point.
pub fn seal(
    kind: EnvelopeKind,
    recipient: Recipient<'_>,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, ExchangeSecret), Error> {
    let plaintext = pad(content, &BUCKETS)?;
    let public = <XWing as Kem>::PublicKey::from_bytes(recipient.key.bytes.as_slice())
        .map_err(|_| Error::new(Code::Malformed, "not an X-Wing key"))?;
    let mode = match recipient.psk {
        Some(psk) => OpModeS::Psk(psk_bundle(psk)),
        None => OpModeS::Base,
    };
    let info = info(kind, recipient.peer, recipient.key.id());
    let (enc, mut context) =
        hpke::setup_sender_with_rng::<AesGcm256, HkdfSha256, XWing>(&mode, &public, &info, rng)
            .map_err(|_| Error::new(Code::Malformed, "X-Wing encapsulation failed"))?;
    let enc = enc.to_bytes();
    let mut envelope = prefix(kind, recipient.key.id(), recipient.psk.map(|psk| psk.tag(&enc)));
    let ciphertext = context.seal(&plaintext, &envelope).map_err(|_| Error::from(Code::Internal))?;
    envelope.extend_from_slice(&enc);
    envelope.extend_from_slice(&ciphertext);
    Ok((envelope, ExchangeSecret::export(|label, out| context.export(label, out))))
}

/// Opens an envelope with the private key that it names.
pub(crate) fn open(secret: &InboxSecret, request: &OpenRequest) -> Result<Opened, Error> {
    let private =
        <XWing as Kem>::PrivateKey::from_bytes(secret.expose()).map_err(|_| Error::from(Code::Internal))?;
    let (prefix, rest) = request.envelope.split_at(PREFIX);
    let (enc, ciphertext) = rest.split_at(ENC);
    let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| Error::from(Code::Malformed))?;
    let mode = match &request.psk {
        Some(psk) => OpModeR::Psk(psk_bundle(psk)),
        None => OpModeR::Base,
    };
    let info = info(request.kind, &request.recipient, request.inbox_key());
    let mut context = hpke::setup_receiver::<AesGcm256, HkdfSha256, XWing>(&mode, &private, &enc, &info)
        .map_err(|_| Error::from(Code::Malformed))?;
    let plaintext = context
        .open(ciphertext, prefix)
        .map_err(|_| Error::new(Code::BadSignature, "envelope altered or sealed for somebody else"))?;
    let content = unpad(&plaintext, &BUCKETS)?;
    Ok(Opened { content, secret: ExchangeSecret::export(|label, out| context.export(label, out)) })
}

impl OpenRequest {
    /// Parses an envelope addressed to `recipient` (a peer id in text form). `psks` are tried for the one that an
    /// envelope in PSK mode was sealed with; the index of the matching one is returned beside the request.
    ///
    /// # Errors
    /// `malformed`, `unsupported-version` or `suite-too-old` for foreign envelopes; `not-contact` if an envelope in
    /// PSK mode matches none of the keys.
    pub fn parse<'p>(
        envelope: &[u8],
        recipient: &str,
        psks: impl IntoIterator<Item = &'p Psk>,
    ) -> Result<(Self, Option<usize>), Error> {
        let malformed = |what: &'static str| Error::new(Code::Malformed, what);
        match envelope.first() {
            Some(&SUITE) => {}
            Some(0) | None => return Err(Error::new(Code::SuiteTooOld, "envelope below suite PS1")),
            Some(_) => return Err(Error::new(Code::UnsupportedVersion, "envelope of an unknown suite")),
        }
        let ciphertext =
            envelope.len().checked_sub(PREFIX + ENC + 16).ok_or_else(|| malformed("envelope cut short"))?;
        if !BUCKETS.contains(&ciphertext) {
            return Err(malformed("envelope of a size that is not a bucket"));
        }
        let kind = match envelope[2] {
            1 => EnvelopeKind::Find,
            2 => EnvelopeKind::Knock,
            _ => return Err(malformed("envelope of an unknown kind")),
        };
        let (tag, enc) = (&envelope[19..PREFIX], &envelope[PREFIX..PREFIX + ENC]);
        let matched = match envelope[1] {
            MODE_BASE if tag == [0; 16] => None,
            MODE_PSK => {
                let found = psks.into_iter().enumerate().find(|(_, psk)| psk.tag(enc).0.ct_eq(tag).into());
                Some(found.ok_or_else(|| Error::new(Code::NotContact, "no pre-shared key matches"))?)
            }
            _ => return Err(malformed("envelope of an unknown mode")),
        };
        let psk = matched.map(|(_, psk)| psk.clone());
        let request = Self { kind, recipient: recipient.to_owned(), psk, envelope: envelope.to_vec() };
        Ok((request, matched.map(|(index, _)| index)))
    }

    /// What the envelope claims to carry.
    #[must_use]
    pub const fn kind(&self) -> EnvelopeKind {
        self.kind
    }

    /// The inbox key that opens it.
    #[must_use]
    pub fn inbox_key(&self) -> KeyId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.envelope[3..19]);
        KeyId(id)
    }
}

impl fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, recipient: _, psk: _, envelope } = self;
        f.debug_struct("OpenRequest")
            .field("kind", kind)
            .field("bytes", &envelope.len())
            .finish_non_exhaustive()
    }
}

impl InboxKey {
    /// Names this key in envelopes and documents.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(truncated(hash_fields("openpeer/inbox/v1", &[self.bytes.as_slice()])))
    }
}

impl fmt::Debug for InboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxKey({})", self.id())
    }
}

impl serde::Serialize for InboxKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64url(self.bytes.as_slice()))
    }
}

impl<'de> serde::Deserialize<'de> for InboxKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes: [u8; PUBLIC_KEY] = array_from_base64url(&text).map_err(D::Error::custom)?;
        Ok(Self { bytes: Box::new(bytes) })
    }
}

impl Psk {
    /// From bytes kept on disk.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Agrees on a key from what both ends of a link contributed: their random bytes, peer ids and fingerprints, each
    /// list in ascending order so that both ends compute the same.
    #[must_use]
    pub fn agree(mut random: [[u8; 32]; 2], mut peers: [&str; 2], mut fingerprints: [[u8; 32]; 2]) -> Self {
        random.sort_unstable();
        peers.sort_unstable();
        fingerprints.sort_unstable();
        let bound = hash_fields(
            "openpeer/psk-context/v1",
            &[peers[0].as_bytes(), peers[1].as_bytes(), &fingerprints[0], &fingerprints[1]],
        );
        let mut psk = [0; 32];
        Hkdf::<Sha256>::new(Some(&bound), &random.concat())
            .expand(b"openpeer/psk/v1", &mut psk)
            .expect("32 bytes are a valid HKDF length");
        random.zeroize();
        Self(psk)
    }

    fn tag(&self, enc: &[u8]) -> PskTag {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(b"openpeer/psk-tag/v1");
        mac.update(enc);
        PskTag(truncated(mac.finalize().into_bytes().into()))
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(hidden)")
    }
}

impl serde::Serialize for Psk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64url(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Psk {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        array_from_base64url(&text).map(Self).map_err(D::Error::custom)
    }
}

pub(crate) fn inbox_key_of(secret: &InboxSecret) -> InboxKey {
    let private =
        <XWing as Kem>::PrivateKey::from_bytes(secret.expose()).expect("every 32 bytes are an X-Wing seed");
    let bytes = <XWing as Kem>::sk_to_pk(&private).to_bytes();
    let mut key = Box::new([0; PUBLIC_KEY]);
    key.copy_from_slice(&bytes);
    InboxKey { bytes: key }
}

fn psk_bundle(psk: &Psk) -> PskBundle<'_> {
    PskBundle::new(&psk.0, PSK_ID).expect("key and id are not empty")
}

fn info(kind: EnvelopeKind, recipient: &str, key: KeyId) -> [u8; 32] {
    hash_fields("openpeer/seal/v1", &[SUITE_NAME.as_bytes(), kind.label(), recipient.as_bytes(), &key.0])
}

impl EnvelopeKind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Find => b"find",
            Self::Knock => b"knock",
        }
    }
}

fn prefix(kind: EnvelopeKind, key: KeyId, tag: Option<PskTag>) -> Vec<u8> {
    let kind = match kind {
        EnvelopeKind::Find => 1,
        EnvelopeKind::Knock => 2,
    };
    let mode = if tag.is_some() { MODE_PSK } else { MODE_BASE };
    let mut prefix = vec![SUITE, mode, kind];
    prefix.extend_from_slice(&key.0);
    prefix.extend_from_slice(&tag.map_or([0; 16], |tag| tag.0));
    prefix
}

/// Pads to the smallest bucket that holds the content and its length.
fn pad(content: &[u8], buckets: &[usize]) -> Result<Vec<u8>, Error> {
    let bucket = buckets.iter().find(|bucket| content.len() + 2 <= **bucket);
    let bucket = *bucket.ok_or_else(|| Error::new(Code::TooLarge, "message above the largest bucket"))?;
    let length = u16::try_from(content.len()).expect("buckets are far below 64 KiB");
    let mut plaintext = Vec::with_capacity(bucket);
    plaintext.extend_from_slice(&length.to_be_bytes());
    plaintext.extend_from_slice(content);
    plaintext.resize(bucket, 0);
    Ok(plaintext)
}

/// Takes the padding off; refuses sizes that are no bucket and padding that is not zero.
fn unpad(plaintext: &[u8], buckets: &[usize]) -> Result<Vec<u8>, Error> {
    let malformed = || Error::new(Code::Malformed, "wrong padding");
    if !buckets.contains(&plaintext.len()) {
        return Err(malformed());
    }
    let (length, rest) = plaintext.split_first_chunk::<2>().ok_or_else(malformed)?;
    let (content, padding) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(malformed)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(malformed());
    }
    Ok(content.to_vec())
}

#[cfg(test)]
mod tests;
