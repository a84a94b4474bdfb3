use crate::driver::{Driver, Setup};
use crate::export::{Exported, import};
use crate::identity::{Identity, decode_chain, encode_chain};
use crate::keys::{Keys, encode_keyring};
use crate::keystore::{Keystore, KeystoreError, Kind, Passphrase, Protection, random};
use crate::net::{Network, Resolve};
use crate::{Error, Peer};
use openpeer_core::key::{KeyId, RecoveryCode, SigningKeyName};
use openpeer_core::peer::{Config, PeerMachine, RECORD_CHAIN};
use openpeer_core::uri::Domain;
use openpeer_core::{Code, Time};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Record of this library that holds the peer's domains, for opening the peer without naming them again.
const RECORD_DOMAINS: &str = "shell/domains";
/// Record of this library that holds the other locations of an imported peer until the machine was told.
pub(crate) const RECORD_LOCATIONS: &str = "shell/locations";
/// Records under this prefix are not the machine's.
const SHELL_RECORDS: &str = "shell/";

/// How a peer is created or opened, from [`Peer::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    directory: PathBuf,
    domains: Vec<String>,
    protection: Option<Protection>,
    certificates: Vec<Vec<u8>>,
    rules: Vec<Resolve>,
    development: bool,
    offline: bool,
}

impl Builder {
    pub(crate) const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            domains: Vec::new(),
            protection: None,
            certificates: Vec::new(),
            rules: Vec::new(),
            development: false,
            offline: false,
        }
    }

    /// A domain through which the peer can be found, such as `a.test` or `a.test:8443`; may be repeated, up to 4, the
    /// preferred one first. They are remembered: a peer that is opened without any uses those of the last time.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domains.push(domain.into());
        self
    }

    /// Encrypts the keystore with a passphrase, or opens one that is.
    #[must_use]
    pub fn passphrase(mut self, passphrase: impl Into<String>) -> Self {
        self.protection = Some(Protection::Passphrase(Passphrase::new(passphrase)));
        self
    }

    /// Leaves the protection of the keystore to file permissions: whoever can read the directory can be the peer.
    #[must_use]
    pub fn unprotected(mut self) -> Self {
        self.protection = Some(Protection::FilePermissions);
        self
    }

    /// Trusts the certificates of a PEM file beside the Web's public authorities; may be repeated.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    /// Connects to an address of the caller's choice instead of what a name resolves to; may be repeated.
    #[must_use]
    pub fn resolve(mut self, rule: Resolve) -> Self {
        self.rules.push(rule);
        self
    }

    /// Takes loopback addresses, and plain HTTP of domains on `localhost`. For development and tests.
    #[must_use]
    pub const fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Does not go online: for looking at contacts, exporting and the like.
    #[must_use]
    pub const fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Makes a new peer. The recovery code is the only way to rotate its keys, and is stored nowhere: show it to the
    /// user once.
    ///
    /// # Errors
    /// `keystore-exists`, `invalid-argument`, `keystore-io` and others; see [`Error`].
    pub async fn create(self) -> Result<(Peer, RecoveryCode), Error> {
        let (identity, code) = Identity::create(now());
        Ok((self.start_with(identity, Vec::new(), Vec::new()).await?, code))
    }

    /// Makes a new peer without recovery code: if its device is stolen, so is the peer.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_guest(self) -> Result<Peer, Error> {
        self.start_with(Identity::create_guest(now()), Vec::new(), Vec::new()).await
    }

    /// Makes a new location of a peer that was exported with [`Peer::export`]. The exporting location has to be told
    /// of it with [`Peer::set_other_locations`]; until then contacts may take either for revoked.
    ///
    /// # Errors
    /// `wrong-passphrase` if `passphrase` is not the one it was exported with, `keystore-damaged`; as [`Self::create`].
    pub async fn import(self, exported: &str, passphrase: impl Into<String>) -> Result<Peer, Error> {
        let (exported, passphrase) = (Zeroizing::new(exported.to_owned()), Passphrase::new(passphrase));
        let exported = blocking(move || import(&exported, passphrase)).await?;
        let Exported { root, chain, locations, contacts } = exported;
        self.start_with(Identity::new_location(root, chain), contacts, locations).await
    }

    /// Opens a peer that was created before.
    ///
    /// # Errors
    /// `keystore-missing`, `wrong-passphrase`, `keystore-in-use`, `keystore-damaged` and others; see [`Error`].
    pub async fn open(self) -> Result<Peer, Error> {
        let network = self.network()?;
        let (directory, protection) = (self.directory.clone(), self.protection()?);
        let keystore = blocking(move || Keystore::open(&directory, &protection).map_err(Error::from)).await?;
        self.start(keystore, network).await
    }

    /// Opens the peer, or makes it if the directory holds none yet. The recovery code comes with a new peer only.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::create`].
    pub async fn open_or_create(self) -> Result<(Peer, Option<RecoveryCode>), Error> {
        if Keystore::exists(&self.directory) {
            return Ok((self.open().await?, None));
        }
        let (peer, code) = self.create().await?;
        Ok((peer, Some(code)))
    }

    async fn start_with(
        self,
        identity: Identity,
        contacts: Vec<(String, Vec<u8>)>,
        locations: Vec<KeyId>,
    ) -> Result<Peer, Error> {
        let network = self.network()?;
        self.parsed_domains()?;
        let (directory, protection) = (self.directory.clone(), self.protection()?);
        let keystore = blocking(move || {
            let keyring = encode_keyring(&identity.root, &identity.location, None);
            let locations = serde_json::to_vec(&locations).map_err(|_| Code::Internal)?;
            let mut records = vec![
                (RECORD_CHAIN.to_owned(), encode_chain(&identity.chain)),
                (RECORD_LOCATIONS.to_owned(), locations),
            ];
            records.extend(contacts);
            Ok(Keystore::create(&directory, &protection, &keyring, &records)?)
        });
        let keystore = keystore.await?;
        self.start(keystore, network).await
    }

    async fn start(self, keystore: Keystore, network: Network) -> Result<Peer, Error> {
        let given = self.parsed_domains()?;
        let offline = self.offline;
        let development = self.development;
        let (setup, domains) = blocking(move || {
            let keystore = Arc::new(keystore);
            let stored = Stored::load(&keystore)?;
            let domains = stored.domains(given, &keystore)?;
            let keys = Keys::load(Arc::clone(&keystore), &stored.chain)?;
            let location_key = keys.keyring().public_key(&SigningKeyName::Location)?;
            let config = Config { chain: stored.chain, location_key, domains: domains.clone(), development };
            let machine = PeerMachine::new(config, stored.records, random(), now())?;
            Ok((Setup { machine, keys, siblings: stored.siblings }, domains))
        })
        .await?;
        let driver = Driver::spawn(setup, network, development, !offline);
        Ok(Peer::new(driver, domains))
    }

    fn network(&self) -> Result<Network, Error> {
        Ok(Network::new(&self.certificates, self.rules.clone(), self.development)?)
    }

    fn protection(&self) -> Result<Protection, Error> {
        Ok(self.protection.clone().ok_or(KeystoreError::NoProtection)?)
    }

    fn parsed_domains(&self) -> Result<Vec<Domain>, Error> {
        Ok(self.domains.iter().map(|domain| Domain::from_text(domain)).collect::<Result<_, _>>()?)
    }
}

/// What a keystore's records say.
struct Stored {
    chain: openpeer_core::document::Chain,
    domains: Vec<Domain>,
    siblings: Vec<KeyId>,
    records: Vec<(String, Vec<u8>)>,
}

impl Stored {
    fn load(keystore: &Keystore) -> Result<Self, Error> {
        let damaged = |key: &str| openpeer_core::Error::new(Code::Malformed, format!("record {key}"));
        let (mut chain, mut domains, mut siblings, mut records) = (None, Vec::new(), Vec::new(), Vec::new());
        for (key, mut value) in keystore.entries(Kind::Record)? {
            match key.as_str() {
                RECORD_DOMAINS => domains = serde_json::from_slice(&value).map_err(|_| damaged(&key))?,
                RECORD_LOCATIONS => siblings = serde_json::from_slice(&value).map_err(|_| damaged(&key))?,
                _ if key.starts_with(SHELL_RECORDS) => {}
                _ => {
                    if key == RECORD_CHAIN {
                        chain = Some(decode_chain(&value)?);
                    }
                    records.push((key, std::mem::take(&mut *value)));
                }
            }
        }
        let chain = chain.ok_or_else(|| damaged(RECORD_CHAIN))?;
        Ok(Self { chain, domains, siblings, records })
    }

    /// The domains to use; those that were given are remembered.
    fn domains(&self, given: Vec<Domain>, keystore: &Keystore) -> Result<Vec<Domain>, Error> {
        if given.is_empty() {
            return Ok(self.domains.clone());
        }
        if given != self.domains {
            let value = serde_json::to_vec(&given).map_err(|_| Code::Internal)?;
            keystore.write(Kind::Record, RECORD_DOMAINS, &value)?;
            keystore.sync(Kind::Record)?;
        }
        Ok(given)
    }
}

/// Runs what takes long or waits for the disk where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::from(Code::Internal))?
}

fn now() -> Time {
    crate::clock::Clock::new().now()
}

/// Whether a directory holds a peer.
pub(crate) fn exists(directory: &Path) -> bool {
    Keystore::exists(directory)
}
