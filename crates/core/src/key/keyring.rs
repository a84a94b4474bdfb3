use crate::key::{KeyHash, KeyId, PublicKey, RecoveryCode, Signature};
use crate::seal::{self, InboxKey, OpenRequest, Opened};
use crate::{Code, Error};
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The secret half of an Ed25519 key, 32 bytes; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storing them encrypted.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key.
    ///
    /// # Panics
    /// Never: every seed gives a canonical key of prime order.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(SigningKey::from_bytes(&self.0).verifying_key().as_bytes())
            .expect("a key derived from a seed lies in the prime-order group")
    }

    /// Signs a message (RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(SigningKey::from_bytes(&self.0).sign(message).to_bytes())
    }

    fn derive(&self, label: &str, context: &[u8]) -> Self {
        let mut seed = [0; 32];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[label.as_bytes(), &[0], context], &mut seed)
            .expect("32 bytes are a valid HKDF length");
        Self(seed)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// The secret half of an inbox key: an X-Wing decapsulation key seed, 32 bytes; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct InboxSecret([u8; 32]);

impl InboxSecret {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storing them encrypted.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> InboxKey {
        seal::inbox_key_of(self)
    }
}

impl fmt::Debug for InboxSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxSecret(hidden)")
    }
}

/// Names a signing key of a location without showing it; machines put it into *sign* commands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigningKeyName {
    /// The peer's current root key.
    Root,
    /// The root key that a rotation in progress will make current.
    NextRoot,
    /// This location's key.
    Location,
    /// This location's mailbox key at a finder, by the finder's URL.
    Mailbox(String),
    /// The peer's guest mailbox key at a finder, by the finder's URL.
    GuestMailbox(String),
}

/// The private keys of one location, for shells that answer a machine's commands themselves.
///
/// Derivations (HKDF-SHA256, labels in `docs/protocol.md`): a location mailbox key comes from the location seed, the
/// guest mailbox and guest inbox keys from the root seed, so that all locations that hold the root share them without
/// talking to each other. Daily inbox keys and pair keys are random and deleted when nothing names them any more.
pub struct Keyring {
    root: Seed,
    next_root: Option<Seed>,
    location: Seed,
    inbox: BTreeMap<KeyId, InboxSecret>,
}

impl Keyring {
    /// A keyring of root and location seeds, without inbox keys.
    #[must_use]
    pub const fn new(root: Seed, location: Seed) -> Self {
        Self { root, next_root: None, location, inbox: BTreeMap::new() }
    }

    /// The root seed, for export.
    #[must_use]
    pub const fn root(&self) -> &Seed {
        &self.root
    }

    /// The location seed, for storage; never exported.
    #[must_use]
    pub const fn location(&self) -> &Seed {
        &self.location
    }

    /// The random inbox secrets, for storage.
    pub fn inbox_secrets(&self) -> impl Iterator<Item = (&KeyId, &InboxSecret)> {
        self.inbox.iter()
    }

    /// The public half of a named key.
    ///
    /// # Errors
    /// `no-recovery-code` for [`SigningKeyName::NextRoot`] while no rotation was staged.
    pub fn public_key(&self, name: &SigningKeyName) -> Result<PublicKey, Error> {
        self.seed(name).map(|seed| seed.public_key())
    }

    /// Answers a *sign* command.
    ///
    /// # Errors
    /// `no-recovery-code` for [`SigningKeyName::NextRoot`] while no rotation was staged.
    pub fn sign(&self, name: &SigningKeyName, message: &[u8]) -> Result<Signature, Error> {
        self.seed(name).map(|seed| seed.sign(message))
    }

    /// Adds an inbox key and returns its public half.
    pub fn add_inbox(&mut self, secret: InboxSecret) -> InboxKey {
        let public = secret.public_key();
        self.inbox.insert(public.id(), secret);
        public
    }

    /// The guest inbox key of a 30-day period, derived from the root.
    #[must_use]
    pub fn guest_inbox(&self, period: u32) -> InboxSecret {
        InboxSecret(self.root.derive("openpeer/guest-inbox/v1", &period.to_be_bytes()).0)
    }

    /// Destroys an inbox key: what was sealed to it can never be opened again.
    pub fn forget_inbox(&mut self, id: &KeyId) {
        self.inbox.remove(id);
    }

    /// Answers an *open* command.
    ///
    /// # Errors
    /// `expired` if the inbox key is not held any more; `bad-signature` if the envelope was altered or sealed for
    /// somebody else.
    pub fn open(&self, request: &OpenRequest) -> Result<Opened, Error> {
        let secret = self.inbox.get(&request.inbox_key()).ok_or(Code::Expired)?;
        seal::open(secret, request)
    }

    /// Stages a rotation: derives the next root key and the one after it. Returns the new root key and the commitment
    /// for its `next`.
    #[must_use]
    pub fn stage_rotation(
        &mut self,
        code: &RecoveryCode,
        salt: &[u8; 16],
        next_seq: u64,
    ) -> (PublicKey, KeyHash) {
        let next_root = code.root_seed(salt, next_seq);
        let public = next_root.public_key();
        self.next_root = Some(next_root);
        (public, code.root_seed(salt, next_seq + 1).public_key().commitment())
    }

    /// Makes the staged root key current.
    pub fn commit_rotation(&mut self) {
        if let Some(next_root) = self.next_root.take() {
            self.root = next_root;
        }
    }

    fn seed(&self, name: &SigningKeyName) -> Result<Seed, Error> {
        Ok(match name {
            SigningKeyName::Root => self.root.clone(),
            SigningKeyName::NextRoot => self.next_root.clone().ok_or(Code::NoRecoveryCode)?,
            SigningKeyName::Location => self.location.clone(),
            SigningKeyName::Mailbox(finder) => self.location.derive("openpeer/mailbox/v1", finder.as_bytes()),
            SigningKeyName::GuestMailbox(finder) => {
                self.root.derive("openpeer/guest-mailbox/v1", finder.as_bytes())
            }
        })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root: _, next_root: _, location: _, inbox } = self;
        f.debug_struct("Keyring").field("inbox_keys", &inbox.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut keyring = Keyring::new(Seed::new([0xAA; 32]), Seed::new([0xBB; 32]));
        keyring.add_inbox(InboxSecret::new([0xCC; 32]));
        let shown = format!("{keyring:?} {:?} {:?}", keyring.root(), keyring.guest_inbox(1));
        assert_eq!(shown, "Keyring { inbox_keys: 1, .. } Seed(hidden) InboxSecret(hidden)");
    }

    #[test]
    fn mailbox_keys_differ_per_finder_and_kind() {
        let keyring = Keyring::new(Seed::new([1; 32]), Seed::new([2; 32]));
        let names = [
            SigningKeyName::Root,
            SigningKeyName::Location,
            SigningKeyName::Mailbox("wss://a.test/finder".into()),
            SigningKeyName::Mailbox("wss://b.test/finder".into()),
            SigningKeyName::GuestMailbox("wss://a.test/finder".into()),
        ];
        let mut keys: Vec<_> =
            names.iter().map(|name| *keyring.public_key(name).unwrap().as_bytes()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), names.len());
    }
}
