//! Writes whatever a hostile peer could write with the keys and records on its disk.

use crate::cast::sign;
use openpeer_core::document::{Chain, LocationCertificate, PeerId, Reach, Signed, V1};
use openpeer_core::encoding::array_from_base64url;
use openpeer_core::frame::{Frame, Header};
use openpeer_core::key::KeyId;
use openpeer_core::message::{Find, Known, Letter, MessageId};
use openpeer_core::peer::RECORD_CHAIN;
use openpeer_core::seal::{EnvelopeKind, ExchangeSecret, Psk, Recipient, seal};
use openpeer_core::ticket::Ticket;
use openpeer_core::transport::{Transport, TransportParameters};
use openpeer_core::{Time, document};
use openpeer_sim::{Dice, Disk};

pub(crate) struct Forger {
    pub(crate) disk: Disk,
    pub(crate) chain: Chain,
    dice: Dice,
}

/// What a peer knows of a location of a contact.
pub(crate) struct Acquaintance {
    pub(crate) peer: PeerId,
    pub(crate) location: KeyId,
    pub(crate) reach: Reach,
    pub(crate) psk: Psk,
    pub(crate) tickets: Vec<Ticket>,
}

impl Forger {
    pub(crate) fn new(disk: &Disk) -> Self {
        let compacts: Vec<String> = serde_json::from_slice(&disk.records[RECORD_CHAIN]).unwrap();
        let chain = Chain::verify(compacts.iter().map(String::as_str)).unwrap();
        Self { disk: disk.clone(), chain, dice: Dice::new(99) }
    }

    /// What the records say of a contact's only location.
    pub(crate) fn known(&self, peer: PeerId) -> Acquaintance {
        let record: serde_json::Value =
            serde_json::from_slice(&self.disk.records[&format!("contact/{peer}")]).unwrap();
        let (id, known) = record["locations"].as_object().unwrap().iter().next().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let chain: Vec<String> = record["chain"].as_array().unwrap().iter().map(text).collect();
        let chain = Chain::verify(chain.iter().map(String::as_str)).unwrap();
        let certificate: Signed<LocationCertificate> =
            chain.verify_document(&text(&known["certificate"])).unwrap();
        let reach: Signed<Reach> = Signed::verify(&text(&known["reach"]), &certificate.key).unwrap();
        let tickets = known["tickets"][0].as_array().unwrap().iter();
        Acquaintance {
            peer,
            location: KeyId(array_from_base64url(id).unwrap()),
            reach: (*reach).clone(),
            psk: Psk::from_bytes(array_from_base64url(&text(&known["psks"][0])).unwrap()),
            tickets: tickets.map(|ticket| Ticket(array_from_base64url(&text(ticket)).unwrap())).collect(),
        }
    }

    pub(crate) fn certificate(&self, now: Time) -> String {
        let certificate = LocationCertificate {
            v: V1,
            peer: self.chain.peer(),
            a: self.chain.seq(),
            key: self.disk.location.public_key(),
            features: Vec::new(),
            iat: now,
            exp: now + 24 * 3_600_000,
        };
        sign(certificate, &self.disk.root)
    }

    pub(crate) fn find(&mut self, to: &Acquaintance, webrtc: TransportParameters, now: Time) -> Find {
        Find {
            v: V1,
            suite: "PS1".to_owned(),
            jti: MessageId(self.dice.bytes()),
            iat: now,
            iss: self.chain.peer(),
            aud: to.peer,
            to: to.location,
            inbox: to.reach.inbox.id(),
            transports: vec![Transport::WebRtc],
            webrtc,
            has: Known::default(),
            knock: None,
        }
    }

    /// A letter with this message, signed by the location.
    pub(crate) fn letter<M: document::Document>(&self, message: M, now: Time) -> Letter {
        Letter {
            a: self.chain.compacts().map(str::to_owned).collect(),
            location: Some(self.certificate(now)),
            b: None,
            message: sign(message, &self.disk.location),
        }
    }

    /// Seals a text as a find for somebody.
    pub(crate) fn seal(
        &mut self,
        to: &Acquaintance,
        with_psk: bool,
        text: &[u8],
    ) -> (Vec<u8>, ExchangeSecret) {
        let peer = to.peer.to_string();
        let psk = with_psk.then_some(&to.psk);
        let recipient = Recipient { peer: &peer, key: &to.reach.inbox, psk };
        seal(EnvelopeKind::Find, recipient, text, self.dice.rng()).unwrap()
    }
}

/// A find frame to the first mailbox of somebody, with a ticket.
pub(crate) fn find_frame(x: u32, to: &Acquaintance, ticket: usize, body: Vec<u8>) -> Vec<u8> {
    let header =
        Header::Find { x, to: to.reach.finders[0].mailbox, ticket: Some(to.tickets[ticket]), kept: None };
    Frame { header, body }.encode()
}
