use super::defaults::MAX_SPENT_TICKETS_TOTAL;
use crate::Time;
use crate::defaults::MAX_SPENT_TICKETS;
use crate::frame::MailboxId;
use crate::ticket::{Ticket, epoch};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What a ticket was shown for: one ticket admits one find and one request for TURN credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Find,
    Admit,
}

/// The spent tickets of one mailbox, epoch and use, by their random part.
type Spent = BTreeSet<[u8; 12]>;

/// The spent tickets of the epochs that are still valid. Only genuine tickets belong here.
#[derive(Default)]
pub(super) struct SpentTickets {
    mailboxes: BTreeMap<(u32, MailboxId, Use), Spent>,
    total: usize,
}

impl SpentTickets {
    /// Whether a ticket may still be spent: it was not, and its mailbox is below its limit.
    pub(super) fn is_fresh(&self, mailbox: MailboxId, purpose: Use, ticket: &Ticket) -> bool {
        self.mailboxes
            .get(&(ticket.epoch(), mailbox, purpose))
            .is_none_or(|spent| spent.len() < MAX_SPENT_TICKETS && !spent.contains(&random_part(ticket)))
    }

    /// Spends a ticket.
    pub(super) fn spend(&mut self, mailbox: MailboxId, purpose: Use, ticket: &Ticket, rng: &mut ChaCha20Rng) {
        if self.total >= MAX_SPENT_TICKETS_TOTAL {
            self.forget_any(rng);
        }
        let spent = self.mailboxes.entry((ticket.epoch(), mailbox, purpose)).or_default();
        self.total += usize::from(spent.insert(random_part(ticket)));
    }

    /// Forgets tickets that are not valid any more.
    pub(super) fn forget_expired(&mut self, now: Time) {
        let oldest = epoch(now).saturating_sub(1);
        while self.mailboxes.first_key_value().is_some_and(|((epoch, ..), _)| *epoch < oldest) {
            self.total -= self.mailboxes.pop_first().map_or(0, |(_, spent)| spent.len());
        }
    }

    /// Forgets the tickets of one random mailbox. That takes nothing from anybody: it lets the mailbox's own contacts
    /// use theirs once more. Treating tickets as spent instead would lock out everybody's contacts.
    fn forget_any(&mut self, rng: &mut ChaCha20Rng) {
        let mut id = MailboxId([0; 16]);
        rng.fill_bytes(&mut id.0);
        let epochs = [self.mailboxes.first_key_value(), self.mailboxes.last_key_value()];
        let epochs = epochs.map(|entry| entry.map_or(0, |((epoch, ..), _)| *epoch));
        let start = (epochs[(rng.next_u32() % 2) as usize], id, Use::Find);
        let key = self.mailboxes.range(start..).chain(&self.mailboxes).next().map(|(key, _)| *key);
        if let Some(spent) = key.and_then(|key| self.mailboxes.remove(&key)) {
            self.total -= spent.len();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.total, self.mailboxes.values().map(BTreeSet::len).sum::<usize>());
        self.total
    }
}

fn random_part(ticket: &Ticket) -> [u8; 12] {
    let mut random = [0; 12];
    random.copy_from_slice(&ticket.0[4..16]);
    random
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::TICKET_EPOCH;
    use rand_core::SeedableRng;

    fn ticket(epoch: u32, number: u64) -> Ticket {
        let mut ticket = [0; 32];
        ticket[..4].copy_from_slice(&epoch.to_be_bytes());
        ticket[4..12].copy_from_slice(&number.to_be_bytes());
        Ticket(ticket)
    }

    #[test]
    fn one_mailbox_cannot_fill_the_table() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut spent = SpentTickets::default();
        let mailbox = MailboxId([1; 16]);
        for number in 0..MAX_SPENT_TICKETS as u64 {
            assert!(spent.is_fresh(mailbox, Use::Find, &ticket(1, number)));
            spent.spend(mailbox, Use::Find, &ticket(1, number), &mut rng);
        }
        assert!(!spent.is_fresh(mailbox, Use::Find, &ticket(1, u64::MAX)));
        assert!(spent.is_fresh(mailbox, Use::Find, &ticket(2, u64::MAX)), "the next epoch starts anew");
        assert!(spent.is_fresh(MailboxId([2; 16]), Use::Find, &ticket(1, u64::MAX)));
    }

    #[test]
    fn stays_below_its_total_and_still_takes_tickets() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let mut spent = SpentTickets::default();
        for number in 0..MAX_SPENT_TICKETS_TOTAL as u64 + 5_000 {
            let mut mailbox = MailboxId([0; 16]);
            rng.fill_bytes(&mut mailbox.0);
            spent.spend(mailbox, Use::Find, &ticket(1, number), &mut rng);
            assert!(!spent.is_fresh(mailbox, Use::Find, &ticket(1, number)));
        }
        assert!(spent.len() <= MAX_SPENT_TICKETS_TOTAL);
        assert!(spent.len() > MAX_SPENT_TICKETS_TOTAL - 10);
    }

    #[test]
    fn forgets_epochs_that_are_over() {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let mut spent = SpentTickets::default();
        let now = Time::from_millis(10 * TICKET_EPOCH);
        for epoch in [8, 9, 10] {
            spent.spend(MailboxId([1; 16]), Use::Admit, &ticket(epoch, 1), &mut rng);
        }
        spent.forget_expired(now);
        assert_eq!(spent.len(), 2);
        assert!(!spent.is_fresh(MailboxId([1; 16]), Use::Admit, &ticket(9, 1)));
    }
}
