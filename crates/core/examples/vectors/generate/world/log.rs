//! What was sent, with sealed content in clear, and the secrets behind it.

use super::super::book::{self, Direction, Envelope};
use super::super::cast::Person;
use super::super::json::{Json, hex, object};
use super::super::sealing;
use openpeer_core::control::Control;
use openpeer_core::finder::FIRST_LOCATION_EXCHANGE;
use openpeer_core::frame::{Frame, Header};
use openpeer_core::key::InboxSecret;
use openpeer_core::peer::{HttpRequest, HttpResponse};

pub(super) struct Log {
    people: [Names; 2],
    entries: Vec<Json>,
    inbox_keys: Vec<InboxKey>,
    psks: Vec<[u8; 32]>,
    /// Contributions to the next pre-shared key.
    contributions: [Option<[u8; 32]>; 2],
    /// The secret of the newest exchange, and the salt of its answer.
    exchange: Option<[u8; 32]>,
    salt: Option<[u8; 32]>,
}

/// What the log has to know of a person.
struct Names {
    name: &'static str,
    peer: String,
    fingerprint: [u8; 32],
    secrets: Json,
}

struct InboxKey {
    owner: usize,
    name: &'static str,
    id: [u8; 16],
    seed: [u8; 32],
}

impl Log {
    pub(super) fn new(people: &[Person; 2]) -> Self {
        let names = |person: &Person| Names {
            name: person.name,
            peer: person.peer().to_string(),
            fingerprint: sealing::parameters(person).fingerprint.0,
            secrets: object! {
                "name": person.name,
                "peer": person.peer().to_string(),
                "location": person.location_id().to_string(),
                "root_seed": hex(person.root.expose()),
                "location_seed": hex(person.location.expose()),
                "chain": person.chain_texts(),
            },
        };
        Self {
            people: [names(&people[0]), names(&people[1])],
            entries: Vec::new(),
            inbox_keys: Vec::new(),
            psks: Vec::new(),
            contributions: [None; 2],
            exchange: None,
            salt: None,
        }
    }

    pub(super) fn take(&mut self) -> Vec<Json> {
        std::mem::take(&mut self.entries)
    }

    pub(super) fn secrets(&self) -> Json {
        let key = |key: &InboxKey| {
            object! {
                "owner": self.people[key.owner].name,
                "use": key.name,
                "inbox_key_id": openpeer_core::encoding::to_base64url(&key.id),
                "seed": hex(&key.seed),
            }
        };
        object! {
            "people": self.people.iter().map(|person| person.secrets.clone()).collect::<Vec<_>>(),
            "inbox_keys": self.inbox_keys.iter().map(key).collect::<Vec<_>>(),
            "psks": self.psks.iter().map(|psk| hex(psk)).collect::<Vec<_>>(),
        }
    }

    pub(super) fn inbox_key(&mut self, owner: usize, name: &'static str, secret: &InboxSecret) {
        let (id, seed) = (secret.public_key().id().0, *secret.expose());
        self.inbox_keys.push(InboxKey { owner, name, id, seed });
    }

    pub(super) fn http(&mut self, who: usize, request: &HttpRequest, response: &HttpResponse) {
        let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
        self.entries.push(object! {
            "from": self.people[who].name,
            "to": request.domain.as_str(),
            "method": if request.body.is_some() { "POST" } else { "GET" },
            "path": request.path.clone(),
            "request": request.body.as_deref().map(text),
            "status": u64::from(response.status),
            "response": text(&response.body),
        });
    }

    pub(super) fn sent_to_finder(&mut self, who: usize, domain: &str, bytes: &[u8]) {
        let frame = Frame::decode(bytes).unwrap();
        let sealed = self.unseal(&frame);
        let from = self.people[who].name.to_owned();
        self.frame(from, format!("finder of {domain}"), bytes, &frame, sealed);
    }

    pub(super) fn sent_by_finder(&mut self, domain: &str, who: usize, bytes: &[u8]) {
        let frame = Frame::decode(bytes).unwrap();
        let to = self.people[who].name.to_owned();
        self.frame(format!("finder of {domain}"), to, bytes, &frame, None);
    }

    fn frame(&mut self, from: String, to: String, bytes: &[u8], frame: &Frame, sealed: Option<Json>) {
        let header = serde_json::to_string(&frame.header).unwrap();
        let mut entry = vec![
            ("from", Json::from(from)),
            ("to", Json::from(to)),
            ("header", Json::from(header)),
            ("frame", Json::from(hex(bytes))),
        ];
        entry.extend(sealed.map(|sealed| ("sealed", sealed)));
        self.entries.push(Json::Object(entry));
    }

    /// A message on the link.
    pub(super) fn control(&mut self, who: usize, bytes: &[u8]) {
        if let Ok(Control::Hello { random, .. }) = Control::parse(bytes) {
            self.contributions[who] = Some(random.0);
            self.agree();
        }
        self.entries.push(object! {
            "from": self.people[who].name,
            "to": self.people[1 - who].name,
            "control": String::from_utf8(bytes.to_vec()).unwrap(),
        });
    }

    fn agree(&mut self) {
        let [Some(one), Some(other)] = self.contributions else { return };
        let [alice, bob] = &self.people;
        let fingerprints = [alice.fingerprint, bob.fingerprint];
        self.psks.push(book::psk([one, other], [&alice.peer, &bob.peer], fingerprints));
        self.contributions = [None; 2];
    }

    /// What stands sealed in a frame that a peer sends.
    fn unseal(&mut self, frame: &Frame) -> Option<Json> {
        match frame.header {
            Header::Find { .. } => Some(self.unseal_envelope(&frame.body)),
            Header::Answer { .. } => {
                let (salt, ciphertext) = frame.body.split_first_chunk::<32>().unwrap();
                self.salt = Some(*salt);
                let plaintext = Direction::to_seeker(&self.exchange?, *salt).open(0, ciphertext);
                Some(object! { "what": "answer", "content": text(&plaintext) })
            }
            Header::More { x } => {
                let (counter, ciphertext) = frame.body.split_first_chunk::<4>().unwrap();
                let from_location = x >= FIRST_LOCATION_EXCHANGE;
                let direction = if from_location {
                    Direction::to_seeker(&self.exchange?, self.salt?)
                } else {
                    Direction::to_callee(&self.exchange?)
                };
                let plaintext = direction.open(u32::from_be_bytes(*counter), ciphertext);
                Some(object! {
                    "what": "continuation",
                    "direction": if from_location { "to-seeker" } else { "to-callee" },
                    "counter": u32::from_be_bytes(*counter),
                    "content": text(&plaintext),
                })
            }
            _ => None,
        }
    }

    fn unseal_envelope(&mut self, body: &[u8]) -> Json {
        let envelope = Envelope::split(body);
        let key = self.inbox_keys.iter().find(|key| key.id == envelope.inbox).unwrap();
        let recipient = self.people[key.owner].peer.clone();
        let psk = self.psks.iter().find(|psk| book::psk_tag(psk, envelope.enc) == envelope.tag);
        let (plaintext, exchange) = envelope.open(&recipient, &key.seed, psk);
        self.exchange = Some(exchange);
        object! {
            "what": if envelope.kind == 1 { "find" } else { "knock" },
            "mode": if psk.is_some() { "psk" } else { "base" },
            "inbox_key_id": openpeer_core::encoding::to_base64url(envelope.inbox),
            "content": text(&plaintext),
            "exchange_secret": hex(&exchange),
        }
    }
}

fn text(plaintext: &[u8]) -> String {
    String::from_utf8(book::content(plaintext).to_vec()).unwrap()
}
