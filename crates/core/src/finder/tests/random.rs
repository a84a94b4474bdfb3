//! Whatever clients, shells and stores do in whatever order, the machine neither panics nor leaks.

use super::harness::{Harness, mailbox, seed};
use crate::finder::{
    ConnectionId, FIRST_LOCATION_EXCHANGE, FinderConfig, Input, KnockId, StoredKnock, TurnConfig,
};
use crate::frame::{Header, MailboxId, MailboxKind};
use crate::ticket::{Ticket, TicketKey};
use crate::{Time, defaults};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Connect { source: u8 },
    Disconnect(u8),
    Attach { who: u8, mailboxes: Vec<(u8, bool)> },
    Find { who: u8, x: u8, to: u8, ticket: u8, size: u16 },
    Location { who: u8, x: u8, kind: u8, size: u16 },
    Seeker { who: u8, x: u8, kind: u8, size: u16 },
    Admit { who: u8, to: u8, ticket: u8 },
    Bytes { who: u8, bytes: Vec<u8> },
    Member { who: u8, member: bool },
    Knocks { who: u8, mailbox: u8, count: u8 },
    Answers { store: bool, domain: bool },
    Advance(u32),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let (who, size) = (0..8u8, prop_oneof![Just(0u16), 1..2_000u16, 15_000..21_000u16]);
    let number = 0..4u8;
    prop_oneof![
        4 => (0..3u8).prop_map(|source| Step::Connect { source }),
        2 => who.clone().prop_map(Step::Disconnect),
        4 => (who.clone(), proptest::collection::vec((0..4u8, any::<bool>()), 0..4))
            .prop_map(|(who, mailboxes)| Step::Attach { who, mailboxes }),
        8 => (who.clone(), number.clone(), 0..5u8, 0..6u8, size.clone())
            .prop_map(|(who, x, to, ticket, size)| Step::Find { who, x, to, ticket, size }),
        6 => (who.clone(), number.clone(), 0..3u8, size.clone())
            .prop_map(|(who, x, kind, size)| Step::Location { who, x, kind, size }),
        4 => (who.clone(), number, 0..3u8, size).prop_map(|(who, x, kind, size)| Step::Seeker { who, x, kind, size }),
        2 => (who.clone(), 0..5u8, 0..6u8).prop_map(|(who, to, ticket)| Step::Admit { who, to, ticket }),
        1 => (who.clone(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(who, bytes)| Step::Bytes { who, bytes }),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, member)| Step::Member { who, member }),
        1 => (who, 0..4u8, 0..10u8).prop_map(|(who, mailbox, count)| Step::Knocks { who, mailbox, count }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(store, domain)| Step::Answers { store, domain }),
        4 => prop_oneof![0..500u32, 0..90_000u32].prop_map(Step::Advance),
        1 => Just(Step::Drain),
    ]
}

fn run(harness: &mut Harness, step: Step) {
    let connection = |who: u8| ConnectionId(u64::from(who));
    match step {
        Step::Connect { source } => drop(harness.connect_from([source; 8])),
        Step::Disconnect(who) => harness.disconnect(connection(who)),
        Step::Attach { who, mailboxes } => attach(harness, connection(who), &mailboxes),
        Step::Find { who, x, to, ticket, size } => {
            let header = Header::Find {
                x: x.into(),
                to: address(to),
                ticket: admission(harness.now, to, ticket),
                kept: None,
            };
            send(harness, connection(who), header, size);
        }
        Step::Location { who, x, kind, size } => {
            send(harness, connection(who), continuation(FIRST_LOCATION_EXCHANGE + u32::from(x), kind), size);
        }
        Step::Seeker { who, x, kind, size } => {
            send(harness, connection(who), continuation(x.into(), kind), size)
        }
        Step::Admit { who, to, ticket } => {
            let ticket = admission(harness.now, to, ticket).unwrap_or(Ticket([0; 32]));
            send(harness, connection(who), Header::Admit { to: address(to), ticket }, 0);
        }
        Step::Bytes { who, bytes } => harness.send_bytes(connection(who), &bytes),
        Step::Member { who, member } => harness.input(Input::Member { connection: connection(who), member }),
        Step::Knocks { who, mailbox, count } => {
            let knock =
                |number| StoredKnock { id: KnockId([number; 16]), body: vec![number], received: harness.now };
            let knocks = (0..count).map(knock).collect();
            harness.input(Input::Knocks { connection: connection(who), mailbox: address(mailbox), knocks });
        }
        Step::Answers { store, domain } => (harness.store_answers, harness.signs) = (store, domain),
        Step::Advance(millis) => harness.advance(millis.into()),
        Step::Drain => harness.input(Input::Drain),
    }
}

fn attach(harness: &mut Harness, connection: ConnectionId, mailboxes: &[(u8, bool)]) {
    let Some(nonce) = harness.known_nonce(connection) else { return };
    let kind = |guest: bool| if guest { MailboxKind::Guest } else { MailboxKind::Location };
    let seeds: Vec<_> = mailboxes.iter().map(|(number, guest)| (seed(*number), kind(*guest))).collect();
    let list: Vec<_> = seeds.iter().map(|(seed, kind)| (seed, *kind)).collect();
    harness.send(connection, super::harness::attach_header(nonce, super::harness::URL, &list), b"");
}

fn send(harness: &mut Harness, connection: ConnectionId, header: Header, size: u16) {
    let size =
        if matches!(header, Header::Done { .. } | Header::Admit { .. }) { 0 } else { usize::from(size) };
    harness.send(connection, header, &vec![0; size]);
}

fn address(number: u8) -> MailboxId {
    mailbox(&seed(number))
}

/// None, a forged one, or one of four genuine ones.
fn admission(now: Time, to: u8, number: u8) -> Option<Ticket> {
    match number {
        0 => None,
        1 => Some(Ticket([1; 32])),
        number => Some(TicketKey::derive(&[0xF1; 32], &address(to)).issue(now, [number; 12])),
    }
}

const fn continuation(x: u32, kind: u8) -> Header {
    match kind {
        0 => Header::Answer { x },
        1 => Header::More { x },
        _ => Header::Done { x },
    }
}

fn harness() -> Harness {
    let turn = TurnConfig { secret: "north".to_owned().into(), urls: vec!["turn:b.test".into()] };
    let config = FinderConfig { turn: Some(turn), source_rate: (100, 100), ..super::harness::config() };
    let mut harness = Harness::with(config);
    harness.members.insert(address(0), vec![]);
    harness
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn nothing_panics_and_nothing_leaks(steps in proptest::collection::vec(step(), 0..120)) {
        let mut harness = harness();
        for step in steps {
            run(&mut harness, step);
            let [sessions, _, sought, ..] = harness.entries();
            prop_assert!(sought <= sessions * defaults::MAX_OPEN_EXCHANGES);
        }
        for who in 0..=u8::MAX {
            harness.disconnect(ConnectionId(who.into()));
        }
        prop_assert_eq!(&harness.entries()[..4], [0; 4]);
        harness.advance(3 * defaults::TICKET_EPOCH);
        harness.finder.handle_timeout(harness.now);
        prop_assert_eq!(harness.entries(), [0; 5]);
        prop_assert_eq!(harness.finder.spent.len(), 0);
        prop_assert_eq!((harness.finder.counters().sessions, harness.finder.counters().attached), (0, 0));
    }

    #[test]
    fn a_run_can_be_repeated(steps in proptest::collection::vec(step(), 0..60)) {
        let trace = |steps: &[Step]| {
            let mut harness = harness();
            steps.iter().cloned().for_each(|step| run(&mut harness, step));
            let received: Vec<_> = (0..60).map(|who| harness.take_raw(ConnectionId(who))).collect();
            (received, harness.closed, harness.commands)
        };
        prop_assert_eq!(trace(&steps), trace(&steps));
    }

    #[test]
    fn clients_without_a_shell_are_gone_in_time(steps in proptest::collection::vec(step(), 0..60)) {
        let mut harness = harness();
        for step in steps {
            let step = if let Step::Attach { .. } = step { Step::Advance(1) } else { step };
            run(&mut harness, step);
        }
        harness.advance(defaults::EXCHANGE_LIFE + defaults::FINDER_LINGER);
        prop_assert_eq!(harness.entries(), [0; 5], "a seeker cannot stay");
    }
}
