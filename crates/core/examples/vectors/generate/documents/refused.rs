//! Single documents that are refused, each for one reason.

use super::super::cast::{NOW, Person, domain_seed, secret};
use super::super::json::{Json, object};
use super::super::{contents, sealing};
use super::refusal;
use openpeer_core::defaults::{
    DOCUMENT_LIFE, FRESHNESS, MAX_CANDIDATES, MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH, REACH_LIFE,
};
use openpeer_core::document::{
    B, Document, DomainDocument, LocationCertificate, Public, Reach, Signed, check_time,
};
use openpeer_core::encoding::to_base64url;
use openpeer_core::key::{KeyId, Seed};
use openpeer_core::message::{Find, Knock};
use openpeer_core::transport::Candidate;
use openpeer_core::{Code, Time, signing_input};

const SECOND: u64 = 1_000;

pub(crate) fn documents() -> Json {
    let person = Person::bob();
    [headers(&person), encodings(&person), profile(&person), lifetimes(&person), limits(&person)]
        .concat()
        .into()
}

/// A refused text of type `D` with the key that is expected to have signed it.
fn refused<D: Document>(why: &str, compact: String, key: &Seed, code: Code) -> Json {
    let key = key.public_key();
    let code = refusal(Signed::<D>::verify(&compact, &key), code, why);
    object! { "why": why, "type": D::TYPE, "public": key.to_string(), "compact": compact, "code": code }
}

fn sign_raw(header: &str, payload: &str, key: &Seed) -> String {
    let header = header.replace("KID", &key.public_key().id().to_string());
    let input = format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
    format!("{input}.{}", key.sign(input.as_bytes()))
}

fn sign_text(typ: &str, payload: &str, key: &Seed) -> String {
    let input = signing_input(typ, key.public_key().id(), payload.as_bytes());
    format!("{input}.{}", key.sign(input.as_bytes()))
}

fn certificate_text(person: &Person) -> String {
    serde_json::to_string(&contents::certificate(person)).unwrap()
}

fn headers(person: &Person) -> Vec<Json> {
    let payload = certificate_text(person);
    let cases = [
        ("polymorphic algorithm name", r#"{"alg":"EdDSA","typ":"openpeer-location+jws","kid":"KID"}"#),
        ("no algorithm", r#"{"alg":"none","typ":"openpeer-location+jws","kid":"KID"}"#),
        ("another type", r#"{"alg":"Ed25519","typ":"openpeer-b+jws","kid":"KID"}"#),
        ("type with prefix", r#"{"alg":"Ed25519","typ":"application/openpeer-location+jws","kid":"KID"}"#),
        ("type in upper case", r#"{"alg":"Ed25519","typ":"OPENPEER-LOCATION+JWS","kid":"KID"}"#),
        ("no key id", r#"{"alg":"Ed25519","typ":"openpeer-location+jws"}"#),
        ("further member", r#"{"alg":"Ed25519","typ":"openpeer-location+jws","kid":"KID","crit":[]}"#),
        ("embedded key", r#"{"alg":"Ed25519","typ":"openpeer-location+jws","kid":"KID","jwk":{}}"#),
        ("member twice", r#"{"alg":"Ed25519","alg":"Ed25519","typ":"openpeer-location+jws","kid":"KID"}"#),
    ];
    let one = |(why, header): (&str, &str)| {
        let compact = sign_raw(header, &payload, &person.root);
        refused::<LocationCertificate>(&format!("header: {why}"), compact, &person.root, Code::Malformed)
    };
    cases.map(one).to_vec()
}

fn encodings(person: &Person) -> Vec<Json> {
    let good = sign_text(LocationCertificate::TYPE, &certificate_text(person), &person.root);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let altered_last = |text: &str| {
        // The last character of 64 bytes carries four bits that have to be zero.
        let last = text.chars().last().unwrap();
        let other = if last == 'A' { 'B' } else { char::from(last as u8 + 1) };
        format!("{}{other}", &text[..text.len() - 1])
    };
    let other = Seed::new(secret(0x70, 1));
    let foreign = sign_text(LocationCertificate::TYPE, &certificate_text(person), &other);
    let cases = [
        ("padding", format!("{good}=="), Code::Malformed),
        ("white space", format!("{good} "), Code::Malformed),
        ("line break inside", format!("{input}\n.{signature}"), Code::Malformed),
        ("trailing bits that are not zero", format!("{input}.{}", altered_last(signature)), Code::Malformed),
        ("standard alphabet", good.replacen('.', "+.", 1), Code::Malformed),
        ("two parts", input.to_owned(), Code::Malformed),
        ("four parts", format!("{good}.{signature}"), Code::Malformed),
        ("empty", String::new(), Code::Malformed),
        ("cut signature", good[..good.len() - 4].to_owned(), Code::Malformed),
        ("signature of other bytes", format!("{input}.{}", person.root.sign(b"other")), Code::BadSignature),
        ("signature of zeros", format!("{input}.{}", "A".repeat(86)), Code::BadSignature),
        ("signed by another key that names itself", foreign, Code::BadSignature),
    ];
    let one = |(why, compact, code)| {
        refused::<LocationCertificate>(&format!("encoding: {why}"), compact, &person.root, code)
    };
    cases.map(one).to_vec()
}

fn profile(person: &Person) -> Vec<Json> {
    let text = certificate_text(person);
    let with = |member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let device = person.location.public_key().to_string();
    let with_key = |key: [u8; 32]| text.replace(&device, &to_base64url(&key));
    let mut identity = [0; 32];
    identity[0] = 1;
    let deep = format!(r#""x":{}{}"#, "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
    let large = with(&format!(r#""x":"{}""#, "a".repeat(MAX_DOCUMENT_BYTES)));
    let cases = [
        ("duplicate member", with(r#""v":1"#), Code::Malformed),
        ("duplicate member after unescaping", with(r#""\u0061":0"#), Code::Malformed),
        ("duplicate unknown member below", with(r#""x":{"a":1,"a":1}"#), Code::Malformed),
        ("fraction", with(r#""x":0.5"#), Code::Malformed),
        ("exponent", with(r#""x":1e3"#), Code::Malformed),
        ("integer above 2^53", with(r#""x":9007199254740993"#), Code::Malformed),
        ("nested too deeply", with(&deep), Code::Malformed),
        ("trailing bytes", format!("{text} x"), Code::Malformed),
        ("byte order mark", format!("\u{feff}{text}"), Code::Malformed),
        ("list instead of object", format!("[{text}]"), Code::Malformed),
        ("above 64 KiB", large, Code::TooLarge),
        ("later version", text.replace(r#""v":1"#, r#""v":2"#), Code::UnsupportedVersion),
        ("version zero", text.replace(r#""v":1"#, r#""v":0"#), Code::UnsupportedVersion),
        ("no version", text.replace(r#""v":1,"#, ""), Code::Malformed),
        ("missing member", text.replace(r#""a":0,"#, ""), Code::Malformed),
        ("moment as text", text.replace(r#""iat":1795000000"#, r#""iat":"1795000000""#), Code::Malformed),
        ("negative moment", text.replace(r#""iat":1795000000"#, r#""iat":-1"#), Code::Malformed),
        ("peer id in upper case", text.replace(r#""p1"#, r#""P1"#), Code::Malformed),
        ("small-order key", with_key(identity), Code::Malformed),
        ("key that is no point", with_key([0xFF; 32]), Code::Malformed),
    ];
    let one = |(why, payload, code): (&str, String, Code)| {
        assert_ne!(payload, text, "{why}");
        let compact = sign_text(LocationCertificate::TYPE, &payload, &person.root);
        refused::<LocationCertificate>(&format!("profile: {why}"), compact, &person.root, code)
    };
    cases.map(one).to_vec()
}

/// Refused at the file's moment.
fn out_of_time(why: &str, iat: Time, exp: Time, code: Code) -> Json {
    let person = Person::bob();
    let certificate = LocationCertificate { iat, exp, ..contents::certificate(&person) };
    let text = serde_json::to_string(&certificate).unwrap();
    let compact = sign_text(LocationCertificate::TYPE, &text, &person.root);
    let key = person.root.public_key();
    let read = Signed::<LocationCertificate>::verify(&compact, &key);
    let code = refusal(read.and_then(|read| check_time(read.iat, read.exp, NOW)), code, why);
    object! {
        "why": format!("time: {why}"), "type": LocationCertificate::TYPE, "public": key.to_string(),
        "compact": compact, "code": code,
    }
}

fn lifetimes(person: &Person) -> Vec<Json> {
    let reach = Reach { exp: NOW + REACH_LIFE + SECOND, ..contents::reach(person, "b.test") };
    vec![
        out_of_time("life of 30 days and a second", NOW, NOW + DOCUMENT_LIFE + SECOND, Code::Malformed),
        out_of_time("no life", NOW, NOW, Code::Malformed),
        out_of_time("end before beginning", NOW, NOW - SECOND, Code::Malformed),
        out_of_time("ends now", NOW - DOCUMENT_LIFE, NOW, Code::Expired),
        out_of_time(
            "more than ten minutes ahead",
            NOW + FRESHNESS + SECOND,
            NOW + DOCUMENT_LIFE,
            Code::ClockSkew,
        ),
        limit("time: reach of 8 days and a second", &reach, &person.location, Code::Malformed),
    ]
}

fn limit<D: Document>(why: &str, document: &D, key: &Seed, code: Code) -> Json {
    let text = serde_json::to_string(document).unwrap();
    refused::<D>(why, sign_text(D::TYPE, &text, key), key, code)
}

fn limits(person: &Person) -> Vec<Json> {
    let b = contents::b(person, "b.test");
    let reach = contents::reach(person, "b.test");
    let public = contents::public(person, "b.test");
    let document = contents::domain_document("b.test", 1, NOW);
    let domain_key = domain_seed("b.test");
    let domains = B { domains: vec![b.domains[0].clone(); 5], ..b.clone() };
    let locations = B { locations: vec![KeyId([1; 16]); 9], ..b };
    let nine_finders = Reach { finders: vec![reach.finders[0].clone(); 9], ..reach.clone() };
    let direct = Reach { direct: vec![String::new(); 5], ..reach };
    let nine_doors = Public { finders: vec![public.finders[0].clone(); 9], ..public };
    let no_finder = DomainDocument { finders: Vec::new(), ..document.clone() };
    let no_key = DomainDocument { keys: Vec::new(), ..document.clone() };
    let five_stun = DomainDocument { stun: vec![document.stun[0].clone(); 5], ..document };
    [
        vec![
            limit("limits: five domains in B", &domains, &person.root, Code::LimitExceeded),
            limit("limits: nine locations in B", &locations, &person.root, Code::LimitExceeded),
            limit("limits: nine finders in a reach", &nine_finders, &person.location, Code::LimitExceeded),
            limit("limits: five direct addresses", &direct, &person.location, Code::LimitExceeded),
            limit("limits: nine guest mailboxes", &nine_doors, &person.root, Code::LimitExceeded),
            limit("limits: domain without finder", &no_finder, &domain_key, Code::LimitExceeded),
            limit("limits: domain without key", &no_key, &domain_key, Code::Malformed),
            limit("limits: five STUN servers", &five_stun, &domain_key, Code::LimitExceeded),
        ],
        messages(person),
    ]
    .concat()
}

fn messages(bob: &Person) -> Vec<Json> {
    let alice = Person::alice();
    let find = sealing::find(&alice, bob);
    let with_candidates = |list: Vec<&str>| {
        let mut find = find.clone();
        find.webrtc.candidates = list.into_iter().map(|line| Candidate(line.to_owned())).collect();
        find
    };
    let line = "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host";
    let crowd = with_candidates(vec![line; MAX_CANDIDATES + 1]);
    let injected = with_candidates(vec!["candidate:1\r\na=setup:active"]);
    let older = Find { suite: "PS0".to_owned(), ..find.clone() };
    let nothing = Find { transports: Vec::new(), ..find.clone() };
    let mut short = find.clone();
    short.webrtc.ice.pwd = "short".to_owned();
    let knock = Knock { text: "x".repeat(281), ..sealing::knock(&alice, bob) };
    let key = &alice.location;
    vec![
        limit("message: 17 candidates", &crowd, key, Code::LimitExceeded),
        limit("message: line break in a candidate", &injected, key, Code::Malformed),
        limit("message: ICE password too short", &short, key, Code::Malformed),
        limit("message: lower suite", &older, key, Code::SuiteTooOld),
        limit("message: no common transport", &nothing, key, Code::UnsupportedVersion),
        limit("message: knock of 281 bytes", &knock, key, Code::LimitExceeded),
    ]
}
