//! Strict JWS compact serialisation (RFC 7515, RFC 9864; protocol section 3).

use crate::defaults::MAX_DOCUMENT_BYTES;
use crate::encoding::{array_from_base64url, from_base64url, to_base64url};
use crate::key::{KeyId, PublicKey, Signature};
use crate::{Code, Error, json};
use serde::{Deserialize, Serialize};

/// The protected header: exactly these members, nothing else.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: KeyId,
}

/// The only algorithm: Ed25519 by its fully specified name (RFC 9864), never the polymorphic `EdDSA`.
const ALGORITHM: &str = "Ed25519";

/// A parsed JWS whose signature is not verified yet.
#[derive(Clone, Debug)]
pub struct Jws<'a> {
    key: KeyId,
    payload: Vec<u8>,
    signing_input: &'a str,
    signature: Signature,
}

impl<'a> Jws<'a> {
    /// Parses a compact JWS of exactly the given type.
    ///
    /// # Errors
    /// `too-large` above 64 KiB; `malformed` for anything but three canonical base64url parts with the right header.
    pub fn parse(compact: &'a str, typ: &str) -> Result<Self, Error> {
        if compact.len() > MAX_DOCUMENT_BYTES {
            return Err(Error::new(Code::TooLarge, "JWS above 64 KiB"));
        }
        let malformed = || Error::new(Code::Malformed, "not a compact JWS");
        let (signing_input, signature) = compact.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(malformed)?;
        let header: Header = json::parse(&from_base64url(header)?)?;
        if header.alg != ALGORITHM {
            return Err(Error::new(Code::Malformed, "JWS algorithm is not Ed25519"));
        }
        if header.typ != typ {
            return Err(Error::new(Code::Malformed, format!("JWS type is not {typ}")));
        }
        let payload = from_base64url(payload)?;
        Ok(Self {
            key: header.kid,
            payload,
            signing_input,
            signature: Signature(array_from_base64url(signature)?),
        })
    }

    /// The key id that the header names.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The payload; trust it only after [`Jws::verify`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies that `key` is the named key and signed header and payload.
    ///
    /// # Errors
    /// `bad-signature`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        if key.id() != self.key {
            return Err(Error::new(Code::BadSignature, "signed by another key"));
        }
        key.verify(self.signing_input.as_bytes(), &self.signature)
    }
}

/// The bytes to sign for a payload: encoded header, dot, encoded payload. Appending a dot and the encoded signature
/// gives the compact JWS.
#[must_use]
pub fn signing_input(typ: &str, key: KeyId, payload: &[u8]) -> String {
    let header = Header { alg: ALGORITHM.to_owned(), typ: typ.to_owned(), kid: key };
    format!("{}.{}", to_base64url(&json::write(&header)), to_base64url(payload))
}

/// Completes a signing input to a compact JWS.
pub(crate) fn attach_signature(signing_input: &str, signature: &Signature) -> String {
    format!("{signing_input}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Seed;

    const TYPE: &str = "openpeer-test+jws";

    fn signed(header: &str, payload: &str) -> (String, PublicKey) {
        let seed = Seed::new([5; 32]);
        let header = header.replace("KID", &seed.public_key().id().to_string());
        let input = format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
        let signature = seed.sign(input.as_bytes());
        (attach_signature(&input, &signature), seed.public_key())
    }

    #[test]
    fn round_trip() {
        let seed = Seed::new([5; 32]);
        let input = signing_input(TYPE, seed.public_key().id(), b"{}");
        let compact = attach_signature(&input, &seed.sign(input.as_bytes()));
        let jws = Jws::parse(&compact, TYPE).unwrap();
        jws.verify(&seed.public_key()).unwrap();
        assert_eq!(jws.payload(), b"{}");
        assert_eq!(jws.verify(&Seed::new([6; 32]).public_key()).unwrap_err().code(), Code::BadSignature);
    }

    #[test]
    fn refuses_every_other_header() {
        for header in [
            r#"{"alg":"EdDSA","typ":"openpeer-test+jws","kid":"KID"}"#,
            r#"{"alg":"none","typ":"openpeer-test+jws","kid":"KID"}"#,
            r#"{"alg":"HS256","typ":"openpeer-test+jws","kid":"KID"}"#,
            r#"{"alg":"Ed25519","typ":"openpeer-other+jws","kid":"KID"}"#,
            r#"{"alg":"Ed25519","typ":"application/openpeer-test+jws","kid":"KID"}"#,
            r#"{"alg":"Ed25519","typ":"openpeer-test+jws"}"#,
            r#"{"alg":"Ed25519","kid":"KID"}"#,
            r#"{"alg":"Ed25519","typ":"openpeer-test+jws","kid":"KID","crit":[]}"#,
            r#"{"alg":"Ed25519","typ":"openpeer-test+jws","kid":"KID","jwk":{}}"#,
            r#"{"alg":"Ed25519","alg":"Ed25519","typ":"openpeer-test+jws","kid":"KID"}"#,
        ] {
            let (compact, _) = signed(header, "{}");
            assert_eq!(Jws::parse(&compact, TYPE).unwrap_err().code(), Code::Malformed, "{header}");
        }
    }

    #[test]
    fn refuses_malleable_encodings() {
        let (compact, key) = signed(r#"{"alg":"Ed25519","typ":"openpeer-test+jws","kid":"KID"}"#, "{}");
        Jws::parse(&compact, TYPE).unwrap().verify(&key).unwrap();
        let last = compact.pop_last();
        let others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for other in others.chars().filter(|c| *c != last.1) {
            let altered = format!("{}{other}", last.0);
            let verdict = Jws::parse(&altered, TYPE).and_then(|jws| jws.verify(&key));
            assert!(verdict.is_err(), "last character {other}");
        }
        for altered in
            [format!("{compact}="), format!("{compact}."), format!(" {compact}"), compact.replace('.', "")]
        {
            assert!(Jws::parse(&altered, TYPE).is_err());
        }
    }

    trait PopLast {
        fn pop_last(&self) -> (&str, char);
    }
    impl PopLast for String {
        fn pop_last(&self) -> (&str, char) {
            (&self[..self.len() - 1], self.chars().last().unwrap())
        }
    }
}
