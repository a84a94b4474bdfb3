use super::{Document, DocumentId, Draft, PeerId, Pin, Signed, V1, parse_payload, split_signatures};
use crate::defaults::{MAX_CHAIN, MAX_CHAIN_KEYS};
use crate::encoding::byte_string;
use crate::jws::Jws;
use crate::key::{KeyHash, KeyId, PublicKey, Signature};
use crate::time::secs;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

byte_string! {
    /// Makes every inception unique, 16 random bytes; also the salt of the recovery code's derivation.
    Salt, 16
}

/// One statement of section A: which root keys speak for the peer from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatement {
    /// Version.
    pub v: V1,
    /// 0 for the inception, then rising by one.
    pub seq: u64,
    /// The statement before; `null` in the inception.
    pub prev: Option<DocumentId>,
    /// When it was made.
    #[serde(with = "secs")]
    pub iat: Time,
    /// 16 random bytes in the inception, absent later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// The root keys, 1 to 3.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign this statement, and at least how many keys the next one. Everything but the chain
    /// takes one signature.
    pub thr: u8,
    /// Commitments to the keys that may sign the next statement; empty if the peer can never rotate (guests).
    pub next: Vec<KeyHash>,
    /// Reserved; receivers of version 1 ignore it and writers leave it empty.
    pub recovery: Vec<KeyHash>,
    /// Sealing suites that the peer understands.
    pub suites: Vec<String>,
}

impl Document for ChainStatement {
    const TYPE: &'static str = "openpeer-a+jws";

    fn check(&self) -> Result<(), Error> {
        let malformed = |what: &'static str| Err(Error::new(Code::Malformed, what));
        let distinct: BTreeSet<_> = self.keys.iter().map(|key| *key.as_bytes()).collect();
        if self.keys.is_empty() || self.keys.len() > MAX_CHAIN_KEYS || distinct.len() != self.keys.len() {
            return malformed("chain statement without 1 to 3 distinct keys");
        }
        if self.thr == 0 || usize::from(self.thr) > self.keys.len() {
            return malformed("chain statement with an impossible threshold");
        }
        if self.next.len() > MAX_CHAIN_KEYS || self.recovery.len() > MAX_CHAIN_KEYS {
            return malformed("chain statement with too many commitments");
        }
        if (self.seq == 0) != self.prev.is_none() || (self.seq == 0) != self.salt.is_some() {
            return malformed("only an inception has a salt and no predecessor");
        }
        if !self.suites.iter().any(|suite| suite == "PS1") {
            return Err(Error::new(Code::SuiteTooOld, "peer without suite PS1"));
        }
        Ok(())
    }
}

/// A verified section A: the unbroken history of a peer's root keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    peer: PeerId,
    statements: Vec<(String, DocumentId, ChainStatement)>,
}

impl Chain {
    /// Drafts the inception of a new peer. Sign it with `root` and pass it to [`Chain::from_inception`].
    #[must_use]
    pub fn draft_inception(
        root: &PublicKey,
        next: Vec<KeyHash>,
        salt: Salt,
        now: Time,
    ) -> Draft<ChainStatement> {
        let statement = ChainStatement {
            v: V1,
            seq: 0,
            prev: None,
            iat: now,
            salt: Some(salt),
            keys: vec![*root],
            thr: 1,
            next,
            recovery: Vec::new(),
            suites: vec!["PS1".to_owned()],
        };
        Draft::new(statement, root.id())
    }

    /// Completes a new peer's chain.
    ///
    /// # Errors
    /// As [`Chain::verify`].
    pub fn from_inception(draft: Draft<ChainStatement>, signature: &Signature) -> Result<Self, Error> {
        Self::verify([draft.finish(signature).compact()])
    }

    /// Drafts the next statement: `root` must be the key behind a `next` commitment. Sign it with that key.
    #[must_use]
    pub fn draft_rotation(&self, root: &PublicKey, next: Vec<KeyHash>, now: Time) -> Draft<ChainStatement> {
        let (_, head, statement) = self.last();
        let statement = ChainStatement {
            seq: statement.seq + 1,
            prev: Some(*head),
            iat: now,
            salt: None,
            keys: vec![*root],
            thr: 1,
            next,
            ..statement.clone()
        };
        Draft::new(statement, root.id())
    }

    /// This chain with one more statement.
    ///
    /// # Errors
    /// As [`Chain::verify`].
    pub fn rotated(&self, draft: Draft<ChainStatement>, signature: &Signature) -> Result<Self, Error> {
        let signed = draft.finish(signature);
        Self::verify(self.compacts().chain([signed.compact()]))
    }

    /// Verifies statements from the inception to the head.
    ///
    /// # Errors
    /// `malformed`, `bad-signature`, `prerotation-mismatch` if a key was not committed to, `limit-exceeded` above 52
    /// statements.
    pub fn verify<'a>(compacts: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut chain: Option<Self> = None;
        for compact in compacts {
            let chain = match &mut chain {
                None => {
                    chain = Some(Self::verify_inception(compact)?);
                    continue;
                }
                Some(chain) => chain,
            };
            if chain.statements.len() == MAX_CHAIN {
                return Err(Error::new(Code::LimitExceeded, "chain above 52 statements"));
            }
            chain.push(compact)?;
        }
        chain.ok_or_else(|| Error::new(Code::Malformed, "empty chain"))
    }

    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// The number of the newest statement.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.last().2.seq
    }

    /// Number and id of the newest statement.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin { seq: self.last().2.seq, id: self.last().1 }
    }

    /// The newest statement.
    #[must_use]
    pub fn head(&self) -> &ChainStatement {
        &self.last().2
    }

    /// The salt of the inception.
    #[must_use]
    pub fn salt(&self) -> Salt {
        self.statements[0].2.salt.unwrap_or(Salt([0; 16]))
    }

    /// The statements as compact JWS, inception first.
    pub fn compacts(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().map(|(compact, ..)| compact.as_str())
    }

    /// The current root key with this id.
    ///
    /// # Errors
    /// `bad-signature` if no current root key has it, such as after a rotation.
    pub fn root_key(&self, id: KeyId) -> Result<PublicKey, Error> {
        let key = self.head().keys.iter().find(|key| key.id() == id);
        key.copied().ok_or_else(|| Error::new(Code::BadSignature, "not signed by a current root key"))
    }

    /// Verifies a document signed by a current root key.
    ///
    /// # Errors
    /// As [`Signed::verify`].
    pub fn verify_document<D: Document>(&self, compact: &str) -> Result<Signed<D>, Error> {
        Signed::verify_with(compact, |id, _| self.root_key(id))
    }

    /// Compares with the chain known of this peer.
    ///
    /// # Errors
    /// `wrong-audience` for another peer's chain, `stale-document` if it is shorter than the known one, `fork` if it
    /// does not contain the known one.
    pub fn extends(&self, known: &Self) -> Result<super::Age, Error> {
        if self.peer != known.peer {
            return Err(Error::new(Code::WrongAudience, "chain of another peer"));
        }
        let (ours, theirs) = (&self.statements, &known.statements);
        let common = ours.iter().zip(theirs).all(|((_, new, _), (_, old, _))| new == old);
        match (common, ours.len().cmp(&theirs.len())) {
            (false, _) => Err(Code::Fork.into()),
            (true, std::cmp::Ordering::Less) => Err(Code::StaleDocument.into()),
            (true, std::cmp::Ordering::Equal) => Ok(super::Age::Same),
            (true, std::cmp::Ordering::Greater) => Ok(super::Age::Newer),
        }
    }

    fn verify_inception(compact: &str) -> Result<Self, Error> {
        let VerifiedStatement { payload, statement, id, .. } = verify_statement(compact)?;
        if statement.seq != 0 {
            return Err(Error::new(Code::Malformed, "chain does not begin with its inception"));
        }
        let peer = PeerId::of_inception(&payload);
        Ok(Self { peer, statements: vec![(compact.to_owned(), id, statement)] })
    }

    fn push(&mut self, compact: &str) -> Result<(), Error> {
        let VerifiedStatement { statement, id, signers, .. } = verify_statement(compact)?;
        let (_, head, before) = self.last();
        if statement.seq != before.seq + 1 || statement.prev != Some(*head) {
            return Err(Error::new(Code::Malformed, "chain statements out of order"));
        }
        if !statement.keys.iter().all(|key| before.next.contains(&key.commitment())) {
            return Err(Code::PrerotationMismatch.into());
        }
        // Otherwise whoever gets hold of one committed key could take the threshold down alone.
        if signers < usize::from(before.thr) {
            return Err(Error::new(Code::BadSignature, "fewer signatures than the statement before demands"));
        }
        self.statements.push((compact.to_owned(), id, statement));
        Ok(())
    }

    fn last(&self) -> &(String, DocumentId, ChainStatement) {
        self.statements.last().expect("a chain has at least its inception")
    }
}

/// A statement that enough of its own keys signed.
struct VerifiedStatement {
    payload: Vec<u8>,
    statement: ChainStatement,
    id: DocumentId,
    signers: usize,
}

/// Verifies that `thr` different keys of the statement signed it.
fn verify_statement(joined: &str) -> Result<VerifiedStatement, Error> {
    let signatures: Vec<Jws<'_>> = split_signatures(joined)
        .take(MAX_CHAIN_KEYS + 1)
        .map(|compact| Jws::parse(compact, ChainStatement::TYPE))
        .collect::<Result<_, _>>()?;
    let payload = signatures[0].payload().to_vec();
    let statement: ChainStatement = parse_payload(&payload)?;
    statement.check()?;
    let mut signers = BTreeSet::new();
    for signature in &signatures {
        let key = statement.keys.iter().find(|key| key.id() == signature.key());
        let key =
            key.ok_or_else(|| Error::new(Code::BadSignature, "signed by a key that the statement lacks"))?;
        if signature.payload() != payload || !signers.insert(signature.key()) {
            return Err(Error::new(
                Code::Malformed,
                "signatures over different payloads or twice by one key",
            ));
        }
        signature.verify(key)?;
    }
    if signers.len() < usize::from(statement.thr) {
        return Err(Error::new(Code::BadSignature, "fewer signatures than the threshold"));
    }
    let id = DocumentId::of(ChainStatement::TYPE, &payload);
    Ok(VerifiedStatement { payload, statement, id, signers: signers.len() })
}
