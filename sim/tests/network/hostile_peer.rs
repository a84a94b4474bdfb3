//! What a hostile peer may try, and what comes of it.

use crate::cast::{Pair, links_opened, open_link};
use crate::forger::{Acquaintance, Forger, find_frame};
use openpeer_core::Code;
use openpeer_core::control::{Control, Documents};
use openpeer_core::frame::{Frame, Header};
use openpeer_core::peer::{Input, Output};
use openpeer_core::seal::OpenRequest;
use openpeer_core::transport::{Candidate, TransportParameters};
use openpeer_sim::{Client, EndId, Manners, PassingFrame, Peer, Server, Socket, World};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// Mallory is a contact of Bob, as Alice is, and plays by no rules. The test plays her programs.
struct Stage {
    pair: Pair,
    mallory: Peer,
    client: Client,
    socket: Socket,
    forger: Forger,
    bob: Acquaintance,
    /// Tickets spent so far.
    spent: usize,
}

impl Stage {
    fn set(seed: u64) -> Self {
        let mut pair = Pair::contacts(seed);
        let mallory = pair.world.add_peer("mallory", &[pair.a]);
        pair.world.start(mallory);
        pair.world.run_for(5 * SECOND);
        let request = pair.world.connect(mallory, "bob@b.test");
        let link = pair.linked(mallory, request);
        pair.world.run_for(5 * SECOND);
        pair.world.feed(mallory, Input::CloseLink { link });
        pair.world.run_for(5 * SECOND);
        let forger = Forger::new(pair.world.disk(mallory));
        let bob = forger.known(pair.world.id(pair.bob));
        pair.world.crash(mallory);
        let client = pair.world.add_client();
        let socket = dial(&mut pair, client);
        Self { pair, mallory, client, socket, forger, bob, spent: 0 }
    }

    fn world(&mut self) -> &mut World {
        &mut self.pair.world
    }

    fn end(&mut self) -> (EndId, TransportParameters) {
        let client = self.client;
        self.world().client_prepares(client)
    }

    /// Sends a text to Bob as a sealed find, and gives everybody time to react.
    fn send(&mut self, text: &[u8]) {
        let (envelope, _) = self.forger.seal(&self.bob, true, text);
        self.spent += 1;
        let frame = find_frame(1, &self.bob, self.spent, envelope);
        self.send_frame(frame);
    }

    fn send_frame(&mut self, frame: Vec<u8>) {
        self.socket = dial(&mut self.pair, self.client);
        self.pair.world.client_sends(self.socket, frame);
        self.pair.world.run_for(5 * SECOND);
    }

    /// Sends a find of Mallory's, and says what Bob thought of it and whether he answered.
    fn find(&mut self, edit: impl FnOnce(&mut openpeer_core::message::Find)) -> (Vec<Code>, bool) {
        let ((_, parameters), now, before) = (self.end(), self.pair.world.now(), self.bobs_alarms().len());
        let mut find = self.forger.find(&self.bob, parameters, now);
        edit(&mut find);
        let letter = self.forger.letter(find, now).to_json();
        self.send(&letter);
        (self.bobs_alarms().split_off(before), !self.answers().is_empty())
    }

    fn answers(&self) -> Vec<Vec<u8>> {
        let frames = self.pair.world.client_frames(self.client, self.socket);
        frames
            .into_iter()
            .filter(|frame| matches!(frame.header, Header::Answer { .. }))
            .map(|frame| frame.body)
            .collect()
    }

    fn bobs_alarms(&self) -> Vec<Code> {
        self.pair.world.alarms(self.pair.bob)
    }
}

/// Opens a WebSocket to Bob's finder.
fn dial(pair: &mut Pair, client: Client) -> Socket {
    let server = pair.world.server(pair.b);
    let socket = pair.world.client_dials(client, server);
    pair.world.run_for(SECOND);
    socket
}

/// Bodies of the finds that a server passes, and its answers.
fn record_finds(world: &mut World, server: Server) -> Rc<RefCell<Vec<Frame>>> {
    let recorded = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&recorded);
    let pass = move |frame: PassingFrame| {
        let decoded = Frame::decode(&frame.bytes).unwrap();
        if matches!(decoded.header, Header::Find { .. } | Header::Answer { .. }) && frame.from_client {
            into.borrow_mut().push(decoded);
        }
        vec![(frame.connection, frame.bytes)]
    };
    world.tamper_with_frames(server, Box::new(pass));
    recorded
}

#[test]
fn an_honest_find_is_answered() {
    assert_eq!(Stage::set(1).find(|_| {}), (vec![], true));
}

#[test]
fn a_find_replayed_after_a_second_gets_the_same_answer_and_does_not_ring_again() {
    let mut stage = Stage::set(2);
    let server = stage.pair.world.server(stage.pair.b);
    let recorded = record_finds(stage.world(), server);
    stage.pair.find();
    stage.world().run_for(SECOND);
    let [find, answer] = recorded.borrow().clone().try_into().unwrap();
    let opened = links_opened(&stage.pair.world, stage.pair.bob);
    let Header::Find { to, .. } = find.header else { panic!("a find") };
    let header = Header::Find { x: 9, to, ticket: None, kept: None };
    stage.send_frame(Frame { header, body: find.body }.encode());
    assert_eq!(stage.answers(), [answer.body]);
    assert_eq!(links_opened(&stage.pair.world, stage.pair.bob), opened);
    assert_eq!(stage.pair.world.open_links(stage.pair.bob).len(), 1, "the running link is not disturbed");
}

#[test]
fn a_find_replayed_after_a_restart_of_the_callee_is_refused() {
    let mut stage = Stage::set(3);
    let server = stage.pair.world.server(stage.pair.b);
    let recorded = record_finds(stage.world(), server);
    stage.pair.find();
    let find = recorded.borrow()[0].clone();
    let bob = stage.pair.bob;
    stage.world().crash(bob);
    stage.world().start(bob);
    stage.world().run_for(5 * SECOND);
    let Header::Find { to, .. } = find.header else { panic!("a find") };
    let header = Header::Find { x: 9, to, ticket: None, kept: None };
    stage.send_frame(Frame { header, body: find.body }.encode());
    assert_eq!(stage.answers().len(), 0);
    assert!(stage.bobs_alarms().contains(&Code::Replayed));
}

/// Bob opens Alice's find, as he may, and seals it anew for Carol, who is a contact of both.
#[test]
fn a_find_sealed_anew_for_somebody_else_is_refused() {
    let mut pair = Pair::contacts(4);
    let carol = pair.world.add_peer("carol", &[pair.b]);
    pair.world.set_manners(carol, Manners::Accept(100));
    pair.world.start(carol);
    pair.world.run_for(5 * SECOND);
    pair.world.claim(carol, "carol", pair.b);
    pair.world.run_for(5 * SECOND);
    for peer in [pair.alice, pair.bob] {
        let request = pair.world.connect(peer, "carol@b.test");
        let link = pair.linked(peer, request);
        pair.world.run_for(2 * SECOND);
        pair.world.feed(peer, Input::CloseLink { link });
    }
    pair.world.run_for(MINUTE);
    let (server, bob) = (pair.world.server(pair.b), pair.bob);
    let recorded = record_finds(&mut pair.world, server);
    pair.find();
    let find = recorded.borrow()[0].clone();

    let mut forger = Forger::new(pair.world.disk(bob));
    let content = open_as(&forger, &find.body, pair.world.id(bob), forger.known(pair.world.id(pair.alice)));
    let target = forger.known(pair.world.id(carol));
    let (client, before) = (pair.world.add_client(), links_opened(&pair.world, carol));
    let socket = dial(&mut pair, client);
    let (envelope, _) = forger.seal(&target, false, &content);
    pair.world.client_sends(socket, find_frame(1, &target, 0, envelope));
    pair.world.run_for(5 * SECOND);
    assert!(pair.world.alarms(carol).contains(&Code::WrongAudience));
    let answered = pair
        .world
        .client_frames(client, socket)
        .iter()
        .any(|frame| matches!(frame.header, Header::Answer { .. }));
    assert!(!answered);
    assert_eq!(links_opened(&pair.world, carol), before);
}

/// Opens an envelope with the keys on a disk.
fn open_as(
    forger: &Forger,
    envelope: &[u8],
    own: openpeer_core::document::PeerId,
    from: Acquaintance,
) -> Vec<u8> {
    let (request, _) = OpenRequest::parse(envelope, &own.to_string(), [&from.psk]).unwrap();
    let mut keys = openpeer_core::key::Keyring::new(forger.disk.root.clone(), forger.disk.location.clone());
    for secret in forger.disk.inbox.values() {
        keys.add_inbox(secret.clone());
    }
    keys.open(&request).unwrap().content
}

/// Mallory passes Alice's end of a link off as her own towards Bob, and Bob's towards Alice (RFC 8844): both would hold
/// a link with each other and take it for one with her.
#[test]
fn somebody_elses_end_of_a_link_is_found_out() {
    let mut stage = Stage::set(5);
    let (alice, bob, mallory) = (stage.pair.alice, stage.pair.bob, stage.mallory);
    stage.world().start(mallory);
    stage.world().set_manners(mallory, Manners::Accept(0));
    stage.world().run_for(5 * SECOND);
    let a = stage.pair.a;
    stage.world().claim(mallory, "mallory", a);
    stage.world().run_for(5 * SECOND);
    let request = stage.world().connect(alice, "mallory@a.test");
    let link = stage.pair.linked(alice, request);
    stage.world().run_for(2 * SECOND);
    stage.world().feed(alice, Input::CloseLink { link });
    stage.world().run_for(MINUTE);

    // Mallory's machine prepares every link with an end that is not hers.
    let end_of_alice = Rc::new(RefCell::new(None));
    let swallowed = Rc::new(RefCell::new(Vec::new()));
    let (seen, prepared) = (Rc::clone(&end_of_alice), Rc::clone(&swallowed));
    stage.world().tamper_with_outputs(
        mallory,
        Box::new(move |output| match output {
            Output::PrepareLink { link, role, .. } => {
                prepared.borrow_mut().push((link, role));
                Vec::new()
            }
            Output::StartLink { remote, .. } => {
                seen.borrow_mut().get_or_insert(remote);
                Vec::new()
            }
            other => vec![other],
        }),
    );
    let (alice_id, bob_id, mallory_id) =
        (stage.pair.world.id(alice), stage.pair.world.id(bob), stage.pair.world.id(mallory));
    let server = stage.pair.world.server(stage.pair.a);
    let finds = record_finds(stage.world(), server);
    stage.world().connect_contact(alice, mallory_id);
    stage.world().run_for(200);
    // She reads Alice's end from the find, and offers it to Bob.
    let forger = Forger::new(stage.pair.world.disk(mallory));
    let body = finds.borrow()[0].body.clone();
    let content = open_as(&forger, &body, mallory_id, forger.known(alice_id));
    let letter = openpeer_core::message::Letter::parse(&content).unwrap();
    let payload = letter.message.split('.').nth(1).unwrap();
    let payload = openpeer_core::encoding::from_base64url(payload).unwrap();
    let find: openpeer_core::message::Find = serde_json::from_slice(&payload).unwrap();
    stage.world().connect_contact(mallory, bob_id);
    let to_bob = swallowed.borrow().last().unwrap().0;
    stage.world().feed(mallory, Input::LinkPrepared { link: to_bob, local: find.webrtc });
    stage.world().run_for(500);
    // Bob's answer holds his end; she gives it to Alice.
    let bobs_end = end_of_alice.borrow().clone().expect("Bob answered");
    let from_alice = swallowed.borrow()[0].0;
    stage.world().feed(mallory, Input::LinkPrepared { link: from_alice, local: bobs_end });
    stage.world().run_for(5 * SECOND);

    for (victim, code) in [(alice, Code::BadFingerprint), (bob, Code::BadFingerprint)] {
        assert!(
            stage.pair.world.alarms(victim).contains(&code),
            "{victim:?}: {:?}",
            stage.pair.world.alarms(victim)
        );
        assert_eq!(open_link(&stage.pair.world, victim, mallory_id), None, "{victim:?}");
    }
}

#[test]
fn messages_from_another_time_are_refused() {
    let mut stage = Stage::set(6);
    let now = stage.pair.world.now();
    for (iat, code) in [(now - 11 * MINUTE, Code::ClockSkew), (now + 11 * MINUTE, Code::ClockSkew)] {
        let (alarms, _) = stage.find(|find| find.iat = iat);
        assert_eq!(alarms, [code]);
    }
    assert_eq!(stage.pair.world.open_links(stage.pair.bob).len(), 0);
    assert_eq!(stage.find(|find| find.iat = now - 9 * MINUTE), (vec![], true));
}

#[test]
fn a_clock_that_is_too_far_off_is_named() {
    for skew in [-11 * MINUTE as i64, 11 * MINUTE as i64] {
        let mut pair = Pair::contacts(7);
        pair.world.crash(pair.alice);
        pair.world.set_skew(pair.alice, skew);
        pair.world.start(pair.alice);
        pair.world.run_for(5 * SECOND);
        let bob = pair.world.id(pair.bob);
        let request = pair.world.connect_contact(pair.alice, bob);
        assert_eq!(pair.fails(pair.alice, request), Code::ClockSkew, "{skew}");
    }
}

#[test]
fn finds_for_somebody_else_or_of_another_version_are_refused() {
    let mut stage = Stage::set(8);
    let alice = stage.pair.world.id(stage.pair.alice);
    assert_eq!(stage.find(|find| find.aud = alice), (vec![Code::WrongAudience], false));
    assert_eq!(stage.find(|find| find.iss = alice), (vec![Code::WrongAudience], false));
    assert_eq!(
        stage.find(|find| find.to = openpeer_core::key::KeyId([1; 16])),
        (vec![Code::WrongAudience], false)
    );
    assert_eq!(
        stage.find(|find| find.inbox = openpeer_core::key::KeyId([1; 16])),
        (vec![Code::WrongAudience], false)
    );
    assert_eq!(stage.find(|find| find.suite = "PS0".to_owned()), (vec![Code::SuiteTooOld], false));
    assert_eq!(stage.find(|find| find.transports.clear()), (vec![Code::UnsupportedVersion], false));
}

/// Mallory signs with her own key what claims to come from Alice.
#[test]
fn a_letter_under_somebody_elses_chain_is_refused() {
    let mut stage = Stage::set(9);
    let alice = Forger::new(stage.pair.world.disk(stage.pair.alice));
    let (now, (_, parameters)) = (stage.pair.world.now(), stage.end());
    let mut find = stage.forger.find(&stage.bob, parameters, now);
    find.iss = alice.chain.peer();
    let mut letter = stage.forger.letter(find, now);
    letter.a = alice.chain.compacts().map(str::to_owned).collect();
    letter.location = Some(alice.certificate(now));
    stage.send(&letter.to_json());
    assert!(stage.answers().is_empty());
    // Mallory's own key with Bob tells him that the chain is not hers.
    assert_eq!(stage.bobs_alarms(), [Code::WrongAudience]);
    let (envelope, _) = stage.forger.seal(&stage.bob, false, &letter.to_json());
    let frame = find_frame(1, &stage.bob, 9, envelope);
    stage.send_frame(frame);
    assert!(stage.answers().is_empty());
    assert_eq!(stage.bobs_alarms(), [Code::WrongAudience, Code::BadSignature]);
}

/// A thief with everything on Alice's disk, but without the recovery code on paper.
#[test]
fn a_thief_of_the_device_cannot_rotate() {
    let mut pair = Pair::contacts(10);
    let (now, bob_id) = (pair.world.now(), pair.world.id(pair.bob));
    let mut thief = Forger::new(pair.world.disk(pair.alice));
    let bob = thief.known(bob_id);
    let next = openpeer_core::key::Seed::new([7; 32]);
    for (ticket, new_root) in [thief.disk.root.clone(), next.clone()].into_iter().enumerate() {
        let commitment = next.public_key().commitment();
        let statement = thief.chain.draft_rotation(&new_root.public_key(), vec![commitment], now);
        let signature = new_root.sign(statement.signing_input());
        let statement = statement.finish(&signature);
        let client = pair.world.add_client();
        let (_, parameters) = pair.world.client_prepares(client);
        let find = thief.find(&bob, parameters, now);
        let mut letter = thief.letter(find, now);
        letter.a.push(statement.compact().to_owned());
        let (envelope, _) = thief.seal(&bob, true, &letter.to_json());
        let socket = dial(&mut pair, client);
        pair.world.client_sends(socket, find_frame(1, &bob, ticket, envelope));
        pair.world.run_for(5 * SECOND);
    }
    assert_eq!(pair.world.alarms(pair.bob), [Code::PrerotationMismatch, Code::PrerotationMismatch]);
    // The thief's own program fails alike, whatever code is typed into it.
    let copy = pair.world.add_copy(pair.alice, "thief");
    pair.world.crash(pair.alice);
    pair.world.start(copy);
    pair.world.run_for(5 * SECOND);
    let guess = pair.world.recovery_code(copy).clone();
    pair.world.rotate(copy, &guess);
    assert!(pair.world.alarms(copy).contains(&Code::PrerotationMismatch));
    // Alice rotates with her code, and the thief's copy is worth nothing any more.
    pair.world.crash(copy);
    pair.world.start(pair.alice);
    pair.world.run_for(5 * SECOND);
    let code = pair.world.recovery_code(pair.alice).clone();
    pair.world.rotate(pair.alice, &code);
    pair.find();
    pair.world.crash(pair.alice);
    pair.world.start(copy);
    pair.world.run_for(5 * SECOND);
    let request = pair.world.connect_contact(copy, bob_id);
    assert_eq!(pair.fails(copy, request), Code::StaleDocument);
}

#[test]
fn a_revoked_location_is_refused() {
    let mut pair = Pair::contacts(11);
    let lost = pair.world.add_location(pair.alice, "lost");
    pair.world.start(lost);
    pair.world.run_for(5 * SECOND);
    pair.world.tell_siblings(&[pair.alice, lost]);
    let bob_id = pair.world.id(pair.bob);
    let request = pair.world.connect_contact(lost, bob_id);
    let link = pair.linked(lost, request);
    pair.world.run_for(SECOND);
    pair.world.feed(lost, Input::CloseLink { link });
    pair.world.run_for(MINUTE);
    pair.world.tell_siblings(&[pair.alice]);
    pair.world.run_for(SECOND);
    pair.find();
    let request = pair.world.connect_contact(lost, bob_id);
    assert_eq!(pair.fails(lost, request), Code::LocationRevoked);
}

#[test]
fn tickets_admit_once_and_at_their_mailbox_only() {
    let mut stage = Stage::set(12);
    let (envelope, _) = stage.forger.seal(&stage.bob, true, b"{}");
    let refusals = |stage: &Stage| -> Vec<String> {
        let frames = stage.pair.world.client_frames(stage.client, stage.socket);
        let code = |frame: Frame| match frame.header {
            Header::Error { code, .. } => Some(code),
            _ => None,
        };
        frames.into_iter().filter_map(code).collect()
    };
    stage.send_frame(find_frame(1, &stage.bob, 0, envelope.clone()));
    assert_eq!(refusals(&stage), [""; 0]);
    stage.send_frame(find_frame(1, &stage.bob, 0, envelope.clone()));
    assert_eq!(refusals(&stage), ["ticket-invalid"], "spent");
    stage.bob.reach.finders[0].mailbox.0[0] ^= 1;
    stage.send_frame(find_frame(1, &stage.bob, 1, envelope));
    assert_eq!(refusals(&stage), ["ticket-invalid"], "of another mailbox");
}

#[test]
fn text_that_is_not_in_the_profile_is_refused() {
    let mut stage = Stage::set(13);
    let (now, (_, parameters)) = (stage.pair.world.now(), stage.end());
    let find = stage.forger.find(&stage.bob, parameters, now);
    let honest = String::from_utf8(stage.forger.letter(find, now).to_json()).unwrap();
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    // Twice what nobody reads: only the profile refuses it.
    let twice = honest.replacen('{', r#"{"extra":1,"extra":1,"#, 1);
    let nested = honest.replacen('{', &format!(r#"{{"extra":{deep},"#), 1);
    let fraction = honest.replacen('{', r#"{"extra":1.5,"#, 1);
    for text in ["", "{}", "[]", "nonsense", &twice, &nested, &fraction, &honest[..honest.len() / 2]] {
        stage.send(text.as_bytes());
    }
    assert_eq!(stage.bobs_alarms(), [Code::Malformed; 8]);
    assert!(stage.answers().is_empty());
    stage.forger.disk.root = openpeer_core::key::Seed::new([8; 32]);
    let (alarms, answered) = stage.find(|_| {});
    assert_eq!((alarms, answered), (vec![Code::BadSignature], false), "a certificate by another root");
}

/// Candidates may lead checks to somebody who has nothing to do with it, and there is a limit to that.
#[test]
fn a_find_cannot_aim_many_checks_at_a_third_party() {
    let mut stage = Stage::set(14);
    let victim = Ipv4Addr::new(93, 184, 216, 34);
    let candidate = |port| Candidate(format!("candidate:1 1 udp 2130706431 {victim} {port} typ host"));
    let (alarms, answered) = stage.find(|find| find.webrtc.candidates = (1..18).map(candidate).collect());
    assert_eq!((alarms, answered), (vec![Code::LimitExceeded], false));
    assert_eq!(stage.pair.world.checks_at(victim), 0);
    let (_, answered) = stage.find(|find| find.webrtc.candidates = (1..17).map(candidate).collect());
    assert!(answered);
    assert_eq!(stage.pair.world.checks_at(victim), 16);
}

/// Whoever is not yet a contact cannot make us look around in our own network.
#[test]
fn a_stranger_cannot_aim_checks_inside() {
    let inside = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 168, 1, 1), Ipv4Addr::new(127, 0, 0, 1)];
    let mut pair = Pair::strangers(15);
    let prepared = Rc::new(RefCell::new(None));
    let into = Rc::clone(&prepared);
    pair.world.tamper_with_outputs(
        pair.alice,
        Box::new(move |output| match output {
            Output::PrepareLink { link, .. } => {
                *into.borrow_mut() = Some(link);
                Vec::new()
            }
            other => vec![other],
        }),
    );
    pair.world.connect(pair.alice, "bob@b.test");
    pair.world.run_for(5 * SECOND);
    let link = prepared.borrow().expect("Bob's yes has arrived");
    let client = pair.world.add_client();
    let (_, mut local) = pair.world.client_prepares(client);
    local.candidates =
        inside.iter().map(|at| Candidate(format!("candidate:1 1 udp 2130706431 {at} 80 typ host"))).collect();
    pair.world.feed(pair.alice, Input::LinkPrepared { link, local });
    pair.world.run_for(5 * SECOND);
    assert_eq!(inside.map(|at| pair.world.checks_at(at)), [0; 3]);
}

/// What Mallory's program shows instead of its newest documents, and what Bob says to that.
fn show(seed: u64, edit: impl Fn(&mut Documents, &Documents) + 'static) -> Vec<Code> {
    let mut stage = Stage::set(seed);
    let (mallory, bob) = (stage.mallory, stage.pair.bob);
    let shown = RefCell::new(Vec::<Documents>::new());
    stage.world().tamper_with_outputs(
        mallory,
        Box::new(move |mut output| {
            if let Output::SendControl { bytes, .. } = &mut output
                && let Ok(Control::Documents(mut documents)) = Control::parse(bytes)
            {
                let mut shown = shown.borrow_mut();
                if shown.last().is_none_or(|last| last.reach != documents.reach) {
                    shown.push((*documents).clone());
                }
                if shown.len() == 3 {
                    edit(&mut documents, &shown[0]);
                }
                *bytes = Control::Documents(documents).to_json();
            }
            vec![output]
        }),
    );
    stage.world().start(mallory);
    stage.world().run_for(5 * SECOND);
    let bob_id = stage.pair.world.id(bob);
    let request = stage.world().connect_contact(mallory, bob_id);
    stage.pair.linked(mallory, request);
    for _ in 0..2 {
        assert_eq!(stage.bobs_alarms(), [], "so far she was honest");
        stage.world().run_for(20 * SECOND);
        stage.world().feed(mallory, Input::RenewDocuments);
    }
    stage.world().run_for(20 * SECOND);
    stage.bobs_alarms()
}

#[test]
fn documents_on_a_link_must_be_the_peers_own() {
    let pair = Pair::contacts(1);
    let alice = Forger::new(pair.world.disk(pair.alice));
    let alices: Vec<String> = alice.chain.compacts().map(str::to_owned).collect();
    assert_eq!(show(16, move |documents, _| documents.a.clone_from(&alices)), [Code::WrongAudience]);
    let certificate = alice.certificate(pair.world.now());
    let alices =
        move |documents: &mut Documents, _: &Documents| documents.location = Some(certificate.clone());
    assert_eq!(show(16, alices), [Code::BadSignature]);
}

#[test]
fn documents_on_a_link_must_not_be_lower_than_known() {
    assert_eq!(show(17, |documents, first| documents.reach.clone_from(&first.reach)), [Code::StaleDocument]);
    assert_eq!(show(17, |documents, first| documents.b.clone_from(&first.b)), [Code::StaleDocument]);
    assert_eq!(show(17, |_, _| {}), []);
}

#[test]
fn control_messages_beyond_the_limits_are_refused() {
    let mut stage = Stage::set(17);
    let (mallory, bob) = (stage.mallory, stage.pair.bob);
    let messages: Vec<Vec<u8>> = vec![
        vec![b' '; 65 * 1024],
        format!(r#"{{"t":"documents","location":"{}"}}"#, "x".repeat(17 * 1024)).into_bytes(),
        b"{\"t\":\"hello\",\"t\":\"hello\"}".to_vec(),
        b"\xff".to_vec(),
    ];
    let flood = RefCell::new(messages);
    stage.world().tamper_with_outputs(
        mallory,
        Box::new(move |output| match &output {
            Output::SendControl { link, bytes }
                if matches!(Control::parse(bytes), Ok(Control::Documents(_))) =>
            {
                let link = *link;
                let floods = flood.take().into_iter().map(|bytes| Output::SendControl { link, bytes });
                floods.chain([output]).collect()
            }
            _ => vec![output],
        }),
    );
    stage.world().start(mallory);
    stage.world().run_for(5 * SECOND);
    let bob_id = stage.pair.world.id(bob);
    let request = stage.world().connect_contact(mallory, bob_id);
    stage.pair.linked(mallory, request);
    stage.world().run_for(5 * SECOND);
    assert_eq!(stage.bobs_alarms(), [Code::TooLarge, Code::TooLarge, Code::Malformed, Code::Malformed]);
    assert_eq!(stage.pair.world.open_links(bob).len(), 1, "the link goes on");
}
