use crate::NOW;
use crate::input::Input;
use openpeer_core::document::{Chain, Salt};
use openpeer_core::key::{InboxSecret, Keyring, Seed};
use openpeer_core::message::{Answer, Find, Knock, Letter, More};
use openpeer_core::seal::{EnvelopeKind, ExchangeSecret, OpenRequest, Psk, Recipient, seal};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::cell::LazyCell;

thread_local! {
    /// Everything that costs time, made once.
    static STAGE: LazyCell<Stage> = LazyCell::new(Stage::set);
}

/// A recipient with keys, and an exchange that is under way.
struct Stage {
    keys: Keyring,
    recipient: String,
    psk: Psk,
    envelope: Vec<u8>,
    secret: ExchangeSecret,
}

/// Reads a sealed message from the outside and from the inside.
pub fn envelope(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let data = input.rest();
    STAGE.with(|stage| match kind % 5 {
        0 => stage.open(data),
        1 => stage.open(&altered(&stage.envelope, data)),
        2 => letter(data, &stage.recipient),
        3 => stage.open_answer(data),
        _ => stage.open_more(data),
    });
}

impl Stage {
    fn set() -> Self {
        let (root, location) = (Seed::new([1; 32]), Seed::new([2; 32]));
        let draft = Chain::draft_inception(&root.public_key(), Vec::new(), Salt([3; 16]), NOW);
        let signature = root.sign(draft.signing_input());
        let chain = Chain::from_inception(draft, &signature).expect("an inception makes a chain");
        let recipient = chain.peer().to_string();
        let mut keys = Keyring::new(root, location);
        let key = keys.add_inbox(InboxSecret::new([4; 32]));
        let psk = Psk::from_bytes([5; 32]);
        let to = Recipient { peer: &recipient, key: &key, psk: Some(&psk) };
        let mut rng = ChaCha20Rng::from_seed([6; 32]);
        let (envelope, secret) =
            seal(EnvelopeKind::Find, to, b"content", &mut rng).expect("short content fits");
        Self { keys, recipient, psk, envelope, secret }
    }

    fn open(&self, envelope: &[u8]) {
        let Ok((request, _)) = OpenRequest::parse(envelope, &self.recipient, [&self.psk]) else { return };
        if self.keys.open(&request).is_ok() {
            assert_eq!(envelope, self.envelope, "nobody else knows how to seal for this key");
        }
    }

    fn open_answer(&self, data: &[u8]) {
        assert!(self.secret.open_answer(data).is_err(), "only the callee writes answers");
        let mut salt = [0; 32];
        let length = data.len().min(32);
        salt[..length].copy_from_slice(&data[..length]);
        if let Ok(body) = self.secret.seal_answer(salt, data) {
            let opened = self.secret.open_answer(&body).expect("what was sealed opens");
            assert_eq!(opened, (data.to_vec(), salt));
        }
    }

    fn open_more(&self, data: &[u8]) {
        assert!(self.secret.open_more(None, data).is_err(), "only the seeker writes on");
        if let Ok(more) = More::parse(data) {
            assert_eq!(More::parse(&more.to_json()).ok(), Some(more));
        }
        if let Ok(body) = self.secret.seal_more(None, 7, data) {
            assert_eq!(self.secret.open_more(None, &body).ok(), Some((7, data.to_vec())));
        }
    }
}

/// The envelope with some of its bytes replaced.
fn altered(envelope: &[u8], data: &[u8]) -> Vec<u8> {
    let mut altered = envelope.to_vec();
    for change in data.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % altered.len();
        altered[place] ^= change[2];
    }
    altered
}

/// Reads the content of an envelope.
fn letter(data: &[u8], reader: &str) {
    let Ok(letter) = Letter::parse(data) else { return };
    assert_eq!(Letter::parse(&letter.to_json()).ok(), Some(letter.clone()));
    let Ok(writer) = letter.writer(None, NOW) else { return };
    let again = Letter { a: Vec::new(), location: None, ..letter.clone() };
    assert!(again.writer(Some(&writer), NOW).is_ok(), "what was left out is known");
    let _ = letter.message::<Find>(&writer, reader, NOW);
    let _ = letter.message::<Answer>(&writer, reader, NOW);
    let _ = letter.message::<Knock>(&writer, reader, NOW);
}
