//! Who appears in the vectors: two people and two domains with fixed secrets.

use openpeer_core::Time;
use openpeer_core::document::{Chain, Document, Draft, PeerId, Salt, Signed};
use openpeer_core::key::{InboxSecret, KeyId, Keyring, RecoveryCode, Seed};
use openpeer_core::uri::Domain;

/// The moment at which everything happens, unless a vector says otherwise.
pub(crate) const NOW: Time = Time::from_secs(1_795_000_000);

/// A peer with one location.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    number: u8,
    pub(crate) root: Seed,
    pub(crate) location: Seed,
    pub(crate) code: [u8; 16],
    pub(crate) salt: Salt,
    pub(crate) chain: Chain,
}

/// Secrets of a kind for the `number`th of them: the same byte in all places, easy to recognise.
pub(crate) const fn secret<const N: usize>(kind: u8, number: u8) -> [u8; N] {
    [kind | number; N]
}

impl Person {
    pub(crate) fn new(name: &'static str, number: u8) -> Self {
        let (root, location) = (Seed::new(secret(0x10, number)), Seed::new(secret(0x20, number)));
        let (code, salt) = (secret(0x30, number), Salt(secret(0x40, number)));
        let next = RecoveryCode::from_entropy(code).root_seed(&salt.0, 1).public_key().commitment();
        let draft = Chain::draft_inception(&root.public_key(), vec![next], salt, NOW);
        let signature = root.sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature).unwrap();
        Self { name, number, root, location, code, salt, chain }
    }

    pub(crate) fn alice() -> Self {
        Self::new("alice", 1)
    }

    pub(crate) fn bob() -> Self {
        Self::new("bob", 2)
    }

    /// The same person after typing the recovery code.
    pub(crate) fn rotated(&self) -> Self {
        let seq = self.chain.seq() + 1;
        let code = RecoveryCode::from_entropy(self.code);
        let root = code.root_seed(&self.salt.0, seq);
        let next = code.root_seed(&self.salt.0, seq + 1).public_key().commitment();
        let draft = self.chain.draft_rotation(&root.public_key(), vec![next], NOW);
        let signature = root.sign(draft.signing_input());
        let chain = self.chain.rotated(draft, &signature).unwrap();
        Self { root, chain, location: self.location.clone(), ..*self }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.chain.peer()
    }

    pub(crate) fn location_id(&self) -> KeyId {
        self.location.public_key().id()
    }

    pub(crate) fn chain_texts(&self) -> Vec<String> {
        self.chain.compacts().map(str::to_owned).collect()
    }

    pub(crate) fn keyring(&self) -> Keyring {
        Keyring::new(self.root.clone(), self.location.clone())
    }

    /// This location's daily inbox key.
    pub(crate) fn inbox(&self) -> InboxSecret {
        InboxSecret::new(secret(0x50, self.number))
    }
}

/// The key of a domain.
pub(crate) fn domain_seed(domain: &str) -> Seed {
    Seed::new(secret(0x60, if domain.starts_with('a') { 1 } else { 2 }))
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::from_text(text).unwrap()
}

pub(crate) fn finder_url(domain: &str) -> String {
    format!("wss://{domain}/finder")
}

pub(crate) fn sign<D: Document>(document: D, key: &Seed) -> Signed<D> {
    let draft = Draft::new(document, key.public_key().id());
    let signature = key.sign(draft.signing_input());
    draft.finish(&signature)
}
