//! Envelopes, answers and continuations: nothing but what was sealed opens, and nothing panics.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;
use openpeer_core::key::{InboxSecret, Keyring, Seed};
use openpeer_core::seal::{ExchangeSecret, OpenRequest, Psk};

fuzz_target!(|data: &[u8]| {
    let mut keyring = Keyring::new(Seed::new([1; 32]), Seed::new([2; 32]));
    let key = keyring.add_inbox(InboxSecret::new([3; 32]));
    let psks = [Psk::from_bytes([4; 32]), Psk::from_bytes([5; 32])];
    // With the right key id in place, more inputs get as far as decapsulation.
    let mut addressed = data.to_vec();
    if let Some(id) = addressed.get_mut(3..19) {
        id.copy_from_slice(&key.id().0);
    }
    for envelope in [data, &addressed] {
        if let Ok((request, _)) = OpenRequest::parse(envelope, "p1bob", &psks) {
            assert!(keyring.open(&request).is_err(), "an envelope that nobody sealed");
        }
    }
    let secret = ExchangeSecret::from_bytes([6; 32]);
    assert!(secret.open_answer(data).is_err(), "an answer that nobody sealed");
    assert!(secret.open_more(None, data).is_err(), "a continuation that nobody sealed");
    assert!(secret.open_more(Some(&[7; 32]), data).is_err(), "a continuation that nobody sealed");
});
