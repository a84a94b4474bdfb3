use crate::dice::Dice;
use openpeer_core::document::{Chain, Salt};
use openpeer_core::key::{InboxSecret, KeyId, Keyring, RecoveryCode, Seed};
use openpeer_core::peer::{Config, RECORD_CHAIN};
use openpeer_core::uri::Domain;
use openpeer_core::{Error, Time};
use serde_json::Value;
use std::collections::BTreeMap;

/// What one location keeps: everything that survives its process, and everything a thief of the device gets.
///
/// The recovery code is not part of it.
#[derive(Clone)]
pub struct Disk {
    /// Everything the machine made durable, by key.
    pub records: BTreeMap<String, Vec<u8>>,
    /// The current root key.
    pub root: Seed,
    /// A root key that a rotation staged and did not commit yet.
    pub staged: Option<Seed>,
    /// The location key.
    pub location: Seed,
    /// The inbox keys.
    pub inbox: BTreeMap<KeyId, InboxSecret>,
    /// The peer's domains.
    pub domains: Vec<Domain>,
    /// The chain as it was when the location was set up.
    chain: Vec<String>,
}

impl Disk {
    /// A new peer and its recovery code.
    pub(crate) fn create(
        domains: Vec<Domain>,
        now: Time,
        dice: &mut Dice,
    ) -> Result<(Self, RecoveryCode), Error> {
        let (root, code) = (Seed::new(dice.bytes()), RecoveryCode::from_entropy(dice.bytes()));
        let salt = Salt(dice.bytes());
        let next = code.root_seed(&salt.0, 1).public_key().commitment();
        let draft = Chain::draft_inception(&root.public_key(), vec![next], salt, now);
        let signature = root.sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature)?;
        Ok((Self::new(root, &chain, domains, dice), code))
    }

    /// Another location of the same peer: it imports the root and the contacts, without what belongs to one pair of
    /// locations.
    pub(crate) fn import(&self, dice: &mut Dice) -> Result<Self, Error> {
        let mut disk = Self::new(self.root.clone(), &self.chain()?, self.domains.clone(), dice);
        let contacts = self.records.iter().filter(|(key, _)| key.starts_with("contact/"));
        disk.records.extend(contacts.filter_map(|(key, value)| Some((key.clone(), shareable(value)?))));
        Ok(disk)
    }

    fn new(root: Seed, chain: &Chain, domains: Vec<Domain>, dice: &mut Dice) -> Self {
        Self {
            records: BTreeMap::new(),
            root,
            staged: None,
            location: Seed::new(dice.bytes()),
            inbox: BTreeMap::new(),
            domains,
            chain: chain.compacts().map(str::to_owned).collect(),
        }
    }

    /// The newest chain.
    pub(crate) fn chain(&self) -> Result<Chain, Error> {
        let stored = self
            .records
            .get(RECORD_CHAIN)
            .and_then(|record| serde_json::from_slice::<Vec<String>>(record).ok());
        let compacts = stored.as_ref().unwrap_or(&self.chain);
        Chain::verify(compacts.iter().map(String::as_str))
    }

    /// What a machine over this disk is created with.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        Ok(Config {
            chain: self.chain()?,
            location_key: self.location.public_key(),
            domains: self.domains.clone(),
            development: false,
        })
    }

    /// The keys. If the process ended between a new chain statement and the commit of its key, the chain decides.
    pub(crate) fn keyring(&mut self) -> Result<Keyring, Error> {
        let head = self.chain()?.head().keys[0];
        if let Some(staged) = self.staged.take_if(|staged| staged.public_key() == head) {
            self.root = staged;
        }
        let mut keyring = Keyring::new(self.root.clone(), self.location.clone());
        for secret in self.inbox.values() {
            keyring.add_inbox(secret.clone());
        }
        Ok(keyring)
    }
}

/// A contact's record without tickets, pair keys, pre-shared keys and unanswered knocks.
fn shareable(contact: &[u8]) -> Option<Vec<u8>> {
    let mut contact: Value = serde_json::from_slice(contact).ok()?;
    contact["knock"] = Value::Null;
    for location in contact["locations"].as_object_mut()?.values_mut() {
        location["tickets"] = Value::Array(Vec::new());
        location["pair"] = Value::Null;
        location["psks"] = Value::Array(Vec::new());
    }
    serde_json::to_vec(&contact).ok()
}
