//! The strict profile as every document meets it, and parsers under arbitrary input.

use super::fixture::{NOW, Person, domain, domain_document, sign, sign_text};
use crate::defaults::{MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH};
use crate::document::{
    Bundle, Chain, ClaimRequest, Document, DocumentId, DomainDocument, LocationCertificate, NameRecord,
    PeerId,
};
use crate::encoding::to_base64url;
use crate::key::{PublicKey, Seed};
use crate::{Code, Error};
use proptest::prelude::*;

fn certificate_text(person: &Person) -> String {
    serde_json::to_string(&person.certificate()).unwrap()
}

fn verify(person: &Person, compact: &str) -> Result<(), Error> {
    person.chain.verify_document::<LocationCertificate>(compact).map(drop)
}

fn code_of(person: &Person, payload: &str) -> Option<Code> {
    let compact = sign_text(LocationCertificate::TYPE, payload, &person.root);
    verify(person, &compact).err().map(|error| error.code())
}

#[test]
fn unknown_members_are_ignored_and_count_for_the_id() {
    let person = Person::new(1);
    let text = certificate_text(&person);
    let more = text.replacen('{', r#"{"later":[1,{"x":null}],"#, 1);
    assert_eq!(code_of(&person, &more), None);
    let id = |text: &str| DocumentId::of(LocationCertificate::TYPE, text.as_bytes());
    assert_ne!(id(&text), id(&more));
    assert_ne!(id(&text), DocumentId::of("openpeer-b+jws", text.as_bytes()), "the type is part of the id");
}

#[test]
fn the_profile_holds_under_a_valid_signature() {
    let person = Person::new(1);
    let text = certificate_text(&person);
    let with = |member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let deep = format!(r#""x":{}{}"#, "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
    let deepest = format!(r#""x":{}{}"#, "[".repeat(MAX_JSON_DEPTH - 1), "]".repeat(MAX_JSON_DEPTH - 1));
    for (why, payload, code) in [
        ("as it is", text.clone(), None),
        ("duplicate member", with(r#""v":1"#), Some(Code::Malformed)),
        ("duplicate member below", with(r#""x":{"a":1,"a":1}"#), Some(Code::Malformed)),
        ("fraction", with(r#""x":0.5"#), Some(Code::Malformed)),
        ("large integer", with(r#""x":9007199254740993"#), Some(Code::Malformed)),
        ("largest integer", with(r#""x":9007199254740992"#), None),
        ("too deep", with(&deep), Some(Code::Malformed)),
        ("deepest", with(&deepest), None),
        ("trailing bytes", format!("{text}x"), Some(Code::Malformed)),
        ("not an object", format!("[{text}]"), Some(Code::Malformed)),
        ("later version", text.replace(r#""v":1"#, r#""v":2"#), Some(Code::UnsupportedVersion)),
        ("no version", text.replace(r#""v":1,"#, ""), Some(Code::Malformed)),
        ("version in a text", text.replace(r#""v":1"#, r#""v":"1""#), Some(Code::Malformed)),
        ("peer id in upper case", text.replace("p1", "P1"), Some(Code::Malformed)),
    ] {
        assert_eq!(code_of(&person, &payload), code, "{why}");
    }
    let huge = with(&format!(r#""x":"{}""#, "a".repeat(MAX_DOCUMENT_BYTES)));
    assert_eq!(code_of(&person, &huge), Some(Code::TooLarge));
}

#[test]
fn keys_in_documents_are_checked() {
    let person = Person::new(1);
    let text = certificate_text(&person);
    let own = person.location.public_key().to_string();
    let identity = to_base64url(&{
        let mut point = [0; 32];
        point[0] = 1;
        point
    });
    for key in [identity, to_base64url(&[0xFF; 32]), own[1..].to_owned(), format!("{own}=")] {
        assert_eq!(code_of(&person, &text.replace(&own, &key)), Some(Code::Malformed), "{key}");
    }
}

/// Every other spelling of a signed text is refused: there is one form of a document, and its bytes are its own.
#[test]
fn no_byte_of_a_document_can_be_altered() {
    let person = Person::new(1);
    let compact = person.by_root(person.certificate()).compact().to_owned();
    verify(&person, &compact).unwrap();
    for position in 0..compact.len() {
        for flip in [1, 2, 0x20, 0x80] {
            let mut altered = compact.clone().into_bytes();
            altered[position] ^= flip;
            let Ok(altered) = String::from_utf8(altered) else { continue };
            assert!(verify(&person, &altered).is_err(), "byte {position} ^ {flip}");
        }
    }
    for cut in 0..compact.len() {
        assert!(verify(&person, &compact[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn no_byte_of_a_name_record_can_be_altered() {
    let (person, key) = (Person::new(1), Seed::new([50; 32]));
    let record = person.name_record("alice", "a.test");
    let joined = format!("{}~{}", person.by_root(record.clone()).compact(), sign(record, &key).compact());
    let verify =
        |text: &str| NameRecord::verify(text, &person.chain, &domain("a.test"), &[key.public_key()], NOW);
    verify(&joined).unwrap();
    for position in 0..joined.len() {
        let mut altered = joined.clone().into_bytes();
        altered[position] ^= 1;
        assert!(verify(&String::from_utf8(altered).unwrap()).is_err(), "byte {position}");
    }
}

fn never_panics(text: &str) {
    let key = Seed::new([1; 32]).public_key();
    let _ = crate::document::Signed::<LocationCertificate>::verify(text, &key);
    let _ = Chain::verify([text]);
    let _ = NameRecord::verify(text, &Person::new(1).chain, &domain("a.test"), &[key], NOW);
    let _ = DomainDocument::verify(text, &domain("a.test"), NOW);
    let _ = Bundle::parse(text.as_bytes());
    let _ = ClaimRequest::parse(text.as_bytes());
    let _ = crate::message::Letter::parse(text.as_bytes());
    let _ = crate::message::More::parse(text.as_bytes());
    let _ = crate::control::Control::parse(text.as_bytes());
    let _ = PeerId::from_text(text);
    let _ = crate::uri::Address::from_text(text);
    let _ = crate::uri::FinderUrl::from_text(text);
    let _ = crate::key::RecoveryCode::from_text(text);
}

/// Texts that get past the first check more often than noise does.
fn near_document() -> impl Strategy<Value = String> {
    let payload = prop_oneof![
        any::<String>(),
        r#"\{"v":[0-3],"(peer|keys|seq|domain)":("[a-z0-9]{0,60}"|[0-9]{1,20}|null|\[\])\}"#,
    ];
    let typ = prop::sample::select(super::types());
    (payload, typ).prop_map(|(payload, typ)| sign_text(typ, &payload, &Seed::new([1; 32])))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsers_survive_noise(text: String) {
        never_panics(&text);
    }

    #[test]
    fn parsers_survive_what_is_signed(text in near_document()) {
        never_panics(&text);
    }

    #[test]
    fn parsers_survive_damage(cut in 0_usize..2_000, position in 0_usize..2_000, byte in 0x20_u8..0x7F) {
        let key = Seed::new([1; 32]);
        let document = sign(domain_document("a.test", &key, 1, NOW), &key);
        let mut text = document.compact().to_owned().into_bytes();
        let at = position % text.len();
        text[at] = byte;
        text.truncate(cut.max(1));
        never_panics(&String::from_utf8(text).unwrap());
    }

    #[test]
    fn keys_survive_noise(bytes: [u8; 32]) {
        if let Ok(key) = PublicKey::from_bytes(&bytes) {
            prop_assert_eq!(key.as_bytes(), &bytes);
        }
    }
}
