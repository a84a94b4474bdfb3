use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// The only source of chance in a run.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// Dice that fall alike for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Dice that fall independently of these ones from now on.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(ChaCha20Rng::from_seed(self.bytes()))
    }

    /// Random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A number from 0 up to, not including, `limit`; 0 if `limit` is 0.
    #[must_use]
    pub fn below(&mut self, limit: u64) -> u64 {
        // The bias of the remainder is far below anything that a simulation could notice.
        if limit == 0 { 0 } else { self.0.next_u64() % limit }
    }

    /// True `permille` times out of a thousand.
    #[must_use]
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }

    /// One of the items, which must not be empty.
    #[must_use]
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// Letters and digits, as ICE wants them (RFC 8839 section 5.4).
    #[must_use]
    pub fn ice_text(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|_| char::from(self.pick(LETTERS))).collect()
    }

    /// The generator itself, for functions that take one.
    pub fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.0
    }
}
