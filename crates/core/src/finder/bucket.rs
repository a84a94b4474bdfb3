use crate::Time;
use crate::encoding::hash_fields;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    tokens: u32,
    per: u64,
    burst: u32,
}

impl Rate {
    /// `tokens` every `per` milliseconds (both at least 1), at most `burst` at once.
    pub(super) const fn new(tokens: u32, per: u64, burst: u32) -> Self {
        Self { tokens, per, burst }
    }

    /// From a pair of tokens a second, taken as at least 1, and the burst.
    pub(super) const fn per_second((tokens, burst): (u32, u32)) -> Self {
        Self { tokens: if tokens == 0 { 1 } else { tokens }, per: 1_000, burst }
    }

    pub(super) const fn burst(self) -> u32 {
        self.burst
    }

    /// Microseconds in which `tokens` come back.
    fn refill(self, tokens: u32) -> u64 {
        u64::from(tokens) * self.per * 1_000 / u64::from(self.tokens)
    }
}

/// A token bucket in eight bytes: when it will be full again, microseconds since the Unix epoch. A new one is full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// The tokens left; negative while overdrawn.
    pub(super) fn level(self, now: Time, rate: Rate) -> i64 {
        let wait = u128::from(self.full_at.saturating_sub(micros(now)));
        let missing = (wait * u128::from(rate.tokens)).div_ceil(u128::from(rate.per) * 1_000);
        i64::from(rate.burst).saturating_sub(i64::try_from(missing).unwrap_or(i64::MAX))
    }

    /// Takes tokens, also those that are not there.
    pub(super) fn spend(&mut self, now: Time, rate: Rate, tokens: u32) {
        self.full_at = self.full_at.max(micros(now)).saturating_add(rate.refill(tokens));
    }

    /// Whole seconds until one token will be there, at least 1.
    pub(super) fn retry_after(self, now: Time, rate: Rate) -> u64 {
        let full_in = self.full_at.saturating_sub(micros(now));
        full_in.saturating_sub(rate.refill(rate.burst.saturating_sub(1))).div_ceil(1_000_000).max(1)
    }
}

/// Lets everything pass while at least half of the burst is left, then drops at random, the more the emptier, so that
/// who knows when the next token comes gains nothing over others. In the long run no more passes than `rate` allows.
pub(super) fn passes_at_random(level: i64, rate: Rate, rng: &mut ChaCha20Rng) -> bool {
    let half = i64::from(rate.burst().div_ceil(2));
    level > 0 && (level >= half || i64::from(rng.next_u32()) % half < level)
}

/// Buckets for any number of keys in a fixed amount of memory: every key has one slot in each of two rows, found by a
/// keyed hash that outsiders cannot aim, and has the tokens of the fuller one.
pub(super) struct BucketTable {
    slots: Vec<Bucket>,
    secret: [u8; 32],
}

impl BucketTable {
    /// A table with `slots` full buckets in each row.
    pub(super) fn new(slots: usize, rng: &mut ChaCha20Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self { slots: vec![Bucket::default(); 2 * slots], secret }
    }

    /// The bucket of a key as far as it can be told from others.
    pub(super) fn get(&self, key: &[u8]) -> Bucket {
        let [first, second] = self.places(key).map(|place| self.slots[place]);
        if first.full_at <= second.full_at { first } else { second }
    }

    /// Takes one token.
    pub(super) fn spend(&mut self, now: Time, rate: Rate, key: &[u8]) {
        for place in self.places(key) {
            self.slots[place].spend(now, rate, 1);
        }
    }

    fn places(&self, key: &[u8]) -> [usize; 2] {
        let hash = hash_fields("openpeer/bucket-table", &[&self.secret, key]);
        let number =
            |at: usize| u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]) as usize;
        let row = self.slots.len() / 2;
        [number(0) % row, row + number(4) % row]
    }
}

fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    const NOW: Time = Time::from_secs(1_795_000_000);
    const RATE: Rate = Rate::per_second((2, 10));

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.level(NOW, RATE), 10);
        for left in (0..10).rev() {
            bucket.spend(NOW, RATE, 1);
            assert_eq!(bucket.level(NOW, RATE), left);
        }
        assert_eq!(bucket.retry_after(NOW, RATE), 1);
        bucket.spend(NOW, RATE, 4);
        assert_eq!(bucket.level(NOW, RATE), -4);
        assert_eq!(bucket.retry_after(NOW, RATE), 3);
        assert_eq!(bucket.level(NOW + 2_499, RATE), 0);
        assert_eq!(bucket.level(NOW + 2_500, RATE), 1);
        assert_eq!(bucket.level(NOW + 60_000, RATE), 10);
        assert_eq!(bucket.level(Time::default(), RATE), i64::from(RATE.burst()) - 3_590_000_014);
    }

    #[test]
    fn a_byte_bucket_fills_at_its_rate() {
        let rate = Rate::per_second((32 * 1024, 160 * 1024));
        let mut bucket = Bucket::default();
        bucket.spend(NOW, rate, 160 * 1024);
        assert!((32 * 1024 - 1..=32 * 1024).contains(&bucket.level(NOW + 1_000, rate)));
    }

    #[test]
    fn random_drop_lets_no_more_pass_than_the_rate() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut bucket = Bucket::default();
        let passed = (0..60_000u64)
            .map(|millis| NOW + millis)
            .filter(|now| {
                let passes = passes_at_random(bucket.level(*now, RATE), RATE, &mut rng);
                if passes {
                    bucket.spend(*now, RATE, 1);
                }
                passes
            })
            .count();
        assert!((120..=130).contains(&passed), "{passed} of 120 and a burst of 10");
    }

    #[test]
    fn random_drop_gives_everybody_the_same_share() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let half_full = (0..10_000).filter(|_| passes_at_random(2, RATE, &mut rng)).count();
        assert!((3_800..=4_200).contains(&half_full), "{half_full}: two of five pass at level 2");
        assert!(passes_at_random(5, RATE, &mut rng) && !passes_at_random(0, RATE, &mut rng));
    }

    #[test]
    fn a_table_tells_keys_apart() {
        let mut table = BucketTable::new(1 << 10, &mut ChaCha20Rng::from_seed([3; 32]));
        for _ in 0..10 {
            table.spend(NOW, RATE, b"busy");
        }
        assert_eq!(table.get(b"busy").level(NOW, RATE), 0);
        let shared = (0..1_000u32).filter(|key| table.get(&key.to_be_bytes()).level(NOW, RATE) < 10).count();
        assert_eq!(shared, 0);
    }
}
