use crate::generate::book;
use crate::support::{Entry, check, read};
use openpeer_core::Error;
use openpeer_core::key::{InboxSecret, Keyring, Seed};
use openpeer_core::seal::{EnvelopeKind, ExchangeSecret, OpenRequest, Opened, Psk, Recipient, seal};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

fn psk(entry: &Value) -> Option<Psk> {
    (!entry["psk"].is_null()).then(|| Psk::from_bytes(entry.get_array("psk")))
}

fn open(entry: &Value) -> Result<(OpenRequest, Opened), Error> {
    let mut keyring = Keyring::new(Seed::new([0; 32]), Seed::new([0; 32]));
    keyring.add_inbox(InboxSecret::new(entry.get_array("inbox_seed")));
    let known = psk(entry);
    let envelope = entry.get_bytes("envelope");
    let (request, _) = OpenRequest::parse(&envelope, entry.get_text("recipient"), known.iter())?;
    let opened = keyring.open(&request)?;
    Ok((request, opened))
}

#[test]
fn envelopes() {
    let file = read("sealing.json");
    for entry in file.get_list("envelopes") {
        let (request, opened) = open(entry).unwrap();
        assert_eq!(opened.content, entry.get_text("content").as_bytes());
        let kind = if request.kind() == EnvelopeKind::Find { "find" } else { "knock" };
        assert_eq!(kind, entry.get_text("kind"));
        assert_eq!(request.inbox_key().to_string(), entry.get_text("inbox_key_id"));

        let envelope = entry.get_bytes("envelope");
        let parts = book::Envelope::split(&envelope);
        assert_eq!(parts.info(entry.get_text("recipient")), entry.get_array("info"));
        assert_eq!((parts.prefix, parts.enc), (&*entry.get_bytes("aad"), &*entry.get_bytes("enc")));
        let shared: Option<[u8; 32]> = psk(entry).map(|_| entry.get_array("psk"));
        let secret = entry.get_array("inbox_seed");
        let (plaintext, exchange) = parts.open(entry.get_text("recipient"), &secret, shared.as_ref());
        assert_eq!(plaintext.len() as u64, entry.get_number("plaintext_bytes"));
        assert_eq!(exchange, entry.get_array("exchange_secret"));
    }
}

#[test]
fn refused_envelopes() {
    let file = read("sealing.json");
    for entry in file.get_list("refused_envelopes") {
        check(open(entry), entry);
        assert!(!entry["code"].is_null());
    }
}

/// The secret of the exchange that the third envelope begins, as the core has it.
fn exchange_secret(file: &Value) -> ExchangeSecret {
    open(&file["envelopes"][2]).unwrap().1.secret
}

#[test]
fn two_answers_to_one_find() {
    let file = read("sealing.json");
    let secret = exchange_secret(&file);
    let answers = file["exchange"].get_list("answers");
    for entry in answers {
        let (content, salt) = secret.open_answer(&entry.get_bytes("body")).unwrap();
        assert_eq!((&*content, salt), (entry.get_text("content").as_bytes(), entry.get_array("salt")));
        let direction = book::Direction::to_seeker(&file["exchange"].get_array("exchange_secret"), salt);
        assert_eq!(direction.key, entry.get_array("key"));
        assert_eq!(direction.nonce, entry.get_array("base_nonce"));
        assert_eq!(direction.aad(0), entry.get_bytes("aad"));
    }
    assert_eq!(answers.len(), 2);
    assert_ne!(answers[0]["key"], answers[1]["key"]);
}

#[test]
fn continuations() {
    let file = read("sealing.json");
    let secret = exchange_secret(&file);
    let salt_of = |entry: &Value| -> Option<[u8; 32]> {
        (entry.get_text("direction") == "to-seeker").then(|| entry.get_array("salt"))
    };
    for entry in file["exchange"].get_list("continuations") {
        let body = entry.get_bytes("body");
        let (counter, content) = secret.open_more(salt_of(entry).as_ref(), &body).unwrap();
        assert_eq!(u64::from(counter), entry.get_number("counter"));
        assert_eq!(content, entry.get_text("content").as_bytes());
    }
    for entry in file["exchange"].get_list("refused_continuations") {
        check(secret.open_more(salt_of(entry).as_ref(), &entry.get_bytes("body")), entry);
        assert!(!entry["code"].is_null());
    }
}

#[test]
fn pre_shared_keys() {
    let file = read("sealing.json");
    let entry = &file["psk"];
    let pair = |name: &str| -> [[u8; 32]; 2] {
        let list: Vec<[u8; 32]> = entry
            .get_texts(name)
            .into_iter()
            .map(|hex| crate::support::bytes(hex).try_into().unwrap())
            .collect();
        list.try_into().unwrap()
    };
    let peers = entry.get_texts("peers");
    let agreed = Psk::agree(pair("random"), [peers[0], peers[1]], pair("fingerprints"));
    assert!(agreed == Psk::from_bytes(entry.get_array("psk")));
}

#[test]
fn sizes() {
    let file = read("sealing.json");
    let key = InboxSecret::new([1; 32]).public_key();
    let recipient = Recipient { peer: "p1", key: &key, psk: None };
    for entry in file["buckets"].get_list("find_answer_knock") {
        let content = vec![b'x'; entry.get_number("content_bytes") as usize];
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sealed = seal(EnvelopeKind::Find, recipient, &content, &mut rng);
        let overhead = 35 + 1120 + 16;
        let bytes = check(sealed, entry).map(|(envelope, _)| (envelope.len() - overhead) as u64);
        assert_eq!(bytes, entry["plaintext_bytes"].as_u64());
    }
    let secret = exchange_secret(&file);
    for entry in file["buckets"].get_list("continuation") {
        let content = vec![b'x'; entry.get_number("content_bytes") as usize];
        let bytes =
            check(secret.seal_more(None, 0, &content), entry).map(|body| (body.len() - 4 - 16) as u64);
        assert_eq!(bytes, entry["plaintext_bytes"].as_u64());
    }
}
