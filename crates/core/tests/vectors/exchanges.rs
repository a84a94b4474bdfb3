//! Follows whole exchanges with nothing but the file and its secrets.

use crate::support::{Entry, bytes, read};
use openpeer_core::Time;
use openpeer_core::control::Control;
use openpeer_core::document::{Bundle, ClaimRequest, PeerId, Signed};
use openpeer_core::frame::{Frame, Header};
use openpeer_core::key::{InboxSecret, Keyring, PublicKey, Seed};
use openpeer_core::message::{Answer, AnswerResult, Find, Knock, Letter, More};
use openpeer_core::seal::{EnvelopeKind, ExchangeSecret, OpenRequest, Psk};
use openpeer_core::uri::Domain;
use serde_json::Value;

struct Person {
    name: String,
    peer: PeerId,
    location: PublicKey,
}

/// Somebody who knows both sides' secrets and reads along.
struct Reader {
    keyring: Keyring,
    psks: Vec<Psk>,
    people: Vec<Person>,
    now: Time,
    /// The find under way, and its secret.
    find: Option<(ExchangeSecret, Signed<Find>)>,
    salt: Option<[u8; 32]>,
    /// What was read, in order.
    story: Vec<&'static str>,
}

impl Reader {
    fn new(secrets: &Value, now: Time) -> Self {
        let mut keyring = Keyring::new(Seed::new([0; 32]), Seed::new([0; 32]));
        for key in secrets.get_list("inbox_keys") {
            let public = keyring.add_inbox(InboxSecret::new(key.get_array("seed")));
            assert_eq!(public.id().to_string(), key.get_text("inbox_key_id"));
        }
        let psk = |hex: &str| Psk::from_bytes(bytes(hex).try_into().unwrap());
        let person = |person: &Value| {
            let peer = person.get_chain("chain").unwrap().peer();
            assert_eq!(peer.to_string(), person.get_text("peer"));
            let location = person.get_seed("location_seed").public_key();
            assert_eq!(location.id().to_string(), person.get_text("location"));
            Person { name: person.get_text("name").to_owned(), peer, location }
        };
        Self {
            keyring,
            psks: secrets.get_texts("psks").into_iter().map(psk).collect(),
            people: secrets.get_list("people").iter().map(person).collect(),
            now,
            find: None,
            salt: None,
            story: Vec::new(),
        }
    }

    fn person(&self, name: &str) -> &Person {
        self.people.iter().find(|person| person.name == name).unwrap()
    }

    fn other(&self, name: &str) -> &Person {
        self.people.iter().find(|person| person.name != name).unwrap()
    }

    fn read(&mut self, entry: &Value) {
        if let Some(text) = entry["control"].as_str() {
            let message = Control::parse(text.as_bytes()).unwrap();
            assert_ne!(message, Control::Unknown);
            return self.story.push("control");
        }
        if entry["frame"].is_null() {
            return self.read_http(entry);
        }
        let frame = Frame::decode(&entry.get_bytes("frame")).unwrap();
        let header: Header = serde_json::from_str(entry.get_text("header")).unwrap();
        assert_eq!(frame.header, header);
        // What a finder passes on was read when it was sent.
        if !entry["sealed"].is_null() {
            self.read_sealed(entry, &frame);
        }
    }

    fn read_http(&mut self, entry: &Value) {
        let domain = Domain::from_text(entry.get_text("to")).unwrap();
        let body = entry.get_text("response").as_bytes();
        if entry.get_text("path") == "/openpeer/nonce" {
            return self.story.push("nonce");
        }
        if let Some(request) = entry["request"].as_str() {
            ClaimRequest::parse(request.as_bytes()).unwrap().verify(&domain, self.now).unwrap();
        }
        let bundle = Bundle::parse(body).unwrap();
        let keys = bundle.domain(&domain, self.now).unwrap().keys.clone();
        if bundle.name.is_some() {
            bundle.introduction(&domain, &keys, self.now).unwrap();
        }
        self.story.push("bundle");
    }

    fn read_sealed(&mut self, entry: &Value, frame: &Frame) {
        let (sealed, from) = (&entry["sealed"], entry.get_text("from"));
        let content = sealed.get_text("content").as_bytes();
        match frame.header {
            Header::Find { .. } => self.read_envelope(from, &frame.body, content),
            Header::Answer { .. } => self.read_answer(from, &frame.body, content),
            Header::More { .. } => {
                let to_seeker = sealed.get_text("direction") == "to-seeker";
                let (secret, _) = self.find.as_ref().unwrap();
                let (_, opened) =
                    secret.open_more(self.salt.filter(|_| to_seeker).as_ref(), &frame.body).unwrap();
                assert_eq!(opened, content);
                More::parse(&opened).unwrap();
                self.story.push("continuation");
            }
            _ => panic!("nothing else is sealed"),
        }
    }

    fn read_envelope(&mut self, from: &str, body: &[u8], content: &[u8]) {
        let reader = self.other(from).peer.to_string();
        let (request, _) = OpenRequest::parse(body, &reader, &self.psks).unwrap();
        let opened = self.keyring.open(&request).unwrap();
        assert_eq!(opened.content, content);
        let letter = Letter::parse(content).unwrap();
        let writer = letter.writer(None, self.now).unwrap();
        assert_eq!(writer.chain.peer(), self.person(from).peer);
        match request.kind() {
            EnvelopeKind::Knock => {
                letter.message::<Knock>(&writer, &reader, self.now).unwrap();
                self.story.push("knock");
            }
            EnvelopeKind::Find => {
                let find = letter.message::<Find>(&writer, &reader, self.now).unwrap();
                self.find = Some((opened.secret, find));
                self.story.push("find");
            }
        }
    }

    /// The answer is to that find, and both fingerprints are under its signature.
    fn read_answer(&mut self, from: &str, body: &[u8], content: &[u8]) {
        let (secret, find) = self.find.as_ref().unwrap();
        let (opened, salt) = secret.open_answer(body).unwrap();
        assert_eq!(opened, content);
        let letter = Letter::parse(&opened).unwrap();
        let answer: Signed<Answer> = Signed::verify(&letter.message, &self.person(from).location).unwrap();
        let ends = (self.person(from).peer, self.other(from).peer);
        assert_eq!((answer.find, (answer.iss, answer.aud)), (find.id(), ends));
        let AnswerResult::Accept { fingerprint, webrtc, .. } = &answer.result else { panic!("declined") };
        assert_eq!(*fingerprint, find.webrtc.fingerprint);
        assert_ne!(*fingerprint, webrtc.fingerprint);
        self.salt = Some(salt);
        self.story.push("answer");
    }
}

/// The payload of a JWS without looking at its signature.
fn payload(compact: &str) -> Value {
    let part = compact.split('.').nth(1).unwrap();
    serde_json::from_slice(&openpeer_core::encoding::from_base64url(part).unwrap()).unwrap()
}

fn story_of(file: &str, part: &str) -> Vec<&'static str> {
    let file = read(file);
    let mut reader = Reader::new(&file["secrets"], Time::from_secs(1_795_000_030));
    for entry in file.get_list(part) {
        reader.read(entry);
    }
    reader.story
}

#[test]
fn a_first_contact() {
    let setup = story_of("exchange-knock.json", "setup");
    assert_eq!(setup, ["bundle", "nonce", "bundle", "bundle", "nonce", "bundle"]);
    let story = story_of("exchange-knock.json", "exchange");
    assert_eq!(story[..5], ["bundle", "knock", "bundle", "find", "answer"]);
    assert_eq!(story.iter().filter(|part| **part == "control").count(), 4);
}

#[test]
fn two_contacts_meet_again() {
    let story = story_of("exchange-contact.json", "exchange");
    assert_eq!(story[..2], ["find", "answer"]);
    assert!(!story.contains(&"bundle") && !story.contains(&"knock"), "no domain is asked: {story:?}");
}

/// No address of either side is sent before the knock is accepted.
#[test]
fn a_knock_shows_no_address() {
    let file = read("exchange-knock.json");
    for entry in file.get_list("exchange") {
        let sealed = &entry["sealed"];
        if sealed["what"] == "find" {
            return;
        }
        if sealed["what"] == "knock" {
            let letter = Letter::parse(sealed.get_text("content").as_bytes()).unwrap();
            let message = payload(&letter.message).to_string();
            assert!(!message.contains("candidate") && !message.contains("192.0.2."), "{message}");
        }
    }
    panic!("bob finds alice");
}
