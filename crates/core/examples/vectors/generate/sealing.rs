//! Envelopes, answers, continuations and the pre-shared key (section 4), and the messages inside (section 5.2).

use super::cast::{NOW, Person, secret, sign};
use super::json::{Json, hex, object};
use super::{book, contents};
use openpeer_core::Code;
use openpeer_core::defaults::{BUCKETS, CONTINUATION_BUCKETS, DOCUMENT_LIFE};
use openpeer_core::document::V1;
use openpeer_core::key::{InboxSecret, Keyring, SigningKeyName};
use openpeer_core::message::{
    Answer, AnswerResult, DeclineReason, Find, Knock, Known, Letter, Message, MessageId, More, ReplyTo,
};
use openpeer_core::seal::{EnvelopeKind, ExchangeSecret, OpenRequest, Psk, Recipient, seal};
use openpeer_core::transport::{Candidate, Fingerprint, IceCredentials, Transport, TransportParameters};
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;

pub(crate) fn file() -> Json {
    object! {
        "envelopes": envelopes(),
        "refused_envelopes": refused_envelopes(),
        "exchange": exchange(),
        "psk": psk(),
        "buckets": buckets(),
    }
}

/// One end of a link as the cast would describe it.
pub(crate) fn parameters(person: &Person) -> TransportParameters {
    let [byte] = secret::<1>(0xA0, person.root.expose()[0] & 0x0F);
    TransportParameters {
        fingerprint: Fingerprint([byte; 32]),
        ice: IceCredentials { ufrag: format!("{}+/", person.name), pwd: format!("{:a<22}", person.name) },
        candidates: vec![Candidate("candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host".to_owned())],
    }
}

pub(crate) fn find(from: &Person, to: &Person) -> Find {
    Find {
        v: V1,
        suite: "PS1".to_owned(),
        jti: MessageId(secret(0xB0, 1)),
        iat: NOW,
        iss: from.peer(),
        aud: to.peer(),
        to: to.location_id(),
        inbox: to.inbox().public_key().id(),
        transports: vec![Transport::WebRtc],
        webrtc: parameters(from),
        has: Known {
            a: Some(to.chain.pin().id),
            location: Some(sign(contents::certificate(to), &to.root).id()),
            b: None,
        },
        knock: None,
    }
}

fn answer(from: &Person, to: &Person, result: AnswerResult) -> Answer {
    let find = sign(find(to, from), &to.location).id();
    Answer { v: V1, iat: NOW, find, iss: from.peer(), aud: to.peer(), result }
}

/// `from` accepts the find of `to`.
pub(crate) fn acceptance(from: &Person, to: &Person) -> Answer {
    let fingerprint = parameters(to).fingerprint;
    let webrtc = parameters(from);
    answer(from, to, AnswerResult::Accept { transport: Transport::WebRtc, webrtc, fingerprint })
}

/// `from` declines the find of `to`.
pub(crate) fn refusal(from: &Person, to: &Person) -> Answer {
    answer(from, to, AnswerResult::Decline { reason: DeclineReason::NotContact })
}

pub(crate) fn knock(from: &Person, to: &Person) -> Knock {
    Knock {
        v: V1,
        jti: MessageId(secret(0xB0, 2)),
        iat: NOW,
        iss: from.peer(),
        aud: to.peer(),
        inbox: contents::public(to, "b.test").inbox.id(),
        name: Some(format!("{}@a.test", from.name)),
        text: "We met in Z\u{fc}rich.".to_owned(),
        reply: ReplyTo {
            finder: contents::place(from, "a.test", SigningKeyName::Mailbox),
            inbox: from.inbox().public_key(),
            ticket: None,
        },
    }
}

fn letter<M: Message>(from: &Person, message: M) -> Letter {
    Letter {
        a: from.chain_texts(),
        location: Some(sign(contents::certificate(from), &from.root).compact().to_owned()),
        b: None,
        message: sign(message, &from.location).compact().to_owned(),
    }
}

/// Randomness that says what it is: 64 bytes for one encapsulation.
struct Fixed {
    bytes: Vec<u8>,
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("an encapsulation draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("an encapsulation draws bytes")
    }

    fn try_fill_bytes(&mut self, output: &mut [u8]) -> Result<(), Infallible> {
        output.copy_from_slice(&self.bytes.drain(..output.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// An envelope and the secrets around it.
struct Sealed {
    recipient: String,
    inbox: InboxSecret,
    psk: Option<[u8; 32]>,
    randomness: Vec<u8>,
    content: String,
    envelope: Vec<u8>,
    exchange: ExchangeSecret,
}

impl Sealed {
    fn new(
        kind: EnvelopeKind,
        to: &Person,
        inbox: InboxSecret,
        psk: Option<[u8; 32]>,
        content: Vec<u8>,
    ) -> Self {
        let (peer, key) = (to.peer().to_string(), inbox.public_key());
        let randomness: Vec<u8> = (0..64).collect();
        let shared = psk.map(Psk::from_bytes);
        let recipient = Recipient { peer: &peer, key: &key, psk: shared.as_ref() };
        let mut rng = Fixed { bytes: randomness.clone() };
        let (envelope, exchange) = seal(kind, recipient, &content, &mut rng).unwrap();
        assert!(rng.bytes.is_empty());
        let content = String::from_utf8(content).unwrap();
        Self { recipient: peer, inbox, psk, randomness, content, envelope, exchange }
    }

    fn knock() -> Self {
        let (alice, bob) = (Person::alice(), Person::bob());
        let period = u32::try_from(NOW.as_millis() / DOCUMENT_LIFE).unwrap();
        let inbox = bob.keyring().guest_inbox(period);
        let content = letter(&alice, knock(&alice, &bob)).to_json();
        Self::new(EnvelopeKind::Knock, &bob, inbox, None, content)
    }

    fn find(psk: Option<[u8; 32]>) -> Self {
        let (alice, bob) = (Person::alice(), Person::bob());
        let content = letter(&alice, find(&alice, &bob)).to_json();
        Self::new(EnvelopeKind::Find, &bob, bob.inbox(), psk, content)
    }

    /// The secret of the exchange by the book.
    fn exchange_secret(&self) -> [u8; 32] {
        book::Envelope::split(&self.envelope).open(&self.recipient, self.inbox.expose(), self.psk.as_ref()).1
    }

    fn to_json(&self, why: &str) -> Json {
        let parts = book::Envelope::split(&self.envelope);
        let (plaintext, exchange) = parts.open(&self.recipient, self.inbox.expose(), self.psk.as_ref());
        assert_eq!(book::content(&plaintext), self.content.as_bytes());
        if let Some(psk) = &self.psk {
            assert_eq!(parts.tag, book::psk_tag(psk, parts.enc));
        }
        object! {
            "why": why,
            "kind": if parts.kind == 1 { "find" } else { "knock" },
            "recipient": self.recipient.clone(),
            "inbox_seed": hex(self.inbox.expose()),
            "inbox_key_id": self.inbox.public_key().id().to_string(),
            "psk": self.psk.map(|psk| hex(&psk)),
            "randomness": hex(&self.randomness),
            "content": self.content.clone(),
            "info": hex(&parts.info(&self.recipient)),
            "aad": hex(parts.prefix),
            "enc": hex(parts.enc),
            "plaintext_bytes": plaintext.len() as u64,
            "envelope": hex(&self.envelope),
            "exchange_secret": hex(&exchange),
        }
    }
}

const PSK: [u8; 32] = secret(0xC0, 1);

fn envelopes() -> Json {
    vec![
        Sealed::knock().to_json("a knock, base mode"),
        Sealed::find(None).to_json("a find without pre-shared key, base mode"),
        Sealed::find(Some(PSK)).to_json("a find of a contact, PSK mode"),
    ]
    .into()
}

fn refused_envelopes() -> Json {
    let (base, with_psk) = (Sealed::find(None), Sealed::find(Some(PSK)));
    let altered = |at: usize, to: u8| {
        let mut envelope = base.envelope.clone();
        envelope[at] = to;
        envelope
    };
    let flipped = |at: usize| altered(at, base.envelope[at] ^ 1);
    let end = base.envelope.len() - 1;
    let carol = Person::new("carol", 3).peer().to_string();
    let bob = base.recipient.as_str();
    let (good, other) = (Some(PSK), Some(secret(0xC0, 2)));
    let cases = [
        ("a lower suite", bob, None, altered(0, 0), Code::SuiteTooOld),
        ("a later suite", bob, None, altered(0, 2), Code::UnsupportedVersion),
        ("nothing", bob, None, Vec::new(), Code::SuiteTooOld),
        ("auth mode", bob, None, altered(1, 2), Code::Malformed),
        ("an unknown kind", bob, None, altered(2, 3), Code::Malformed),
        ("a find relabelled as knock", bob, None, altered(2, 2), Code::BadSignature),
        ("another inbox key", bob, None, flipped(3), Code::Expired),
        ("a PSK tag in base mode", bob, None, flipped(19), Code::Malformed),
        ("altered encapsulation", bob, None, flipped(35), Code::BadSignature),
        ("altered ciphertext", bob, None, flipped(35 + 1120), Code::BadSignature),
        ("altered authentication tag", bob, None, flipped(end), Code::BadSignature),
        ("a byte too few", bob, None, base.envelope[..end].to_vec(), Code::Malformed),
        (
            "re-sealed to nobody: another recipient",
            carol.as_str(),
            None,
            base.envelope.clone(),
            Code::BadSignature,
        ),
        ("none of the known PSKs", bob, other, with_psk.envelope.clone(), Code::NotContact),
        ("base mode made of PSK mode", bob, good, base_of(&with_psk.envelope), Code::BadSignature),
    ];
    let one = |(why, recipient, psk, envelope, expected): (&str, &str, Option<[u8; 32]>, Vec<u8>, Code)| {
        let mut keyring = Keyring::new(Person::bob().root, Person::bob().location);
        keyring.add_inbox(base.inbox.clone());
        let known = psk.map(Psk::from_bytes);
        let code = OpenRequest::parse(&envelope, recipient, known.iter())
            .and_then(|(request, _)| keyring.open(&request))
            .unwrap_err()
            .code();
        assert_eq!(code, expected, "{why}");
        object! {
            "why": why, "recipient": recipient, "inbox_seed": hex(base.inbox.expose()),
            "psk": psk.map(|psk| hex(&psk)), "envelope": hex(&envelope), "code": code.as_str(),
        }
    };
    cases.map(one).to_vec().into()
}

fn base_of(envelope: &[u8]) -> Vec<u8> {
    let mut altered = envelope.to_vec();
    altered[1] = 0;
    altered[19..35].fill(0);
    altered
}

/// Two answers to one find, and continuations in both directions.
fn exchange() -> Json {
    let sealed = Sealed::find(Some(PSK));
    let exchange = sealed.exchange_secret();
    let (alice, bob) = (Person::alice(), Person::bob());
    let acceptance = letter(&bob, acceptance(&bob, &alice));
    // What the find's `has` names stays out of the answer.
    let content = Letter { a: Vec::new(), location: None, ..acceptance }.to_json();
    let answer = |salt: [u8; 32]| {
        let direction = book::Direction::to_seeker(&exchange, salt);
        let body = sealed.exchange.seal_answer(salt, &content).unwrap();
        assert_eq!(book::content(&direction.open(0, &body[32..])), content);
        object! {
            "salt": hex(&salt), "key": hex(&direction.key), "base_nonce": hex(&direction.nonce),
            "aad": hex(&direction.aad(0)), "content": String::from_utf8(content.clone()).unwrap(),
            "body": hex(&body),
        }
    };
    let salts: [[u8; 32]; 2] = [secret(0xE0, 1), secret(0xE0, 2)];
    object! {
        "find": "the third of the envelopes",
        "exchange_secret": hex(&exchange),
        "answers": salts.map(answer).to_vec(),
        "continuations": continuations(&sealed.exchange, &exchange, &salts[0]),
        "refused_continuations": refused_continuations(&sealed.exchange, &salts),
    }
}

fn candidates(end: bool) -> More {
    let line = "candidate:2 1 udp 1694498815 198.51.100.1 61000 typ srflx raddr 192.0.2.1 rport 54321";
    More { candidates: vec![Candidate(line.to_owned())], end, cancel: false }
}

fn continuations(core: &ExchangeSecret, exchange: &[u8; 32], salt: &[u8; 32]) -> Json {
    let one = |salt: Option<&[u8; 32]>, counter: u32, more: &More| {
        let direction = salt.map_or_else(
            || book::Direction::to_callee(exchange),
            |salt| book::Direction::to_seeker(exchange, *salt),
        );
        let body = core.seal_more(salt, counter, &more.to_json()).unwrap();
        assert_eq!(book::content(&direction.open(counter, &body[4..])), more.to_json());
        object! {
            "direction": if salt.is_none() { "to-callee" } else { "to-seeker" },
            "salt": hex(&direction.salt), "counter": counter, "key": hex(&direction.key),
            "nonce": hex(&direction.nonce(counter)), "aad": hex(&direction.aad(counter)),
            "content": String::from_utf8(more.to_json()).unwrap(), "body": hex(&body),
        }
    };
    let cancel = More { cancel: true, ..More::default() };
    vec![
        one(None, 0, &candidates(false)),
        one(None, 1, &candidates(true)),
        one(None, 0x0102_0304, &cancel),
        one(Some(salt), 1, &candidates(true)),
    ]
    .into()
}

fn refused_continuations(core: &ExchangeSecret, salts: &[[u8; 32]; 2]) -> Json {
    let body = core.seal_more(Some(&salts[0]), 1, &candidates(true).to_json()).unwrap();
    let mut renumbered = body.clone();
    renumbered[3] = 2;
    let cases = [
        ("renumbered", Some(&salts[0]), renumbered, Code::BadSignature),
        ("from the other answering location", Some(&salts[1]), body.clone(), Code::BadSignature),
        ("sent back to its writer", None, body.clone(), Code::BadSignature),
        ("cut short", Some(&salts[0]), body[..3].to_vec(), Code::Malformed),
    ];
    let one = |(why, salt, body, expected): (&str, Option<&[u8; 32]>, Vec<u8>, Code)| {
        assert_eq!(core.open_more(salt, &body).unwrap_err().code(), expected, "{why}");
        object! {
            "why": why, "salt": hex(salt.unwrap_or(&[0; 32])), "body": hex(&body), "code": expected.as_str(),
            "direction": if salt.is_none() { "to-callee" } else { "to-seeker" },
        }
    };
    cases.map(one).to_vec().into()
}

fn psk() -> Json {
    let (alice, bob) = (Person::alice().peer().to_string(), Person::bob().peer().to_string());
    let random: [[u8; 32]; 2] = [secret(0xF0, 1), secret(0xF0, 2)];
    let fingerprints =
        [parameters(&Person::alice()), parameters(&Person::bob())].map(|end| end.fingerprint.0);
    let psk = book::psk(random, [&alice, &bob], fingerprints);
    assert!(Psk::agree(random, [&alice, &bob], fingerprints) == Psk::from_bytes(psk));
    object! {
        "random": random.map(|bytes| hex(&bytes)).to_vec(),
        "peers": vec![alice, bob],
        "fingerprints": fingerprints.map(|bytes| hex(&bytes)).to_vec(),
        "psk": hex(&psk),
    }
}

/// Content sizes at the edges, and the plaintext that they lead to.
fn buckets() -> Json {
    let edges = |buckets: [usize; 4]| {
        let one = |bucket: usize| [bucket - 2, bucket - 1];
        let sizes = buckets.into_iter().flat_map(one);
        let fit = |size: usize| buckets.into_iter().find(|bucket| size + 2 <= *bucket);
        let entry = |size: usize| {
            object! {
                "content_bytes": size as u64,
                "plaintext_bytes": fit(size).map(|bucket| bucket as u64),
                "code": fit(size).is_none().then_some(Code::TooLarge.as_str()),
            }
        };
        sizes.map(entry).collect::<Vec<_>>()
    };
    object! { "find_answer_knock": edges(BUCKETS), "continuation": edges(CONTINUATION_BUCKETS) }
}
