//! A domain that lies about who is behind a name, or about itself.

use crate::cast::Pair;
use openpeer_core::Code;
use openpeer_core::defaults::DOCUMENT_LIFE;
use openpeer_core::document::{
    Bundle, Chain, Draft, FinderMailbox, Name, NameRecord, Public, Salt, StrangerPolicy, V1,
};
use openpeer_core::frame::MailboxId;
use openpeer_core::key::{InboxSecret, Seed};
use openpeer_core::peer::{Event, HttpRequest, HttpResponse, Progress};
use openpeer_core::uri::FinderUrl;
use openpeer_sim::{Manners, World};

/// Bob is known by name, but the two are not contacts yet.
fn acquaintances(seed: u64) -> Pair {
    let mut pair = Pair::strangers(seed);
    pair.world.set_manners(pair.bob, Manners::Wait);
    pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(10_000);
    pair
}

/// How Alice's next attempt by name fails.
fn ask_again(pair: &mut Pair) -> Code {
    let request = pair.world.connect(pair.alice, "bob@b.test");
    pair.fails(pair.alice, request)
}

/// A bundle that hangs the name on a key of the domain's own making, as only the domain can write it.
fn forged(world: &World, domain: openpeer_sim::Domain) -> Bundle {
    let root = Seed::new([66; 32]);
    let now = world.now();
    let draft = Chain::draft_inception(&root.public_key(), Vec::new(), Salt([6; 16]), now);
    let signature = root.sign(draft.signing_input());
    let chain = Chain::from_inception(draft, &signature).expect("a chain");
    let (name, exp) = (world.domain_name(domain).clone(), now + DOCUMENT_LIFE);
    let record = NameRecord {
        v: V1,
        name: Name::from_text("bob").expect("a name"),
        domain: name.clone(),
        peer: chain.peer(),
        seq: now.as_secs() + 9,
        iat: now,
        exp,
    };
    let halves = [&root, &world.domain_key(domain)].map(|key| {
        let draft = Draft::new(record.clone(), key.public_key().id());
        let signature = key.sign(draft.signing_input());
        draft.finish(&signature).compact().to_owned()
    });
    let url = FinderUrl::from_text("wss://b.test/finder").expect("a finder URL");
    let public = Public {
        v: V1,
        peer: chain.peer(),
        a: 0,
        seq: 1,
        iat: now,
        exp,
        finders: vec![FinderMailbox { domain: name, url, mailbox: MailboxId([6; 16]) }],
        inbox: InboxSecret::new([6; 32]).public_key(),
        policy: StrangerPolicy::Knock,
    };
    let draft = Draft::new(public, root.public_key().id());
    let signature = root.sign(draft.signing_input());
    Bundle {
        domain: String::new(),
        name: Some(halves.join("~")),
        a: chain.compacts().map(str::to_owned).collect(),
        public: Some(draft.finish(&signature).compact().to_owned()),
    }
}

#[test]
fn a_name_that_moves_to_another_key_is_a_reset() {
    let mut pair = acquaintances(1);
    let forged = forged(&pair.world, pair.b);
    let server = pair.world.server(pair.b);
    pair.world.tamper_with_web(
        server,
        Box::new(move |request: &HttpRequest, response: HttpResponse| {
            if !request.path.contains("name=bob") {
                return response;
            }
            let honest = Bundle::parse(&response.body).expect("a bundle");
            let bundle = Bundle { domain: honest.domain, ..forged.clone() };
            HttpResponse { status: 200, body: bundle.to_json() }
        }),
    );
    assert_eq!(ask_again(&mut pair), Code::Reset);
    assert!(pair.world.alarms(pair.alice).contains(&Code::Reset));
}

#[test]
fn at_first_contact_the_domain_vouches_and_a_contact_is_never_moved() {
    // Contacts are found by their own documents: what the domain says about the name does not matter any more.
    let mut pair = Pair::contacts(2);
    let forged = forged(&pair.world, pair.b);
    let server = pair.world.server(pair.b);
    pair.world.tamper_with_web(
        server,
        Box::new(move |_: &HttpRequest, _| HttpResponse { status: 200, body: forged.to_json() }),
    );
    let request = pair.world.connect(pair.alice, "bob@b.test");
    pair.linked(pair.alice, request);
    assert_eq!(pair.world.violations(), [""; 0]);
}

/// Replaces the domain document in every bundle.
fn show(pair: &mut Pair, document: String) {
    let server = pair.world.server(pair.b);
    pair.world.tamper_with_web(
        server,
        Box::new(move |_: &HttpRequest, response: HttpResponse| {
            let Ok(bundle) = Bundle::parse(&response.body) else { return response };
            let bundle = Bundle { domain: document.clone(), ..bundle };
            HttpResponse { status: 200, body: bundle.to_json() }
        }),
    );
}

#[test]
fn two_domain_documents_of_one_number_are_a_fork() {
    let mut pair = acquaintances(3);
    let now = pair.world.now();
    let seq = now.as_secs() + 1_000;
    let document = pair.world.write_domain_document(pair.b, seq, now, now + 86_400_000);
    show(&mut pair, document);
    pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(10_000);
    assert!(!pair.world.alarms(pair.alice).contains(&Code::Fork));
    let other = pair.world.write_domain_document(pair.b, seq, now, now + 2 * 86_400_000);
    show(&mut pair, other);
    assert_eq!(ask_again(&mut pair), Code::Fork);
    assert!(pair.world.alarms(pair.alice).contains(&Code::Fork));
}

#[test]
fn an_expired_domain_document_introduces_nobody() {
    let mut pair = acquaintances(4);
    let now = pair.world.now();
    let document = pair.world.write_domain_document(
        pair.b,
        now.as_secs() + 1_000,
        now - 2 * 86_400_000,
        now - 86_400_000,
    );
    show(&mut pair, document);
    assert_eq!(ask_again(&mut pair), Code::Expired);
}

#[test]
fn a_changed_domain_key_leaves_the_known_finders_in_use() {
    let mut pair = acquaintances(5);
    pair.world.replace_domain_key(pair.b);
    let request = pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(10_000);
    assert!(pair.world.alarms(pair.alice).contains(&Code::DomainKeyChanged));
    // What the known key signed still counts, so the knock went to the known finder.
    let knocked = Event::Progress { request, progress: Progress::Knocking };
    assert!(crate::cast::told(&pair.world, pair.alice, |event| *event == knocked));
}

const HOUR: u64 = 3_600_000;

/// Whether Alice, who asks now, is told that the domain shows another key.
fn sees_other_key(pair: &mut Pair) -> bool {
    let before = pair.world.alarms(pair.alice).len();
    pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(15_000);
    pair.world.alarms(pair.alice)[before..].contains(&Code::DomainKeyChanged)
}

#[test]
fn another_domain_key_is_accepted_after_seven_days_of_the_same() {
    let mut pair = acquaintances(6);
    pair.world.replace_domain_key(pair.b);
    let hours = (0..=168).step_by(24);
    for hour in hours {
        // Bob's finder goes on greeting with the known key; whoever knocks there hears it.
        assert_eq!(sees_other_key(&mut pair), hour < 168, "{hour} h");
        pair.world.run_for(24 * HOUR - 15_000);
    }
}

#[test]
fn another_domain_key_is_accepted_after_a_day_if_no_known_finder_answers() {
    let mut pair = acquaintances(7);
    pair.world.replace_domain_key(pair.b);
    let server = pair.world.server(pair.b);
    pair.world.fail_finder(server);
    pair.world.run_for(120_000);
    for hour in (0..=24).step_by(6) {
        assert_eq!(sees_other_key(&mut pair), hour < 24, "{hour} h");
        pair.world.run_for(6 * HOUR - 15_000);
    }
}

#[test]
fn a_third_key_starts_the_wait_anew() {
    let mut pair = acquaintances(8);
    pair.world.replace_domain_key(pair.b);
    assert!(sees_other_key(&mut pair));
    pair.world.run_for(6 * 24 * HOUR);
    pair.world.replace_domain_key(pair.b);
    assert!(sees_other_key(&mut pair));
    pair.world.run_for(6 * 24 * HOUR);
    assert!(sees_other_key(&mut pair), "six days are not seven");
}

/// An older document than the pinned one, which may name finders that are somebody else's by now.
#[test]
fn a_lower_domain_document_changes_nothing() {
    let mut pair = acquaintances(9);
    let now = pair.world.now();
    let elsewhere = FinderUrl::from_text("wss://old.b.test/finder").expect("a finder URL");
    pair.world.set_finders(pair.b, vec![elsewhere]);
    let document = pair.world.write_domain_document(pair.b, 0, now, now + 24 * HOUR);
    show(&mut pair, document);
    let request = pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(10_000);
    let knocked = Event::Progress { request, progress: Progress::Knocking };
    assert!(crate::cast::told(&pair.world, pair.alice, |event| *event == knocked), "at the pinned finder");
}

/// Somebody else answers to the name from the first day on. Nobody can know, so it is said whose word it is, and the
/// safety number tells.
#[test]
fn at_first_contact_a_forged_peer_is_shown_as_introduced_only() {
    let mut pair = Pair::strangers(10);
    let forged = forged(&pair.world, pair.b);
    let impostor = Chain::verify(forged.a.iter().map(String::as_str)).expect("a chain").peer();
    let server = pair.world.server(pair.b);
    pair.world.tamper_with_web(
        server,
        Box::new(move |request: &HttpRequest, response: HttpResponse| {
            if !request.path.contains("name=bob") {
                return response;
            }
            let honest = Bundle::parse(&response.body).expect("a bundle");
            HttpResponse { status: 200, body: Bundle { domain: honest.domain, ..forged.clone() }.to_json() }
        }),
    );
    pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(10_000);
    let (alice, bob) = (pair.world.id(pair.alice), pair.world.id(pair.bob));
    use openpeer_core::peer::{ContactState, safety_number};
    assert_eq!(
        pair.world.contact_state(pair.alice, impostor),
        ContactState::Requested,
        "a contact only after a yes"
    );
    assert_eq!(pair.world.contact_state(pair.alice, bob), ContactState::None);
    assert_ne!(safety_number(alice, impostor), safety_number(alice, bob));
}
