use super::*;
use crate::key::{Keyring, Seed};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn keyring() -> (Keyring, InboxKey) {
    let mut keyring = Keyring::new(Seed::new([1; 32]), Seed::new([2; 32]));
    let key = keyring.add_inbox(InboxSecret::new([3; 32]));
    (keyring, key)
}

fn sealed(key: &InboxKey, psk: Option<&Psk>, content: &[u8]) -> (Vec<u8>, ExchangeSecret) {
    seal(EnvelopeKind::Find, Recipient { peer: "p1bob", key, psk }, content, &mut rng(4)).unwrap()
}

#[test]
fn base_and_psk_round_trip() {
    let (keyring, key) = keyring();
    let psks = [Psk([8; 32]), Psk([9; 32])];
    for (psk, index) in [(None, None), (Some(&psks[1]), Some(1))] {
        let (envelope, secret) = sealed(&key, psk, b"hello");
        assert_eq!(envelope.len(), PREFIX + ENC + BUCKETS[0] + 16);
        let (request, matched) = OpenRequest::parse(&envelope, "p1bob", &psks).unwrap();
        assert_eq!(matched, index);
        assert_eq!(keyring.open(&request).unwrap(), Opened { content: b"hello".to_vec(), secret });
    }
}

#[test]
fn any_altered_byte_is_noticed() {
    let (keyring, key) = keyring();
    let psk = Psk([9; 32]);
    let (envelope, _) = sealed(&key, Some(&psk), b"hello");
    for position in (0..PREFIX).chain([PREFIX, PREFIX + ENC - 1, PREFIX + ENC, envelope.len() - 1]) {
        let mut altered = envelope.clone();
        altered[position] ^= 1;
        let verdict =
            OpenRequest::parse(&altered, "p1bob", [&psk]).and_then(|(request, _)| keyring.open(&request));
        assert!(verdict.is_err(), "byte {position}");
    }
}

#[test]
fn is_bound_to_recipient_and_psk() {
    let (keyring, key) = keyring();
    let (envelope, _) = sealed(&key, None, b"hello");
    let (request, _) = OpenRequest::parse(&envelope, "p1carol", []).unwrap();
    assert_eq!(keyring.open(&request).unwrap_err().code(), Code::BadSignature);
    let (envelope, _) = sealed(&key, Some(&Psk([9; 32])), b"hello");
    let wrong = Psk([8; 32]);
    assert_eq!(OpenRequest::parse(&envelope, "p1bob", [&wrong]).unwrap_err().code(), Code::NotContact);
}

#[test]
fn lower_and_unknown_suites_are_refused() {
    let (_, key) = keyring();
    let (mut envelope, _) = sealed(&key, None, b"hello");
    envelope[0] = 0;
    assert_eq!(OpenRequest::parse(&envelope, "p1bob", []).unwrap_err().code(), Code::SuiteTooOld);
    envelope[0] = 2;
    assert_eq!(OpenRequest::parse(&envelope, "p1bob", []).unwrap_err().code(), Code::UnsupportedVersion);
}

#[test]
fn a_forgotten_key_opens_nothing() {
    let (mut keyring, key) = keyring();
    let (envelope, _) = sealed(&key, None, b"hello");
    let (request, _) = OpenRequest::parse(&envelope, "p1bob", []).unwrap();
    keyring.forget_inbox(&key.id());
    assert_eq!(keyring.open(&request).unwrap_err().code(), Code::Expired);
}

#[test]
fn sizes_show_buckets_only() {
    let (_, key) = keyring();
    let mut sizes: Vec<usize> = (0..1000).map(|n| sealed(&key, None, &vec![1; n * 16]).0.len()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes, BUCKETS.map(|bucket| bucket + PREFIX + ENC + 16));
    let too_large = vec![0; BUCKETS[3] - 1];
    let refused =
        seal(EnvelopeKind::Find, Recipient { peer: "p1", key: &key, psk: None }, &too_large, &mut rng(4));
    assert_eq!(refused.unwrap_err().code(), Code::TooLarge);
}

#[test]
fn two_locations_answer_one_find_under_different_keys() {
    let (_, key) = keyring();
    let (_, secret) = sealed(&key, None, b"hello");
    let one = secret.seal_answer([1; 32], b"yes").unwrap();
    let two = secret.seal_answer([2; 32], b"yes").unwrap();
    assert_ne!(one[32..], two[32..]);
    assert_eq!(secret.open_answer(&one).unwrap(), (b"yes".to_vec(), [1; 32]));
    assert_eq!(secret.open_answer(&two).unwrap(), (b"yes".to_vec(), [2; 32]));
    assert_eq!(one.len(), 32 + BUCKETS[0] + 16);
}

#[test]
fn continuations_keep_direction_and_counter() {
    let (_, key) = keyring();
    let (_, secret) = sealed(&key, None, b"hello");
    let salt = [1; 32];
    let more = secret.seal_more(Some(&salt), 1, b"candidate").unwrap();
    assert_eq!(more.len(), 4 + 256 + 16);
    assert_eq!(secret.open_more(Some(&salt), &more).unwrap(), (1, b"candidate".to_vec()));
    assert_eq!(secret.open_more(None, &more).unwrap_err().code(), Code::BadSignature);
    assert_eq!(secret.open_more(Some(&[2; 32]), &more).unwrap_err().code(), Code::BadSignature);
    let mut renumbered = more;
    renumbered[3] = 2;
    assert_eq!(secret.open_more(Some(&salt), &renumbered).unwrap_err().code(), Code::BadSignature);
}

#[test]
fn both_ends_agree_on_a_psk() {
    let ours = Psk::agree([[1; 32], [2; 32]], ["p1a", "p1b"], [[3; 32], [4; 32]]);
    assert_eq!(ours, Psk::agree([[2; 32], [1; 32]], ["p1b", "p1a"], [[4; 32], [3; 32]]));
    assert_ne!(ours, Psk::agree([[1; 32], [2; 32]], ["p1a", "p1c"], [[3; 32], [4; 32]]));
    assert_ne!(ours, Psk::agree([[1; 32], [2; 32]], ["p1a", "p1b"], [[3; 32], [5; 32]]));
    assert_eq!(format!("{ours:?}"), "Psk(hidden)");
}
