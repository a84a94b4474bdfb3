//! Claiming and releasing names: what is decided, without HTTP.

use crate::config::{NamePolicy, Names as Config};
use crate::defaults::MAX_TRACKED_SOURCES;
use crate::domain::Authority;
use crate::nonce::Nonces;
use crate::random;
use crate::rate::RateLimit;
use axum::http::StatusCode;
use openpeer_core::document::{Chain, Public, Signed, VerifiedClaim};
use openpeer_core::encoding::hash_fields;
use openpeer_core::finder::Source;
use openpeer_core::frame::Nonce;
use openpeer_core::{Code, Error, Time};
use openpeer_store::{Admission, ClaimOutcome, InviteHash, NameRow};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

const MINUTE: u64 = 60_000;

/// The hash under which an invite code is kept. For whoever makes invites: the code itself is never stored.
#[must_use]
pub fn invite_hash(code: &str) -> InviteHash {
    InviteHash(hash_fields("openpeer/invite/v1", &[code.as_bytes()]))
}

/// Names at this domain.
pub(crate) struct Names {
    config: Config,
    state: Mutex<State>,
}

struct State {
    nonces: Nonces,
    claims: RateLimit,
    lookups: RateLimit,
}

/// What a peer published under its name: the part of a [`Bundle`](openpeer_core::document::Bundle) that the store keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) a: Vec<String>,
    pub(crate) public: String,
    /// When the first of the documents ends; afterwards the domain introduces nobody under the name.
    pub(crate) expires: Time,
}

impl Published {
    pub(crate) fn of_row(row: &NameRow) -> Option<Self> {
        serde_json::from_slice(&row.bundle).ok()
    }
}

impl Names {
    pub(crate) fn new(config: Config) -> Self {
        let per_minute = |tokens| RateLimit::new(tokens, MINUTE, tokens, MAX_TRACKED_SOURCES);
        let state = State {
            nonces: Nonces::new(random::bytes()),
            claims: per_minute(config.claims_per_minute),
            lookups: per_minute(config.lookups_per_minute),
        };
        Self { config, state: Mutex::new(state) }
    }

    /// # Errors
    /// Seconds to wait.
    pub(crate) fn admit_claim(&self, source: Source, now: Time) -> Result<(), u64> {
        self.lock().claims.take(source, now)
    }

    /// # Errors
    /// Seconds to wait.
    pub(crate) fn admit_lookup(&self, source: Source, now: Time) -> Result<(), u64> {
        self.lock().lookups.take(source, now)
    }

    pub(crate) fn issue_nonce(&self, now: Time) -> Nonce {
        self.lock().nonces.issue(random::bytes(), now)
    }

    pub(crate) fn spend_nonce(&self, nonce: &Nonce, now: Time) -> Result<(), Error> {
        self.lock().nonces.spend(nonce, now)
    }

    /// What the store asks of newcomers.
    pub(crate) fn admission(&self, invite: Option<&str>) -> Admission {
        match self.config.policy {
            NamePolicy::Open => Admission::Open,
            NamePolicy::Invite => Admission::Invite(invite.map(invite_hash)),
        }
    }

    /// The row that a verified claim asks for, its name record countersigned.
    ///
    /// # Errors
    /// `name-reserved`; `malformed` for a release, or a front door without mailbox at this domain's finder.
    pub(crate) fn row(
        &self,
        verified: &VerifiedClaim,
        authority: &Authority,
        now: Time,
    ) -> Result<NameRow, Error> {
        let name = &verified.claim.name;
        if name.is_reserved() || self.config.reserved.contains(name) {
            return Err(Code::NameReserved.into());
        }
        let (half, public) = verified
            .documents
            .as_ref()
            .ok_or_else(|| Error::new(Code::Malformed, "claim without documents"))?;
        let here = public.finders.iter().find(|entry| entry.url == *authority.finder());
        let mailbox = here.map(|entry| entry.mailbox).ok_or_else(|| {
            Error::new(Code::Malformed, "front door without a mailbox at this domain's finder")
        })?;
        let published = Published {
            name: authority.countersign(half)?,
            a: verified.chain.compacts().map(str::to_owned).collect(),
            public: public.compact().to_owned(),
            expires: half.exp.min(public.exp),
        };
        Ok(NameRow {
            name: name.as_str().to_owned(),
            peer: verified.chain.peer().to_string(),
            guest_mailbox: mailbox.0.to_vec(),
            seq: half.seq,
            updated_at: now.as_millis(),
            bundle: serde_json::to_vec(&published).expect("a struct of texts and numbers serialises"),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that a claim's documents follow the ones that the peer published before.
///
/// # Errors
/// `stale-document` or `fork`.
pub(crate) fn check_succession(published: &Published, verified: &VerifiedClaim) -> Result<(), Error> {
    let known = Chain::verify(published.a.iter().map(String::as_str))?;
    verified.chain.extends(&known)?;
    let Some((_, public)) = &verified.documents else { return Ok(()) };
    let before: Signed<Public> = known.verify_document(&published.public)?;
    if public.seq < before.seq {
        return Err(Error::new(Code::StaleDocument, "front door older than the published one"));
    }
    if public.seq == before.seq && public.id() != before.id() {
        return Err(Error::new(Code::Fork, "another front door with the published one's number"));
    }
    Ok(())
}

/// The answer to what the store made of a claim.
///
/// # Errors
/// Whatever keeps the peer from having the name.
pub(crate) fn judge(outcome: &ClaimOutcome) -> Result<StatusCode, Error> {
    match outcome {
        ClaimOutcome::Claimed => Ok(StatusCode::CREATED),
        ClaimOutcome::Updated => Ok(StatusCode::OK),
        ClaimOutcome::Blocked { .. } => Err(Code::NameReserved.into()),
        ClaimOutcome::TakenByOther => Err(Code::NameTaken.into()),
        ClaimOutcome::PeerHasName { name } => Err(Error::new(
            Code::Quota,
            format!("this peer already has the name {name}, which it may release"),
        )),
        ClaimOutcome::Stale { .. } => Err(Error::new(
            Code::StaleDocument,
            "a name record with this number or a higher one is published",
        )),
        ClaimOutcome::MailboxTaken => {
            Err(Error::new(Code::Unauthorized, "the guest mailbox belongs to another peer's name"))
        }
        ClaimOutcome::InviteRefused => Err(Code::InviteRequired.into()),
    }
}
