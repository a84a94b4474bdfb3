//! Making a peer: keys, recovery code and inception.

use crate::keystore::random;
use openpeer_core::Time;
use openpeer_core::document::{Chain, Salt};
use openpeer_core::key::{KeyHash, RecoveryCode, Seed};

/// What a new keystore begins with.
pub(crate) struct Identity {
    pub(crate) root: Seed,
    pub(crate) location: Seed,
    pub(crate) chain: Chain,
}

impl Identity {
    /// A new peer that can rotate its keys with the returned code.
    pub(crate) fn create(now: Time) -> (Self, RecoveryCode) {
        let code = RecoveryCode::from_entropy(random());
        let salt = Salt(random());
        let next = code.root_seed(&salt.0, 1).public_key().commitment();
        (Self::with_next(vec![next], salt, now), code)
    }

    /// A new peer that can never rotate its keys.
    pub(crate) fn create_guest(now: Time) -> Self {
        Self::with_next(Vec::new(), Salt(random()), now)
    }

    /// A new location of an existing peer.
    pub(crate) fn new_location(root: Seed, chain: Chain) -> Self {
        Self { root, location: Seed::new(random()), chain }
    }

    fn with_next(next: Vec<KeyHash>, salt: Salt, now: Time) -> Self {
        let root = Seed::new(random());
        let draft = Chain::draft_inception(&root.public_key(), next, salt, now);
        let signature = root.sign(draft.signing_input());
        let chain =
            Chain::from_inception(draft, &signature).expect("an inception signed with its own key is valid");
        Self::new_location(root, chain)
    }
}

/// The chain as the machine persists it.
pub(crate) fn encode_chain(chain: &Chain) -> Vec<u8> {
    let compacts: Vec<&str> = chain.compacts().collect();
    serde_json::to_vec(&compacts).expect("strings are JSON")
}

/// Verifies a persisted chain.
pub(crate) fn decode_chain(record: &[u8]) -> Result<Chain, openpeer_core::Error> {
    let compacts: Vec<String> = serde_json::from_slice(record)
        .map_err(|_| openpeer_core::Error::new(openpeer_core::Code::Malformed, "not a stored chain"))?;
    Chain::verify(compacts.iter().map(String::as_str))
}
