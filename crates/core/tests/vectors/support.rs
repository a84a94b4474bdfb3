use openpeer_core::document::Chain;
use openpeer_core::key::{PublicKey, Seed};
use openpeer_core::{Code, Error, Time};
use serde_json::Value;
use std::path::PathBuf;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_default()
}

pub(crate) fn read(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// What is written in one entry.
pub(crate) trait Entry {
    fn get_text(&self, name: &str) -> &str;
    fn get_bytes(&self, name: &str) -> Vec<u8>;
    fn get_number(&self, name: &str) -> u64;
    fn get_list(&self, name: &str) -> &[Value];
    fn get_texts(&self, name: &str) -> Vec<&str>;

    /// The bytes under `name`, of which there have to be exactly `N`.
    fn get_array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.get_bytes(name).try_into().unwrap()
    }

    fn get_seed(&self, name: &str) -> Seed {
        Seed::new(self.get_array(name))
    }

    fn get_time(&self, name: &str) -> Time {
        Time::from_secs(self.get_number(name))
    }

    fn get_chain(&self, name: &str) -> Result<Chain, Error> {
        Chain::verify(self.get_texts(name))
    }
}

impl Entry for Value {
    fn get_text(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_else(|| panic!("no text {name} in {self}"))
    }

    fn get_bytes(&self, name: &str) -> Vec<u8> {
        bytes(self.get_text(name))
    }

    fn get_number(&self, name: &str) -> u64 {
        self[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {self}"))
    }

    fn get_list(&self, name: &str) -> &[Value] {
        self[name].as_array().unwrap_or_else(|| panic!("no list {name} in {self}"))
    }

    fn get_texts(&self, name: &str) -> Vec<&str> {
        self.get_list(name).iter().map(|value| value.as_str().unwrap()).collect()
    }
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

/// The text form of a public key.
pub(crate) fn public_key(text: &str) -> PublicKey {
    serde_json::from_value(Value::from(text)).unwrap()
}

/// Compares a result with the code that an entry names, or with `null`.
pub(crate) fn check<T>(result: Result<T, Error>, entry: &Value) -> Option<T> {
    let code = result.as_ref().err().map(|error| error.code().as_str());
    assert_eq!(code, entry["code"].as_str(), "{}", entry["why"]);
    assert!(entry["code"].is_null() || Code::from_text(code.unwrap_or_default()).is_some());
    result.ok()
}
