//! Everything that is parsed from text: documents, letters, control messages, bundles, claims, addresses.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;
use openpeer_core::Jws;
use openpeer_core::control::Control;
use openpeer_core::document::{Bundle, Chain, ClaimRequest, DomainDocument, PeerId};
use openpeer_core::message::{Letter, More};
use openpeer_core::uri::{Address, Domain};
use openpeer_fuzz::START;

fuzz_target!(|data: &[u8]| {
    let domain = Domain::from_text("a.test").expect("a domain");
    if let Ok(bundle) = Bundle::parse(data) {
        let keys = bundle.domain(&domain, START).map(|document| document.keys.clone()).unwrap_or_default();
        let _ = bundle.introduction(&domain, &keys, START);
        assert_eq!(Bundle::parse(&bundle.to_json()).expect("own JSON is valid"), bundle);
    }
    if let Ok(request) = ClaimRequest::parse(data) {
        let _ = request.verify(&domain, START);
    }
    if let Ok(letter) = Letter::parse(data) {
        let _ = letter.writer(None, START);
    }
    if let Ok(control) = Control::parse(data)
        && control != Control::Unknown
    {
        assert_eq!(Control::parse(&control.to_json()).expect("own JSON is valid"), control);
    }
    let _ = More::parse(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Chain::verify(text.split('\n'));
    let _ = DomainDocument::verify(text, &domain, START);
    let _ = Jws::parse(text, "openpeer-a+jws");
    let _ = PeerId::from_text(text);
    if let Ok(address) = Address::from_text(text) {
        assert_eq!(Address::from_text(&address.to_string()).expect("own text is valid"), address);
    }
});
