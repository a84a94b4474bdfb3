//! The domain's own key and its signed document.

use crate::clock::Clock;
use crate::defaults::{DOMAIN_DOCUMENT_LIFE, DOMAIN_DOCUMENT_RENEW};
use crate::error::StartError;
use crate::metrics::Metrics;
use crate::random;
use openpeer_core::document::{Document, DomainDocument, Draft, FinderEntry, NameRecord, Signed, V1};
use openpeer_core::key::Seed;
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_core::{Error, Jws, Time, signing_input};
use openpeer_store::{Store, StoreError};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::{Zeroize, Zeroizing};

/// Keys of the values in the store.
const DOMAIN: &str = "domain";
const DOMAIN_KEY: &str = "domain-key";
const FINDER_SECRET: &str = "finder-secret";
const DOMAIN_DOCUMENT: &str = "domain-document";

/// What the domain document says, apart from its number and dates.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) domain: Domain,
    pub(crate) finder: FinderUrl,
    pub(crate) stun: Vec<String>,
    pub(crate) contact: Option<String>,
}

/// Speaks for the domain: holds its key, keeps its document fresh, countersigns names.
pub(crate) struct Authority {
    content: Content,
    key: Seed,
    current: RwLock<Arc<Signed<DomainDocument>>>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

/// Secrets that are made once and kept by the store.
pub(crate) struct Secrets {
    pub(crate) domain_key: Seed,
    pub(crate) finder_secret: Zeroizing<[u8; 32]>,
}

impl Secrets {
    /// Loads the secrets, or makes them. Refuses the data of another domain.
    pub(crate) async fn load(store: &dyn Store, domain: &Domain) -> Result<Self, StartError> {
        match store.get_value(DOMAIN).await? {
            None => store.put_value(DOMAIN, domain.host().as_bytes()).await?,
            Some(found) if *found == domain.host().as_bytes() => {}
            Some(found) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(StartError::OtherDomain { found, wanted: domain.host().to_owned() });
            }
        }
        let domain_key = Seed::new(*secret(store, DOMAIN_KEY).await?);
        Ok(Self { domain_key, finder_secret: secret(store, FINDER_SECRET).await? })
    }
}

async fn secret(store: &dyn Store, name: &str) -> Result<Zeroizing<[u8; 32]>, StartError> {
    if let Some(value) = store.get_value(name).await? {
        let bytes = value.as_slice().try_into().map_err(|_| damaged(format!("{name} has a wrong length")))?;
        return Ok(Zeroizing::new(bytes));
    }
    let mut fresh = random::bytes::<32>();
    let kept = Zeroizing::new(fresh);
    fresh.zeroize();
    store.put_value(name, &*kept).await?;
    Ok(kept)
}

fn damaged(detail: String) -> StartError {
    StoreError::Corrupt { detail }.into()
}

impl Authority {
    /// Continues with the stored document if it still says the same, or makes its successor.
    pub(crate) async fn start(
        content: Content,
        key: Seed,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        now: Time,
    ) -> Result<Self, StartError> {
        let stored = stored_document(&*store, &key).await?;
        let fresh = match stored {
            Some(stored) if !needs_renewal(&stored, &content, &key, now) => stored,
            stored => {
                let seq = stored.map_or(1, |stored| stored.seq + 1);
                let document = sign(&content, &key, seq, now);
                check(&document, &content.domain, now)?;
                store.put_value(DOMAIN_DOCUMENT, document.compact().as_bytes()).await?;
                document
            }
        };
        Ok(Self { content, key, current: RwLock::new(Arc::new(fresh)), store, metrics })
    }

    /// The domain document.
    pub(crate) fn document(&self) -> Arc<Signed<DomainDocument>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) const fn domain(&self) -> &Domain {
        &self.content.domain
    }

    pub(crate) const fn finder(&self) -> &FinderUrl {
        &self.content.finder
    }

    /// Makes the document's successor if it gets old. It is served only once it is stored, so that a number is never
    /// used twice.
    pub(crate) async fn renew(&self, clock: Clock) {
        let (document, now) = (self.document(), clock.now());
        if !needs_renewal(&document, &self.content, &self.key, now) {
            return;
        }
        let successor = sign(&self.content, &self.key, document.seq + 1, now);
        let put = self.store.put_value(DOMAIN_DOCUMENT, successor.compact().as_bytes());
        if self.metrics.store_call("put_value", put).await.is_ok() {
            tracing::info!(seq = successor.seq, "domain document renewed");
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(successor);
        }
    }

    /// Adds the domain's signature to a peer's half of a name record: over the same payload, joined by `~`.
    ///
    /// # Errors
    /// `malformed` if `half` is no name record.
    pub(crate) fn countersign(&self, half: &Signed<NameRecord>) -> Result<String, Error> {
        let jws = Jws::parse(half.compact(), NameRecord::TYPE)?;
        let input = signing_input(NameRecord::TYPE, self.key.public_key().id(), jws.payload());
        let signature = self.key.sign(input.as_bytes());
        Ok(format!("{}~{input}.{signature}", half.compact()))
    }
}

async fn stored_document(
    store: &dyn Store,
    key: &Seed,
) -> Result<Option<Signed<DomainDocument>>, StartError> {
    let Some(bytes) = store.get_value(DOMAIN_DOCUMENT).await? else { return Ok(None) };
    let compact =
        std::str::from_utf8(&bytes).map_err(|error| damaged(format!("domain document: {error}")))?;
    let document = Signed::verify(compact, &key.public_key());
    document.map(Some).map_err(|error| damaged(format!("domain document: {error}")))
}

fn needs_renewal(document: &DomainDocument, content: &Content, key: &Seed, now: Time) -> bool {
    let life = document.exp.millis_since(document.iat);
    let same = *document == unsigned(content, key, document.seq, document.iat, document.exp);
    !same || document.exp.millis_since(now) <= life / DOMAIN_DOCUMENT_RENEW
}

fn sign(content: &Content, key: &Seed, seq: u64, now: Time) -> Signed<DomainDocument> {
    let draft =
        Draft::new(unsigned(content, key, seq, now, now + DOMAIN_DOCUMENT_LIFE), key.public_key().id());
    let signature = key.sign(draft.signing_input());
    draft.finish(&signature)
}

fn unsigned(content: &Content, key: &Seed, seq: u64, iat: Time, exp: Time) -> DomainDocument {
    let whole_seconds = |time: Time| Time::from_secs(time.as_secs());
    DomainDocument {
        v: V1,
        domain: content.domain.clone(),
        seq,
        iat: whole_seconds(iat),
        exp: whole_seconds(exp),
        keys: vec![key.public_key()],
        finders: vec![FinderEntry { url: content.finder.clone(), priority: 0, weight: 1 }],
        stun: content.stun.clone(),
        contact: content.contact.clone(),
    }
}

/// Finds out now what every client would refuse later.
fn check(document: &Signed<DomainDocument>, domain: &Domain, now: Time) -> Result<(), StartError> {
    DomainDocument::verify(document.compact(), domain, now).map(drop).map_err(|error| StartError::Config {
        detail: format!("clients would refuse the domain document: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use openpeer_store::MemoryStore;

    const NOW: Time = Time::from_secs(1_795_000_000);
    const DAY: u64 = 86_400_000;

    fn content() -> Content {
        Content {
            domain: Domain::from_text("a.test").unwrap(),
            finder: FinderUrl::from_text("wss://a.test/finder").unwrap(),
            stun: Vec::new(),
            contact: None,
        }
    }

    async fn start(store: &Arc<dyn Store>, content: Content, now: Time) -> Authority {
        let secrets = Secrets::load(&**store, &content.domain).await.unwrap();
        Authority::start(content, secrets.domain_key, store.clone(), Metrics::new(), now).await.unwrap()
    }

    #[tokio::test]
    async fn a_restart_keeps_key_and_document() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let first = start(&store, content(), NOW).await.document();
        let second = start(&store, content(), NOW + 5 * DAY).await.document();
        assert_eq!(first.compact(), second.compact());
        assert_eq!(first.seq, 1);
        DomainDocument::verify(first.compact(), &content().domain, NOW).unwrap();
    }

    #[tokio::test]
    async fn age_and_changes_make_a_successor() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let first = start(&store, content(), NOW).await.document();
        let aged = start(&store, content(), NOW + 20 * DAY).await.document();
        assert_eq!((aged.seq, &aged.keys), (2, &first.keys));
        let changed = Content { contact: Some("mailto:abuse@a.test".to_owned()), ..content() };
        assert_eq!(start(&store, changed, NOW + 20 * DAY).await.document().seq, 3);
    }

    #[tokio::test]
    async fn refuses_the_data_of_another_domain() {
        let store = MemoryStore::new();
        Secrets::load(&store, &Domain::from_text("a.test:1").unwrap()).await.unwrap();
        Secrets::load(&store, &Domain::from_text("a.test:2").unwrap()).await.unwrap();
        let other = Secrets::load(&store, &Domain::from_text("b.test").unwrap()).await;
        assert_eq!(other.err().unwrap().code(), "start-other-domain");
    }
}
