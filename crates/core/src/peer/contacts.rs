use super::{Event, PeerMachine};
use crate::control::PairKey;
use crate::document::{B, Chain, DocumentId, LocationCertificate, PeerId, Reach, Signed};
use crate::key::KeyId;
use crate::message::Writer;
use crate::seal::Psk;
use crate::ticket::Ticket;
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What somebody is to this peer's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContactState {
    /// Nobody in particular.
    None,
    /// We knocked; a find that answers the knock is accepted.
    Requested,
    /// Both users accepted.
    Contact,
    /// The user wants to hear nothing of them.
    Blocked,
}

/// How links with a contact may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkSetting {
    /// Directly where possible.
    #[default]
    Direct,
    /// Through a relay only: the contact does not see our address.
    RelayOnly,
}

/// What is known of somebody, as persisted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// Who.
    pub peer: PeerId,
    /// What they are to the user.
    pub state: ContactState,
    /// The user's own name for them.
    pub name: Option<String>,
    /// The address under which a domain introduced them, such as `bob@b.test`; not verified by anybody else.
    pub introduced: Option<String>,
    /// How links may run.
    #[serde(default)]
    pub setting: LinkSetting,
    /// When their documents were last confirmed, by themselves or by their domains.
    pub documents_at: Time,
    /// Our knock that they have not answered yet.
    pub(super) knock: Option<DocumentId>,
    pub(super) chain: Vec<String>,
    pub(super) b: Option<String>,
    pub(super) locations: BTreeMap<KeyId, ContactLocation>,
}

/// What is known of one location of a contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ContactLocation {
    pub(super) certificate: String,
    pub(super) reach: Option<String>,
    /// Unused tickets for the location's mailboxes, by position in the reach's finders.
    pub(super) tickets: Vec<Vec<Ticket>>,
    pub(super) pair: Option<PairKey>,
    /// Pre-shared keys with our location, newest first, two generations.
    pub(super) psks: Vec<Psk>,
}

impl Contact {
    pub(super) fn new(peer: PeerId, state: ContactState, chain: &Chain, now: Time) -> Self {
        Self {
            peer,
            state,
            name: None,
            introduced: None,
            setting: LinkSetting::default(),
            documents_at: now,
            knock: None,
            chain: chain.compacts().map(str::to_owned).collect(),
            b: None,
            locations: BTreeMap::new(),
        }
    }

    /// How to show them: the user's name for them, the introduction, or the peer id.
    #[must_use]
    pub fn label(&self) -> String {
        let named = self.name.as_ref().or(self.introduced.as_ref());
        named.cloned().unwrap_or_else(|| self.peer.to_string())
    }

    pub(super) fn chain(&self) -> Result<Chain, Error> {
        Chain::verify(self.chain.iter().map(String::as_str))
    }

    /// What is known of the writer of a letter from one of the contact's locations.
    pub(super) fn writer(&self, location: &KeyId) -> Result<Writer, Error> {
        let chain = self.chain()?;
        let known =
            self.locations.get(location).ok_or_else(|| Error::new(Code::Malformed, "unknown location"))?;
        let certificate: Signed<LocationCertificate> = chain.verify_document(&known.certificate)?;
        let b = self.verified_b(&chain);
        Ok(Writer { chain, location: certificate, b })
    }

    pub(super) fn verified_b(&self, chain: &Chain) -> Option<Signed<B>> {
        self.b.as_ref().and_then(|compact| chain.verify_document(compact).ok())
    }

    pub(super) fn reach(&self, location: &KeyId) -> Option<Signed<Reach>> {
        let chain = self.chain().ok()?;
        let known = self.locations.get(location)?;
        let certificate: Signed<LocationCertificate> = chain.verify_document(&known.certificate).ok()?;
        Signed::verify(known.reach.as_ref()?, &certificate.key).ok()
    }

    /// Takes over what a verified letter showed of its writer.
    pub(super) fn learn(&mut self, writer: &Writer) {
        // A new root that certifies the same location key anew keeps what that location gave us.
        let known = self.locations.get(&writer.location_id()).cloned();
        self.set_chain(&writer.chain);
        if let Some(b) = &writer.b {
            self.set_b(b);
        }
        let certificate = writer.location.compact().to_owned();
        self.locations
            .entry(writer.location_id())
            .and_modify(|entry| entry.certificate.clone_from(&certificate))
            .or_insert_with(|| match known {
                Some(known) => ContactLocation { certificate, ..known },
                None => ContactLocation::new(certificate),
            });
    }

    /// Takes over a longer chain; everything signed under an older statement is void.
    pub(super) fn set_chain(&mut self, chain: &Chain) {
        if chain.compacts().count() > self.chain.len() {
            self.chain = chain.compacts().map(str::to_owned).collect();
            self.b = None;
            self.locations.clear();
        }
    }

    /// Takes over a newer B; locations that it does not list are revoked.
    pub(super) fn set_b(&mut self, b: &Signed<B>) {
        self.b = Some(b.compact().to_owned());
        self.locations.retain(|location, _| b.locations.contains(location));
    }

    pub(super) fn take_ticket(&mut self, location: &KeyId, finder: usize) -> Option<Ticket> {
        self.locations.get_mut(location)?.tickets.get_mut(finder)?.pop()
    }
}

impl ContactLocation {
    pub(super) const fn new(certificate: String) -> Self {
        Self { certificate, reach: None, tickets: Vec::new(), pair: None, psks: Vec::new() }
    }
}

impl PeerMachine {
    pub(super) fn load_contact(&mut self, value: &[u8]) -> Result<(), Error> {
        let contact: Contact =
            serde_json::from_slice(value).map_err(|error| Error::new(Code::Malformed, error.to_string()))?;
        if let Some(address) = &contact.introduced {
            self.introduced.insert(address.clone(), contact.peer);
        }
        self.contacts.insert(contact.peer, contact);
        Ok(())
    }

    pub(super) fn save_contact(&mut self, peer: PeerId) {
        if let Some(contact) = self.contacts.get(&peer).cloned() {
            self.persist(format!("contact/{peer}"), &contact);
        }
    }

    /// Changes a contact's state on our own initiative and tells the user.
    pub(super) fn contact_became(&mut self, peer: PeerId, state: ContactState) {
        let Some(contact) = self.contacts.get_mut(&peer) else { return };
        if contact.state != state {
            contact.state = state;
            self.save_contact(peer);
            self.event(Event::ContactChanged { peer, state });
        }
    }

    pub(super) fn set_contact(&mut self, peer: PeerId, state: ContactState) {
        if !self.contacts.contains_key(&peer) {
            return;
        }
        match state {
            ContactState::None => self.remove_contact(peer),
            ContactState::Blocked => {
                self.contact_became(peer, state);
                self.close_links_with(peer, Code::Cancelled);
            }
            ContactState::Contact | ContactState::Requested => {
                self.contact_became(peer, ContactState::Contact)
            }
        }
    }

    pub(super) fn rename_contact(&mut self, peer: PeerId, name: String) {
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.name = Some(name).filter(|name| !name.is_empty());
            self.save_contact(peer);
        }
    }

    pub(super) fn set_link_setting(&mut self, peer: PeerId, setting: LinkSetting) {
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.setting = setting;
            self.save_contact(peer);
        }
    }

    fn remove_contact(&mut self, peer: PeerId) {
        self.tell_removed(peer);
        self.close_links_with(peer, Code::Cancelled);
        self.contacts.remove(&peer);
        self.introduced.retain(|_, introduced| *introduced != peer);
        self.forget_pair_key(peer);
        self.forget(format!("contact/{peer}"));
        self.event(Event::ContactChanged { peer, state: ContactState::None });
    }

    /// Shows a problem to the user or to whoever diagnoses.
    pub(super) fn alarm(&mut self, error: Error, peer: Option<PeerId>) {
        self.event(Event::Alarm { error, peer });
    }

    pub(super) fn is_contact(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| contact.state == ContactState::Contact)
    }

    /// Every pre-shared key with whom it is shared, in a fixed order.
    pub(super) fn psks(&self) -> impl Iterator<Item = (PeerId, KeyId, &Psk)> {
        self.contacts.values().flat_map(|contact| {
            contact.locations.iter().flat_map(move |(location, known)| {
                known.psks.iter().map(move |psk| (contact.peer, *location, psk))
            })
        })
    }
}
