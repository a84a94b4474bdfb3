//! Exporting a peer: its root key and contacts, encrypted with a passphrase. `docs/keystore.md` describes the format.
//!
//! What belongs to one location alone is left out: its key, its inbox keys, and the tickets, pre-shared keys and pair
//! keys that contacts agreed on with it. Importing makes a new location.

use crate::Error;
use crate::keystore::{
    Entry, FileKey, KeystoreError, Passphrase, Protection, SealedError, WrappedKey, open_with, seal_with,
};
use openpeer_core::document::Chain;
use openpeer_core::encoding::{array_from_base64url, from_base64url, to_base64url};
use openpeer_core::key::{KeyId, Seed};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::path::Path;
use zeroize::Zeroizing;

const VERSION: u64 = 1;
const LABEL: &str = "openpeer/export/v1";
/// How errors name the exported file, of which only the content is known here.
const FILE: &str = "exported peer";
/// Members of a contact's record that any location of the peer may know.
const CONTACT_MEMBERS: &[&str] =
    &["peer", "state", "name", "introduced", "setting", "documents_at", "chain", "b", "locations"];
/// The same of each location of a contact.
const CONTACT_LOCATION_MEMBERS: &[&str] = &["certificate", "reach"];

/// The file: JSON.
#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(rename = "openpeer-export")]
    version: u64,
    /// A [`WrappedKey`].
    #[serde(borrow)]
    key: &'a RawValue,
    /// [`Content`] sealed under the key, base64url.
    content: String,
}

/// The secret part, JSON.
#[derive(Serialize, Deserialize)]
struct Content {
    root: Zeroizing<String>,
    chain: Vec<String>,
    /// The exporting location and those it knew of.
    locations: Vec<KeyId>,
    /// Records of contacts by key.
    contacts: Vec<(String, Value)>,
}

/// What an exported file holds.
pub(crate) struct Exported {
    pub(crate) root: Seed,
    pub(crate) chain: Chain,
    pub(crate) locations: Vec<KeyId>,
    pub(crate) contacts: Vec<(String, Vec<u8>)>,
}

/// Encrypts a peer. `records` are all records of its keystore, `location` is the exporting one.
pub(crate) fn export(
    root: &Seed,
    chain: &Chain,
    location: KeyId,
    records: Vec<Entry>,
    passphrase: Passphrase,
) -> Result<String, Error> {
    let mut locations = siblings(&records);
    locations.push(location);
    let contacts =
        records.into_iter().filter_map(|(key, value)| shareable(&key, &value).map(|value| (key, value)));
    let content = Content {
        root: Zeroizing::new(to_base64url(root.expose())),
        chain: chain.compacts().map(str::to_owned).collect(),
        locations,
        contacts: contacts.collect(),
    };
    let plaintext = Zeroizing::new(serde_json::to_vec(&content).expect("strings are JSON"));
    let key = FileKey::random();
    let wrapped = WrappedKey::wrap(&key, &Protection::Passphrase(passphrase))?.to_json();
    let wrapped = RawValue::from_string(wrapped.to_string()).expect("a wrapped key is JSON");
    let content = to_base64url(&seal_with(key.expose(), LABEL, &plaintext));
    let file = File { version: VERSION, key: &wrapped, content };
    Ok(serde_json::to_string(&file).expect("strings are JSON"))
}

/// Decrypts an exported peer.
pub(crate) fn import(file: &str, passphrase: Passphrase) -> Result<Exported, Error> {
    let content = open(file, passphrase).map_err(|error| error.at(Path::new(FILE)))?;
    let root = array_from_base64url(&content.root).map(Seed::new)?;
    let chain = Chain::verify(content.chain.iter().map(String::as_str))?;
    if !chain.head().keys.contains(&root.public_key()) {
        return Err(KeystoreError::Damaged { path: FILE.into() }.into());
    }
    let contacts =
        content.contacts.into_iter().map(|(key, value)| (key, value.to_string().into_bytes())).collect();
    Ok(Exported { root, chain, locations: content.locations, contacts })
}

fn open(file: &str, passphrase: Passphrase) -> Result<Content, SealedError> {
    let File { version, key, content } = serde_json::from_str(file).map_err(|_| SealedError::Damaged)?;
    if version != VERSION {
        return Err(SealedError::TooNew);
    }
    let key = WrappedKey::from_json(key.get().as_bytes())?.unwrap(&Protection::Passphrase(passphrase))?;
    let sealed = from_base64url(&content).map_err(|_| SealedError::Damaged)?;
    let plaintext = open_with(key.expose(), LABEL, &sealed)?;
    serde_json::from_slice(&plaintext).map_err(|_| SealedError::Damaged)
}

/// The other locations of the peer, as the machine persisted them.
fn siblings(records: &[Entry]) -> Vec<KeyId> {
    #[derive(Default, Deserialize)]
    struct Own {
        siblings: Vec<KeyId>,
    }
    let own = records.iter().find(|(key, _)| key == "self/own");
    own.and_then(|(_, value)| serde_json::from_slice::<Own>(value).ok()).unwrap_or_default().siblings
}

/// What another location may know of a record; `None` for everything but contacts.
fn shareable(key: &str, value: &[u8]) -> Option<Value> {
    if !key.starts_with("contact/") {
        return None;
    }
    let mut contact = only(serde_json::from_slice(value).ok()?, CONTACT_MEMBERS);
    contact.insert("knock".to_owned(), Value::Null);
    if let Some(Value::Object(locations)) = contact.get_mut("locations") {
        for location in locations.values_mut() {
            let Value::Object(members) = location.take() else { continue };
            let mut members = only(members, CONTACT_LOCATION_MEMBERS);
            members.insert("tickets".to_owned(), Value::Array(Vec::new()));
            members.insert("pair".to_owned(), Value::Null);
            members.insert("psks".to_owned(), Value::Array(Vec::new()));
            *location = Value::Object(members);
        }
    }
    Some(Value::Object(contact))
}

fn only(mut members: Map<String, Value>, allowed: &[&str]) -> Map<String, Value> {
    members.retain(|name, _| allowed.contains(&name.as_str()));
    members
}
