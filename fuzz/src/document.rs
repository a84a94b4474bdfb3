use crate::NOW;
use crate::input::Input;
use openpeer_core::document::{
    B, Bundle, Chain, ChainStatement, Claim, ClaimRequest, Document, DomainDocument, LocationCertificate,
    Name, NameRecord, PeerId, Public, Reach, Signed,
};
use openpeer_core::finder::Hello;
use openpeer_core::key::{RecoveryCode, Seed};
use openpeer_core::message::{Answer, Find, Knock};
use openpeer_core::uri::{Address, Domain, FinderUrl};
use openpeer_core::{Jws, signing_input};

/// Reads a document of any kind, as it came and as a payload that somebody signed well.
pub fn document(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    match kind % 17 {
        0 => one::<ChainStatement>(text),
        1 => one::<LocationCertificate>(text),
        2 => one::<B>(text),
        3 => one::<Reach>(text),
        4 => one::<Public>(text),
        5 => one::<NameRecord>(text),
        6 => one::<DomainDocument>(text),
        7 => one::<Claim>(text),
        8 => one::<Hello>(text),
        9 => one::<Find>(text),
        10 => one::<Answer>(text),
        11 => one::<Knock>(text),
        12 => chain(text),
        13 => name_record(text),
        14 => bundle(text),
        15 => claim(text),
        _ => addresses(text),
    }
}

fn key() -> Seed {
    Seed::new([1; 32])
}

fn domain() -> Domain {
    Domain::from_text("b.test").expect("a domain")
}

/// Reads the text as a compact document and as the payload of a well-signed one.
fn one<D: Document>(text: &str) {
    let _ = Signed::<D>::verify(text, &key().public_key());
    let Ok(signed) = Signed::<D>::verify(&compact::<D>(text), &key().public_key()) else { return };
    // What was accepted can be written and read again. Unknown members are gone then.
    let again = serde_json::to_string(&*signed).expect("documents are JSON");
    Signed::<D>::verify(&compact::<D>(&again), &key().public_key())
        .expect("a document survives being written again");
}

fn compact<D: Document>(payload: &str) -> String {
    let input = signing_input(D::TYPE, key().public_key().id(), payload.as_bytes());
    let signature = key().sign(input.as_bytes());
    format!("{input}.{signature}")
}

fn chain(text: &str) {
    let Ok(chain) = Chain::verify(text.lines()) else { return };
    let again = Chain::verify(chain.compacts()).expect("a chain verifies again");
    assert_eq!(again.peer(), chain.peer());
    assert_eq!(again.seq() + 1, chain.compacts().count() as u64);
}

fn name_record(text: &str) {
    let mut lines = text.lines();
    let Some(record) = lines.next() else { return };
    let Ok(chain) = Chain::verify(lines) else { return };
    let _ = NameRecord::verify(record, &chain, &domain(), &[key().public_key()], NOW);
}

fn bundle(text: &str) {
    let Ok(bundle) = Bundle::parse(text.as_bytes()) else { return };
    assert_eq!(Bundle::parse(&bundle.to_json()).ok(), Some(bundle.clone()));
    let Ok(document) = bundle.domain(&domain(), NOW) else { return };
    let _ = bundle.introduction(&domain(), &document.keys, NOW);
}

fn claim(text: &str) {
    let Ok(request) = ClaimRequest::parse(text.as_bytes()) else { return };
    assert_eq!(ClaimRequest::parse(&request.to_json()).ok(), Some(request.clone()));
    let _ = request.verify(&domain(), NOW);
}

/// Every text form that people or documents write: what is read and written is read alike again.
fn addresses(text: &str) {
    if let Ok(address) = Address::from_text(text) {
        assert_eq!(Address::from_text(&address.to_string()), Ok(address));
    }
    if let Ok(domain) = Domain::from_text(text) {
        assert_eq!(Domain::from_text(domain.as_str()), Ok(domain));
    }
    if let Ok(url) = FinderUrl::from_text(text) {
        assert!(url.port() > 0 && !url.host().is_empty());
    }
    if let Ok(peer) = PeerId::from_text(text) {
        assert_eq!(PeerId::from_text(&peer.to_string()), Ok(peer));
    }
    if let Ok(name) = Name::from_text(text) {
        assert_eq!(Name::from_text(name.as_str()), Ok(name));
    }
    if let Ok(code) = RecoveryCode::from_text(text) {
        assert!(RecoveryCode::from_text(&code.to_text()).is_ok());
    }
    let _ = Jws::parse(text, ChainStatement::TYPE);
}
