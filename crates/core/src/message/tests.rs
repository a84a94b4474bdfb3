use super::*;
use crate::defaults::{DOCUMENT_LIFE, KNOCK_LIFE, MAX_CANDIDATES, MAX_KNOCK_TEXT_BYTES};
use crate::document::tests::fixture::{NOW, Person, mailbox_at, sign, sign_text};
use crate::document::{DocumentId, PeerId, V1};
use crate::key::{InboxSecret, Seed};
use crate::transport::{Candidate, Fingerprint, IceCredentials, Transport, TransportParameters};

const SECOND: u64 = 1_000;

fn parameters() -> TransportParameters {
    TransportParameters {
        fingerprint: Fingerprint([7; 32]),
        ice: IceCredentials { ufrag: "abcd".into(), pwd: "abcdefghijklmnopqrstuv".into() },
        candidates: Vec::new(),
    }
}

fn find(from: &Person, to: &Person) -> Find {
    Find {
        v: V1,
        suite: "PS1".into(),
        jti: MessageId([1; 16]),
        iat: NOW,
        iss: from.peer(),
        aud: to.peer(),
        to: to.location_id(),
        inbox: InboxSecret::new([5; 32]).public_key().id(),
        transports: vec![Transport::WebRtc],
        webrtc: parameters(),
        has: Known::default(),
        knock: None,
    }
}

fn knock(from: &Person, to: &Person) -> Knock {
    Knock {
        v: V1,
        jti: MessageId([2; 16]),
        iat: NOW,
        iss: from.peer(),
        aud: to.peer(),
        inbox: InboxSecret::new([6; 32]).public_key().id(),
        name: None,
        text: String::new(),
        reply: ReplyTo {
            finder: mailbox_at("a.test", 1),
            inbox: InboxSecret::new([5; 32]).public_key(),
            ticket: None,
        },
    }
}

fn letter<M: Message>(from: &Person, message: M) -> Letter {
    Letter {
        a: from.chain_texts(),
        location: Some(from.by_root(from.certificate()).compact().to_owned()),
        b: None,
        message: from.by_location(message).compact().to_owned(),
    }
}

/// What a reader knows of a person who showed a B of this number.
fn known(person: &Person, b: u64) -> Writer {
    Writer {
        chain: person.chain.clone(),
        location: person.by_root(person.certificate()),
        b: Some(person.by_root(person.b(b))),
    }
}

fn writer_code(letter: &Letter, known: Option<&Writer>) -> Option<Code> {
    letter.writer(known, NOW).err().map(|error| error.code())
}

#[test]
fn a_letter_shows_who_wrote_it() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let letter = Letter::parse(&letter(&alice, find(&alice, &bob)).to_json()).unwrap();
    let writer = letter.writer(None, NOW).unwrap();
    assert_eq!((writer.chain.peer(), writer.location_id()), (alice.peer(), alice.location_id()));
    let message: Signed<Find> = letter.message(&writer, &bob.peer().to_string(), NOW).unwrap();
    assert_eq!(*message, find(&alice, &bob));
}

#[test]
fn what_the_reader_has_may_stay_out() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let full = letter(&alice, find(&alice, &bob));
    let short = Letter { a: Vec::new(), location: None, ..full.clone() };
    let text = String::from_utf8(short.to_json()).unwrap();
    assert!(text.starts_with(r#"{"message":"#), "{text}");
    assert_eq!(short.writer(Some(&known(&alice, 1)), NOW).unwrap(), known(&alice, 1));
    assert_eq!(writer_code(&short, None), Some(Code::Malformed));
    let no_certificate = Letter { location: None, ..full };
    assert_eq!(writer_code(&no_certificate, None), Some(Code::Malformed));
}

#[test]
fn nobody_writes_under_another_chain() {
    let (alice, mallory) = (Person::new(1), Person::new(2));
    let own = letter(&mallory, find(&mallory, &alice));
    let stolen = Letter { a: alice.chain_texts(), ..own.clone() };
    assert_eq!(writer_code(&stolen, None), Some(Code::BadSignature));
    assert_eq!(writer_code(&own, Some(&known(&alice, 1))), Some(Code::WrongAudience));
    // A certificate for a key of somebody else's, signed by the own root.
    let certificate = LocationCertificate { peer: alice.peer(), ..mallory.certificate() };
    let posing = Letter { location: Some(mallory.by_root(certificate).compact().to_owned()), ..own };
    assert_eq!(writer_code(&posing, None), Some(Code::WrongAudience));
}

#[test]
fn a_chain_never_falls_behind() {
    let before = Person::new(1);
    let after = before.rotated();
    let bob = Person::new(2);
    let old = letter(&before, find(&before, &bob));
    assert_eq!(writer_code(&old, Some(&known(&after, 1))), Some(Code::StaleDocument));
    let new = letter(&after, find(&after, &bob));
    let writer = new.writer(Some(&known(&before, 9)), NOW).unwrap();
    assert_eq!(writer.b, None, "a B under the older statement is void");
    let torn = Letter { location: old.location, ..new };
    assert_eq!(writer_code(&torn, None), Some(Code::BadSignature));
}

#[test]
fn certificates_end() {
    let alice = Person::new(1);
    let letter = letter(&alice, find(&alice, &Person::new(2)));
    let code = |now| letter.writer(None, now).err().map(|error| error.code());
    assert_eq!(code(NOW + DOCUMENT_LIFE - SECOND), None);
    assert_eq!(code(NOW + DOCUMENT_LIFE), Some(Code::Expired));
    assert_eq!(code(NOW - FRESHNESS - SECOND), Some(Code::ClockSkew));
    // The reader's copy ends too.
    let short = Letter { location: None, ..letter.clone() };
    let late = short.writer(Some(&known(&alice, 1)), NOW + DOCUMENT_LIFE);
    assert_eq!(late.unwrap_err().code(), Code::Expired);
}

fn with_b(person: &Person, b: &B) -> Letter {
    let b = Some(person.by_root(b.clone()).compact().to_owned());
    Letter { b, ..letter(person, find(person, &Person::new(2))) }
}

#[test]
fn the_newest_b_counts() {
    let alice = Person::new(1);
    let seq = |letter: &Letter, known: Option<&Writer>| letter.writer(known, NOW).unwrap().b.unwrap().seq;
    let shown = with_b(&alice, &alice.b(5));
    assert_eq!(seq(&shown, None), 5);
    assert_eq!(seq(&shown, Some(&known(&alice, 4))), 5);
    assert_eq!(seq(&shown, Some(&known(&alice, 5))), 5);
    assert_eq!(seq(&shown, Some(&known(&alice, 6))), 6, "an older one does not count");
    let other = B { domains: Vec::new(), ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &other), Some(&known(&alice, 5))), Some(Code::Fork));
}

#[test]
fn a_shown_b_is_alive_and_the_writers_own() {
    let alice = Person::new(1);
    let expired = B { iat: NOW - DOCUMENT_LIFE, exp: NOW, ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &expired), None), Some(Code::Expired));
    let early = B { iat: NOW + FRESHNESS + SECOND, ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &early), None), Some(Code::ClockSkew));
    let foreign = B { peer: Person::new(2).peer(), ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &foreign), None), Some(Code::WrongAudience));
    let unseen = B { a: 1, ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &unseen), None), Some(Code::StaleDocument));
    let forged = sign(alice.b(5), &alice.location).compact().to_owned();
    let letter = Letter { b: Some(forged), ..letter(&alice, find(&alice, &Person::new(2))) };
    assert_eq!(writer_code(&letter, None), Some(Code::BadSignature));
}

#[test]
fn a_location_that_b_does_not_list_is_revoked() {
    let alice = Person::new(1);
    let without = B { locations: vec![Person::new(3).location_id()], ..alice.b(5) };
    assert_eq!(writer_code(&with_b(&alice, &without), None), Some(Code::LocationRevoked));
    // Known from elsewhere: the revoked location itself would not show it.
    let known = Writer { b: Some(alice.by_root(without)), ..known(&alice, 1) };
    let silent = letter(&alice, find(&alice, &Person::new(2)));
    assert_eq!(writer_code(&silent, Some(&known)), Some(Code::LocationRevoked));
    let outdated = with_b(&alice, &alice.b(4));
    assert_eq!(writer_code(&outdated, Some(&known)), Some(Code::LocationRevoked));
}

fn message_code<M: Message>(from: &Person, message: M, reader: PeerId, now: Time) -> Option<Code> {
    let letter = letter(from, message);
    let writer = letter.writer(None, NOW).unwrap();
    letter.message::<M>(&writer, &reader.to_string(), now).err().map(|error| error.code())
}

#[test]
fn messages_are_for_their_reader_and_by_their_writer() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    assert_eq!(message_code(&alice, find(&alice, &bob), bob.peer(), NOW), None);
    assert_eq!(message_code(&alice, find(&alice, &bob), carol.peer(), NOW), Some(Code::WrongAudience));
    assert_eq!(message_code(&alice, find(&carol, &bob), bob.peer(), NOW), Some(Code::WrongAudience));
    let by_root = Letter {
        message: alice.by_root(find(&alice, &bob)).compact().to_owned(),
        ..letter(&alice, find(&alice, &bob))
    };
    let writer = by_root.writer(None, NOW).unwrap();
    let refused = by_root.message::<Find>(&writer, &bob.peer().to_string(), NOW);
    assert_eq!(refused.unwrap_err().code(), Code::BadSignature, "signed by the root, not by the location");
}

#[test]
fn a_message_of_one_kind_is_not_read_as_another() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let letter = letter(&alice, knock(&alice, &bob));
    let writer = letter.writer(None, NOW).unwrap();
    let refused = letter.message::<Find>(&writer, &bob.peer().to_string(), NOW);
    assert_eq!(refused.unwrap_err().code(), Code::Malformed);
}

#[test]
fn finds_are_fresh_for_ten_minutes_and_knocks_for_a_week() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let find_at = |now| message_code(&alice, find(&alice, &bob), bob.peer(), now);
    assert_eq!(find_at(NOW + FRESHNESS), None);
    assert_eq!(find_at(NOW + FRESHNESS + SECOND), Some(Code::Expired));
    assert_eq!(find_at(NOW - FRESHNESS), None);
    assert_eq!(find_at(NOW - FRESHNESS - SECOND), Some(Code::ClockSkew));
    let knock_at = |now| message_code(&alice, knock(&alice, &bob), bob.peer(), now);
    assert_eq!(knock_at(NOW + KNOCK_LIFE + FRESHNESS), None);
    assert_eq!(knock_at(NOW + KNOCK_LIFE + FRESHNESS + SECOND), Some(Code::Expired));
    assert_eq!(knock_at(NOW - FRESHNESS - SECOND), Some(Code::ClockSkew));
}

fn checked<M: Document>(message: M) -> Option<Code> {
    let key = Seed::new([1; 32]);
    Signed::<M>::verify(sign(message, &key).compact(), &key.public_key()).err().map(|error| error.code())
}

#[test]
fn finds_offer_what_we_understand_within_limits() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let base = || find(&alice, &bob);
    assert_eq!(checked(base()), None);
    assert_eq!(checked(Find { suite: "PS0".into(), ..base() }), Some(Code::SuiteTooOld));
    assert_eq!(checked(Find { transports: Vec::new(), ..base() }), Some(Code::UnsupportedVersion));
    let line = |text: &str| Candidate(text.to_owned());
    let candidates = |list: Vec<Candidate>| {
        checked(Find { webrtc: TransportParameters { candidates: list, ..parameters() }, ..base() })
    };
    let good = line("candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host");
    assert_eq!(candidates(vec![good.clone(); MAX_CANDIDATES]), None);
    assert_eq!(candidates(vec![good; MAX_CANDIDATES + 1]), Some(Code::LimitExceeded));
    let long = format!("candidate:{}", "1".repeat(256));
    for bad in ["", "a=candidate:1", "candidate:1\r\na=setup:active", "candidate:\u{fc}", &long] {
        assert_eq!(candidates(vec![line(bad)]), Some(Code::Malformed), "{bad}");
    }
    for (ufrag, pwd) in
        [("abc", "abcdefghijklmnopqrstuv"), ("abcd", "short"), ("ab\r\n", "abcdefghijklmnopqrstuv")]
    {
        let ice = IceCredentials { ufrag: ufrag.into(), pwd: pwd.into() };
        let find = Find { webrtc: TransportParameters { ice, ..parameters() }, ..base() };
        assert_eq!(checked(find), Some(Code::Malformed), "{ufrag:?} {pwd:?}");
    }
}

#[test]
fn finds_may_offer_transports_of_the_future_too() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let text = serde_json::to_string(&find(&alice, &bob)).unwrap();
    let text = text.replace(r#"["webrtc"]"#, r#"["teleport","webrtc"]"#);
    let key = Seed::new([1; 32]);
    let read = Signed::<Find>::verify(&sign_text(Find::TYPE, &text, &key), &key.public_key()).unwrap();
    assert_eq!(read.transports, [Transport::Unknown, Transport::WebRtc]);
}

#[test]
fn knocks_are_short() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let text = |bytes: usize| Knock { text: "x".repeat(bytes), ..knock(&alice, &bob) };
    assert_eq!(checked(text(MAX_KNOCK_TEXT_BYTES)), None);
    assert_eq!(checked(text(MAX_KNOCK_TEXT_BYTES + 1)), Some(Code::LimitExceeded));
    let name = |bytes: usize| Knock { name: Some("x".repeat(bytes)), ..knock(&alice, &bob) };
    assert_eq!(checked(name(300)), None);
    assert_eq!(checked(name(301)), Some(Code::LimitExceeded));
}

#[test]
fn answers_say_yes_or_no() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let answer = |result| Answer {
        v: V1,
        iat: NOW,
        find: DocumentId([3; 32]),
        iss: bob.peer(),
        aud: alice.peer(),
        result,
    };
    let accept = |transport| AnswerResult::Accept {
        transport,
        webrtc: parameters(),
        fingerprint: Fingerprint([8; 32]),
    };
    assert_eq!(checked(answer(accept(Transport::WebRtc))), None);
    assert_eq!(checked(answer(accept(Transport::Unknown))), Some(Code::UnsupportedVersion));
    for (reason, text) in [
        (DeclineReason::NotContact, "not-contact"),
        (DeclineReason::Busy, "busy"),
        (DeclineReason::StaleDocument, "stale-document"),
        (DeclineReason::LocationRevoked, "location-revoked"),
        (DeclineReason::ClockSkew, "clock-skew"),
    ] {
        let decline = answer(AnswerResult::Decline { reason });
        let value = serde_json::to_value(&decline).unwrap();
        assert_eq!((value["result"].as_str(), value["reason"].as_str()), (Some("decline"), Some(text)));
        assert_eq!(reason.code().as_str(), text);
        assert_eq!(checked(decline), None);
    }
}

#[test]
fn continuations_are_within_limits() {
    let line = Candidate("candidate:1 1 udp 1 192.0.2.1 1 typ host".into());
    let more = |count| More { candidates: vec![line.clone(); count], end: true, cancel: false };
    assert_eq!(More::parse(&more(MAX_CANDIDATES).to_json()).unwrap(), more(MAX_CANDIDATES));
    let code = More::parse(&more(MAX_CANDIDATES + 1).to_json()).unwrap_err().code();
    assert_eq!(code, Code::LimitExceeded);
    assert_eq!(More::parse(b"{}").unwrap(), More::default());
    assert_eq!(
        String::from_utf8(More { cancel: true, ..More::default() }.to_json()).unwrap(),
        r#"{"end":false,"cancel":true}"#
    );
}
