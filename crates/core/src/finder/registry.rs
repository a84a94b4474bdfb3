//! Which connection holds which mailbox. The only place that knows where a mailbox is: a cluster adds its answer
//! "at another node" to [`Holders`].

use super::ConnectionId;
use super::bucket::Bucket;
use crate::defaults::MAX_GUEST_LOCATIONS;
use crate::frame::{MailboxId, MailboxKind};
use std::collections::{BTreeMap, BTreeSet};

/// Who holds a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holders {
    /// The one location whose own it is.
    Location(ConnectionId),
    /// The locations that share it, oldest first, at least one.
    Guest(Vec<ConnectionId>),
}

struct Mailbox {
    holders: Holders,
    /// Finds without ticket. Apart from the table of absent mailboxes, so that no flood there reaches an open one.
    finds: Bucket,
}

/// The mailboxes that are open.
#[derive(Default)]
pub(super) struct Registry(BTreeMap<MailboxId, Mailbox>);

impl Registry {
    /// Who holds a mailbox, if it is open.
    pub(super) fn holders(&self, mailbox: &MailboxId) -> Option<&Holders> {
        self.0.get(mailbox).map(|mailbox| &mailbox.holders)
    }

    /// The location that holds a location mailbox.
    pub(super) fn location(&self, mailbox: &MailboxId) -> Option<ConnectionId> {
        match self.holders(mailbox)? {
            Holders::Location(connection) => Some(*connection),
            Holders::Guest(_) => None,
        }
    }

    /// The bucket of finds without ticket to an open mailbox.
    pub(super) fn finds_mut(&mut self, mailbox: &MailboxId) -> Option<&mut Bucket> {
        self.0.get_mut(mailbox).map(|mailbox| &mut mailbox.finds)
    }

    /// The connections that have to go when `mailbox` is opened as `kind`: the former holder of a location mailbox,
    /// and everybody who opened it as the other kind.
    pub(super) fn displaced_by(&self, mailbox: &MailboxId, kind: MailboxKind) -> Vec<ConnectionId> {
        match self.holders(mailbox) {
            Some(Holders::Location(connection)) => vec![*connection],
            Some(Holders::Guest(connections)) if kind == MailboxKind::Location => connections.clone(),
            Some(Holders::Guest(_)) | None => Vec::new(),
        }
    }

    /// Whether one more connection than those that are not `displaced` may hold `mailbox`.
    pub(super) fn has_room(
        &self,
        mailbox: &MailboxId,
        kind: MailboxKind,
        displaced: &BTreeSet<ConnectionId>,
    ) -> bool {
        match self.holders(mailbox) {
            Some(Holders::Guest(connections)) if kind == MailboxKind::Guest => {
                connections.iter().filter(|connection| !displaced.contains(connection)).count()
                    < MAX_GUEST_LOCATIONS
            }
            Some(_) | None => true,
        }
    }

    /// Opens a mailbox, after [`Self::displaced_by`] was acted upon.
    pub(super) fn open(&mut self, mailbox: MailboxId, kind: MailboxKind, connection: ConnectionId) {
        let holders = match kind {
            MailboxKind::Location => Holders::Location(connection),
            MailboxKind::Guest => Holders::Guest(Vec::with_capacity(1)),
        };
        let mailbox = self.0.entry(mailbox).or_insert_with(|| Mailbox { holders, finds: Bucket::default() });
        if let Holders::Guest(connections) = &mut mailbox.holders {
            connections.push(connection);
        }
    }

    /// Closes a mailbox for one connection.
    pub(super) fn close(&mut self, mailbox: &MailboxId, connection: ConnectionId) {
        let now_empty = match self.0.get_mut(mailbox).map(|mailbox| &mut mailbox.holders) {
            Some(Holders::Guest(connections)) => {
                connections.retain(|other| *other != connection);
                connections.is_empty()
            }
            Some(Holders::Location(holder)) => *holder == connection,
            None => false,
        };
        if now_empty {
            self.0.remove(mailbox);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What one open mailbox takes in the map.
#[cfg(test)]
pub(super) const ENTRY_BYTES: usize = size_of::<(MailboxId, Mailbox)>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_holder_closes_a_mailbox() {
        let (mailbox, holder, other) = (MailboxId([1; 16]), ConnectionId(1), ConnectionId(2));
        for kind in [MailboxKind::Location, MailboxKind::Guest] {
            let mut registry = Registry::default();
            registry.open(mailbox, kind, holder);
            registry.close(&mailbox, other);
            assert_eq!(registry.len(), 1);
            registry.close(&mailbox, holder);
            assert_eq!(registry.len(), 0);
        }
    }
}
