//! Text forms of bytes and hashes over several fields (protocol section 3).

use crate::{Code, Error};
use data_encoding::{BASE64URL_NOPAD, Encoding, Specification};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Canonical base64url without padding (RFC 4648 section 5).
#[must_use]
pub fn to_base64url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Decodes canonical base64url; refuses padding, white space and non-zero trailing bits.
///
/// # Errors
/// `malformed` for anything that re-encoding would not give back exactly.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, Error> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Error::new(Code::Malformed, "not canonical base64url"))
}

/// Decodes canonical base64url of exactly `N` bytes.
///
/// # Errors
/// `malformed` for other lengths or non-canonical text.
pub fn array_from_base64url<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    from_base64url(text)?.try_into().map_err(|_| Error::new(Code::Malformed, "wrong length"))
}

/// Lower-case base32 (RFC 4648 section 6 alphabet) without padding, used for peer ids; decoding takes either case.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.translate.from.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification.translate.to.push_str("abcdefghijklmnopqrstuvwxyz");
    specification.encoding().expect("the alphabet has 32 distinct symbols")
});

pub(crate) fn to_base32(bytes: &[u8]) -> String {
    BASE32.encode(bytes)
}

pub(crate) fn from_base32(text: &str) -> Result<Vec<u8>, Error> {
    BASE32.decode(text.as_bytes()).map_err(|_| Error::new(Code::Malformed, "not base32"))
}

/// SHA-256 over a label and fields, each preceded by its length as a 64-bit big-endian number, so that no two
/// different lists of fields hash alike.
#[must_use]
pub fn hash_fields(label: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in std::iter::once(label.as_bytes()).chain(fields.iter().copied()) {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

/// Declares a fixed-size byte string that is written as base64url in JSON.
macro_rules! byte_string {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Decodes the base64url form.
            ///
            /// # Errors
            /// `malformed` if the text is not canonical base64url of the right length.
            pub fn from_text(text: &str) -> Result<Self, $crate::Error> {
                $crate::encoding::array_from_base64url(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::encoding::to_base64url(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_text(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use byte_string;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_every_other_spelling_of_the_same_bytes() {
        assert_eq!(from_base64url("AQ").unwrap(), [1]);
        for other in ["AR", "AQ==", "AQ ", " AQ", "AQ\n", "A", "AQ+", "AQ/"] {
            assert_eq!(from_base64url(other).unwrap_err().code(), Code::Malformed, "{other:?}");
        }
    }

    #[test]
    fn field_boundaries_matter() {
        assert_ne!(hash_fields("l", &[b"ab", b"c"]), hash_fields("l", &[b"a", b"bc"]));
        assert_ne!(hash_fields("l", &[b"a"]), hash_fields("la", &[]));
    }
}
