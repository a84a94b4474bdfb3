//! The private keys of a location, on disk and in memory: answers what the machine asks of them.

use crate::Error;
use crate::keystore::{Keystore, KeystoreError, Kind, random};
use openpeer_core::Code;
use openpeer_core::document::Chain;
use openpeer_core::key::{InboxSecret, KeyHash, KeyId, Keyring, PublicKey, RecoveryCode, Seed};
use openpeer_core::peer::InboxUse;
use openpeer_core::seal::InboxKey;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Version of the keyring file's content.
const VERSION: u8 = 1;

/// The keyring and the keystore behind it.
pub(crate) struct Keys {
    keyring: Keyring,
    keystore: Arc<Keystore>,
}

/// Content of the keyring file: version (1) ‖ root seed (32) ‖ location seed (32) ‖ seed of the root key that a
/// rotation is about to make current (32, if there is one).
pub(crate) fn encode_keyring(root: &Seed, location: &Seed, next_root: Option<&Seed>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(97));
    bytes.push(VERSION);
    for seed in [Some(root), Some(location), next_root].into_iter().flatten() {
        bytes.extend_from_slice(seed.expose());
    }
    bytes
}

impl Keys {
    /// Loads the keys that belong to the chain. A rotation that a crash interrupted has happened if and only if the
    /// chain ends with its key.
    ///
    /// # Errors
    /// `keystore-damaged`, `keystore-io`; `malformed` if the keys are not those of the chain.
    pub(crate) fn load(keystore: Arc<Keystore>, chain: &Chain) -> Result<Self, Error> {
        let foreign =
            || openpeer_core::Error::new(Code::Malformed, "the keyring does not belong to the chain");
        let content = keystore.keyring()?;
        let (version, seeds) = content.split_first().ok_or_else(foreign)?;
        if *version != VERSION || seeds.len() % 32 != 0 {
            return Err(Code::UnsupportedVersion.into());
        }
        let mut seeds = seeds.chunks_exact(32).map(seed);
        let (root, location) = (seeds.next().ok_or_else(foreign)?, seeds.next().ok_or_else(foreign)?);
        let current = |seed: &Seed| chain.head().keys.contains(&seed.public_key());
        let root = [Some(root), seeds.next()].into_iter().flatten().find(current).ok_or_else(foreign)?;
        let mut keyring = Keyring::new(root, location);
        for (_, secret) in keystore.entries(Kind::Inbox)? {
            keyring.add_inbox(InboxSecret::new(*seed(&secret).expose()));
        }
        Ok(Self { keyring, keystore })
    }

    pub(crate) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Works on the keystore where waiting for the disk holds nobody else up.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keystore) -> T + Send + 'static,
    ) -> T {
        let keystore = Arc::clone(&self.keystore);
        tokio::task::spawn_blocking(move || work(&keystore))
            .await
            .expect("work on the keystore does not panic")
    }

    /// Makes an inbox key, durably.
    pub(crate) async fn create_inbox(&mut self, usage: InboxUse) -> Result<InboxKey, KeystoreError> {
        let secret = match usage {
            InboxUse::Daily | InboxUse::Pair(_) => InboxSecret::new(random()),
            InboxUse::Guest(period) => self.keyring.guest_inbox(period),
        };
        let stored = secret.clone();
        let store = move |keystore: &Keystore| {
            keystore.write(Kind::Inbox, &stored.public_key().id().to_string(), stored.expose())?;
            keystore.sync(Kind::Inbox)
        };
        self.on_disk(store).await?;
        Ok(self.keyring.add_inbox(secret))
    }

    /// Destroys an inbox key in memory and on disk.
    pub(crate) async fn forget_inbox(&mut self, key: KeyId) -> Result<(), KeystoreError> {
        self.keyring.forget_inbox(&key);
        self.on_disk(move |keystore| keystore.destroy(Kind::Inbox, &key.to_string())).await
    }

    /// Prepares a rotation, durably: whatever happens next, the key that the chain will end with is on disk.
    ///
    /// # Errors
    /// `no-recovery-code` if the code is not the one of this peer, or the peer is a guest; `keystore-io`.
    pub(crate) async fn stage_rotation(
        &mut self,
        code: &RecoveryCode,
        chain: &Chain,
    ) -> Result<(PublicKey, KeyHash), Error> {
        let (salt, next_seq) = (chain.salt().0, chain.seq() + 1);
        let next_root = code.root_seed(&salt, next_seq);
        if !chain.head().next.contains(&next_root.public_key().commitment()) {
            return Err(openpeer_core::Error::new(
                Code::NoRecoveryCode,
                "not the recovery code of this peer",
            )
            .into());
        }
        self.write(Some(&next_root)).await?;
        Ok(self.keyring.stage_rotation(code, &salt, next_seq))
    }

    /// Makes the staged root key current and destroys the old one.
    pub(crate) async fn commit_rotation(&mut self) -> Result<(), KeystoreError> {
        self.keyring.commit_rotation();
        self.write(None).await
    }

    async fn write(&self, next_root: Option<&Seed>) -> Result<(), KeystoreError> {
        let content = encode_keyring(self.keyring.root(), self.keyring.location(), next_root);
        self.on_disk(move |keystore| keystore.write_keyring(&content)).await
    }
}

/// A seed from 32 bytes; shorter input, which only a damaged file gives, yields a key that fits nothing.
fn seed(bytes: &[u8]) -> Seed {
    let mut seed = Zeroizing::new([0; 32]);
    let length = bytes.len().min(32);
    seed[..length].copy_from_slice(&bytes[..length]);
    Seed::new(*seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::keystore::Protection;
    use openpeer_core::Time;
    use openpeer_core::key::SigningKeyName;

    struct Fixture {
        directory: tempfile::TempDir,
        identity: Identity,
        code: RecoveryCode,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let (identity, code) = Identity::create(Time::from_secs(1_800_000_000));
        let keyring = encode_keyring(&identity.root, &identity.location, None);
        drop(Keystore::create(directory.path(), &Protection::FilePermissions, &keyring, &[]).unwrap());
        Fixture { directory, identity, code }
    }

    impl Fixture {
        fn load(&self, chain: &Chain) -> Result<Keys, Error> {
            let keystore = Keystore::open(self.directory.path(), &Protection::FilePermissions).unwrap();
            Keys::load(Arc::new(keystore), chain)
        }
    }

    #[tokio::test]
    async fn inbox_keys_last_until_they_are_forgotten() {
        let fixture = fixture();
        let mut keys = fixture.load(&fixture.identity.chain).unwrap();
        let mut made = Vec::new();
        for usage in [InboxUse::Daily, InboxUse::Guest(7), InboxUse::Daily] {
            made.push(keys.create_inbox(usage).await.unwrap());
        }
        keys.forget_inbox(made[0].id()).await.unwrap();
        drop(keys);
        let keys = fixture.load(&fixture.identity.chain).unwrap();
        let held: Vec<_> = keys.keyring().inbox_secrets().map(|(id, _)| *id).collect();
        assert!(
            !held.contains(&made[0].id()) && held.contains(&made[1].id()) && held.contains(&made[2].id())
        );
    }

    /// Wherever a crash interrupts a rotation, the root key that belongs to the stored chain is there.
    #[tokio::test]
    async fn a_rotation_survives_a_crash_at_any_point() {
        let fixture = fixture();
        let chain = &fixture.identity.chain;
        let mut keys = fixture.load(chain).unwrap();
        let (root, next) = keys.stage_rotation(&fixture.code, chain).await.unwrap();
        let draft = chain.draft_rotation(&root, vec![next], Time::from_secs(1_800_000_001));
        let signature = keys.keyring().sign(&SigningKeyName::NextRoot, draft.signing_input()).unwrap();
        let rotated = chain.rotated(draft, &signature).unwrap();
        drop(keys);

        let root_of = |chain: &Chain| fixture.load(chain).unwrap().keyring().root().public_key();
        assert_eq!(root_of(chain), fixture.identity.root.public_key(), "before the chain was written");
        assert_eq!(root_of(&rotated), root, "after the chain was written");
        let mut keys = fixture.load(&rotated).unwrap();
        keys.stage_rotation(&fixture.code, &rotated).await.unwrap();
        keys.commit_rotation().await.unwrap();
        drop(keys);
        assert!(fixture.load(chain).is_err(), "the old root key is gone");
    }

    #[tokio::test]
    async fn a_thief_of_the_directory_cannot_rotate() {
        let fixture = fixture();
        let mut keys = fixture.load(&fixture.identity.chain).unwrap();
        let guess = RecoveryCode::from_entropy([0; 16]);
        let error = keys.stage_rotation(&guess, &fixture.identity.chain).await.unwrap_err();
        assert_eq!(error.code(), "no-recovery-code");
    }
}
