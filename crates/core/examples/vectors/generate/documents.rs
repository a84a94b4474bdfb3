//! Documents: one of every kind, and many that are refused (section 3).

mod chains;
mod domains;
mod refused;

use super::cast::{NOW, Person, domain_seed};
use super::json::{Json, hex, object};
use super::{book, contents, sealing};
use openpeer_core::document::{ClaimAction, Document, Draft};
use openpeer_core::frame::Nonce;
use openpeer_core::key::Seed;
use openpeer_core::{Code, Error};

pub(crate) fn file() -> Json {
    object! {
        "now": NOW.as_secs(),
        "valid": valid(),
        "refused": refused::documents(),
        "chains": chains::chains(),
        "chain_successions": chains::successions(),
        "numbers": chains::numbers(),
        "name_records": domains::name_records(),
        "bundles": domains::bundles(),
        "claims": domains::claims(),
        "continuity": domains::continuity(),
    }
}

fn valid() -> Json {
    let (alice, bob) = (Person::alice(), Person::bob());
    let domain_key = domain_seed("b.test");
    let statement = |person: &Person| person.chain.head().clone();
    let rotated = bob.rotated();
    let list = vec![
        valid_document("root", &bob.root, statement(&bob)),
        valid_document("root after a rotation", &rotated.root, statement(&rotated)),
        valid_document("root", &bob.root, contents::certificate(&bob)),
        valid_document("root", &bob.root, contents::b(&bob, "b.test")),
        valid_document("location", &bob.location, contents::reach(&bob, "b.test")),
        valid_document("root", &bob.root, contents::public(&bob, "b.test")),
        valid_document("root, the peer's half", &bob.root, contents::name_record(&bob, "b.test")),
        valid_document("domain, the other half", &domain_key, contents::name_record(&bob, "b.test")),
        valid_document("domain", &domain_key, contents::domain_document("b.test", 1, NOW)),
        valid_document("domain", &domain_key, contents::hello("b.test", Nonce([0x66; 32]))),
        valid_document("root", &bob.root, contents::claim(&bob, "b.test", ClaimAction::Claim)),
        valid_document("root", &bob.root, contents::claim(&bob, "b.test", ClaimAction::Release)),
        valid_document("location", &alice.location, sealing::find(&alice, &bob)),
        valid_document("location", &bob.location, sealing::acceptance(&bob, &alice)),
        valid_document("location", &bob.location, sealing::refusal(&bob, &alice)),
        valid_document("location", &alice.location, sealing::knock(&alice, &bob)),
    ];
    list.into()
}

/// A document with everything on the way from its content to its text.
fn valid_document<D: Document>(signed_by: &'static str, key: &Seed, document: D) -> Json {
    document.check().unwrap();
    let payload = serde_json::to_string(&document).unwrap();
    let draft = Draft::new(document, key.public_key().id());
    let input = String::from_utf8(draft.signing_input().to_vec()).unwrap();
    let signature = key.sign(input.as_bytes());
    let signed = draft.finish(&signature);
    assert_eq!(signed.id().0, book::hash("openpeer/doc/v1", &[D::TYPE.as_bytes(), payload.as_bytes()]));
    object! {
        "type": D::TYPE,
        "signed_by": signed_by,
        "seed": hex(key.expose()),
        "payload": payload,
        "signing_input": input,
        "signature": signature.to_string(),
        "compact": signed.compact(),
        "id": signed.id().to_string(),
    }
}

/// The code of a refusal, or `null`.
fn verdict<T>(result: Result<T, Error>) -> Json {
    Json::from(result.err().map(|error| error.code().as_str()))
}

/// The code of a refusal that has to be the expected one.
fn refusal<T>(result: Result<T, Error>, expected: Code, why: &str) -> Json {
    let code = result.err().map(|error| error.code());
    assert_eq!(code, Some(expected), "{why}");
    expected.as_str().into()
}
