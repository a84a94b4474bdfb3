use super::harness::{Harness, START, URL, config, seed};
use crate::Code;
use crate::document::Draft;
use crate::finder::{Finder, FinderConfig, Hello, Limits, Output, TurnConfig};
use crate::frame::{Frame, Header};
use crate::key::Seed;
use crate::uri::{Domain, FinderUrl};

fn hello_of(harness: &mut Harness) -> String {
    let connection = harness.connect();
    let raw = harness.take_raw(connection);
    match Frame::decode(&raw[0].1).unwrap().header {
        Header::Hello { jws } => jws,
        other => panic!("{other:?}"),
    }
}

fn verify(jws: &str, key: &Seed, domain: &str, url: &str) -> Result<Hello, Code> {
    let (domain, url) = (Domain::from_text(domain).unwrap(), FinderUrl::from_text(url).unwrap());
    Hello::verify(jws, &key.public_key(), &domain, &url)
        .map(|hello| (*hello).clone())
        .map_err(|error| error.code())
}

#[test]
fn opens_every_connection() {
    let mut harness = Harness::new();
    let domain = harness.domain.clone();
    let first = verify(&hello_of(&mut harness), &domain, "b.test", URL).unwrap();
    assert_eq!(first.time, START);
    assert_eq!(first.stun, ["stun:b.test:3478"]);
    assert_eq!(first.limits, Limits::PROTOCOL);
    let second = verify(&hello_of(&mut harness), &domain, "b.test", URL).unwrap();
    assert_ne!(first.nonce, second.nonce);
    assert_eq!(harness.commands.iter().filter(|command| matches!(command, Output::Sign { .. })).count(), 2);
}

#[test]
fn of_another_domain_finder_or_key_is_refused() {
    let mut harness = Harness::new();
    let domain = harness.domain.clone();
    let jws = hello_of(&mut harness);
    assert_eq!(verify(&jws, &domain, "a.test", URL), Err(Code::WrongDomain));
    assert_eq!(
        verify(&jws, &domain, "b.test", "wss://evil.test/finder"),
        Err(Code::WrongDomain),
        "a relayed hello"
    );
    assert_eq!(verify(&jws, &domain, "b.test", "wss://b.test:8443/finder"), Err(Code::WrongDomain));
    assert_eq!(verify(&jws, &seed(1), "b.test", URL), Err(Code::BadSignature));
    let altered = jws.replace(jws.split('.').nth(1).unwrap(), &crate::encoding::to_base64url(b"{\"v\":2}"));
    assert_eq!(verify(&altered, &domain, "b.test", URL), Err(Code::UnsupportedVersion));
}

#[test]
fn with_too_many_stun_servers_is_refused() {
    let domain = seed(1);
    let mut hello = config().hello(START, crate::frame::Nonce([0; 32]));
    hello.stun = vec!["stun:a.test".into(); 5];
    let draft = Draft::new(hello, domain.public_key().id());
    let signature = domain.sign(draft.signing_input());
    assert_eq!(verify(draft.finish(&signature).compact(), &domain, "b.test", URL), Err(Code::LimitExceeded));
}

#[test]
fn a_seeker_need_not_wait_for_it() {
    let mut harness = Harness::new();
    harness.signs = false;
    let seeker = harness.connect();
    harness.find(seeker, 1, crate::frame::MailboxId([1; 16]), None);
    assert_eq!(harness.take_one(seeker), Header::Accepted { x: 1 });
}

#[test]
fn a_configuration_that_fits_no_frame_is_refused() {
    let code = |config| Finder::new(config, [0; 32]).unwrap_err().code();
    let long = "x".repeat(1_000);
    assert_eq!(code(FinderConfig { stun: vec![String::new(); 5], ..config() }), Code::InvalidArgument);
    assert_eq!(code(FinderConfig { stun: vec![long.clone(); 3], ..config() }), Code::InvalidArgument);
    let turn = TurnConfig { secret: String::new().into(), urls: vec![long; 4] };
    assert_eq!(code(FinderConfig { turn: Some(turn), ..config() }), Code::InvalidArgument);
}

#[test]
fn debug_shows_no_secret() {
    let turn = TurnConfig { secret: "north".to_owned().into(), urls: vec!["turn:b.test".into()] };
    let finder = Finder::new(FinderConfig { turn: Some(turn), ..config() }, [0; 32]).unwrap();
    let shown = format!("{finder:?} {:?}", crate::finder::Source([10; 8]));
    for secret in ["north", "241", "0xf1", "10, 10"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
