//! The strict JSON profile (protocol section 3): I-JSON (RFC 7493) without floating point, bounded depth and size.

use crate::defaults::{MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH};
use crate::{Code, Error};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Largest integer that every JSON implementation keeps exactly.
const MAX_INTEGER: u64 = 1 << 53;

/// Parses a JSON text under the strict profile. Unknown members are ignored, duplicates are not.
///
/// # Errors
/// `too-large` above 64 KiB; `malformed` for anything outside the profile or not of the shape of `T`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::new(Code::TooLarge, "JSON text above 64 KiB"));
    }
    let mut scan = serde_json::Deserializer::from_slice(bytes);
    Strict { depth: MAX_JSON_DEPTH }.deserialize(&mut scan).and_then(|()| scan.end()).map_err(malformed)?;
    serde_json::from_slice(bytes).map_err(malformed)
}

/// Writes a value as JSON, members in the order of declaration.
pub(crate) fn write<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("protocol types have string keys and no failing serialisers")
}

fn malformed(error: serde_json::Error) -> Error {
    Error::new(Code::Malformed, format!("JSON: {error}"))
}

/// Walks a JSON value and refuses what the profile forbids, keeping nothing.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the strict JSON profile")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        if value > MAX_INTEGER { Err(E::custom("integer above 2^53")) } else { Ok(()) }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        if value.unsigned_abs() > MAX_INTEGER { Err(E::custom("integer below -2^53")) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deeply"))?;
        while sequence.next_element_seed(Self { depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deeply"))?;
        let mut members = BTreeSet::new();
        while let Some(member) = map.next_key::<String>()? {
            if !members.insert(member) {
                return Err(A::Error::custom("duplicate member"));
            }
            map.next_value_seed(Self { depth })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn refuses_what_the_profile_forbids() {
        let deep = format!("{}{}", "[".repeat(MAX_JSON_DEPTH + 1), "]".repeat(MAX_JSON_DEPTH + 1));
        for (text, why) in [
            (r#"{"a":1,"a":1}"#, "duplicate"),
            (r#"{"x":{"\u0061":1,"a":2}}"#, "duplicate after unescaping"),
            ("1.5", "fraction"),
            ("1e3", "exponent"),
            ("9007199254740993", "above 2^53"),
            ("-9007199254740993", "below -2^53"),
            (r#"{"a":1}x"#, "trailing bytes"),
            ("\u{feff}{}", "byte order mark"),
            (&deep, "depth"),
        ] {
            assert_eq!(parse::<Value>(text.as_bytes()).unwrap_err().code(), Code::Malformed, "{why}");
        }
        let huge = format!("\"{}\"", "a".repeat(MAX_DOCUMENT_BYTES));
        assert_eq!(parse::<Value>(huge.as_bytes()).unwrap_err().code(), Code::TooLarge);
    }

    #[test]
    fn accepts_the_edges() {
        let deep = format!("{}{}", "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
        for text in ["9007199254740992", "-9007199254740992", r#"{"a":[{"a":1},{"a":2}]}"#, &deep] {
            parse::<Value>(text.as_bytes()).unwrap();
        }
    }
}
