use crate::support::{Entry, check, public_key, read};
use openpeer_core::document::{
    Age, B, Bundle, ChainStatement, Claim, ClaimRequest, Continuity, Document, DocumentId, DomainDocument,
    DomainPin, LocationCertificate, NameRecord, Pin, Public, Reach, Signed, check_time,
};
use openpeer_core::finder::Hello;
use openpeer_core::key::{PublicKey, Signature};
use openpeer_core::message::{Answer, Find, Knock};
use openpeer_core::uri::Domain;
use openpeer_core::{Error, Jws, Time};
use serde_json::Value;
use std::collections::BTreeSet;

fn now() -> Time {
    read("documents.json").get_time("now")
}

/// Reads and checks a document of the type that the entry names.
fn verify(typ: &str, compact: &str, key: &PublicKey) -> Result<(), Error> {
    fn one<D: Document>(compact: &str, key: &PublicKey) -> Result<(), Error> {
        Signed::<D>::verify(compact, key).map(drop)
    }
    match typ {
        LocationCertificate::TYPE => Signed::<LocationCertificate>::verify(compact, key)
            .and_then(|certificate| check_time(certificate.iat, certificate.exp, now())),
        ChainStatement::TYPE => one::<ChainStatement>(compact, key),
        B::TYPE => one::<B>(compact, key),
        Reach::TYPE => one::<Reach>(compact, key),
        Public::TYPE => one::<Public>(compact, key),
        NameRecord::TYPE => one::<NameRecord>(compact, key),
        DomainDocument::TYPE => one::<DomainDocument>(compact, key),
        Hello::TYPE => one::<Hello>(compact, key),
        Claim::TYPE => one::<Claim>(compact, key),
        Find::TYPE => one::<Find>(compact, key),
        Answer::TYPE => one::<Answer>(compact, key),
        Knock::TYPE => one::<Knock>(compact, key),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn valid_documents() {
    let file = read("documents.json");
    let mut types = BTreeSet::new();
    for entry in file.get_list("valid") {
        let (typ, compact) = (entry.get_text("type"), entry.get_text("compact"));
        let key = entry.get_seed("seed").public_key();
        verify(typ, compact, &key).unwrap();
        let jws = Jws::parse(compact, typ).unwrap();
        assert_eq!((jws.key(), jws.payload()), (key.id(), entry.get_text("payload").as_bytes()));
        assert_eq!(DocumentId::of(typ, jws.payload()).to_string(), entry.get_text("id"));
        let input = openpeer_core::signing_input(typ, key.id(), jws.payload());
        assert_eq!(input, entry.get_text("signing_input"));
        let signature = entry.get_seed("seed").sign(input.as_bytes());
        assert_eq!(signature, Signature::from_text(entry.get_text("signature")).unwrap());
        assert_eq!(format!("{input}.{signature}"), compact);
        types.insert(typ);
    }
    assert_eq!(types.len(), 12, "one of every type: {types:?}");
}

#[test]
fn refused_documents() {
    let file = read("documents.json");
    assert!(file.get_list("refused").len() > 60);
    for entry in file.get_list("refused") {
        let key = public_key(entry.get_text("public"));
        check(verify(entry.get_text("type"), entry.get_text("compact"), &key), entry);
        assert!(!entry["code"].is_null());
    }
}

#[test]
fn chains() {
    for entry in read("documents.json").get_list("chains") {
        if let Some(chain) = check(entry.get_chain("statements"), entry) {
            assert_eq!(chain.peer().to_string(), entry.get_text("peer"));
            assert_eq!(chain.seq(), entry.get_number("seq"));
        }
    }
}

fn check_age(result: Result<Age, Error>, entry: &Value) {
    let age = check(result, entry).map(|age| match age {
        Age::Newer => "newer",
        Age::Same => "same",
    });
    assert_eq!(age, entry["age"].as_str(), "{}", entry["why"]);
}

#[test]
fn successions() {
    let file = read("documents.json");
    for entry in file.get_list("chain_successions") {
        let (known, shown) = (entry.get_chain("known").unwrap(), entry.get_chain("shown").unwrap());
        check_age(shown.extends(&known), entry);
    }
    for entry in file.get_list("numbers") {
        let pin: Option<Pin> = serde_json::from_value(entry["known"].clone()).unwrap();
        let shown: Pin = serde_json::from_value(entry["shown"].clone()).unwrap();
        check_age(Pin::compare(pin.as_ref(), shown.seq, shown.id), entry);
    }
}

fn domain(entry: &Value) -> Domain {
    Domain::from_text(entry.get_text("domain")).unwrap()
}

fn domain_keys(entry: &Value) -> Vec<PublicKey> {
    entry.get_texts("domain_keys").into_iter().map(public_key).collect()
}

#[test]
fn names() {
    let file = read("documents.json");
    for entry in file.get_list("name_records") {
        let chain = entry.get_chain("chain").unwrap();
        let record =
            NameRecord::verify(entry.get_text("record"), &chain, &domain(entry), &domain_keys(entry), now());
        check(record, entry);
    }
    for entry in file.get_list("bundles") {
        let bundle = Bundle::parse(entry.get_text("bundle").as_bytes()).unwrap();
        bundle.domain(&domain(entry), now()).unwrap();
        let introduction = bundle.introduction(&domain(entry), &domain_keys(entry), now());
        let peer = check(introduction, entry).map(|found| found.chain.peer().to_string());
        assert_eq!(peer.as_deref(), entry["peer"].as_str());
    }
    for entry in file.get_list("claims") {
        let request = ClaimRequest::parse(entry.get_text("body").as_bytes()).unwrap();
        check(request.verify(&domain(entry), now()), entry);
    }
}

#[test]
fn continuity() {
    let file = read("documents.json");
    let story = &file["continuity"];
    let first = DomainDocument::verify(story.get_text("first_sight"), &domain(story), now()).unwrap();
    let mut pin = DomainPin::first_sight(&first, now());
    for step in story.get_list("steps") {
        let document = DomainDocument::verify(step.get_text("document"), &domain(story), now()).unwrap();
        let answers = step["a_pinned_finder_answers"].as_bool().unwrap();
        let accepted_from = match check(pin.weigh(&document, answers, step.get_time("at")), step) {
            Some(Continuity::KeyChanged { accepted_from }) => Some(accepted_from.as_secs()),
            Some(Continuity::Trusted) | None => None,
        };
        assert_eq!(accepted_from, step["accepted_from"].as_u64());
        assert_eq!(pin.document(&domain(story)).unwrap().seq, step.get_number("pinned_seq"));
    }
}
