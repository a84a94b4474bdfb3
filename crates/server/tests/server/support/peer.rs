//! A peer that claims a name.

use super::dial;
use super::http::{Answer, get, post};
use openpeer_core::Time;
use openpeer_core::document::{
    Chain, Claim, ClaimAction, ClaimRequest, Document, Draft, FinderMailbox, Name, NameRecord, Public, Salt,
    StrangerPolicy, V1,
};
use openpeer_core::frame::{MailboxId, Nonce};
use openpeer_core::key::{InboxSecret, Seed};
use openpeer_core::uri::{Domain, FinderUrl};
use openpeer_server::Server;
use std::time::SystemTime;

pub(crate) fn now() -> Time {
    Time::from_secs(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

const DAY: u64 = 86_400_000;

#[derive(Clone)]
pub(crate) struct TestPeer {
    pub(crate) root: Seed,
    pub(crate) next: Seed,
    pub(crate) guest: Seed,
    pub(crate) chain: Chain,
    pub(crate) seq: u64,
    /// When its documents were made, so that the same one twice is the same.
    pub(crate) made: Time,
}

impl TestPeer {
    /// A peer whose keys come from one byte.
    pub(crate) fn new(n: u8) -> Self {
        let (root, next, guest) = (Seed::new([n; 32]), Seed::new([n ^ 0x55; 32]), Seed::new([n ^ 0xAA; 32]));
        let commitment = vec![next.public_key().commitment()];
        let made = now();
        let draft = Chain::draft_inception(&root.public_key(), commitment, Salt([n; 16]), made);
        let signature = root.sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature).unwrap();
        Self { root, next, guest, chain, seq: 1, made }
    }

    /// The same peer after a rotation of its key.
    pub(crate) fn rotated(&self) -> Self {
        let draft = self.chain.draft_rotation(&self.next.public_key(), Vec::new(), now());
        let signature = self.next.sign(draft.signing_input());
        let chain = self.chain.rotated(draft, &signature).unwrap();
        Self { root: self.next.clone(), chain, seq: self.seq + 1, ..self.clone() }
    }

    pub(crate) fn guest_mailbox(&self) -> MailboxId {
        MailboxId::of(&self.guest.public_key())
    }

    pub(crate) fn sign<D: Document>(&self, document: D) -> String {
        let draft = Draft::new(document, self.root.public_key().id());
        let signature = self.root.sign(draft.signing_input());
        draft.finish(&signature).compact().to_owned()
    }

    pub(crate) fn request(&self, action: ClaimAction, name: &str, nonce: Nonce) -> ClaimRequest {
        let (name, domain) = (Name::from_text(name).unwrap(), Domain::from_text("a.test").unwrap());
        let claim = Claim { v: V1, action, name: name.clone(), domain: domain.clone(), nonce, iat: now() };
        let (iat, exp) = (self.made, self.made + 29 * DAY);
        let record = NameRecord { v: V1, name, domain, peer: self.chain.peer(), seq: self.seq, iat, exp };
        ClaimRequest {
            claim: self.sign(claim),
            a: self.chain.compacts().map(str::to_owned).collect(),
            name: Some(self.sign(record)),
            public: Some(self.sign(self.public())),
            invite: None,
        }
    }

    fn public(&self) -> Public {
        let here = FinderMailbox {
            domain: Domain::from_text("a.test").unwrap(),
            url: FinderUrl::from_text("wss://a.test/finder").unwrap(),
            mailbox: self.guest_mailbox(),
        };
        Public {
            v: V1,
            peer: self.chain.peer(),
            a: self.chain.seq(),
            seq: self.seq,
            iat: self.made,
            exp: self.made + 29 * DAY,
            finders: vec![here],
            inbox: InboxSecret::new([9; 32]).public_key(),
            policy: StrangerPolicy::Knock,
        }
    }

    pub(crate) async fn claim(&self, server: &Server, name: &str) -> Answer {
        let request = self.request(ClaimAction::Claim, name, nonce(server).await);
        submit(server, &request).await
    }

    pub(crate) async fn release(&self, server: &Server, name: &str) -> Answer {
        let request = self.request(ClaimAction::Release, name, nonce(server).await);
        submit(server, &request).await
    }
}

pub(crate) async fn nonce(server: &Server) -> Nonce {
    let answer = get(dial(server).await, "/openpeer/nonce").await;
    Nonce::from_text(answer.json()["nonce"].as_str().unwrap()).unwrap()
}

pub(crate) async fn submit(server: &Server, request: &ClaimRequest) -> Answer {
    post(dial(server).await, "/openpeer/names", request.to_json()).await
}
