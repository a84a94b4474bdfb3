use openpeer_core::Time;
use openpeer_core::finder::Source;
use std::collections::BTreeMap;

/// Token buckets by source, in bounded memory.
///
/// A bucket is stored as the moment at which it will be full again, so one that is full need not be stored at all.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Milliseconds that one token takes to come back.
    interval: u64,
    /// Milliseconds from empty to full.
    depth: u64,
    full_at: BTreeMap<Source, Time>,
    capacity: usize,
}

impl RateLimit {
    /// `burst` tokens at once and then `tokens` per `period` milliseconds, for at most `capacity` sources at a time.
    pub(crate) fn new(tokens: u32, period: u64, burst: u32, capacity: usize) -> Self {
        let interval = (period / u64::from(tokens.max(1))).max(1);
        Self { interval, depth: interval * u64::from(burst.max(1)), full_at: BTreeMap::new(), capacity }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// Whole seconds until there is one.
    pub(crate) fn take(&mut self, source: Source, now: Time) -> Result<(), u64> {
        let full_at = self.full_at.get(&source).copied().unwrap_or(now).max(now);
        let after = full_at + self.interval;
        let missing = after.millis_since(now).saturating_sub(self.depth);
        if missing > 0 {
            return Err(missing.div_ceil(1000));
        }
        if self.full_at.len() >= self.capacity && !self.full_at.contains_key(&source) {
            self.make_room(now);
        }
        self.full_at.insert(source, after);
        Ok(())
    }

    /// Drops full buckets, and if there are none, the fuller half: a flood of sources must not empty everybody's
    /// bucket, but may not make this grow either.
    fn make_room(&mut self, now: Time) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= self.capacity {
            let mut times: Vec<Time> = self.full_at.values().copied().collect();
            let middle = times.len() / 2;
            let median = *times.select_nth_unstable(middle).1;
            self.full_at.retain(|_, full_at| *full_at > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_795_000_000);

    const fn source(n: u8) -> Source {
        Source([n; 8])
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut limit = RateLimit::new(60, 60_000, 3, 16);
        for _ in 0..3 {
            limit.take(source(1), NOW).unwrap();
        }
        assert_eq!(limit.take(source(1), NOW), Err(1));
        limit.take(source(2), NOW).unwrap();
        limit.take(source(1), NOW + 1_000).unwrap();
        assert!(limit.take(source(1), NOW + 1_500).is_err());
    }

    #[test]
    fn memory_is_bounded_and_the_emptiest_buckets_stay() {
        let mut limit = RateLimit::new(60, 60_000, 3, 16);
        for _ in 0..3 {
            limit.take(source(0), NOW).unwrap();
        }
        for n in 1..=200 {
            limit.take(source(n), NOW).unwrap();
        }
        assert!(limit.full_at.len() <= 16);
        assert!(limit.take(source(0), NOW).is_err());
    }
}
