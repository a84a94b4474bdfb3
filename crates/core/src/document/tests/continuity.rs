use super::fixture::{NOW, domain, domain_document, sign};
use crate::defaults::{DOMAIN_KEY_HOLD_DOWN, DOMAIN_KEY_HOLD_DOWN_UNREACHABLE};
use crate::document::{Continuity, DomainDocument, DomainPin, Signed};
use crate::key::Seed;
use crate::{Code, Time};

const SECOND: u64 = 1_000;

fn key(number: u8) -> Seed {
    Seed::new([number; 32])
}

fn document(signer: u8, seq: u64, now: Time) -> Signed<DomainDocument> {
    sign(domain_document("a.test", &key(signer), seq, now), &key(signer))
}

fn pin() -> DomainPin {
    DomainPin::first_sight(&document(1, 5, NOW), NOW)
}

fn pinned_seq(pin: &DomainPin) -> u64 {
    pin.document(&domain("a.test")).unwrap().seq
}

#[test]
fn a_pinned_key_may_say_something_new() {
    let mut pin = pin();
    let later = NOW + SECOND;
    assert_eq!(pin.weigh(&document(1, 6, later), true, later), Ok(Continuity::Trusted));
    assert_eq!((pinned_seq(&pin), pin.fetched), (6, later));
    assert_eq!(pin.weigh(&document(1, 6, later), true, later), Ok(Continuity::Trusted), "the same again");
}

#[test]
fn a_pinned_key_may_hand_over_to_another() {
    let mut pin = pin();
    let mut both = domain_document("a.test", &key(1), 6, NOW);
    both.keys.push(key(2).public_key());
    assert_eq!(pin.weigh(&sign(both, &key(1)), true, NOW), Ok(Continuity::Trusted));
    assert_eq!(pin.weigh(&document(2, 7, NOW), true, NOW), Ok(Continuity::Trusted));
    assert_eq!(pin.keys(), [key(2).public_key()]);
}

#[test]
fn lower_numbers_and_second_documents_of_one_number_are_refused() {
    let mut pin = pin();
    assert_eq!(pin.weigh(&document(1, 4, NOW), true, NOW).unwrap_err().code(), Code::StaleDocument);
    let mut other = domain_document("a.test", &key(1), 5, NOW);
    other.contact = Some("somebody else".to_owned());
    assert_eq!(pin.weigh(&sign(other, &key(1)), true, NOW).unwrap_err().code(), Code::Fork);
    assert_eq!(pinned_seq(&pin), 5);
}

/// The moment at which a new key that was first seen at `NOW` is accepted.
fn accepted_at(pin: &mut DomainPin, seq: u64, finder_answers: bool, now: Time) -> Option<Time> {
    match pin.weigh(&document(2, seq, now), finder_answers, now).unwrap() {
        Continuity::Trusted => None,
        Continuity::KeyChanged { accepted_from } => Some(accepted_from),
    }
}

#[test]
fn another_key_waits_for_seven_days() {
    let mut pin = pin();
    let end = NOW + DOMAIN_KEY_HOLD_DOWN;
    assert_eq!(accepted_at(&mut pin, 1, true, NOW), Some(end));
    assert_eq!(
        accepted_at(&mut pin, 2, true, end - SECOND),
        Some(end),
        "new documents do not restart the wait"
    );
    assert_eq!(
        (pinned_seq(&pin), pin.keys()),
        (5, &[key(1).public_key()][..]),
        "the pinned finders stay in use"
    );
    assert_eq!(accepted_at(&mut pin, 3, true, end), None);
    assert_eq!((pinned_seq(&pin), pin.keys()), (3, &[key(2).public_key()][..]));
}

#[test]
fn another_key_waits_for_a_day_when_no_pinned_finder_answers() {
    let mut pin = pin();
    let end = NOW + DOMAIN_KEY_HOLD_DOWN_UNREACHABLE;
    assert_eq!(accepted_at(&mut pin, 1, true, NOW), Some(NOW + DOMAIN_KEY_HOLD_DOWN));
    assert_eq!(accepted_at(&mut pin, 1, false, end - SECOND), Some(end));
    assert_eq!(accepted_at(&mut pin, 1, false, end), None);
}

#[test]
fn the_wait_starts_again_when_the_old_key_returns_or_a_third_one_comes() {
    let almost = NOW + DOMAIN_KEY_HOLD_DOWN - SECOND;
    let mut returned = pin();
    accepted_at(&mut returned, 1, true, NOW);
    assert_eq!(returned.weigh(&document(1, 5, NOW), true, almost), Ok(Continuity::Trusted));
    assert_eq!(accepted_at(&mut returned, 1, true, almost), Some(almost + DOMAIN_KEY_HOLD_DOWN));

    let mut third = pin();
    accepted_at(&mut third, 1, true, NOW);
    third.weigh(&document(3, 1, almost), true, almost).unwrap();
    assert_eq!(accepted_at(&mut third, 1, true, almost), Some(almost + DOMAIN_KEY_HOLD_DOWN));
}

#[test]
fn a_pin_survives_storage_and_keeps_to_its_domain() {
    let mut pin = pin();
    accepted_at(&mut pin, 1, true, NOW);
    let stored = serde_json::to_string(&pin).unwrap();
    let restored: DomainPin = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, pin);
    assert_eq!(restored.document(&domain("b.test")).unwrap_err().code(), Code::WrongDomain);
    let damaged = stored.replace(&key(1).public_key().to_string(), &key(3).public_key().to_string());
    let damaged: DomainPin = serde_json::from_str(&damaged).unwrap();
    assert_eq!(damaged.document(&domain("a.test")).unwrap_err().code(), Code::BadSignature);
}

/// An expired pin still leads to the domain's finders, which then prove themselves.
#[test]
fn a_pin_outlives_its_document() {
    let late = NOW + crate::defaults::DOMAIN_DOCUMENT_LIFE + SECOND;
    let expired = DomainDocument::verify(document(1, 5, NOW).compact(), &domain("a.test"), late);
    assert_eq!(expired.unwrap_err().code(), Code::Expired);
    assert_eq!(pinned_seq(&pin()), 5);
}
